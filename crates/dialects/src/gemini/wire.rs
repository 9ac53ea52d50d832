//! An answer, or a chunk of one, as it is on the wire (§5.4 of the wire formats), without a copy where that can be.

use crate::json::{Text, mended};
use cliproxy_domain::{AttemptError, Failure};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) response_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow)]
    pub(super) block_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) continuation_token: Option<Text<'a>>,
    /// [`CitationMetadata`].
    #[serde(borrow)]
    pub(super) citation_metadata: Option<&'a RawValue>,
    /// [`GroundingMetadata`].
    #[serde(borrow)]
    pub(super) grounding_metadata: Option<&'a RawValue>,
    /// [`LogprobsResult`].
    #[serde(borrow)]
    pub(super) logprobs_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) parts: Option<Vec<Part<'a>>>,
}

/// One part. Payloads that are not named here are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    pub(super) thought: Option<bool>,
    #[serde(borrow)]
    pub(super) thought_signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(borrow)]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(borrow)]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(borrow)]
    pub(super) executable_code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) code_execution_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_call: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(borrow)]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(borrow)]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) file_uri: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct CitationMetadata<'a> {
    /// `citationSources` is the field's older name.
    #[serde(borrow, alias = "citationSources")]
    pub(super) citations: Option<Vec<Source<'a>>>,
}

/// A cited source; places are in bytes of the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source<'a> {
    pub(super) start_index: Option<u64>,
    pub(super) end_index: Option<u64>,
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingMetadata<'a> {
    #[serde(borrow)]
    pub(super) grounding_chunks: Option<Vec<GroundingChunk<'a>>>,
    #[serde(borrow)]
    pub(super) grounding_supports: Option<Vec<GroundingSupport<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingChunk<'a> {
    #[serde(borrow)]
    pub(super) web: Option<Page<'a>>,
    #[serde(borrow)]
    pub(super) retrieved_context: Option<Page<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingSupport<'a> {
    #[serde(borrow)]
    pub(super) segment: Option<Segment<'a>>,
    pub(super) grounding_chunk_indices: Option<Vec<u32>>,
}

/// A piece of the answer's text; places are in bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Segment<'a> {
    pub(super) start_index: Option<u64>,
    pub(super) end_index: Option<u64>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogprobsResult {
    pub(super) chosen_candidates: Option<Vec<Logprob>>,
    pub(super) top_candidates: Option<Vec<TopCandidates>>,
}

#[derive(Deserialize)]
pub(super) struct TopCandidates {
    pub(super) candidates: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logprob {
    pub(super) token: Option<String>,
    pub(super) log_probability: Option<serde_json::Number>,
}

impl Part<'_> {
    /// Tells whether there is something that is neither text nor a call.
    pub(super) fn has_other_payload(&self) -> bool {
        let own = [self.executable_code, self.code_execution_result, self.tool_call, self.tool_response];
        self.inline_data.is_some() || self.file_data.is_some() || own.iter().any(Option::is_some)
    }
}

/// Reads what stands beside the content. What is not as it should be is left out: the answer is whole without it.
pub(super) fn beside<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// Reads a chunk and hands it to `then`. Half of a surrogate pair alone becomes U+FFFD (§12.1 of the wire formats).
///
/// # Errors
/// [`Failure::MalformedReply`] when it is not what it must be; the errors of `then`.
pub(super) fn read<T>(
    data: &[u8],
    then: impl FnOnce(Chunk<'_>) -> Result<T, AttemptError>,
) -> Result<T, AttemptError> {
    match serde_json::from_slice(data) {
        Ok(chunk) => then(chunk),
        Err(_) => {
            let mended = mended(data).ok_or_else(malformed)?;
            then(serde_json::from_slice(&mended).map_err(|_| malformed())?)
        }
    }
}

fn malformed() -> AttemptError {
    AttemptError::new(Failure::MalformedReply, "the provider's answer is not that of generateContent")
}
