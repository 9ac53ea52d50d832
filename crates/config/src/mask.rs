//! Keeps secrets out of error reports: a report shows the source line, and the line may hold a key.

use crate::source::Source;
use std::{borrow::Cow, ops::Range};

/// Tells whether the value under this key is a secret. Errs on the side of hiding.
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "token", "secret", "password", "passwd", "webhook", "credential_file", "authorization"]
        .iter()
        .any(|part| key.contains(part))
        && !matches!(key.as_str(), "keys" | "admin_tokens" | "cost_per_1k_tokens" | "max_tokens" | "tokens")
}

/// Tells whether a value is one `${NAME}` and nothing else, which may be shown.
pub fn is_only_a_variable(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Shows a name or value inside a message: escaped, and cut when it is long.
pub fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = mask_line(text).chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// Gives the line of `source` that covers `range`, with every secret replaced by `*` of the same width.
pub fn masked_line(source: &Source, line: Range<usize>) -> String {
    let text = source.text().get(line.clone()).unwrap_or_default();
    let known: Cow<'_, str> = if source.secrets().is_empty() {
        Cow::Borrowed(text)
    } else {
        let in_secret = |index: usize| source.secrets().iter().any(|secret| secret.contains(&index));
        Cow::Owned(
            text.char_indices()
                .map(|(index, c)| if in_secret(line.start + index) && !c.is_whitespace() { '*' } else { c })
                .collect(),
        )
    };
    mask_line(&known)
}

/// Hides what looks like a secret in one line of text, whatever was parsed: values after telling keys, tokens
/// with a provider's prefix, long runs without a blank, passwords in URLs. Characters keep their columns.
pub fn mask_line(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let mut hidden = vec![false; characters.len()];
    hide_values_after_keys(&characters, &mut hidden);
    hide_tokens(&characters, &mut hidden);
    characters.iter().zip(hidden).map(|(&c, hide)| if hide { '*' } else { c }).collect()
}

/// Hides from the blank after `…key:` or `…key=` to the end of the value.
fn hide_values_after_keys(characters: &[char], hidden: &mut [bool]) {
    for colon in 0..characters.len() {
        if !matches!(characters[colon], ':' | '=') {
            continue;
        }
        let name_end = trim_end_quotes(characters, colon);
        let mut name_start = name_end;
        while name_start > 0 && is_name(characters[name_start - 1]) {
            name_start -= 1;
        }
        let name: String = characters[name_start..name_end].iter().collect();
        if !names_a_secret(&name) {
            continue;
        }
        let mut start = colon + 1;
        while start < characters.len() && matches!(characters[start], ' ' | '\t') {
            start += 1;
        }
        hide_value(characters, hidden, start);
    }
}

/// Hides one value from `start`: a quoted one up to its closing quote, another one up to a comma, brace or
/// comment. A lone `${NAME}` stays.
fn hide_value(characters: &[char], hidden: &mut [bool], start: usize) {
    let Some(&first) = characters.get(start) else { return };
    let (from, end) = if first == '"' || first == '\'' {
        let close = characters[start + 1..].iter().position(|&c| c == first);
        (start + 1, close.map_or(characters.len(), |offset| start + 1 + offset))
    } else {
        let text: String = characters[start..].iter().collect();
        let variable = text.split_inclusive('}').next().filter(|head| is_only_a_variable(head));
        let length = variable.map(|head| head.chars().count());
        let stop = |&c: &char| matches!(c, ',' | '}' | ']' | ' ' | '#');
        let plain = characters[start..].iter().position(stop).unwrap_or(characters.len() - start);
        (start, start + length.unwrap_or(plain))
    };
    let value: String = characters[from..end].iter().collect();
    if !is_only_a_variable(&value) {
        hidden[from..end].fill(true);
    }
}

/// Hides tokens by their look.
fn hide_tokens(characters: &[char], hidden: &mut [bool]) {
    const PREFIXES: [&str; 5] = ["sk-", "AIza", "ya29.", "xai-", "gsk_"];
    const LONG: usize = 28;
    let mut start = 0;
    while start < characters.len() {
        if !is_token(characters[start]) {
            start += 1;
            continue;
        }
        let end =
            characters[start..].iter().position(|&c| !is_token(c)).map_or(characters.len(), |n| start + n);
        let token: String = characters[start..end].iter().collect();
        let mixed =
            token.bytes().any(|b| b.is_ascii_digit()) && token.bytes().any(|b| b.is_ascii_alphabetic());
        let secret_look =
            PREFIXES.iter().any(|prefix| token.starts_with(prefix) && token.len() > prefix.len() + 3)
                || (mixed && token.len() >= LONG);
        if secret_look {
            hidden[start..end].fill(true);
        }
        start = end;
    }
    hide_url_passwords(characters, hidden);
}

/// Hides `user:password` of `scheme://user:password@host`.
fn hide_url_passwords(characters: &[char], hidden: &mut [bool]) {
    for start in 0..characters.len().saturating_sub(2) {
        if characters[start..start + 3] != [':', '/', '/'] {
            continue;
        }
        let authority = start + 3;
        let stop = |&c: &char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ',' | '}');
        let end = characters[authority..].iter().position(stop).map_or(characters.len(), |n| authority + n);
        if let Some(at) = characters[authority..end].iter().rposition(|&c| c == '@') {
            hidden[authority..authority + at].fill(true);
        }
    }
}

fn trim_end_quotes(characters: &[char], mut end: usize) -> usize {
    while end > 0 && matches!(characters[end - 1], '"' | '\'' | ' ') {
        end -= 1;
    }
    end
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_of_the_line_keeps_its_columns() {
        let cases = [
            ("  api_key: hunter2", "  api_key: *******"),
            ("  - {name: a, api_key: 'hunter2', weight: 0}", "  - {name: a, api_key: '*******', weight: 0}"),
            ("\"apiKey\": \"a b\", x: 1", "\"apiKey\": \"***\", x: 1"),
            ("api_key: ${ANTHROPIC_API_KEY}", "api_key: ${ANTHROPIC_API_KEY}"),
            ("api_key: \"${A:-hunter2}\"", "api_key: \"*************\""),
            ("name: sk-ant-api03-x", "name: **************"),
            ("url: postgres://me:pw@db/x", "url: postgres://*****@db/x"),
            ("providers.claude.api_key=hunter2", "providers.claude.api_key=*******"),
            ("strategy: round_robin", "strategy: round_robin"),
            ("model: claude-3-5-sonnet-20241022", "model: claude-3-5-sonnet-20241022"),
        ];
        for (line, expected) in cases {
            assert_eq!(mask_line(line), expected);
            assert_eq!(mask_line(line).chars().count(), line.chars().count());
        }
    }

    #[test]
    fn a_shown_value_is_escaped_and_bounded() {
        assert_eq!(shown("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(shown(&"x ".repeat(500)).chars().count(), 81);
    }
}
