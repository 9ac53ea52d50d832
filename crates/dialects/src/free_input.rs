//! Free-form tools for dialects that have functions only: a function of one text, `{"input": "…"}`.

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
    #[derive(serde::Deserialize)]
    struct Wrapped {
        input: String,
    }
    serde_json::from_str::<Wrapped>(args).map_or_else(|_| args.to_owned(), |wrapped| wrapped.input)
}
