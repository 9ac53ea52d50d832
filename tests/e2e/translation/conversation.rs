//! A conversation with a tool, held by a client that sends back what it was told, whoever told it.

use crate::apis::Api;
use cliproxy_testkit::{Answer, Client};
use serde_json::{Value, json};

/// What the model may call.
const TOOL: &str = "get_weather";

/// A client of one API, and the turns so far, in that API's words.
pub(super) struct Conversation {
    api: Api,
    turns: Vec<Value>,
}

/// What the model said in a turn.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) text: String,
    /// The ids of its calls (for Gemini, their names), by which results are matched.
    calls: Vec<String>,
}

impl Said {
    /// Counts the calls.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }
}

impl Conversation {
    /// Begins with a question.
    pub(super) fn new(api: Api, question: &str) -> Self {
        let first = match api {
            Api::Gemini => json!({"role": "user", "parts": [{"text": question}]}),
            _ => json!({"role": "user", "content": question}),
        };
        Self { api, turns: vec![first] }
    }

    /// Asks `model` to go on, and remembers its turn as it was told.
    pub(super) async fn ask(&mut self, client: &Client, model: &str) -> Said {
        let (path, body) = self.request(model);
        let answer = client.post(&path, body.to_string()).await;
        assert_eq!(answer.status, 200, "{:?} asked {model}: {}\n{body:#}", self.api, answer.text());
        self.hear(&answer)
    }

    /// Adds a result for every call of the last turn.
    pub(super) fn results(&mut self, said: &Said, result: &str) {
        match self.api {
            Api::Chat => self.turns.extend(
                said.calls.iter().map(|id| json!({"role": "tool", "tool_call_id": id, "content": result})),
            ),
            Api::Responses => self.turns.extend(
                said.calls
                    .iter()
                    .map(|id| json!({"type": "function_call_output", "call_id": id, "output": result})),
            ),
            Api::Messages => {
                let one = |id| json!({"type": "tool_result", "tool_use_id": id, "content": result});
                let all: Vec<Value> = said.calls.iter().map(one).collect();
                self.turns.push(json!({"role": "user", "content": all}));
            }
            Api::Gemini => {
                let one = |name| json!({"functionResponse": {"name": name, "response": {"output": result}}});
                let all: Vec<Value> = said.calls.iter().map(one).collect();
                self.turns.push(json!({"role": "user", "parts": all}));
            }
        }
    }

    fn request(&self, model: &str) -> (String, Value) {
        let schema =
            json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let turns = &self.turns;
        match self.api {
            Api::Chat => (
                "/v1/chat/completions".into(),
                json!({"model": model, "messages": turns, "reasoning_effort": "low",
                    "tools": [{"type": "function", "function": {"name": TOOL, "parameters": schema}}]}),
            ),
            Api::Responses => (
                "/v1/responses".into(),
                json!({"model": model, "input": turns, "reasoning": {"effort": "low", "summary": "auto"},
                    "store": false, "tools": [{"type": "function", "name": TOOL, "parameters": schema}]}),
            ),
            Api::Messages => (
                "/v1/messages".into(),
                json!({"model": model, "messages": turns, "max_tokens": 8192,
                    "thinking": {"type": "enabled", "budget_tokens": 2048},
                    "tools": [{"name": TOOL, "input_schema": schema}]}),
            ),
            Api::Gemini => (
                format!("/v1beta/models/{model}:generateContent"),
                json!({"contents": turns,
                    "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
                    "tools": [{"functionDeclarations": [{"name": TOOL, "parametersJsonSchema": schema}]}]}),
            ),
        }
    }

    fn hear(&mut self, answer: &Answer) -> Said {
        let value = answer.json();
        let mut said = Said::default();
        match self.api {
            Api::Chat => {
                let mut message = value["choices"][0]["message"].clone();
                said.text = text(&message["content"]);
                said.calls = list(&message["tool_calls"]).iter().map(|call| text(&call["id"])).collect();
                // What applications keep that know of no extensions.
                for field in ["reasoning_content", "annotations", "refusal"] {
                    message.as_object_mut().expect("a message").remove(field);
                }
                self.turns.push(message);
            }
            Api::Responses => {
                let items = list(&value["output"]);
                for item in items {
                    let parts = list(&item["content"]).iter().filter(|part| part["type"] == "output_text");
                    said.text += &parts.map(|part| text(&part["text"])).collect::<String>();
                    said.calls.extend(item["call_id"].as_str().map(str::to_owned));
                }
                self.turns.extend(items.iter().cloned());
            }
            Api::Messages => {
                for block in list(&value["content"]) {
                    said.text += &text(&block["text"]);
                    said.calls.extend((block["type"] == "tool_use").then(|| text(&block["id"])));
                }
                self.turns.push(json!({"role": "assistant", "content": value["content"]}));
            }
            Api::Gemini => {
                let content = &value["candidates"][0]["content"];
                for part in list(&content["parts"]).iter().filter(|part| part["thought"] != true) {
                    said.text += &text(&part["text"]);
                    said.calls.extend(part["functionCall"]["name"].as_str().map(str::to_owned));
                }
                self.turns.push(content.clone());
            }
        }
        said
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
