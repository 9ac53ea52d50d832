//! Claude. The facts are those of §4.1 of the wire formats and of Anthropic's pages on models, thinking, effort and
//! mid-conversation system messages.

use super::of;
use cliproxy_domain::{
    Effort::{High, Low, Max, Medium},
    Need, Thinking, TraitsEntry,
};

/// Gives what is known of Claude models, the newest rules last.
pub fn entries() -> Vec<TraitsEntry> {
    let mut entries = up_to_4_5();
    entries.extend(from_4_6());
    entries
}

/// Claude up to 4.5: thinking by a budget where there is any, sampling and prefill taken, no system messages but
/// the first.
fn up_to_4_5() -> Vec<TraitsEntry> {
    // `claude-opus-4-20250514` and `claude-opus-4-1` as well as `claude-haiku-4-5`.
    let all = ["claude-2*", "claude-instant-*", "claude-3-*", "claude-*-4-[0-5]*"];
    vec![
        TraitsEntry { max_output: Some(64_000), ..of(&["claude-3-7-*"]) },
        TraitsEntry { max_output: Some(8_192), ..of(&["claude-3-5-*"]) },
        TraitsEntry { max_output: Some(4_096), ..of(&["claude-2*", "claude-instant-*", "claude-3-*"]) },
        // Structured output is there from 4.5 on.
        TraitsEntry {
            abilities: vec![(Need::StructuredOutput, false)],
            ..of(&["claude-2*", "claude-instant-*", "claude-3-*", "claude-*-4-[0-2]*"])
        },
        TraitsEntry { max_output: Some(32_000), ..of(&["claude-opus-4-[0-2]*"]) },
        TraitsEntry { max_output: Some(64_000), ..of(&["claude-*-4-[0-5]*"]) },
        TraitsEntry { thinking: Some(Thinking::Budget), ..of(&["claude-3-7-*", "claude-*-4-[0-5]*"]) },
        TraitsEntry { thinking: Some(Thinking::Never), ..of(&all) },
        TraitsEntry {
            thinking_optional: Some(true),
            sampling: Some(true),
            system_anywhere: Some(false),
            prefill: Some(true),
            forced_tools_while_thinking: Some(false),
            ..of(&all)
        },
    ]
}

/// Claude from 4.6 on: adaptive thinking, no prefill; from 4.7 on no sampling, from 4.8 on system messages
/// anywhere.
fn from_4_6() -> Vec<TraitsEntry> {
    vec![
        TraitsEntry {
            efforts: Some(vec![Low, Medium, High, Max]),
            sampling: Some(true),
            system_anywhere: Some(false),
            ..of(&["claude-*-4-6*"])
        },
        TraitsEntry { system_anywhere: Some(false), ..of(&["claude-*-4-7*", "claude-mythos-preview*"]) },
        // `disabled` is refused: these think always, or (Sonnet 5.5) between calls of tools at the least.
        TraitsEntry {
            thinking_optional: Some(false),
            ..of(&["claude-opus-5-5*", "claude-sonnet-5-5*", "claude-fable-*", "claude-mythos-*"])
        },
        TraitsEntry {
            max_output: Some(128_000),
            thinking: Some(Thinking::Effort),
            thinking_optional: Some(true),
            sampling: Some(false),
            system_anywhere: Some(true),
            prefill: Some(false),
            forced_tools_while_thinking: Some(false),
            ..of(&["claude-*"])
        },
    ]
}
