//! The recorded bodies of the dialects' own tests.

use crate::apis::Api;
use std::path::PathBuf;

/// The fixtures of one API.
pub fn folder(api: Api) -> PathBuf {
    let name = match api {
        Api::Chat => "openai-chat",
        Api::Responses => "openai-responses",
        Api::Messages => "anthropic",
        Api::Gemini => "gemini",
    };
    [env!("CARGO_MANIFEST_DIR"), "crates/dialects/fixtures", name].iter().collect()
}

/// Names and contents of an API's fixtures with this ending, in order. There is at least one.
pub fn ending_in(api: Api, ending: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(api)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(ending) {
            found.push((name, std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{api:?} has no *{ending}");
    found
}

/// The path that a fixture's request goes to. `model` stands in the paths of Gemini.
pub fn path(api: Api, name: &str, model: &str) -> String {
    let counts = name.starts_with("count-tokens");
    let embeds = name.starts_with("embeddings");
    match api {
        Api::Chat if embeds => "/v1/embeddings".into(),
        Api::Chat => "/v1/chat/completions".into(),
        Api::Responses if counts => "/v1/responses/input_tokens".into(),
        Api::Responses => "/v1/responses".into(),
        Api::Messages if counts => "/v1/messages/count_tokens".into(),
        Api::Messages => "/v1/messages".into(),
        Api::Gemini if counts => format!("/v1beta/models/{model}:countTokens"),
        Api::Gemini if embeds => format!("/v1beta/models/{model}:batchEmbedContents"),
        Api::Gemini => format!("/v1beta/models/{model}:generateContent"),
    }
}
