//! Writing the parts of messages and of tool results.

use super::{OWN, Writer};
use crate::{
    data_url,
    form::{Citation, Detail, Media, Part, PartKind, Refused, Role},
    json::{Array, Object},
    openai_responses::annotation,
};
use cliproxy_domain::{Dialect, Need};

/// How many marks of cached prefixes a request may have (§9.9 of the wire formats).
const MAX_CACHE_MARKS: u8 = 4;

impl Writer<'_> {
    /// Writes a part of a message.
    pub(super) fn content_part(
        &mut self,
        part: &Part,
        role: Role,
        at: usize,
        content: &mut Array<'_>,
    ) -> Result<(), Refused> {
        match &part.kind {
            PartKind::Text { text, citations } => {
                let mut object = content.object();
                if role == Role::Assistant {
                    object.field("type", "output_text").field("text", text);
                    self.annotations(citations, &mut object);
                } else {
                    object.field("type", "input_text").field("text", text);
                }
                self.finish_part(part, &mut object);
            }
            PartKind::Refusal(text) if role == Role::Assistant => {
                content.object().field("type", "refusal").field("refusal", text);
            }
            PartKind::Refusal(text) => {
                content.object().field("type", "input_text").field("text", text);
            }
            PartKind::Image { .. } if role == Role::Assistant => {
                return Err(self.refused_part("an image in an answer", at));
            }
            PartKind::Image { media, detail } => self.image(part, media, *detail, at, content)?,
            PartKind::File { .. } if role == Role::Assistant => {
                return Err(self.refused_part("a file in an answer", at));
            }
            PartKind::File { media, name } => self.file(part, media, name.as_deref(), at, content)?,
            PartKind::Audio(media) => self.audio(media, content)?,
            PartKind::Foreign { name, .. } => return Err(self.refused_part(name, at)),
            PartKind::ToolCall(_) | PartKind::ToolResult(_) | PartKind::Reasoning { .. } => {}
        }
        Ok(())
    }

    /// Writes a part of a tool's result; unlike in a message, a part that only this dialect knows may stand there.
    pub(super) fn output_part(
        &mut self,
        part: &Part,
        at: usize,
        output: &mut Array<'_>,
    ) -> Result<(), Refused> {
        match &part.kind {
            PartKind::Foreign { dialect, json, .. } if *dialect == OWN => {
                output.element(json);
                Ok(())
            }
            _ => self.content_part(part, Role::User, at, output),
        }
    }

    /// Writes where the model found what it said before, as far as it was this dialect's own finding.
    fn annotations(&self, citations: &[Citation], object: &mut Object<'_>) {
        let own = |citation: &&Citation| matches!(citation.raw, Some((OWN, _)));
        let mut found = citations.iter().filter(own).peekable();
        if found.peek().is_some() {
            let mut array = object.array("annotations");
            found.filter_map(|citation| annotation::write(citation, 0)).for_each(|one| {
                array.element(&one);
            });
        }
    }

    fn image(
        &mut self,
        part: &Part,
        media: &Media,
        detail: Option<Detail>,
        at: usize,
        content: &mut Array<'_>,
    ) -> Result<(), Refused> {
        let mut object = content.object();
        object.field("type", "input_image");
        match media {
            Media::Inline { mime, base64 } => object.field("image_url", &data_url::write(mime, base64)),
            Media::Url { url, .. } => object.field("image_url", url),
            Media::FileId { dialect, id } => object.field("file_id", self.own_file(*dialect, id)?),
            Media::Text(_) => return Err(self.refused_part("text in place of an image", at)),
        };
        let detail = match detail {
            None | Some(Detail::Auto) => "auto",
            Some(Detail::Low) => "low",
            Some(Detail::High) => "high",
            Some(Detail::Original) => "original",
        };
        // A word of the client's that the form does not have is in the bag.
        if part.bag.of(OWN).all(|(name, _)| name != "detail") {
            object.field("detail", detail);
        }
        self.finish_part(part, &mut object);
        Ok(())
    }

    fn file(
        &mut self,
        part: &Part,
        media: &Media,
        name: Option<&str>,
        at: usize,
        content: &mut Array<'_>,
    ) -> Result<(), Refused> {
        let mut object = content.object();
        match media {
            Media::Text(text) => {
                if text.is_empty() {
                    return Err(self.refused_part("an empty document", at));
                }
                object.field("type", "input_text").field("text", text);
            }
            Media::Inline { mime, base64 } => {
                // Inline data is refused without a name.
                let unnamed = if mime == "application/pdf" { "document.pdf" } else { "document" };
                object.field("type", "input_file").field("filename", name.unwrap_or(unnamed));
                object.field("file_data", &data_url::write(mime, base64));
            }
            Media::Url { url, .. } => {
                object.field("type", "input_file").maybe("filename", name.filter(|_| self.own));
                object.field("file_url", url);
            }
            Media::FileId { dialect, id } => {
                let id = self.own_file(*dialect, id)?;
                object.field("type", "input_file").maybe("filename", name.filter(|_| self.own));
                object.field("file_id", id);
            }
        }
        self.finish_part(part, &mut object);
        Ok(())
    }

    fn audio(&self, media: &Media, content: &mut Array<'_>) -> Result<(), Refused> {
        match media {
            Media::Inline { mime, base64 } if self.own => {
                let format = if mime == "audio/wav" { "wav" } else { "mp3" };
                let mut object = content.object();
                object.field("type", "input_audio");
                object.object("input_audio").field("data", base64).field("format", format);
                Ok(())
            }
            _ => Err(Refused::lacking(Need::Audio, self.request.field_of(Need::Audio))),
        }
    }

    /// Gives the id of an uploaded file: those of OpenAI are known in both of its dialects.
    fn own_file<'i>(&self, dialect: Dialect, id: &'i str) -> Result<&'i str, Refused> {
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => Ok(id),
            Dialect::Anthropic | Dialect::Gemini => {
                let field = self.request.field_of(Need::ServerState);
                Err(Refused::lacking(Need::ServerState, field))
            }
        }
    }

    /// Writes what may stand on any part. A mark of a cached prefix goes on where OpenAI's own clients set it;
    /// whether the model takes one is not known otherwise, and its cache works without (§9.9).
    fn finish_part(&mut self, part: &Part, object: &mut Object<'_>) {
        let openai = matches!(self.request.from, Dialect::OpenAiChat | Dialect::OpenAiResponses);
        if let Some(mark) = part.cache.as_ref().filter(|_| openai)
            && (self.own || self.cache_marks < MAX_CACHE_MARKS)
        {
            self.cache_marks = self.cache_marks.saturating_add(1);
            let mut breakpoint = object.object("prompt_cache_breakpoint");
            breakpoint.field("mode", "explicit").maybe("ttl", mark.ttl.as_deref());
        }
        object.bag(part.bag.of(OWN));
    }
}
