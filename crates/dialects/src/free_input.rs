//! Free-form tools for dialects that have functions only: a function of one text, `{"input": "…"}`.

mod unwrap;

pub(crate) use unwrap::Unwrap;

/// Gives the schema of the function that stands in for a free-form tool.
pub(crate) fn schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": false
    })
}

/// Wraps free input as the arguments of the stand-in.
pub(crate) fn wrapped(input: &str) -> String {
    serde_json::json!({ "input": input }).to_string()
}

/// Takes the free input out of whole arguments; arguments of another shape are the input themselves.
pub(crate) fn unwrapped(args: &str) -> String {
    let mut unwrap = Unwrap::default();
    let mut input = unwrap.text(args).into_owned();
    input.push_str(&unwrap.rest());
    input
}
