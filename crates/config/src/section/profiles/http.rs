//! What HTTP can carry, and what a profile should not make it carry: names and values of headers, paths, queries.

use crate::{
    field::{Field, Text},
    mask,
};
use url::form_urlencoded;

/// Reads the header that carries the key.
pub fn auth_header(field: &Field<'_>) -> Option<String> {
    let name = field.text()?.value.to_ascii_lowercase();
    if !is_token(&name) {
        field.refuse(format!("{} is not the name of a header; {NAMES}", field.shown()));
        return None;
    }
    if is_the_gateways(&name) {
        field.refuse(format!(
            "the gateway sets {} itself; name the header that the server reads the key from",
            field.shown()
        ));
        return None;
    }
    Some(name)
}

/// Reads what stands before the key, which may be nothing. A scheme such as `Bearer` is parted from the key by a
/// blank; `token=` and the like stand as they are.
pub fn auth_prefix(field: &Field<'_>) -> Option<String> {
    let mut prefix = field.text_or_empty()?.value;
    if !is_value(&prefix) || prefix.starts_with([' ', '\t']) {
        field.refuse("a header cannot carry this; write visible ASCII characters, such as `Bearer`");
        return None;
    }
    if prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        prefix.push(' ');
    }
    Some(prefix)
}

/// Reads one header of every request. Its key is its name.
pub fn header(name: &str, field: &Field<'_>) -> Option<(String, String)> {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        field.refuse_key(format!("this is not the name of a header; {NAMES}"));
        return None;
    }
    if carries_a_secret(&name) {
        let remedy = "put the key under `api_key` of the provider, and name its header with `auth_header`";
        field.refuse_key(format!("secrets do not belong here; {remedy}"));
        return None;
    }
    if is_the_gateways(&name) {
        field.refuse_key("the gateway sets this header itself; remove it");
        return None;
    }
    let value = field.text()?.value.trim().to_owned();
    if !is_value(&value) {
        field.refuse("a header cannot carry this; write visible ASCII characters");
        return None;
    }
    Some((name, value))
}

/// Reads a path below the base URL, with `{model}` in the place of the model's name.
pub fn path(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let rest = text.value.replace("{model}", "");
    let is_sound = text.value.starts_with('/')
        && text.value.len() <= 1_000
        && rest.bytes().all(|b| b.is_ascii_graphic() && !br#"?#{}\"<>^`|"#.contains(&b));
    if !is_sound {
        let example = "such as `/v1/chat/completions` or `/deployments/{model}/chat/completions`";
        field.refuse(format!("{} is not a path below the base URL; write one {example}", field.shown()));
        return None;
    }
    Some(text.value)
}

/// Reads one parameter of the query that every request carries.
pub fn parameter(name: &str, field: &Field<'_>) -> Option<(String, String)> {
    if name.is_empty() || name.chars().any(char::is_control) {
        field.refuse_key("this is not the name of a parameter; write visible characters");
        return None;
    }
    if mask::names_a_secret(name) {
        let remedy = "put the key under `api_key` of the provider, and name its header with `auth_header`";
        field.refuse_key(format!("secrets do not belong into a URL; {remedy}"));
        return None;
    }
    let Text { value, .. } = field.text()?;
    Some((name.to_owned(), value))
}

/// Puts parameters over those of `base`, which keep their places.
pub fn merge_query(base: Option<&str>, own: &[(String, String)]) -> Option<String> {
    let mut all: Vec<(String, String)> =
        form_urlencoded::parse(base.unwrap_or_default().as_bytes()).into_owned().collect();
    merge(&mut all, own);
    if all.is_empty() {
        return None;
    }
    Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish())
}

/// Puts named values over those of `base`, which keep their places.
pub fn merge(base: &mut Vec<(String, String)>, own: &[(String, String)]) {
    for (name, value) in own {
        match base.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => old.clone_from(value),
            None => base.push((name.clone(), value.clone())),
        }
    }
}

const NAMES: &str = "write letters, digits and `-`";

/// Tells whether a text is a token of RFC 9110 §5.6.2, as the names of headers are.
fn is_token(name: &str) -> bool {
    const MARKS: &[u8] = b"!#$%&'*+-.^_`|~";
    !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || MARKS.contains(&b))
}

/// Tells whether a text may stand in a header: visible ASCII and blanks.
fn is_value(value: &str) -> bool {
    value.len() <= 8_000 && value.bytes().all(|b| matches!(b, b' ' | b'\t' | 0x21..=0x7e))
}

fn carries_a_secret(name: &str) -> bool {
    const TELLING: [&str; 8] =
        ["authorization", "cookie", "api-key", "apikey", "api_key", "secret", "password", "auth-token"];
    TELLING.iter().any(|telling| name.contains(telling))
}

/// Tells whether the gateway sets a header for each request, or HTTP for each connection.
fn is_the_gateways(name: &str) -> bool {
    const OURS: [&str; 14] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
        "proxy-connection",
    ];
    OURS.contains(&name) || name.starts_with("x-cliproxy-")
}
