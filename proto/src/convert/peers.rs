//! What nodes tell each other where no control plane does it.

use super::hints;
use crate::v1::PeerHints;
use cliproxy_domain::{Cooldown, Hint, NodeId, WallTime};
use prost::Message;

/// What one node tells another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerWord {
    /// Who says it.
    pub node: NodeId,
    /// What rests, or does no more.
    pub rests: Vec<Cooldown>,
    /// Whether the node takes no requests any more.
    pub leaving: bool,
}

/// Encodes what one node tells another at `now`.
pub fn to_body(word: &PeerWord, now: WallTime) -> Vec<u8> {
    let hints = word.rests.iter().map(|rest| hints::to_wire(&Hint::Cooldown(rest.clone()), now));
    PeerHints { hints: hints.collect(), node_id: word.node.to_string(), leaving: word.leaving }
        .encode_to_vec()
}

/// Decodes what another node told at `now`. What is no rest, and what does not decode, is passed over: the other node
/// may be newer. None when the whole is no message.
pub fn from_body(body: &[u8], now: WallTime) -> Option<PeerWord> {
    let message = PeerHints::decode(body).ok()?;
    let rests = message.hints.iter().filter_map(|change| match hints::from_wire(change, now) {
        Ok(Some(Hint::Cooldown(rest))) => Some(rest),
        _ => None,
    });
    let rests = rests.collect();
    Some(PeerWord { node: NodeId::from(message.node_id), rests, leaving: message.leaving })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Change;
    use cliproxy_domain::{CooldownCause, CooldownKey, Evidence, Permit};
    use std::time::Duration;

    const SENT: WallTime = WallTime(1_000_000);

    fn word() -> PeerWord {
        let rest = Cooldown {
            key: CooldownKey::credential("claude".into(), "main".into()),
            epoch: 1,
            round: 0,
            started_at: SENT,
            until: SENT.plus(Duration::from_secs(60)),
            cleared: false,
            cause: CooldownCause::RateLimit,
            source: "node-1".into(),
            permit: Permit::default(),
            streak: 1,
            evidence: Evidence::default(),
        };
        PeerWord { node: "node-1".into(), rests: vec![rest], leaving: true }
    }

    #[test]
    fn a_rest_is_told_as_what_is_left_of_it() {
        let heard = WallTime(5_000_000);
        let told = from_body(&to_body(&word(), SENT), heard).unwrap();
        assert_eq!((&told.node, told.leaving, told.rests.len()), (&"node-1".into(), true, 1));
        assert_eq!(told.rests[0].key, word().rests[0].key);
        assert_eq!(told.rests[0].until, heard.plus(Duration::from_secs(60)), "the clocks need not agree");
    }

    #[test]
    fn what_is_no_rest_is_passed_over_and_what_is_no_message_is_none() {
        let mut message = PeerHints::decode(&to_body(&word(), SENT)[..]).unwrap();
        message.hints.insert(0, Change { kind: 77, ..Change::default() });
        message.hints.insert(0, Change { kind: 4, ..Change::default() });
        assert_eq!(from_body(&message.encode_to_vec(), SENT), Some(word()));
        assert_eq!(from_body(&[0xff; 9], SENT), None);
        let nothing = from_body(&[], SENT).unwrap();
        assert!(nothing.rests.is_empty() && !nothing.leaving);
    }
}
