//! Reading the parts of messages and of tool results.

use super::OWN;
use crate::{
    data_url,
    form::{CacheMark, Detail, Media, Part, PartKind, Refused},
    json::Fields,
    openai_responses::annotation,
};
use serde_json::Value;

const KNOWN: [&str; 8] = [
    "input_text",
    "output_text",
    "text",
    "summary_text",
    "refusal",
    "input_image",
    "input_file",
    "input_audio",
];

/// Gives the first type of part in `content` that is not known.
pub(super) fn unknown_kind(item: &Fields) -> Option<String> {
    let parts = item.peek("content")?.as_array()?;
    let kinds = parts.iter().filter_map(|part| part.get("type")?.as_str());
    kinds.into_iter().find(|kind| !KNOWN.contains(kind)).map(str::to_owned)
}

/// Reads `content`, a text or a list of parts; empty when it is absent.
pub(super) fn read(item: &mut Fields, key: &str) -> Result<Vec<Part>, Refused> {
    if let Some(Value::String(_)) = item.peek(key) {
        return Ok(vec![Part::text(item.required_text(key)?)]);
    }
    item.objects(key)?.into_iter().map(read_part).collect()
}

/// Reads the output of a tool, in which a part of an unknown type stays as it is.
pub(super) fn read_output(item: &mut Fields, key: &str) -> Result<Vec<Part>, Refused> {
    match item.peek(key) {
        None => return Err(item.missing(key)),
        Some(Value::String(_)) => return read(item, key),
        Some(_) => {}
    }
    let parts = item.objects(key)?.into_iter().map(|part| match part.peek_text("type") {
        Some(kind) if !KNOWN.contains(&kind) => {
            let name = kind.to_owned();
            Ok(Part::new(PartKind::Foreign { dialect: OWN, name, json: part.into_value() }))
        }
        _ => read_part(part),
    });
    parts.collect()
}

fn read_part(mut part: Fields) -> Result<Part, Refused> {
    let kind = match part.required_text("type")?.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" => text(&mut part)?,
        "refusal" => PartKind::Refusal(part.required_text("refusal")?),
        "input_image" => image(&mut part)?,
        "input_file" => file(&mut part)?,
        "input_audio" => audio(&mut part)?,
        _ => return Err(part.wrong("type", "a type of content that the Responses API has")),
    };
    let cache = match part.object("prompt_cache_breakpoint")? {
        Some(mut mark) => Some(CacheMark { ttl: mark.text("ttl")? }),
        None => None,
    };
    Ok(Part { cache, bag: part.rest(OWN), ..Part::new(kind) })
}

fn text(part: &mut Fields) -> Result<PartKind, Refused> {
    let text = part.required_text("text")?;
    let citations = part.list("annotations")?.into_iter().map(annotation::read).collect();
    // Log probabilities of what the model said before tell it nothing.
    part.take("logprobs");
    Ok(PartKind::Text { text, citations })
}

fn image(part: &mut Fields) -> Result<PartKind, Refused> {
    let detail = match part.peek_text("detail") {
        Some("auto") => Some(Detail::Auto),
        Some("low") => Some(Detail::Low),
        Some("high") => Some(Detail::High),
        Some("original") => Some(Detail::Original),
        _ => None,
    };
    if detail.is_some() {
        part.take("detail");
    }
    let media = match (part.text("image_url")?, part.text("file_id")?) {
        (Some(url), None) => data_url::media(url, &part.path("image_url"))?,
        (None, Some(id)) => Media::FileId { dialect: OWN, id },
        _ => return Err(part.wrong("image_url", "there, or `file_id`, and not both")),
    };
    Ok(PartKind::Image { media, detail })
}

fn file(part: &mut Fields) -> Result<PartKind, Refused> {
    let name = part.text("filename")?;
    let sources = (part.text("file_data")?, part.text("file_url")?, part.text("file_id")?);
    let media = match sources {
        (Some(data), None, None) if data.starts_with("data:") => {
            data_url::media(data, &part.path("file_data"))?
        }
        // The published schema has bare base64 here; the vendor's examples have data URLs.
        (Some(base64), None, None) => {
            let mime = name.as_deref().and_then(data_url::mime_of).unwrap_or("application/pdf");
            Media::Inline { mime: mime.to_owned(), base64 }
        }
        (None, Some(url), None) => Media::Url { url, mime: None },
        (None, None, Some(id)) => Media::FileId { dialect: OWN, id },
        _ => return Err(part.wrong("file_data", "there, or `file_url`, or `file_id`, and one alone")),
    };
    Ok(PartKind::File { media, name })
}

fn audio(part: &mut Fields) -> Result<PartKind, Refused> {
    let mut audio = part.required_object("input_audio")?;
    let mime = match audio.required_text("format")?.as_str() {
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        _ => return Err(audio.wrong("format", "`wav` or `mp3`")),
    };
    Ok(PartKind::Audio(Media::Inline { mime: mime.to_owned(), base64: audio.required_text("data")? }))
}
