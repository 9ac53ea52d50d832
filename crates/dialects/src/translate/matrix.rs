//! Every recorded request, answer and stream in every other dialect, compared with files beside the recordings:
//! `<case>.request.<target>.snap`, `<case>.response.<client>.snap` and `<case>.stream.<client>.snap`.
//!
//! `UPDATE_GOLDEN=1` writes the files anew. Read what it wrote against the wire formats before committing it.

mod answers;
mod circles;
mod envelopes;
mod forms;
mod mutation;
mod robustness;
mod round_trips;
mod scene;
mod snapshots;
mod told;

use cliproxy_domain::Dialect;
use std::collections::BTreeMap;

/// Names the dialects in file names.
const TARGETS: [(Dialect, &str); 4] = [
    (Dialect::OpenAiChat, "chat"),
    (Dialect::OpenAiResponses, "responses"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
];

/// What belongs to no generation: other tests translate it.
fn is_generation(name: &str) -> bool {
    !["count-tokens", "embeddings", "models"].iter().any(|other| name.contains(other))
}

/// Tells the streams that were recorded of another answer than the one of their name: one has some text before the
/// refusal, one was blocked for another reason.
fn differs_from_whole(stream: &crate::fixtures::Fixture) -> bool {
    ["anthropic/refusal.stream.sse", "gemini/prompt-blocked.stream.sse"].contains(&stream.name.as_str())
}

#[test]
fn every_recording_is_translated_as_the_files_beside_it_say() {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for (suffix, tell) in [
        ("request.json", told::request as fn(&crate::fixtures::Fixture, Dialect) -> String),
        ("response.json", told::reply),
        ("stream.sse", told::stream),
        ("stream.json", told::stream),
    ] {
        let recordings = crate::fixtures::all(&format!(".{suffix}"));
        for recording in recordings.iter().filter(|recording| is_generation(&recording.name)) {
            for (target, short) in TARGETS.into_iter().filter(|(target, _)| *target != recording.dialect) {
                let stem = recording.name.rsplit_once('.').map_or("", |(stem, _)| stem);
                told.insert(format!("{stem}.{short}.snap"), tell(recording, target));
            }
        }
    }
    snapshots::compare(told);
}
