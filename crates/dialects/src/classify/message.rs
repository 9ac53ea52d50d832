//! A provider's words, made fit to be shown and logged.

/// The longest message that is passed on, in bytes.
const MAX_BYTES: usize = 1024;

/// The most of a message that is looked at, in bytes.
const MAX_LOOKED_AT: usize = 8 * 1024;

/// What keys begin with, in lower case, and how many characters must follow to make one.
const KEY_MARKS: [(&str, usize); 5] = [("sk-", 4), ("aiza", 8), ("gsk_", 8), ("xai-", 8), ("ya29.", 8)];

/// Removes URLs and what looks like a key, puts each control character and line break as a space, and cuts to
/// 1 KiB.
pub(super) fn clean(text: &str) -> String {
    let text = cut(text, MAX_LOOKED_AT);
    let mut out = String::with_capacity(text.len().min(MAX_BYTES));
    let mut after_bearer = false;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        if std::mem::replace(&mut after_bearer, is_bearer(word)) {
            out.push_str("[removed]");
        } else {
            push_word(&mut out, word);
        }
        if out.len() > MAX_BYTES {
            break;
        }
    }
    cut(&out, MAX_BYTES).to_owned()
}

fn is_bearer(word: &str) -> bool {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).eq_ignore_ascii_case("bearer")
}

/// Appends `word` up to where a URL or a key begins in it, and what follows after its end.
fn push_word(out: &mut String, word: &str) {
    let mut rest = word;
    while let Some((start, end)) = secret(rest) {
        out.push_str(&rest[..start]);
        out.push_str("[removed]");
        rest = &rest[end..];
    }
    out.push_str(rest);
}

/// Gives where the first URL or key lies in `word`.
fn secret(word: &str) -> Option<(usize, usize)> {
    let lower = word.to_ascii_lowercase();
    let url = lower.find("://").map(|at| {
        let start = lower[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
        (start, start + length(&word[start..], |c| !matches!(c, '"' | '\'' | '`' | '<' | '>' | ')' | ']')))
    });
    let parameter = lower.find("key=").map(|at| (at + 4, at + 4 + length(&word[at + 4..], is_key_character)));
    let keys = KEY_MARKS.iter().filter_map(|(mark, more)| key(word, &lower, mark, *more));
    url.into_iter().chain(parameter).chain(keys).filter(|(start, end)| start < end).min()
}

/// Finds a key: its mark at the beginning of a run of key characters, so that `task-force` is none.
fn key(word: &str, lower: &str, mark: &str, more: usize) -> Option<(usize, usize)> {
    lower.match_indices(mark).find_map(|(at, _)| {
        let begins = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let end = at + length(&word[at..], is_key_character);
        (begins && end - at >= mark.len() + more).then_some((at, end))
    })
}

/// Providers show keys masked with stars.
fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.' | '%' | '+' | '/' | '=' | '~')
}

fn length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests;
