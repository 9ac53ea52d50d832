//! Takes secrets out of texts that people read.

use std::error::Error;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// The query parameters whose values are secrets: Gemini's `key`, and what others use.
const SECRET_PARAMETERS: [&str; 6] = ["key", "api_key", "api-key", "apikey", "access_token", "token"];

/// How many causes of an error are shown.
const MAX_CAUSES: usize = 16;

/// Hides the values of `key=` and its like and the user information in every URL of `text`, which may be a
/// single URL.
pub fn url(text: &str) -> String {
    parameters(&user_information(text))
}

/// Renders an error and its causes, outermost first, joined by `: `, with its URLs redacted.
///
/// A cause that the error before it already spells out is left out, and so are causes behind the sixteenth.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut chain = error.to_string();
    let mut shown = chain.clone();
    let mut cause = error.source();
    for _ in 0..MAX_CAUSES {
        let Some(error) = cause else { break };
        let text = error.to_string();
        if !shown.contains(&text) {
            chain.push_str(": ");
            chain.push_str(&text);
            shown = text;
        }
        cause = error.source();
    }
    url(&chain)
}

/// Hides what stands between `://` and the `@` of an authority.
fn user_information(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let end = after.find(ends_authority).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(user_end) => {
                shown.push_str(HIDDEN);
                &after[user_end..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

fn ends_authority(c: char) -> bool {
    matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>') || c.is_whitespace()
}

/// Hides the values of secret query parameters.
fn parameters(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '&']) {
        let (before, after) = rest.split_at(at + 1);
        shown.push_str(before);
        rest = after;
        let Some(equals) = after.find('=') else { break };
        let name = &after[..equals];
        if !SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
            continue;
        }
        let value = &after[equals + 1..];
        let end = value.find(ends_value).unwrap_or(value.len());
        shown.push_str(name);
        shown.push('=');
        shown.push_str(HIDDEN);
        rest = &value[end..];
    }
    shown.push_str(rest);
    shown
}

fn ends_value(c: char) -> bool {
    matches!(c, '&' | '#' | '"' | '\'' | '<' | '>' | ')') || c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_queries_are_hidden_and_all_else_stays() {
        for (text, shown) in [
            ("https://h/v1beta/models?key=AIza123&alt=sse", "https://h/v1beta/models?key=[hidden]&alt=sse"),
            ("/m?alt=sse&key=AIza123", "/m?alt=sse&key=[hidden]"),
            ("/m?KEY=a#frag", "/m?KEY=[hidden]#frag"),
            ("/m?api_key=a&token=b", "/m?api_key=[hidden]&token=[hidden]"),
            ("/m?monkey=a&page=2", "/m?monkey=a&page=2"),
            ("/m?key", "/m?key"),
            ("/m?a&key=x", "/m?a&key=[hidden]"),
            ("/m?é=1&key=x", "/m?é=1&key=[hidden]"),
            ("no url at all", "no url at all"),
        ] {
            assert_eq!(url(text), shown);
        }
    }

    #[test]
    fn user_information_is_hidden_even_with_an_at_sign_in_it() {
        assert_eq!(url("http://user:p@ss@proxy:3128/x@y"), "http://[hidden]@proxy:3128/x@y");
        assert_eq!(url("postgres://me:pw@db/cliproxy and a@b"), "postgres://[hidden]@db/cliproxy and a@b");
        assert_eq!(url("http://a:b@one,http://c:d@two"), "http://[hidden]@one,http://[hidden]@two");
    }

    #[test]
    fn urls_inside_a_sentence_are_redacted() {
        assert_eq!(
            url("error sending request (https://u:p@h/m?key=abc) to \"http://h/?key=abc\""),
            "error sending request (https://[hidden]@h/m?key=[hidden]) to \"http://h/?key=[hidden]\""
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layered {
        text: &'static str,
        source: Option<Box<Layered>>,
    }

    fn layered(texts: &[&'static str]) -> Layered {
        let (text, rest) = texts.split_first().unwrap();
        Layered { text, source: (!rest.is_empty()).then(|| Box::new(layered(rest))) }
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = layered(&["send failed", "connect failed: refused", "refused", "os error 111"]);
        assert_eq!(error_chain(&error), "send failed: connect failed: refused: os error 111");
    }

    #[test]
    fn a_chain_hides_keys() {
        assert_eq!(error_chain(&layered(&["bad uri", "/m?key=abc"])), "bad uri: /m?key=[hidden]");
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let error = layered(&["a", "b"].repeat(50));
        assert_eq!(error_chain(&error).split(": ").count(), 1 + MAX_CAUSES);
    }
}
