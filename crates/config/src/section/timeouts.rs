//! `timeouts`, of the server and of one provider.

use crate::field::Field;
use cliproxy_domain::Timeouts;
use std::time::Duration;

/// The longest time that may be waited for anything.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the `timeouts` of `parent` over `base`, whose values hold where the file is silent.
pub fn read(parent: &Field<'_>, base: Timeouts) -> Timeouts {
    let Some(section) = parent.section("timeouts") else { return base };
    let read = |key: &str, default: Duration| {
        section.child(key).and_then(|field| field.duration(LONGEST)).unwrap_or(default)
    };
    let timeouts = Timeouts {
        connect: read("connect", base.connect),
        first_byte: read("first_byte", base.first_byte),
        idle: read("idle", base.idle),
        total: read("total", base.total),
    };
    if timeouts.total < timeouts.connect {
        let culprit = section.child("total").or_else(|| section.child("connect")).unwrap_or(section);
        culprit.refuse("`total` is shorter than `connect`; raise `total` or lower `connect`");
    }
    timeouts
}
