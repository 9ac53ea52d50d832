//! Words of this dialect for tiers and for the ends of answers.

use super::CHAT;
use crate::form::{Finish, Tier};
use cliproxy_domain::{AttemptError, Failure};

/// Reads `service_tier`.
pub(super) fn tier_of(word: String) -> Tier {
    match word.as_str() {
        "auto" => Tier::Auto,
        "default" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" => Tier::Priority,
        "fast" => Tier::Fast,
        _ => Tier::Other(word),
    }
}

/// Writes `service_tier`.
pub(super) fn of_tier(tier: &Tier) -> &str {
    match tier {
        Tier::Auto => "auto",
        Tier::Standard => "default",
        Tier::Flex => "flex",
        Tier::Priority => "priority",
        Tier::Fast => "fast",
        Tier::Other(word) => word,
    }
}

/// Reads a `finish_reason` of an answer that `called` tools or did not. `at` is the stop text that ended it, which
/// vLLM names beside the reason.
///
/// # Errors
/// For the words by which servers say that they broke off: `error` (OpenRouter), `abort` (vLLM) and
/// `insufficient_system_resource` (DeepSeek).
pub(super) fn finish_of(word: &str, called: bool, at: Option<String>) -> Result<Finish, AttemptError> {
    match word {
        "length" => Ok(Finish::MaxTokens),
        "content_filter" => Ok(Finish::ContentFilter { native: Some((CHAT, word.to_owned())) }),
        "error" | "abort" | "insufficient_system_resource" => Err(AttemptError::new(
            Failure::Upstream,
            format!("the provider broke the answer off with finish_reason {word}"),
        )),
        "stop" if at.is_some() => Ok(Finish::StopSequence(at)),
        // `tool_calls` and `function_call` without a call are an ordinary end: a client would wait for results of
        // nothing.
        _ => Ok(Finish::End.with_calls(called)),
    }
}

/// Writes a `finish_reason` (`golden/finish-reasons.json`).
pub(super) fn of_finish(finish: &Finish) -> &'static str {
    match finish {
        Finish::End | Finish::StopSequence(_) => "stop",
        // A pause that nobody resumed has cut the answer, which no client may take for whole.
        Finish::MaxTokens | Finish::ContextWindow | Finish::Pause { .. } => "length",
        Finish::ToolUse => "tool_calls",
        Finish::ContentFilter { .. } | Finish::Refusal { .. } => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden() -> Vec<Value> {
        let golden: Value =
            serde_json::from_slice(&crate::fixtures::read("golden/finish-reasons.json")).unwrap();
        golden["rows"].as_array().unwrap().clone()
    }

    fn canonical(name: &str) -> Option<Finish> {
        Some(match name {
            "end" => Finish::End,
            "max_tokens" => Finish::MaxTokens,
            "tool_use" => Finish::ToolUse,
            "content_filter" => Finish::ContentFilter { native: None },
            "stop_sequence" => Finish::StopSequence(None),
            "context_window" => Finish::ContextWindow,
            "refusal" => Finish::Refusal { category: None, explanation: None },
            _ => return None,
        })
    }

    #[test]
    fn every_finish_reason_is_read_as_the_golden_table_says() {
        let rows = golden();
        let own: Vec<_> = rows.iter().filter(|row| row["from"] == "openai-chat").collect();
        assert_eq!(own.len(), 5);
        for row in own {
            let word = row["value"].as_str().unwrap();
            let called = matches!(word, "tool_calls" | "function_call");
            let mut finish = finish_of(word, called, None).unwrap();
            if let Finish::ContentFilter { native } = &mut finish {
                assert_eq!(native.take(), Some((CHAT, word.to_owned())));
            }
            assert_eq!(Some(finish), canonical(row["canonical"].as_str().unwrap()), "{word}");
        }
    }

    #[test]
    fn every_finish_is_told_as_the_golden_table_says() {
        let mut told = 0;
        for row in golden() {
            let Some(finish) = canonical(row["canonical"].as_str().unwrap()) else { continue };
            assert_eq!(row["openai-chat"], of_finish(&finish), "{row}");
            told += 1;
        }
        assert!(told > 20, "{told} rows");
    }

    #[test]
    fn an_answer_that_waits_to_be_resumed_is_not_told_as_whole() {
        assert_eq!(of_finish(&Finish::Pause { token: None }), "length");
    }

    #[test]
    fn a_server_that_broke_off_has_not_answered() {
        for word in ["error", "abort", "insufficient_system_resource"] {
            assert_eq!(finish_of(word, false, None).unwrap_err().failure, Failure::Upstream);
        }
    }

    #[test]
    fn the_limit_wins_over_a_call_and_a_call_over_an_end() {
        assert_eq!(finish_of("length", true, None).unwrap(), Finish::MaxTokens);
        assert_eq!(finish_of("stop", true, None).unwrap(), Finish::ToolUse);
        assert_eq!(finish_of("tool_calls", false, None).unwrap(), Finish::End);
    }
}
