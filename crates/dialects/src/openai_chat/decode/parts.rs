//! Parts of messages (§2.2 of the wire formats).

use super::super::{CHAT, nested};
use crate::{
    data_url,
    form::{CacheMark, Detail, Media, Part, PartKind, Refused},
    json::Fields,
};
use serde_json::Value;

/// Reads one part; a type that is not known is kept whole.
pub(super) fn read(mut part: Fields) -> Result<Part, Refused> {
    let Some(name) = part.peek_text("type").map(str::to_owned) else { return Err(part.missing("type")) };
    if !matches!(name.as_str(), "text" | "refusal" | "image_url" | "input_audio" | "file") {
        let json = part.into_value();
        return Ok(Part::new(PartKind::Foreign { dialect: CHAT, name, json }));
    }
    part.take("type");
    let cache = cache_mark(&mut part)?;
    let (kind, inner) = match name.as_str() {
        "text" => (PartKind::Text { text: part.required_text("text")?, citations: Vec::new() }, None),
        "refusal" => (PartKind::Refusal(part.required_text("refusal")?), None),
        key => {
            let mut inner = part.required_object(key)?;
            let kind = match key {
                "image_url" => image(&mut inner)?,
                "input_audio" => audio(&mut inner)?,
                _ => file(&mut inner)?,
            };
            (kind, Some(inner.into_value()))
        }
    };
    Ok(Part { kind, cache, state: None, bag: nested::rest(part, [(&name, inner)]) })
}

/// Reads the reference to sound of an earlier answer, which only its own provider has.
pub(super) fn spoken(audio: &mut Fields) -> Result<Part, Refused> {
    let id = audio.required_text("id")?;
    Ok(Part::new(PartKind::Audio(Media::FileId { dialect: CHAT, id })))
}

/// Takes a mark of the only mode that there is; others ride in the bag.
fn cache_mark(part: &mut Fields) -> Result<Option<CacheMark>, Refused> {
    const KEY: &str = "prompt_cache_breakpoint";
    let known = |mark: &Value| {
        let fields = mark.as_object()?;
        let plain = fields.keys().all(|key| key == "mode" || key == "ttl");
        (plain && fields.get("mode")? == "explicit").then_some(())
    };
    if part.peek(KEY).and_then(known).is_none() {
        return Ok(None);
    }
    let mut mark = part.required_object(KEY)?;
    Ok(Some(CacheMark { ttl: mark.text("ttl")? }))
}

fn image(inner: &mut Fields) -> Result<PartKind, Refused> {
    let url = inner.required_text("url")?;
    let detail = match inner.text("detail")?.as_deref() {
        None => None,
        Some("auto") => Some(Detail::Auto),
        Some("low") => Some(Detail::Low),
        Some("high") => Some(Detail::High),
        Some("original") => Some(Detail::Original),
        Some(_) => return Err(inner.wrong("detail", "one of auto, low, high and original")),
    };
    Ok(PartKind::Image { media: data_url::media(url, &inner.path("url"))?, detail })
}

fn audio(inner: &mut Fields) -> Result<PartKind, Refused> {
    let base64 = inner.required_text("data")?;
    let format = inner.required_text("format")?;
    let mime = if format == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{format}") };
    Ok(PartKind::Audio(Media::Inline { mime, base64 }))
}

fn file(inner: &mut Fields) -> Result<PartKind, Refused> {
    let name = inner.text("filename")?;
    if let Some(id) = inner.text("file_id")? {
        return Ok(PartKind::File { media: Media::FileId { dialect: CHAT, id }, name });
    }
    let data = inner.required_text("file_data")?;
    if !data.starts_with("data:") {
        return Err(inner.wrong("file_data", "a data URL, as data:application/pdf;base64,…"));
    }
    Ok(PartKind::File { media: data_url::media(data, &inner.path("file_data"))?, name })
}
