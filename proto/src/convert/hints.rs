//! The hint line: cooldowns, whose end travels as what is left of it, so that no two clocks need agree.

use super::{
    ConvertError, millis, required,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{Cooldown, CooldownKey, CredentialName, NodeId, ProviderName, WallTime};
use prost::Message;
use std::time::Duration;

/// Encodes a cooldown as a change of the hint line, sent at `now`.
pub fn to_wire(cooldown: &Cooldown, now: WallTime) -> v1::Change {
    let body = v1::Cooldown {
        provider: cooldown.key.provider.to_string(),
        credential: cooldown.key.credential.to_string(),
        epoch: cooldown.epoch,
        remaining_ms: millis(cooldown.until.since(now)),
        cause: cooldown.cause.word().to_owned(),
        source_node: cooldown.source.to_string(),
        started_at_ms: cooldown.started_at.0,
    };
    v1::Change {
        kind: v1::Kind::Cooldown.into(),
        key: change_key(&cooldown.key),
        op: v1::Op::Put.into(),
        body: body.encode_to_vec().into(),
    }
}

/// Names what rests, as `provider/credential`, so that changes of one key can be merged unread.
pub fn change_key(key: &CooldownKey) -> String {
    format!("{}/{}", key.provider, key.credential)
}

/// Decodes a change of the hint line that arrived at `now`; `None` for a kind that this program does not know,
/// which is skipped and listed in the acknowledgement.
///
/// # Errors
///
/// Fails when the body does not decode, names nothing, or gives a cause that is not known. A receiver skips such
/// a hint; it never refuses the line.
pub fn from_wire(change: &v1::Change, now: WallTime) -> Result<Option<Cooldown>, ConvertError> {
    if change.kind() != v1::Kind::Cooldown {
        return Ok(None);
    }
    if change.op() != v1::Op::Put {
        return Err(ConvertError::OutOfRange {
            field: "Change.op",
            value: change.op.into(),
            expected: "OP_PUT (1) on the hint line; a rest that is over has remaining_ms 0",
        });
    }
    let wire = v1::Cooldown::decode(change.body.clone()).map_err(|error| ConvertError::Body {
        kind: "cooldown",
        key: change.key.clone(),
        error: error.to_string(),
    })?;
    Ok(Some(Cooldown {
        key: CooldownKey {
            provider: ProviderName::from(required("Cooldown.provider", &wire.provider)?),
            credential: CredentialName::from(required("Cooldown.credential", &wire.credential)?),
        },
        epoch: wire.epoch,
        started_at: WallTime(wire.started_at_ms),
        until: now.plus(Duration::from_millis(wire.remaining_ms)),
        cause: word::read("Cooldown.cause", &wire.cause)?,
        source: NodeId::from(wire.source_node),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::CooldownCause;

    fn cooldown() -> Cooldown {
        Cooldown {
            key: CooldownKey { provider: "claude".into(), credential: "main".into() },
            epoch: 3,
            started_at: WallTime(1_000),
            until: WallTime(61_000),
            cause: CooldownCause::RateLimit,
            source: "node-1".into(),
        }
    }

    #[test]
    fn the_receivers_clock_counts_what_was_left_at_sending() {
        let sent = to_wire(&cooldown(), WallTime(21_000));
        let minute_ahead = WallTime(81_000);
        let received = from_wire(&sent, minute_ahead).unwrap().unwrap();
        assert_eq!(received.until, minute_ahead.plus(Duration::from_secs(40)));
        assert_eq!(received, Cooldown { until: received.until, ..cooldown() });
    }

    #[test]
    fn a_rest_that_is_over_stays_over() {
        let sent = to_wire(&cooldown(), WallTime(500_000));
        assert_eq!(from_wire(&sent, WallTime(7)).unwrap().unwrap().until, WallTime(7));
    }

    #[test]
    fn a_kind_from_the_future_is_skipped() {
        let change = v1::Change { kind: 99, ..to_wire(&cooldown(), WallTime(0)) };
        assert_eq!(from_wire(&change, WallTime(0)), Ok(None));
    }

    #[test]
    fn a_hint_that_names_nothing_is_an_error() {
        let change = v1::Change { body: Default::default(), ..to_wire(&cooldown(), WallTime(0)) };
        let error = from_wire(&change, WallTime(0)).unwrap_err();
        assert_eq!(error, ConvertError::Missing { field: "Cooldown.provider" });
    }

    #[test]
    fn hints_are_never_deleted() {
        let change = v1::Change { op: v1::Op::Delete.into(), ..to_wire(&cooldown(), WallTime(0)) };
        assert!(from_wire(&change, WallTime(0)).is_err());
    }
}
