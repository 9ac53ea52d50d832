//! Requests: for an answer, for a count, for embeddings.

use crate::{assert_bounded, settings, written_json};
use cliproxy_dialects::{
    form::Refused,
    translate::{
        decode_count, decode_embed, decode_request, encode_count, encode_embed, encode_request,
        estimate_tokens,
    },
};
use cliproxy_domain::Dialect;

/// Reads `body` as a client's request of `from` and writes it for everybody.
pub fn run(from: Dialect, body: &[u8]) {
    generate(from, body);
    count(from, body);
    embed(from, body);
}

fn generate(from: Dialect, body: &[u8]) {
    let Ok(request) = decode_request(from, body, "asked", body.len() % 2 == 0) else { return };
    let _ = estimate_tokens(&request);
    for dialect in settings::DIALECTS {
        for need in request.needs(dialect).iter() {
            assert!(!request.field_of(need).is_empty());
        }
    }
    settings::each_target(|target| {
        let Ok((written, notes)) = encode_request(&request, target) else { return };
        let Ok((again, _)) = encode_request(&request, target) else { panic!("refused the second time") };
        assert_eq!(written, again, "a provider's cache lives on the same bytes for the same request");
        assert!(written_json(&written).is_object());
        assert_bounded(body.len(), written.len());
        assert!(notes.losses.header().is_none_or(|header| header.len() < 4096));
        let read = decode_request(target.dialect, &written, "upstream-model", request.stream);
        if let Err(refused) = read
            && !is_the_providers_to_judge(&refused)
        {
            panic!("{:?} cannot read what was written: {refused}: {written:?}", target.dialect);
        }
    });
}

/// Base64 and schemas go from one field into another as they came, right or wrong.
fn is_the_providers_to_judge(refused: &Refused) -> bool {
    let schema = ["schema", "parameters", "input_schema"].iter().any(|name| refused.field.ends_with(name));
    schema || refused.message.contains("base64")
}

fn count(from: Dialect, body: &[u8]) {
    let Ok(request) = decode_count(from, body, "asked") else { return };
    settings::each_target(|target| {
        if let Ok((written, _)) = encode_count(&request, target) {
            assert!(written_json(&written).is_object());
            assert_bounded(body.len(), written.len());
        }
    });
}

fn embed(from: Dialect, body: &[u8]) {
    let verbs: &[&str] = match from {
        Dialect::Gemini => &["embedContent", "batchEmbedContents"],
        _ => &[""],
    };
    for verb in verbs {
        let Ok(request) = decode_embed(from, verb, body, "asked") else { continue };
        settings::each_target(|target| {
            if let Ok((written, _)) = encode_embed(&request, target) {
                assert!(written_json(&written).is_object());
                assert_bounded(body.len(), written.len());
            }
        });
    }
}
