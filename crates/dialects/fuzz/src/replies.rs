//! Whole answers: texts, counts, vectors.

use crate::{assert_bounded, settings, written_json};
use cliproxy_dialects::{
    Framing,
    form::{EmbedInput, EmbedRequest, VectorFormat},
    read_reply,
    translate::{
        decode_count_reply, decode_embed_reply, decode_reply, encode_count_reply, encode_embed_reply,
        encode_reply, rework_reply,
    },
};
use cliproxy_domain::{Dialect, Operation};

/// Reads `body` as a provider's answer of `upstream` and writes it for every client.
pub fn run(upstream: Dialect, body: &[u8]) {
    let _ = read_reply(upstream, Operation::Generate, body);
    if let Ok(reply) = decode_reply(upstream, body) {
        for client in settings::DIALECTS {
            let context = settings::context(upstream, client, Framing::Sse, body.len());
            let mut losses = context.notes.losses.clone();
            let mut reply = reply.clone();
            rework_reply(&mut reply, &context);
            let written = encode_reply(&reply, &context, &mut losses);
            assert!(written_json(&written).is_object());
            assert_bounded(body.len(), written.len());
        }
    }
    if let Ok(tokens) = decode_count_reply(upstream, body) {
        for client in settings::DIALECTS {
            assert!(written_json(&encode_count_reply(client, tokens)).is_object());
        }
    }
    vectors(upstream, body);
}

fn vectors(upstream: Dialect, body: &[u8]) {
    for inputs in [1, 2] {
        let Ok(reply) = decode_embed_reply(upstream, body, inputs) else { continue };
        assert_eq!(reply.vectors.len(), inputs);
        for from in [Dialect::OpenAiChat, Dialect::Gemini] {
            for format in [VectorFormat::Float, VectorFormat::Base64] {
                let request = EmbedRequest {
                    from,
                    model: "asked".to_owned(),
                    input: vec![EmbedInput::Text("hi".to_owned()); inputs],
                    dimensions: None,
                    format,
                    single: inputs == 1,
                    task: None,
                    unknown: Vec::new(),
                };
                let written = encode_embed_reply(&reply, &request);
                assert!(written_json(&written).is_object());
                assert_bounded(body.len(), written.len());
            }
        }
    }
}
