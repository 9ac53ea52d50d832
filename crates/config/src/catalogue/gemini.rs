//! Gemini. The facts are those of §5.1 of the wire formats and of Google's pages on models, thinking and files.

use super::of;
use cliproxy_domain::{
    Effort::{High, Low, Medium, Minimal},
    Need, Thinking, TraitsEntry,
};

/// Gives what is known of Gemini models.
pub fn entries() -> Vec<TraitsEntry> {
    vec![
        TraitsEntry {
            max_output: Some(32_768),
            thinking: Some(Thinking::Never),
            ..of(&["gemini-2.5-flash-image*"])
        },
        // Public URLs of files are taken from 2.5 on.
        TraitsEntry {
            max_output: Some(8_192),
            abilities: vec![(Need::FileUrls, false)],
            thinking: Some(Thinking::Never),
            ..of(&["gemini-1.*", "gemini-2.0-*"])
        },
        // 2.5 thinks by a budget, which Pro cannot have at 0.
        TraitsEntry { thinking_optional: Some(false), ..of(&["gemini-2.5-pro*"]) },
        TraitsEntry {
            max_output: Some(65_536),
            thinking: Some(Thinking::Budget),
            thinking_optional: Some(true),
            ..of(&["gemini-2.5-*"])
        },
        // From 3 on thinking has levels, of which the lowest is the least there is.
        TraitsEntry { efforts: Some(vec![Low, High]), ..of(&["gemini-3-pro*"]) },
        TraitsEntry { efforts: Some(vec![Low, Medium, High]), ..of(&["gemini-3.1-pro*"]) },
        TraitsEntry {
            efforts: Some(vec![Minimal, Low, Medium, High]),
            ..of(&["gemini-3-flash*", "gemini-3.1-flash-lite*", "gemini-3.5-flash*"])
        },
        TraitsEntry {
            max_output: Some(65_536),
            thinking: Some(Thinking::Effort),
            thinking_optional: Some(false),
            ..of(&["gemini-[3-9]*"])
        },
        TraitsEntry { forced_tools_while_thinking: Some(true), ..of(&["*"]) },
    ]
}
