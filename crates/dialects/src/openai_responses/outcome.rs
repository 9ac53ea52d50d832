//! Why an answer ended: statuses of this dialect, and the form's words (`golden/finish-reasons.json`).

use super::wire::{Response, malformed};
use crate::{classify, form::Finish, json::text};
use cliproxy_domain::{AttemptError, Dialect, Failure};

/// Reads why a response ended, which `called` tools or did not. `implied` is the status where it says none.
///
/// # Errors
/// The provider's own error when it failed; that it was cancelled, or is not at its end.
pub(super) fn read(response: &Response<'_>, implied: &str, called: bool) -> Result<Finish, AttemptError> {
    if response.is_failed() {
        return Err(failed(response));
    }
    let status = text(response.status);
    match status.as_deref().unwrap_or(implied) {
        "incomplete" => Ok(match response.incomplete_reason().as_deref() {
            Some("content_filter") => {
                let native = (Dialect::OpenAiResponses, "content_filter".to_owned());
                Finish::ContentFilter { native: Some(native) }
            }
            // `max_output_tokens`, and what else cuts an answer short.
            _ => Finish::MaxTokens,
        }),
        "cancelled" => Err(AttemptError::new(Failure::Upstream, "the provider cancelled the response")),
        "queued" | "in_progress" => {
            Err(malformed("the provider answered with a response that is not at its end"))
        }
        _ => Ok(Finish::End.with_calls(called)),
    }
}

/// Classifies a response that failed.
pub(super) fn failed(response: &Response<'_>) -> AttemptError {
    classify::in_stream(response.error.map_or("null", |error| error.get()))
}

/// Gives the reason for which an answer is incomplete; none when it is complete.
pub(super) fn incomplete(finish: &Finish) -> Option<&'static str> {
    match finish {
        Finish::End | Finish::StopSequence(_) | Finish::ToolUse => None,
        // An answer that waits to be resumed is not whole, and nobody asks for the rest.
        Finish::MaxTokens | Finish::ContextWindow | Finish::Pause { .. } => Some("max_output_tokens"),
        Finish::ContentFilter { .. } | Finish::Refusal { .. } => Some("content_filter"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(value: &str, called: bool) -> Result<Finish, AttemptError> {
        let (status, reason) = value.split_once(':').unwrap_or((value, ""));
        let body = json!({"status": status, "incomplete_details": {"reason": reason}}).to_string();
        read(&serde_json::from_str(&body).unwrap(), "completed", called)
    }

    fn canonical(finish: &Finish) -> &'static str {
        match finish {
            Finish::End => "end",
            Finish::ToolUse => "tool_use",
            Finish::MaxTokens => "max_tokens",
            Finish::ContentFilter { .. } => "content_filter",
            _ => "another",
        }
    }

    fn of(canonical: &str) -> Option<Finish> {
        Some(match canonical {
            "end" => Finish::End,
            "stop_sequence" => Finish::StopSequence(None),
            "tool_use" => Finish::ToolUse,
            "max_tokens" => Finish::MaxTokens,
            "context_window" => Finish::ContextWindow,
            "content_filter" => Finish::ContentFilter { native: None },
            "refusal" => Finish::Refusal { category: None, explanation: None },
            _ => return None,
        })
    }

    #[test]
    fn ends_are_read_and_told_as_the_golden_table_says() {
        let table: Value =
            serde_json::from_slice(&crate::fixtures::read("golden/finish-reasons.json")).unwrap();
        let mut told = 0;
        for row in table["rows"].as_array().unwrap() {
            let value = row["value"].as_str().unwrap();
            if row["from"] == "openai-responses" {
                let ends: Vec<_> = row["canonical"].as_str().unwrap().split('|').collect();
                let read: Vec<_> = [false, true].map(|called| said(value, called)).into_iter().collect();
                for (at, end) in ends.iter().enumerate() {
                    match &read[at] {
                        Ok(finish) => assert_eq!(canonical(finish), *end, "{value}"),
                        Err(_) => assert_eq!(*end, "error", "{value}"),
                    }
                }
            }
            if let Some(finish) = of(row["canonical"].as_str().unwrap()) {
                let expected = row["openai-responses"].as_str().unwrap();
                let written = incomplete(&finish).map(|reason| format!("incomplete:{reason}"));
                assert_eq!(written.as_deref().unwrap_or("completed"), expected, "{row}");
                told += 1;
            }
        }
        assert!(told > 10, "the table was walked");
    }

    #[test]
    fn a_response_that_is_not_at_its_end_is_no_answer() {
        assert_eq!(said("in_progress", false).unwrap_err().failure, Failure::MalformedReply);
        assert_eq!(said("cancelled", false).unwrap_err().failure, Failure::Upstream);
    }
}
