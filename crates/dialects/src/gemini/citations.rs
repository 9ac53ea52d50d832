//! Citations: Gemini's `citationMetadata` and `groundingMetadata`, whose places are in bytes of the answer's text.

use super::wire::{self, Candidate, CitationMetadata, GroundingMetadata, Page, Source};
use crate::{
    form::Citation,
    json::{Object, Text},
};

/// Turns places in bytes into places in characters and back.
#[derive(Default)]
pub(super) struct Offsets {
    /// The answer's text, where it may be kept.
    text: Option<String>,
    /// Whether a character of more than one byte has come.
    wide: bool,
}

impl Offsets {
    /// Keeps the text, so that every place can be told.
    pub(super) fn of_whole() -> Self {
        Self { text: Some(String::new()), wide: false }
    }

    /// Takes note of more text. Without it, places can be told while all of it is ASCII.
    pub(super) fn push(&mut self, more: &str) {
        self.wide |= !more.is_ascii();
        if let Some(text) = &mut self.text {
            text.push_str(more);
        }
    }

    pub(super) fn chars(&self, bytes: u64) -> Option<u64> {
        if !self.wide {
            return Some(bytes);
        }
        let before = self.text.as_deref()?.get(..usize::try_from(bytes).ok()?)?;
        u64::try_from(before.chars().count()).ok()
    }

    pub(super) fn bytes(&self, chars: u64) -> Option<u64> {
        if !self.wide {
            return Some(chars);
        }
        let before = self.text.as_deref()?.chars().take(usize::try_from(chars).ok()?);
        u64::try_from(before.map(char::len_utf8).sum::<usize>()).ok()
    }
}

/// Reads the citations of a candidate, or of what a chunk says of it.
pub(super) fn read(candidate: &Candidate<'_>, offsets: &Offsets) -> Vec<Citation> {
    let mut citations = Vec::new();
    if let Some(CitationMetadata { citations: Some(sources) }) = wire::beside(candidate.citation_metadata) {
        citations.extend(sources.iter().map(|source| cited(source, offsets)));
    }
    if let Some(grounding) = wire::beside(candidate.grounding_metadata) {
        grounded(&grounding, offsets, &mut citations);
    }
    citations
}

fn owned(text: &Option<Text<'_>>) -> Option<String> {
    Text::said(text).map(str::to_owned)
}

fn cited(source: &Source<'_>, offsets: &Offsets) -> Citation {
    // Zero is left out on the wire where there is an end.
    let start = source.start_index.or(source.end_index.and(Some(0)));
    Citation {
        url: owned(&source.uri),
        title: owned(&source.title),
        text: None,
        start: start.and_then(|start| offsets.chars(start)),
        end: source.end_index.and_then(|end| offsets.chars(end)),
        raw: None,
    }
}

fn grounded(grounding: &GroundingMetadata<'_>, offsets: &Offsets, citations: &mut Vec<Citation>) {
    let chunks = grounding.grounding_chunks.as_deref().unwrap_or_default();
    for support in grounding.grounding_supports.as_deref().unwrap_or_default() {
        let segment = support.segment.as_ref();
        let end = segment.and_then(|segment| segment.end_index);
        let start = segment.and_then(|segment| segment.start_index).or(end.and(Some(0)));
        for index in support.grounding_chunk_indices.as_deref().unwrap_or_default() {
            let chunk = usize::try_from(*index).ok().and_then(|index| chunks.get(index));
            let Some(page) = chunk.and_then(|chunk| chunk.web.as_ref().or(chunk.retrieved_context.as_ref()))
            else {
                continue;
            };
            let Page { uri, title } = page;
            citations.push(Citation {
                url: owned(uri),
                title: owned(title),
                text: segment.and_then(|segment| owned(&segment.text)),
                start: start.and_then(|start| offsets.chars(start)),
                end: end.and_then(|end| offsets.chars(end)),
                raw: None,
            });
        }
    }
}

/// Writes the citations that lead to a page as a candidate's `citationMetadata`.
pub(super) fn write<'c>(
    candidate: &mut Object<'_>,
    citations: impl Iterator<Item = &'c Citation>,
    offsets: &Offsets,
) {
    let mut citations = citations.filter(|citation| citation.url.is_some()).peekable();
    if citations.peek().is_none() {
        return;
    }
    let mut metadata = candidate.object("citationMetadata");
    let mut sources = metadata.array("citations");
    for citation in citations {
        let mut source = sources.object();
        source.maybe("startIndex", citation.start.and_then(|start| offsets.bytes(start)));
        source.maybe("endIndex", citation.end.and_then(|end| offsets.bytes(end)));
        source.maybe("uri", citation.url.as_deref()).maybe("title", citation.title.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bytes_on_the_wire_and_characters_in_the_form() {
        let mut offsets = Offsets::of_whole();
        offsets.push("Håp i ");
        offsets.push("Tromsø");
        assert_eq!(offsets.chars(7), Some(6));
        assert_eq!(offsets.bytes(6), Some(7));
        assert_eq!(offsets.chars(2), None, "within a character");
        assert_eq!(offsets.chars(99), None);
    }

    #[test]
    fn a_stream_tells_places_while_its_text_is_ascii() {
        let mut offsets = Offsets::default();
        offsets.push("Hope in ");
        assert_eq!(offsets.chars(4), Some(4));
        offsets.push("Tromsø");
        assert_eq!(offsets.chars(4), None);
    }

    #[test]
    fn grounding_supports_become_citations_of_their_pages() {
        let candidate = r#"{"groundingMetadata":{
            "groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}},{"web":{"uri":"https://b.example"}}],
            "groundingSupports":[{"segment":{"endIndex":4,"text":"Oslo"},"groundingChunkIndices":[0,1,7]}]}}"#;
        let candidate: Candidate<'_> = serde_json::from_str(candidate).unwrap();
        let citations = read(&candidate, &Offsets::default());
        assert_eq!(citations.len(), 2);
        assert_eq!(citations[0].url.as_deref(), Some("https://a.example"));
        assert_eq!((citations[1].start, citations[1].end), (Some(0), Some(4)));
        assert_eq!(citations[1].text.as_deref(), Some("Oslo"));
    }
}
