//! OpenAI Chat Completions: §2.5 of the wire formats.

use super::event::{Seen, has_value, parse};
use crate::{classify, json::says_something};
use cliproxy_domain::{AttemptError, Dialect};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::LazyLock;

static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
static CHOICES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"choices\""));
static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"delta\""));

/// Which choices have begun and which have finished, a bit each. The API allows 128 of them.
#[derive(Debug, Default)]
pub(super) struct Watch {
    begun: u128,
    finished: u128,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

/// The fields that carry content. `reasoning_content`, `reasoning` and `reasoning_details` are extensions of
/// compatible servers.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
}

impl Choice<'_> {
    /// Gives the choice's bit: that of the first when it has no number, none beyond the 128th.
    fn bit(&self) -> u128 {
        let index = self.index.map_or(Ok(0), |raw| raw.get().parse::<u32>());
        1_u128.checked_shl(index.unwrap_or(0)).unwrap_or(0)
    }
}

impl Delta<'_> {
    fn has_content(&self) -> bool {
        [
            self.content,
            self.reasoning_content,
            self.tool_calls,
            self.reasoning,
            self.refusal,
            self.function_call,
            self.audio,
            self.reasoning_details,
        ]
        .into_iter()
        .any(says_something)
    }
}

impl Watch {
    pub(super) fn event(&mut self, seen: &mut Seen, data: &[u8]) -> Result<(), AttemptError> {
        if seen.semantic && self.is_plain_content(data) {
            seen.content_events += 1;
            return Ok(());
        }
        let Some(chunk) = parse::<Chunk<'_>>(data)? else { return Ok(()) };
        if let Some(error) = chunk.error.filter(|error| says_something(Some(error))) {
            return Err(classify::in_stream(error.get()));
        }
        seen.usage(Dialect::OpenAiChat, chunk.usage);
        let mut content = false;
        for choice in chunk.choices.unwrap_or_default() {
            content |= choice.delta.as_ref().is_some_and(Delta::has_content);
            let bit = choice.bit();
            self.begun |= bit;
            if says_something(choice.finish_reason) {
                self.finished |= bit;
                seen.semantic = true;
            }
        }
        if content {
            seen.content();
        }
        Ok(())
    }

    /// Complete with a finish reason for every choice that has begun; `[DONE]` is not asked for (pitfall 18),
    /// but after content it will do.
    pub(super) fn is_complete(&self, seen: &Seen) -> bool {
        let all_finished = self.finished != 0 && self.begun & !self.finished == 0;
        all_finished || (seen.done && seen.semantic)
    }

    /// Tells, without parsing, whether a chunk is content of a choice that is known and nothing else. Chunks
    /// in an unusual spelling are not, and get parsed.
    fn is_plain_content(&self, data: &[u8]) -> bool {
        self.is_of_known_choice(data)
            && !has_value(data, &FINISH_REASON)
            && !has_value(data, &USAGE)
            && !has_value(data, &ERROR)
    }

    fn is_of_known_choice(&self, data: &[u8]) -> bool {
        let Some(at) = CHOICES.find(data) else { return false };
        let after = &data[at + CHOICES.needle().len()..];
        let Some(after) =
            after.strip_prefix(b":[{\"index\":").or_else(|| after.strip_prefix(b": [{\"index\": "))
        else {
            return false;
        };
        let [digit @ b'0'..=b'9', b',', rest @ ..] = after else { return false };
        self.begun & (1 << (digit - b'0')) != 0 && DELTA.find_iter(rest).take(2).count() == 1
    }
}
