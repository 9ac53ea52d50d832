//! Base64 as clients write it, and as every provider takes it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

/// Clients leave out padding, and few set the unused bits to zero.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Gives base64 in the standard alphabet with padding; none when it is no base64. What is so already stays as it
/// is: pictures are large.
pub(super) fn standard(text: String) -> Option<String> {
    if is_standard(text.as_bytes()) {
        return Some(text);
    }
    let plain = |c: char| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).map(plain).collect();
    let bytes = LENIENT.decode(text).ok()?;
    Some(STANDARD.encode(bytes))
}

fn is_standard(text: &[u8]) -> bool {
    let padding = text.iter().rev().take(2).take_while(|b| **b == b'=').count();
    let data = text.get(..text.len() - padding).unwrap_or_default();
    text.len().is_multiple_of(4) && data.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'+' || *b == b'/')
}
