//! With which key a provider is asked whether it is well.

use cliproxy_domain::{Cooldown, CooldownCause, CredentialName, WallTime};
use cliproxy_engine::{
    ProviderOutlook,
    cooldown::{Stage, stage},
};

/// Gives the credentials in the order in which a probe may use them: those that nothing speaks against first and in
/// turn, then those that rest, last those that the provider refused. One that rests is not asked with while another can
/// be; where all do, a probe is still what finds out that the provider is back.
pub(super) fn in_turn(provider: &ProviderOutlook, turn: usize, now: WallTime) -> Vec<CredentialName> {
    let count = provider.credentials.len();
    let mut ranked: Vec<_> = (0..count)
        .map(|place| {
            // The credential whose turn it is comes first among its equals.
            let known = &provider.credentials[(place + turn) % count];
            (rank(known.rest.as_ref(), now), place, &known.name)
        })
        .collect();
    ranked.sort_unstable_by_key(|(rank, place, _)| (*rank, *place));
    ranked.into_iter().map(|(_, _, name)| name.clone()).collect()
}

fn rank(rest: Option<&Cooldown>, now: WallTime) -> u8 {
    let Some(rest) = rest else { return 0 };
    match (stage(rest, now), rest.cause) {
        (Stage::Over | Stage::Rising(_), _) => 0,
        (_, CooldownCause::CredentialRejected) => 3,
        (Stage::HalfOpen(_), _) => 1,
        (Stage::Resting, _) => 2,
    }
}
