//! Halves of surrogate pairs that a provider cut off: `\ud83d` without its other half is no Unicode, and a whole
//! event must not be lost for it (§12.1 of the wire formats).

/// Gives the JSON with every such half as U+FFFD; none when there is nothing to mend.
pub(super) fn mended(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    let mut mended = false;
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let length = match unit(escape) {
            None => escape.len().min(2),
            Some(0xd800..=0xdbff) if escape.get(6..).and_then(unit).is_some_and(is_low) => 12,
            Some(0xd800..=0xdfff) => {
                mended = true;
                out.extend_from_slice(b"\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
        };
        let (kept, after) = escape.split_at(length);
        out.extend_from_slice(kept);
        rest = after;
    }
    out.extend_from_slice(rest);
    mended.then_some(out)
}

fn is_low(unit: u16) -> bool {
    (0xdc00..=0xdfff).contains(&unit)
}

/// Reads the UTF-16 unit of the escape that `text` begins with.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_half_becomes_the_replacement_character_and_pairs_stay() {
        for (json, expected) in [
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""\ude00x\ud83d\ud83d\ude00""#, Some(r#""\ufffdx\ufffd\ud83d\ude00""#)),
            (r#""\ud83d\ude00 \\ud83d \n\u00e9""#, None),
            (r#""\ud83"#, None),
            ("\"\\", None),
        ] {
            assert_eq!(mended(json.as_bytes()).as_deref(), expected.map(str::as_bytes), "{json}");
        }
    }
}
