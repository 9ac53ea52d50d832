//! Why an answer ended (`golden/finish-reasons.json`).

use crate::form::Finish;
use cliproxy_domain::{AttemptError, Dialect, Failure};

/// What a blocked prompt's reason is kept under, to tell it from a candidate's.
const PROMPT: &str = "promptFeedback.";

/// Ends that are failures: the answer is not what was asked for, and asking again may help.
const FAILURES: [&str; 8] = [
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "OTHER",
];

/// Reads `finishReason`. What is not known ended the answer before its own end: it is told as a filter.
///
/// # Errors
/// [`Failure::Upstream`] for an end that is a failure.
pub(super) fn read(reason: &str, token: Option<&str>) -> Result<Finish, AttemptError> {
    if FAILURES.contains(&reason) {
        let message = format!("the provider ended its answer with {reason}");
        return Err(AttemptError::new(Failure::Upstream, message));
    }
    Ok(match reason {
        "STOP" | "FINISH_REASON_UNSPECIFIED" => Finish::End,
        "MAX_TOKENS" => Finish::MaxTokens,
        "CONTINUATION" => Finish::Pause { token: token.map(str::to_owned) },
        filtered => Finish::ContentFilter { native: Some((Dialect::Gemini, filtered.to_owned())) },
    })
}

/// Reads `promptFeedback.blockReason`.
pub(super) fn blocked(reason: &str) -> Finish {
    Finish::ContentFilter { native: Some((Dialect::Gemini, format!("{PROMPT}{reason}"))) }
}

/// How an end is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written<'f> {
    /// A candidate's `finishReason`.
    Reason(&'f str),
    /// `promptFeedback.blockReason`, without a candidate.
    Blocked(&'f str),
    /// `CONTINUATION` with its token.
    Continuation(&'f str),
}

/// Writes an end. `bad_call` says that the answer holds a call whose arguments are no JSON object: those that the
/// limit of tokens cut off are its own fault, others are the model's.
pub(super) fn write(finish: &Finish, bad_call: bool) -> Written<'_> {
    match finish {
        // Anthropic's pause has no token to go on with: the answer is cut short.
        Finish::MaxTokens | Finish::ContextWindow | Finish::Pause { token: None } => {
            Written::Reason("MAX_TOKENS")
        }
        Finish::ContentFilter { native: Some((Dialect::Gemini, word)) } => {
            word.strip_prefix(PROMPT).map_or(Written::Reason(word), Written::Blocked)
        }
        Finish::ContentFilter { .. } | Finish::Refusal { .. } => Written::Reason("SAFETY"),
        Finish::Pause { token: Some(token) } => Written::Continuation(token),
        _ if bad_call => Written::Reason("MALFORMED_FUNCTION_CALL"),
        Finish::End | Finish::StopSequence(_) | Finish::ToolUse => Written::Reason("STOP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn canonical(finish: &Finish) -> &'static str {
        match finish {
            Finish::End => "end",
            Finish::StopSequence(_) => "stop_sequence",
            Finish::MaxTokens => "max_tokens",
            Finish::ContextWindow => "context_window",
            Finish::ToolUse => "tool_use",
            Finish::ContentFilter { .. } => "content_filter",
            Finish::Refusal { .. } => "refusal",
            Finish::Pause { token: Some(_) } => "continuation",
            Finish::Pause { token: None } => "pause",
        }
    }

    fn of_canonical(name: &str) -> Option<Finish> {
        Some(match name {
            "end" | "end|tool_use" => Finish::End,
            "stop_sequence" => Finish::StopSequence(None),
            "max_tokens" => Finish::MaxTokens,
            "context_window" => Finish::ContextWindow,
            "tool_use" => Finish::ToolUse,
            "content_filter" => Finish::ContentFilter { native: None },
            "refusal" => Finish::Refusal { category: None, explanation: None },
            _ => return None,
        })
    }

    #[test]
    fn every_end_is_read_and_written_as_the_golden_table_says() {
        let golden: Value =
            serde_json::from_slice(&crate::fixtures::read("golden/finish-reasons.json")).unwrap();
        for row in golden["rows"].as_array().unwrap() {
            let (value, expected) = (row["value"].as_str().unwrap(), row["canonical"].as_str().unwrap());
            let written = row["gemini"].as_str().unwrap();
            if row["from"] != "gemini" {
                let Some(finish) = of_canonical(expected) else { continue };
                assert_eq!(write(&finish, false), Written::Reason(written), "{value}");
                continue;
            }
            let called = row["had_tool_call"] == true;
            if value == "promptFeedback.blockReason" {
                let finish = blocked("SAFETY");
                assert_eq!(canonical(&finish), expected);
                assert_eq!(write(&finish, false), Written::Blocked("SAFETY"));
                continue;
            }
            let Ok(finish) = read(value, Some("t")) else {
                assert_eq!(expected, "error", "{value}");
                continue;
            };
            let finish = finish.with_calls(called);
            assert_eq!(canonical(&finish), expected, "{value}");
            let back = write(&finish, false);
            if value == "CONTINUATION" {
                assert_eq!(back, Written::Continuation("t"));
            } else {
                assert_eq!(back, Written::Reason(written), "{value}");
            }
        }
    }

    #[test]
    fn a_call_that_is_no_json_is_a_malformed_one_unless_the_limit_cut_it_off() {
        assert_eq!(write(&Finish::ToolUse, true), Written::Reason("MALFORMED_FUNCTION_CALL"));
        assert_eq!(write(&Finish::MaxTokens, true), Written::Reason("MAX_TOKENS"));
    }

    #[test]
    fn an_end_that_nobody_knows_is_told_as_a_filter_and_not_as_an_ordinary_end() {
        let finish = read("SOMETHING_NEW", None).unwrap();
        assert_eq!(write(&finish, false), Written::Reason("SOMETHING_NEW"));
    }
}
