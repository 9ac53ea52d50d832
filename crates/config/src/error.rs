//! What is wrong with a configuration, said so that it can be put right: file, line, column, message, the line
//! itself and a caret under the key or value.

use crate::{mask, source::Span};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;

/// Everything that was found wrong in one go. Shows no secret, neither written out nor filled in from a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    reports: Vec<Report>,
}

impl ConfigError {
    /// Collects reports; `None` when there are none.
    pub(crate) fn from_reports(reports: Vec<Report>) -> Option<Self> {
        (!reports.is_empty()).then_some(Self { reports })
    }

    /// Gives the reports in the order in which they were found; at least one.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }
}

impl From<Report> for ConfigError {
    fn from(report: Report) -> Self {
        Self { reports: vec![report] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, report) in self.reports.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fmt::Display::fmt(report, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is wrong and what to do about it: lower case, no final stop.
    pub message: String,
    /// Where; `None` when no text is at fault, as for a variable of a provider that no file names.
    pub place: Option<Place>,
}

/// Where a report points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path as it was given, or the `--set` argument.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text with secrets replaced by `*`.
    excerpt: String,
    /// Bytes of the excerpt that the caret marks.
    caret: std::ops::Range<usize>,
}

impl Place {
    /// Gives the line's text, with secrets replaced by `*`.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl Report {
    /// Reports something that no text is to blame for.
    pub(crate) fn unplaced(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }

    /// Reports something at a place.
    pub(crate) fn at(span: &Span, message: impl Into<String>) -> Self {
        let text = span.source.text();
        let line_start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[span.start..].find('\n').map_or(text.len(), |newline| span.start + newline);
        let (line, column) = span.line_column();
        let excerpt = mask::masked_line(&span.source, line_start..line_end);
        let excerpt = excerpt.strip_suffix('\r').unwrap_or(&excerpt).to_owned();
        let caret_end = (span.start + span.len).min(line_end);
        let characters = text[span.start..caret_end].chars().count();
        let caret = byte_at(&excerpt, column - 1)..byte_at(&excerpt, column - 1 + characters);
        let place = Place { file: span.source.name().to_owned(), line, column, excerpt, caret };
        Self { message: message.into(), place: Some(place) }
    }
}

/// Gives the byte where the character number `index` starts, or the end.
fn byte_at(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else { return f.write_str(&self.message) };
        writeln!(f, "{}:{}:{}: {}", place.file, place.line, place.column, self.message)?;
        let snippet = Snippet::source(place.excerpt.as_str())
            .line_start(place.line)
            .annotation(AnnotationKind::Primary.span(place.caret.clone()));
        let rendered =
            Renderer::plain().render(&[Level::ERROR.no_name().secondary_title("").element(snippet)]);
        f.write_str(rendered.trim_start_matches('\n').trim_end())
    }
}
