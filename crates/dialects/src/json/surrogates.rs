//! Escapes of half a character, which models produce and parsers refuse: `\ud83d` without its other half. Neither a
//! stream nor an answer may be lost for one (§12.1 of the wire formats).

/// Replaces every such escape by that of U+FFFD; none when there is none. All other bytes stay as they are, so that
/// JSON that is broken otherwise stays broken.
pub(crate) fn mended(json: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', json.get(at..)?) {
        let escape = at.saturating_add(found);
        let (unit, next) = (unit(json, escape), unit(json, escape.saturating_add(6)));
        let step = match (unit, next) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                let mended = out.get_or_insert_with(|| json.to_vec());
                if let Some(place) = mended.get_mut(escape..escape.saturating_add(6)) {
                    place.copy_from_slice(b"\\ufffd");
                }
                6
            }
            (Some(_), _) => 6,
            // Any other escape is two bytes, of which the second may be a backslash.
            (None, _) => 2,
        };
        at = escape.saturating_add(step);
        if at >= json.len() {
            break;
        }
    }
    out
}

/// Reads the `\uXXXX` that begins at `at`.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at.checked_add(6)?)?.strip_prefix(b"\\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        mended(json.as_bytes()).map(|mended| serde_json::from_slice(&mended).unwrap())
    }

    #[test]
    fn half_a_character_becomes_the_replacement_character() {
        assert_eq!(read(r#""a\ud83db""#).unwrap(), "a\u{fffd}b");
        assert_eq!(read(r#""\ude00""#).unwrap(), "\u{fffd}");
        assert_eq!(read(r#""\ud83d\ud83d\ude00é""#).unwrap(), "\u{fffd}\u{1f600}é");
        assert_eq!(read(r#""\ud83d\n""#).unwrap(), "\u{fffd}\n");
        assert_eq!(read(r#""\ude00x\\ud83d\ud83d\ude00""#).unwrap(), "\u{fffd}x\\ud83d\u{1f600}");
    }

    #[test]
    fn whole_characters_escaped_backslashes_and_cut_escapes_stay() {
        let whole =
            [r#""\ud83d\ude00 \\ud83d \n\u00e9""#, r#""\ud83"#, r#""\u+83d""#, r#""plain""#, r#""\"#, ""];
        for json in whole {
            assert_eq!(mended(json.as_bytes()), None, "{json}");
        }
    }
}
