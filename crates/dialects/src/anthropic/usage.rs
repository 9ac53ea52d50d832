//! Token counts in Anthropic's spelling (`golden/usage.json`).

use crate::{form::Tier, json::Object};
use cliproxy_domain::TokenUsage;

/// Writes the counts: `input_tokens` leaves out what was read from and written to the cache.
pub(super) fn write(usage: &TokenUsage, object: &mut Object<'_>) {
    let fresh = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
    object
        .field("input_tokens", &fresh)
        .field("cache_creation_input_tokens", &usage.cache_write)
        .field("cache_read_input_tokens", &usage.cache_read)
        .field("output_tokens", &usage.output);
    if usage.reasoning > 0 {
        object.object("output_tokens_details").field("thinking_tokens", &usage.reasoning);
    }
}

/// Gives the word for the tier that an answer was made at; none where Anthropic has no word for it.
pub(super) fn tier(tier: &Tier) -> Option<&'static str> {
    match tier {
        Tier::Standard => Some("standard"),
        Tier::Priority => Some("priority"),
        Tier::Other(word) if word == "batch" => Some("batch"),
        Tier::Auto | Tier::Flex | Tier::Fast | Tier::Other(_) => None,
    }
}

/// Reads the tier that an answer was made at.
pub(super) fn read_tier(word: &str) -> Tier {
    match word {
        "standard" => Tier::Standard,
        "priority" => Tier::Priority,
        other => Tier::Other(other.to_owned()),
    }
}
