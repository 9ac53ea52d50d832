//! What an answer says, whichever client it was written for: a translated answer is held against the upstream's own.

use super::client::Client;
use anyhow::{Context, ensure};
use serde_json::Value;

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The text, all of it.
    text: String,
    /// In how many events it came; 1 for an answer that is not streamed.
    events: u64,
    /// The tokens that the answer reports: of the prompt and of itself.
    tokens: [u64; 2],
}

/// Reads a whole answer.
///
/// # Errors
/// When it is not a proper answer of the client's dialect, with its end.
pub(super) fn read(client: Client, stream: bool, body: &[u8]) -> anyhow::Result<Said> {
    let body = std::str::from_utf8(body).context("the answer is not UTF-8")?;
    let mut said = Said::default();
    let ended = match (client, stream) {
        (Client::Chat, false) => chat_whole(&json(body)?, &mut said),
        (Client::Messages, false) => messages_whole(&json(body)?, &mut said),
        (Client::Chat, true) => {
            for event in events(body).filter(|data| *data != "[DONE]") {
                chat_event(&json(event)?, &mut said);
            }
            body.ends_with("data: [DONE]\n\n")
        }
        (Client::Messages, true) => {
            let mut last = Value::Null;
            for event in events(body) {
                last = json(event)?;
                messages_event(&last, &mut said);
            }
            last["type"] == "message_stop"
        }
    };
    ensure!(ended, "the answer has no proper end: {}", &body[body.len().saturating_sub(300)..]);
    ensure!(!said.text.is_empty(), "the answer says nothing: {body}");
    Ok(said)
}

fn json(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))
}

fn events(body: &str) -> impl Iterator<Item = &str> {
    body.lines().filter_map(|line| line.strip_prefix("data: "))
}

fn chat_whole(answer: &Value, said: &mut Said) -> bool {
    let choice = &answer["choices"][0];
    said.say(&choice["message"]["content"]);
    said.count(&answer["usage"], ["prompt_tokens", "completion_tokens"]);
    choice["finish_reason"] == "stop"
}

fn chat_event(chunk: &Value, said: &mut Said) {
    said.say(&chunk["choices"][0]["delta"]["content"]);
    said.count(&chunk["usage"], ["prompt_tokens", "completion_tokens"]);
}

fn messages_whole(answer: &Value, said: &mut Said) -> bool {
    said.say(&answer["content"][0]["text"]);
    said.count(&answer["usage"], ["input_tokens", "output_tokens"]);
    answer["stop_reason"] == "end_turn"
}

fn messages_event(event: &Value, said: &mut Said) {
    said.say(&event["delta"]["text"]);
    said.count(&event["usage"], ["input_tokens", "output_tokens"]);
}

impl Said {
    fn say(&mut self, text: &Value) {
        if let Some(text) = text.as_str().filter(|text| !text.is_empty()) {
            self.text.push_str(text);
            self.events += 1;
        }
    }

    fn count(&mut self, usage: &Value, names: [&str; 2]) {
        for (total, name) in self.tokens.iter_mut().zip(names) {
            *total = usage[name].as_u64().unwrap_or(*total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = concat!(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"Os\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n",
        "data: [DONE]\n\n",
    );
    const MESSAGES: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Os\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"lo\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},",
        "\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    #[test]
    fn the_same_answer_says_the_same_in_both_dialects() {
        let chat = read(Client::Chat, true, CHAT.as_bytes()).unwrap();
        assert_eq!(chat, Said { text: "Oslo".to_owned(), events: 2, tokens: [7, 2] });
        assert_eq!(read(Client::Messages, true, MESSAGES.as_bytes()).unwrap(), chat);
    }

    #[test]
    fn an_answer_that_was_cut_off_is_none() {
        for (client, text) in [(Client::Chat, CHAT), (Client::Messages, MESSAGES)] {
            let cut = text[..text.len() - 2].rfind("data: ").unwrap();
            assert!(read(client, true, &text.as_bytes()[..cut]).is_err(), "{client:?}");
        }
    }
}
