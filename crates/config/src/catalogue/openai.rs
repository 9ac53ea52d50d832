//! OpenAI's models. The facts are those of §2.1 of the wire formats, of OpenAI's pages on each model, and of its
//! reference on `reasoning_effort`.

use super::of;
use cliproxy_domain::{
    Effort::{High, Low, Medium, Minimal, None as Off, XHigh},
    Need, Thinking, TraitsEntry,
};

/// Gives what is known of OpenAI's models.
pub fn entries() -> Vec<TraitsEntry> {
    let mut entries = limits();
    entries.extend(without_reasoning());
    entries.extend(reasoning());
    // Restrictions on forced calls are Anthropic's alone.
    entries.push(TraitsEntry { forced_tools_while_thinking: Some(true), ..of(&["*"]) });
    entries
}

/// Tokens of an answer at most.
fn limits() -> Vec<TraitsEntry> {
    let limit = |tokens: u64, patterns: &[&str]| TraitsEntry { max_output: Some(tokens), ..of(patterns) };
    vec![
        limit(4_096, &["gpt-3.5-turbo*", "gpt-4-turbo*", "gpt-4o-2024-05-13"]),
        limit(32_768, &["gpt-4.1*"]),
        limit(16_384, &["gpt-4o*", "chatgpt-4o*", "gpt-5-chat*", "gpt-5.[1-3]-chat*"]),
        limit(8_192, &["gpt-4", "gpt-4-0613"]),
        limit(100_000, &["o1*", "o3*", "o4-mini*", "codex-mini*"]),
        limit(272_000, &["gpt-5-pro*"]),
        limit(128_000, &["gpt-5*"]),
    ]
}

/// The models that do not reason: they refuse an effort. The older ones see no images and know no schemas.
fn without_reasoning() -> Vec<TraitsEntry> {
    vec![
        TraitsEntry {
            abilities: vec![(Need::Images, false), (Need::StructuredOutput, false)],
            ..of(&["gpt-3.5-turbo*", "gpt-4", "gpt-4-0613"])
        },
        TraitsEntry {
            abilities: vec![(Need::StructuredOutput, false)],
            ..of(&["gpt-4-turbo*", "gpt-4o-2024-05-13"])
        },
        TraitsEntry {
            thinking: Some(Thinking::Never),
            sampling: Some(true),
            ..of(&["gpt-3.5-*", "gpt-4*", "chatgpt-4o*", "gpt-5-chat*", "gpt-5.[1-3]-chat*"])
        },
    ]
}

/// The models that reason, with the efforts they take: none before gpt-5.1, `minimal` of the first gpt-5 alone,
/// `xhigh` from gpt-5.1-codex-max on.
///
/// The o-series and the first gpt-5 refuse sampling. Of later ones the effort decides: at `none` they take it, so
/// that nothing is said of them here.
fn reasoning() -> Vec<TraitsEntry> {
    let efforts = |efforts: &[_], patterns: &[&str]| TraitsEntry {
        efforts: Some(efforts.to_vec()),
        thinking_optional: Some(efforts.contains(&Off)),
        ..of(patterns)
    };
    let before_5_1 = ["o1*", "o3*", "o4-mini*", "codex-mini*", "gpt-5", "gpt-5-*"];
    vec![
        TraitsEntry { abilities: vec![(Need::Images, false)], ..of(&["o3-mini*"]) },
        TraitsEntry { sampling: Some(false), ..of(&before_5_1) },
        efforts(&[Low, Medium, High], &["o1*", "o3*", "o4-mini*", "codex-mini*", "gpt-5-codex*"]),
        efforts(&[High], &["gpt-5-pro*"]),
        efforts(&[Minimal, Low, Medium, High], &["gpt-5", "gpt-5-*"]),
        efforts(&[Low, Medium, High, XHigh], &["gpt-5.1-codex-max*", "gpt-5.[2-3]-codex*"]),
        efforts(&[Low, Medium, High], &["gpt-5.1-codex*"]),
        efforts(&[Off, Low, Medium, High], &["gpt-5.1", "gpt-5.1-*"]),
        efforts(&[Medium, High, XHigh], &["gpt-5.2-pro*"]),
        efforts(&[Off, Low, Medium, High, XHigh], &["gpt-5.2", "gpt-5.2-*", "gpt-5.4", "gpt-5.4-20*"]),
        // "Function tools with reasoning_effort are not supported … in /v1/chat/completions."
        TraitsEntry { tools_need_responses: Some(true), ..of(&["gpt-5.[4-9]*", "gpt-[6-9]*"]) },
    ]
}
