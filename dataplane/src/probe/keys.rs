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
            let known = &provider.credentials[(place + turn % count) % count];
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

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{CooldownKey, Evidence, Permit};
    use cliproxy_engine::CredentialOutlook;
    use std::time::Duration;

    const NOW: WallTime = WallTime(1_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    /// Makes the word on a credential that rests for `cause`, until a minute from now or until a minute ago.
    fn rest(cause: CooldownCause, is_over: bool) -> Cooldown {
        Cooldown {
            key: CooldownKey::provider("p".into()),
            epoch: 0,
            round: 0,
            started_at: NOW.minus(MINUTE * 2),
            until: if is_over { NOW.minus(MINUTE) } else { NOW.plus(MINUTE) },
            cleared: false,
            cause,
            source: "n".into(),
            permit: Permit::default(),
            streak: 1,
            evidence: Evidence::default(),
        }
    }

    fn provider(credentials: &[(&str, Option<Cooldown>)]) -> ProviderOutlook {
        let credential = |(name, rest): &(&str, Option<Cooldown>)| CredentialOutlook {
            name: (*name).into(),
            seed: 0,
            weight: 1,
            rest: rest.clone(),
            quota: None,
            spent: None,
            models: Vec::new(),
        };
        ProviderOutlook {
            name: "p".into(),
            seed: 0,
            credentials: credentials.iter().map(credential).collect(),
            rest: None,
            health: None,
            is_checked: true,
            quota: None,
            spent: None,
            measured: Vec::new(),
        }
    }

    fn names(provider: &ProviderOutlook, turn: usize) -> Vec<String> {
        in_turn(provider, turn, NOW).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn credentials_take_turns() {
        let provider = provider(&[("a", None), ("b", None), ("c", None)]);
        let first = |turn| names(&provider, turn).swap_remove(0);
        assert_eq!([first(0), first(1), first(2), first(3)], ["a", "b", "c", "a"]);
        assert_eq!(names(&provider, usize::MAX).len(), 3);
    }

    #[test]
    fn those_that_rest_come_after_those_that_do_not_and_refused_ones_last() {
        let provider = provider(&[
            ("refused", Some(rest(CooldownCause::CredentialRejected, false))),
            ("refused before", Some(rest(CooldownCause::CredentialRejected, true))),
            ("rests", Some(rest(CooldownCause::RateLimit, false))),
            ("rested", Some(rest(CooldownCause::RateLimit, true))),
            ("free", None),
        ]);
        let expected = ["free", "rested", "rests", "refused", "refused before"];
        assert_eq!(names(&provider, 0), expected);
        let expected = ["free", "rested", "rests", "refused before", "refused"];
        assert_eq!(names(&provider, 1), expected);
    }

    #[test]
    fn a_provider_without_a_credential_gives_none() {
        assert!(names(&provider(&[]), 5).is_empty());
    }
}
