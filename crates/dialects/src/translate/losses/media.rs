//! Images, sound and documents (§9.8), and marks for caching (§9.9).

use super::*;

fn says(from: Dialect, part: Value) -> Ask {
    match from {
        Chat | Anthropic => ask(from, json!({"messages": [{"role": "user", "content": [part]}]})),
        Responses => ask(from, json!({"input": [{"role": "user", "content": [part]}]})),
        Gemini => ask(from, json!({"contents": [{"role": "user", "parts": [part]}]})),
    }
}

fn data(mime: &str) -> Value {
    json!(format!("data:{mime};base64,AAAA"))
}

#[test]
fn images_go_everywhere() {
    says(Chat, json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}})).becomes([
        own(),
        has("/input/0/content/0/image_url", data("image/png")).and("/input/0/content/0/detail", "auto"),
        has(
            "/messages/0/content/0/source",
            json!({"type": "base64", "media_type": "image/png", "data": "AAAA"}),
        ),
        has("/contents/0/parts/0/inlineData", json!({"mimeType": "image/png", "data": "AAAA"})),
    ]);
    let url = "https://example.com/a.png";
    says(Anthropic, json!({"type": "image", "source": {"type": "url", "url": url}})).becomes([
        has("/messages/0/content/0/image_url/url", url),
        has("/input/0/content/0/image_url", url),
        own(),
        has("/contents/0/parts/0/fileData", json!({"mimeType": "image/png", "fileUri": url})),
    ]);
}

#[test]
fn anthropic_takes_four_types_of_images() {
    for mime in ["image/jpeg", "image/png", "image/gif", "image/webp"] {
        let part = json!({"type": "image_url", "image_url": {"url": data(mime)}});
        says(Chat, part).to(Anthropic, has("/messages/0/content/0/source/media_type", mime));
    }
    let part = json!({"type": "image_url", "image_url": {"url": data("image/tiff")}});
    says(Chat, part).to(Anthropic, refused("messages[0]"));
}

#[test]
fn how_closely_to_look_is_told_where_there_is_a_place() {
    let detailed = |detail: &str| {
        let image = json!({"url": "https://example.com/a.png", "detail": detail});
        says(Chat, json!({"type": "image_url", "image_url": image}))
    };
    let level = "/contents/0/parts/0/mediaResolution/level";
    detailed("low").becomes([
        own(),
        has("/input/0/content/0/detail", "low"),
        warns("messages.detail=dropped"),
        has(level, "MEDIA_RESOLUTION_LOW"),
    ]);
    detailed("high").to(Gemini, has(level, "MEDIA_RESOLUTION_HIGH"));
    detailed("auto").to(Anthropic, own()).to(Gemini, without(level));
}

#[test]
fn documents_go_where_there_is_a_place() {
    let source = json!({"type": "base64", "media_type": "application/pdf", "data": "AAAA"});
    says(Anthropic, json!({"type": "document", "source": source, "title": "a.pdf"})).becomes([
        has("/messages/0/content/0/file/file_data", data("application/pdf"))
            .and("/messages/0/content/0/file/filename", "a.pdf"),
        has("/input/0/content/0/file_data", data("application/pdf")),
        own(),
        has("/contents/0/parts/0/inlineData/mimeType", "application/pdf"),
    ]);
    let url = "https://example.com/a.pdf";
    says(Responses, json!({"type": "input_file", "file_url": url})).becomes([
        lacks(Need::FileUrls, "input"),
        own(),
        has("/messages/0/content/0/source/url", url),
        has("/contents/0/parts/0/fileData/fileUri", url),
    ]);
    let source = json!({"type": "text", "media_type": "text/plain", "data": "words"});
    says(Anthropic, json!({"type": "document", "source": source})).becomes([
        has("/messages/0/content", "words"),
        has("/input/0/content/0/text", "words"),
        own(),
        has("/contents/0/parts/0/text", "words"),
    ]);
}

#[test]
fn sound_goes_to_chat_and_gemini() {
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    says(Chat, audio).becomes([
        own(),
        lacks(Need::Audio, "messages[0]"),
        lacks(Need::Audio, "messages[0]"),
        has("/contents/0/parts/0/inlineData/mimeType", "audio/wav"),
    ]);
    says(Gemini, json!({"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}})).becomes([
        has("/messages/0/content/0/input_audio/format", "mp3"),
        lacks(Need::Audio, "contents"),
        lacks(Need::Audio, "contents"),
        own(),
    ]);
    says(Gemini, json!({"inlineData": {"mimeType": "audio/flac", "data": "AAAA"}}))
        .to(Chat, refused("contents"));
}

#[test]
fn media_in_the_answer_stays_in_its_own_dialect() {
    let need = || lacks(Need::MediaOutput, "modalities");
    ask(Chat, json!({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}}))
        .to(Chat, own())
        .to(Anthropic, need())
        .to(Responses, need())
        .to(Gemini, need());
    let need = || lacks(Need::MediaOutput, "generationConfig.responseModalities");
    ask(Gemini, json!({"generationConfig": {"responseModalities": ["IMAGE"]}})).becomes([
        need(),
        need(),
        need(),
        own(),
    ]);
}

#[test]
fn uploaded_files_are_known_to_their_own_vendor_alone() {
    let need = || lacks(Need::ServerState, "messages[0]");
    says(Chat, json!({"type": "file", "file": {"file_id": "file-1"}})).becomes([
        own(),
        has("/input/0/content/0/file_id", "file-1"),
        need(),
        need(),
    ]);
    let need = || lacks(Need::ServerState, "messages");
    says(Anthropic, json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})).becomes([
        need(),
        need(),
        own(),
        need(),
    ]);
    let need = || lacks(Need::ServerState, "contents");
    let uri = "https://generativelanguage.googleapis.com/v1beta/files/x";
    says(Gemini, json!({"fileData": {"fileUri": uri, "mimeType": "application/pdf"}})).becomes([
        need(),
        need(),
        need(),
        own(),
    ]);
    says(Gemini, json!({"fileData": {"fileUri": "gs://a/b.png", "mimeType": "image/png"}})).becomes([
        need(),
        need(),
        need(),
        own(),
    ]);
}

#[test]
fn marks_for_caching_go_to_anthropic_and_within_openai_without_a_word() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let breakpoint = "/messages/0/content/0/prompt_cache_breakpoint";
    says(Anthropic, json!({"type": "text", "text": "hi", "cache_control": mark})).becomes([
        without(breakpoint),
        without("/input/0/content/0/prompt_cache_breakpoint"),
        has("/messages/0/content/0/cache_control", mark),
        without("/contents/0/parts/0/cache_control"),
    ]);
    let mark = json!({"mode": "explicit"});
    says(Chat, json!({"type": "text", "text": "hi", "prompt_cache_breakpoint": mark})).becomes([
        own(),
        has("/input/0/content/0/prompt_cache_breakpoint", mark),
        has("/messages/0/content/0/cache_control", json!({"type": "ephemeral"})),
        own(),
    ]);
    let tool =
        json!({"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}});
    for to in [Chat, Responses, Gemini] {
        ask(Anthropic, json!({"tools": [tool], "cache_control": {"type": "ephemeral"}})).to(to, own());
    }
}
