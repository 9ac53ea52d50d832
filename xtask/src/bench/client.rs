//! The clients that ask: one of the upstream's own dialect, and one of another, whose requests and answers the
//! gateway translates.

use hyper::body::Bytes;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// OpenAI chat completions, as the upstream.
    Chat,
    /// Anthropic messages.
    Messages,
}

const SENTENCE: &str = "Tell me in \\\"plain\\\" words what the gateway did with the last request. ";
const END: &str = "]}";
/// The largest message, as a long conversation has them.
const MESSAGE_BYTES: usize = 4096;
/// How far a request may be off the size that was asked for, in bytes.
const SLACK: usize = 64;

impl Client {
    /// Gives the path of its requests.
    pub(super) fn path(self) -> &'static str {
        match self {
            Client::Chat => "/v1/chat/completions",
            Client::Messages => "/v1/messages",
        }
    }

    /// Gives the headers that its requests carry, beside those of every request.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Client::Chat => &[("authorization", "Bearer bench-key")],
            Client::Messages => &[("x-api-key", "bench-key"), ("anthropic-version", "2023-06-01")],
        }
    }

    /// Writes a request of about `bytes` bytes. Both clients say the same, each in its own fields.
    pub(super) fn request(self, bytes: usize, stream: bool) -> Bytes {
        let mut text = self.open(stream);
        for role in ["user", "assistant"].into_iter().cycle() {
            let open = format!("{{\"role\":\"{role}\",\"content\":\"");
            let used = text.len() + open.len() + "\"}".len() + END.len();
            let room = bytes.saturating_sub(used).min(MESSAGE_BYTES);
            text.push_str(&open);
            text.push_str(&SENTENCE.repeat(room / SENTENCE.len()));
            text.push_str(&"x".repeat(room % SENTENCE.len()));
            text.push_str("\"}");
            if text.len() + END.len() + SLACK > bytes {
                break;
            }
            text.push(',');
        }
        text.push_str(END);
        Bytes::from(text)
    }

    /// Writes the request up to its first message.
    fn open(self, stream: bool) -> String {
        let usage = match (self, stream) {
            (Client::Chat, true) => "\"stream_options\":{\"include_usage\":true},",
            _ => "",
        };
        let limit = match self {
            Client::Chat => "max_completion_tokens",
            Client::Messages => "max_tokens",
        };
        format!(
            "{{\"model\":\"bench-model\",\"stream\":{stream},{usage}\"{limit}\":1024,\"temperature\":0.5,\"messages\":["
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn both(bytes: usize, stream: bool) -> [Value; 2] {
        [Client::Chat, Client::Messages].map(|client| {
            let body = client.request(bytes, stream);
            assert!(body.len().abs_diff(bytes) <= SLACK, "{} bytes", body.len());
            serde_json::from_slice(&body).unwrap()
        })
    }

    /// After an assistant's last word, translation would have to add one of the user's.
    #[test]
    fn both_clients_ask_the_same_and_the_user_has_the_last_word() {
        for (bytes, stream) in [(1_024, false), (102_400, false), (1_024, true)] {
            let [chat, messages] = both(bytes, stream);
            for request in [&chat, &messages] {
                assert_eq!((&request["stream"], &request["model"]), (&stream.into(), &"bench-model".into()));
                assert_eq!(request["messages"].as_array().unwrap().last().unwrap()["role"], "user");
            }
            assert_eq!(chat["max_completion_tokens"], messages["max_tokens"]);
            assert_eq!(chat["temperature"], messages["temperature"]);
            let count = |request: &Value| request["messages"].as_array().unwrap().len();
            assert_eq!(count(&chat), count(&messages));
        }
    }
}
