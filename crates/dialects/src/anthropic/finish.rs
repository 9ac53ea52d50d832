//! Why an answer ended (`golden/finish-reasons.json`).

use crate::{form::Finish, json::Object};
use serde::Deserialize;
use std::borrow::Cow;

/// What Anthropic says of the end. Fields of an unexpected type are as good as absent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct StopDetails {
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    explanation: Option<String>,
}

/// Reads `stop_reason` and what stands beside it; `called` tells whether the answer calls tools. Reasons that nobody
/// documented are an ordinary end.
pub(super) fn read(
    reason: &str,
    sequence: Option<Cow<'_, str>>,
    details: Option<StopDetails>,
    called: bool,
) -> Finish {
    match reason {
        "tool_use" => Finish::ToolUse,
        "stop_sequence" => Finish::StopSequence(sequence.map(Cow::into_owned)),
        "max_tokens" => Finish::MaxTokens,
        "model_context_window_exceeded" => Finish::ContextWindow,
        "pause_turn" => Finish::Pause { token: None },
        "refusal" => {
            let StopDetails { category, explanation } = details.unwrap_or_default();
            Finish::Refusal { category, explanation }
        }
        _ => Finish::End.with_calls(called),
    }
}

/// Writes `stop_reason`, `stop_sequence` and `stop_details`.
pub(super) fn write(finish: &Finish, object: &mut Object<'_>) {
    let reason = match finish {
        Finish::End => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        // A client that is told of a pause asks again, and for ever where Gemini never ends: what the gateway did not
        // go on with is cut.
        Finish::MaxTokens | Finish::Pause { token: Some(_) } => "max_tokens",
        Finish::ContextWindow => "model_context_window_exceeded",
        Finish::ToolUse => "tool_use",
        Finish::ContentFilter { .. } | Finish::Refusal { .. } => "refusal",
        Finish::Pause { token: None } => "pause_turn",
    };
    let sequence = match finish {
        Finish::StopSequence(sequence) => sequence.as_deref(),
        _ => None,
    };
    object.field("stop_reason", reason).field("stop_sequence", &sequence);
    match finish {
        Finish::Refusal { category, explanation } => {
            let mut details = object.object("stop_details");
            details.field("type", "refusal").field("category", category).field("explanation", explanation);
        }
        Finish::ContentFilter { .. } => {
            let mut details = object.object("stop_details");
            details.field("type", "refusal").field("category", &()).field("explanation", &());
        }
        _ => {
            object.field("stop_details", &());
        }
    }
}
