//! `providers.<name>.cooldown`: how long that provider rests.

use crate::{field::Field, section::timeouts::LONGEST};
use cliproxy_domain::CooldownDurations;
use std::time::Duration;

/// Reads the section; where the file is silent, the built-in durations hold.
pub fn read(provider: &Field<'_>) -> CooldownDurations {
    let base = CooldownDurations::default();
    let Some(section) = provider.section("cooldown") else { return base };
    let duration = |key: &str, default: Duration| {
        let field = section.child(key);
        // The planes tell each other milliseconds.
        field.and_then(|field| field.duration_within(Duration::from_millis(1)..=LONGEST)).unwrap_or(default)
    };
    CooldownDurations {
        enabled: section.child("enabled").and_then(|field| field.boolean()).unwrap_or(base.enabled),
        default: duration("default_duration", base.default),
        rate_limit: duration("rate_limit_duration", base.rate_limit),
        error: duration("error_duration", base.error),
    }
}
