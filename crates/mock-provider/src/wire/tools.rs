//! When a request leads to tool calls. Scripted ones are made until their results are in the last turn. Without a
//! script, one is made when it is forced, or when the last user text asks for it, and no result of a tool is in
//! the history yet.

use crate::script::Call;
use serde_json::Value;

/// The words in the last user text that lead to a call.
const PHRASE: &str = "use the tool";

/// A tool that can be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: String,
    /// The schema of its arguments, or null.
    pub(crate) schema: Value,
}

/// What a request says about tools, in one spelling for all APIs.
#[derive(Debug, Default)]
pub(crate) struct ToolTalk {
    /// The function tools declared, in order.
    pub(crate) tools: Vec<Tool>,
    /// The choice made.
    pub(crate) choice: Choice,
    /// Tells whether a tool's result is in the history.
    pub(crate) has_result: bool,
    /// Tells whether a tool's result is in the last turn.
    pub(crate) result_is_last: bool,
    /// The text of the last user turn.
    pub(crate) last_user_text: String,
}

/// A request's `tool_choice`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

impl ToolTalk {
    /// Gives the tools to call, with the arguments that the script gives.
    pub(crate) fn decide(self, scripted: &[Call]) -> Vec<(Tool, Option<Value>)> {
        if scripted.is_empty() {
            return self.unscripted().map(|tool| (tool, None)).into_iter().collect();
        }
        if self.result_is_last || self.choice == Choice::None {
            return Vec::new();
        }
        let find = |call: &Call| match &call.name {
            Some(name) => self.tools.iter().find(|tool| tool.name == *name),
            None => self.tools.first(),
        };
        let make = |call: &Call| find(call).map(|tool| (tool.clone(), call.arguments.clone()));
        scripted.iter().filter_map(make).collect()
    }

    fn unscripted(self) -> Option<Tool> {
        if self.has_result {
            return None;
        }
        let asked = self.last_user_text.to_lowercase().contains(PHRASE);
        let mut tools = self.tools.into_iter();
        match self.choice {
            Choice::None => None,
            Choice::Auto => tools.next().filter(|_| asked),
            Choice::Required => tools.next(),
            Choice::Named(name) => tools.find(|tool| tool.name == name),
        }
    }
}

/// Reads one field of a JSON object as text; absent is empty.
pub(crate) fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Joins the text of a message's content: a string, or parts with a `text` field.
pub(crate) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text_of(part, "text")).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(choice: Choice, text: &str, has_result: bool) -> Option<String> {
        let tool = |name: &str| Tool { name: name.into(), schema: Value::Null };
        let talk = ToolTalk {
            tools: vec![tool("first"), tool("second")],
            choice,
            has_result,
            result_is_last: has_result,
            last_user_text: text.into(),
        };
        talk.decide(&[]).pop().map(|(tool, _)| tool.name)
    }

    #[test]
    fn a_call_needs_a_forced_choice_or_the_phrase() {
        assert_eq!(talk(Choice::Auto, "hello", false), None);
        assert_eq!(talk(Choice::Auto, "please Use the tool now", false).as_deref(), Some("first"));
        assert_eq!(talk(Choice::Required, "hello", false).as_deref(), Some("first"));
        assert_eq!(talk(Choice::Named("second".into()), "", false).as_deref(), Some("second"));
        assert_eq!(talk(Choice::None, "use the tool", false), None);
    }

    #[test]
    fn scripted_calls_are_made_again_after_the_turn_of_their_results() {
        let talk = |result_is_last| ToolTalk {
            tools: vec![Tool { name: "only".into(), schema: Value::Null }],
            has_result: true,
            result_is_last,
            ..ToolTalk::default()
        };
        let scripted = [Call { name: Some("other".into()), arguments: None }, Call::default()];
        assert_eq!(talk(true).decide(&scripted), []);
        let made = talk(false).decide(&scripted);
        assert_eq!(made.len(), 1, "a tool that is not declared is not called");
        assert_eq!(made[0].0.name, "only");
    }

    #[test]
    fn a_result_in_the_history_ends_the_calls() {
        assert_eq!(talk(Choice::Required, "use the tool", true), None);
    }
}
