//! Texts that values come from, and places in them.

use crate::{error::Report, tree::MAX_TEXT};
use std::{
    fmt,
    io::Read as _,
    ops::Range,
    path::Path,
    sync::{Arc, OnceLock},
};

/// A text that was parsed: the configuration file, a credential file or one `--set` argument.
pub struct Source {
    name: String,
    text: String,
    /// Byte ranges that hold secrets, known once the text has been parsed.
    secrets: OnceLock<Vec<Range<usize>>>,
}

impl Source {
    /// Takes a text and the name that error reports give it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), secrets: OnceLock::new() })
    }

    /// Reads a file of at most `MAX_TEXT` bytes.
    ///
    /// # Errors
    /// A report that names the file when it cannot be read, is too long or is not UTF-8.
    pub fn read(path: &Path) -> Result<Arc<Self>, Report> {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| Report::unplaced(format!("cannot read {name}: {error}"));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MAX_TEXT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > MAX_TEXT {
            return Err(Report::unplaced(format!(
                "{name} is longer than {MAX_TEXT} bytes; move keys into files of auths_dir"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Report::unplaced(format!("{name} is not UTF-8 text: byte {at} is wrong; save it as UTF-8"))
        })?;
        Ok(Self::new(name, text))
    }

    /// Names the text: a path, or `--set key=…`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the text itself, secrets included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says where the secrets are. Only the first call counts: a text is parsed once.
    pub(crate) fn set_secrets(&self, ranges: Vec<Range<usize>>) {
        let _already_set = self.secrets.set(ranges);
    }

    /// Gives the byte ranges that hold secrets; `None` as long as the text has not been understood.
    pub(crate) fn secrets(&self) -> Option<&[Range<usize>]> {
        self.secrets.get().map(Vec::as_slice)
    }
}

/// Shows the name only: the text may hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// A place in a source: where a key or a value stands.
#[derive(Clone, Debug)]
pub struct Span {
    /// The text.
    pub source: Arc<Source>,
    /// Bytes from its start.
    pub start: usize,
    /// Bytes that it covers; zero for something that is missing.
    pub len: usize,
}

impl Span {
    /// Marks `range` of `source`, cut to the text and to whole characters.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let text = source.text();
        let start = floor_boundary(text, range.start);
        let end = floor_boundary(text, range.end).max(start);
        Self { source: source.clone(), start, len: end - start }
    }

    /// Gives the covered text.
    pub fn text(&self) -> &str {
        self.source.text().get(self.start..self.start + self.len).unwrap_or_default()
    }

    /// Gives the line and the column, both from 1, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.source.text()[..self.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// Gives the largest character boundary of `text` that is not after `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source::new("f", "a: 1\nüü: x\n");
        let at = source.text().find('x').unwrap();
        assert_eq!(Span::new(&source, at..at + 1).line_column(), (2, 5));
    }

    #[test]
    fn a_range_outside_the_text_or_inside_a_character_is_cut() {
        let source = Source::new("f", "ü");
        assert_eq!(Span::new(&source, 1..90).text(), "ü");
        assert_eq!(Span::new(&source, 90..95).len, 0);
    }
}
