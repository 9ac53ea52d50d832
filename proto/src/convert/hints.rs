//! The hint line. Times travel as what is left of them or how long ago they were, so that no two clocks need agree.

mod client_key;
mod cooldown;
#[cfg(test)]
mod tests;

use super::{
    ConvertError, millis,
    quota::names::{budget_from_wire, budget_to_wire},
    required,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{
    BudgetId, Health, Hint, HintKey, LimitSubject, Measured, ModelName, NodeId, ProbeAssignment,
    ProviderName, QuotaSignal, QuotaUnit, Signal, WallTime,
};
use prost::Message;
use std::time::Duration;

/// What travels on the hint line.
const KINDS: [v1::Kind; 6] = [
    v1::Kind::Cooldown,
    v1::Kind::Health,
    v1::Kind::Probe,
    v1::Kind::Signal,
    v1::Kind::Quota,
    v1::Kind::ClientKey,
];

/// Encodes a hint as a change of the hint line, sent at `now`.
pub fn to_wire(hint: &Hint, now: WallTime) -> v1::Change {
    let (kind, body) = match hint {
        Hint::Cooldown(cooldown) => (v1::Kind::Cooldown, cooldown::to_wire(cooldown, now).encode_to_vec()),
        Hint::Health(health) => (v1::Kind::Health, health_to_wire(health, now).encode_to_vec()),
        Hint::Probe(assignment) => (v1::Kind::Probe, probe_to_wire(assignment).encode_to_vec()),
        Hint::Signal(signal) => (v1::Kind::Signal, signal_to_wire(signal).encode_to_vec()),
        Hint::Quota(quota) => (v1::Kind::Quota, quota_to_wire(quota, now).encode_to_vec()),
        Hint::ClientKey(record) => (v1::Kind::ClientKey, client_key::to_wire(record).encode_to_vec()),
    };
    v1::Change { kind: kind.into(), key: change_key(&hint.key()), op: v1::Op::Put.into(), body: body.into() }
}

/// Names what a hint is about, so that changes of one key can be merged unread: as `provider/credential/model`, with
/// the slashes and percent signs of all names but the model's escaped.
pub fn change_key(key: &HintKey) -> String {
    match key {
        HintKey::Cooldown(key) => {
            let mut text = escaped(key.provider.as_str());
            if let Some(credential) = key.scope.credential() {
                text = text + "/" + &escaped(credential.as_str());
            }
            if let Some(model) = key.scope.model() {
                text = text + "/" + model.as_str();
            }
            text
        }
        HintKey::Health(provider) | HintKey::Probe(provider) => escaped(provider.as_str()),
        HintKey::Quota(budget) => quota_key(budget),
        HintKey::ClientKey(id) => id.to_string(),
        HintKey::Signal(provider, model) => escaped(provider.as_str()) + "/" + model.as_str(),
    }
}

/// Begins with the unit, and then names the subject as a rest is named; a client after an empty name, which no provider has.
fn quota_key(budget: &BudgetId) -> String {
    let subject = match &budget.subject {
        LimitSubject::Provider(provider) => escaped(provider.as_str()),
        LimitSubject::Credential(provider, credential) => {
            escaped(provider.as_str()) + "/" + &escaped(credential.as_str())
        }
        LimitSubject::Client(client) => "/".to_owned() + &escaped(client.as_str()),
    };
    format!("{}:{subject}", budget.unit.as_str())
}

fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

/// Decodes a change of the hint line that arrived at `now`; `None` for a kind that this program does not know,
/// which is skipped and listed in the acknowledgement.
///
/// # Errors
///
/// Fails when the body does not decode, names nothing, or gives a word that is not known. A receiver skips such
/// a hint; it never refuses the line.
pub fn from_wire(change: &v1::Change, now: WallTime) -> Result<Option<Hint>, ConvertError> {
    let kind = change.kind();
    if !KINDS.contains(&kind) {
        return Ok(None);
    }
    if change.op() != v1::Op::Put {
        return Err(ConvertError::OutOfRange {
            field: "Change.op",
            value: change.op.into(),
            expected: "OP_PUT (1) on the hint line; a rest that is over has remaining_ms 0",
        });
    }
    let hint = match kind {
        v1::Kind::Cooldown => Hint::Cooldown(cooldown::from_wire(decode(change, "cooldown")?, now)?),
        v1::Kind::Health => Hint::Health(health_from_wire(decode(change, "health")?, now)?),
        v1::Kind::Probe => Hint::Probe(probe_from_wire(decode(change, "probe")?)?),
        v1::Kind::Signal => Hint::Signal(signal_from_wire(&decode(change, "signal")?)?),
        v1::Kind::ClientKey => Hint::ClientKey(client_key::from_wire(decode(change, "client key")?)?),
        _ => Hint::Quota(quota_from_wire(&decode(change, "quota")?, now)?),
    };
    Ok(Some(hint))
}

fn decode<M: Message + Default>(change: &v1::Change, kind: &'static str) -> Result<M, ConvertError> {
    M::decode(change.body.clone()).map_err(|error| ConvertError::Body {
        kind,
        key: change.key.clone(),
        error: error.to_string(),
    })
}

fn health_to_wire(health: &Health, now: WallTime) -> v1::Health {
    v1::Health {
        revision: health.revision,
        provider: health.provider.to_string(),
        state: health.state.word().to_owned(),
        age_ms: millis(now.since(health.since)),
        recovered: health.recovered,
        recoveries: health.recoveries,
        why: health.why.clone(),
    }
}

fn health_from_wire(wire: v1::Health, now: WallTime) -> Result<Health, ConvertError> {
    Ok(Health {
        revision: wire.revision,
        provider: ProviderName::from(required("Health.provider", &wire.provider)?),
        state: word::read("Health.state", &wire.state)?,
        since: now.minus(Duration::from_millis(wire.age_ms)),
        recovered: wire.recovered,
        recoveries: wire.recoveries,
        why: wire.why,
    })
}

fn probe_to_wire(assignment: &ProbeAssignment) -> v1::ProbeAssignment {
    v1::ProbeAssignment {
        revision: assignment.revision,
        provider: assignment.provider.to_string(),
        nodes: assignment.nodes.iter().map(ToString::to_string).collect(),
        at_once: assignment.at_once,
        node_count: assignment.node_count,
    }
}

fn probe_from_wire(wire: v1::ProbeAssignment) -> Result<ProbeAssignment, ConvertError> {
    Ok(ProbeAssignment {
        revision: wire.revision,
        provider: ProviderName::from(required("ProbeAssignment.provider", &wire.provider)?),
        nodes: wire.nodes.into_iter().map(NodeId::from).collect(),
        at_once: wire.at_once,
        node_count: wire.node_count,
    })
}

fn signal_to_wire(signal: &Signal) -> v1::Signal {
    let Measured { streams, first_event_us, wholes, whole_us, input_tokens, output_tokens } = signal.measured;
    v1::Signal {
        revision: signal.revision,
        provider: signal.provider.to_string(),
        model: signal.model.to_string(),
        streams,
        first_event_us,
        wholes,
        whole_us,
        input_tokens,
        output_tokens,
    }
}

fn signal_from_wire(wire: &v1::Signal) -> Result<Signal, ConvertError> {
    Ok(Signal {
        revision: wire.revision,
        provider: ProviderName::from(required("Signal.provider", &wire.provider)?),
        model: ModelName::from(required("Signal.model", &wire.model)?),
        measured: Measured {
            streams: wire.streams,
            first_event_us: wire.first_event_us,
            wholes: wire.wholes,
            whole_us: wire.whole_us,
            input_tokens: wire.input_tokens,
            output_tokens: wire.output_tokens,
        },
    })
}

fn quota_to_wire(quota: &QuotaSignal, now: WallTime) -> v1::QuotaSignal {
    let provider = match &quota.budget.subject {
        LimitSubject::Provider(provider) => provider.to_string(),
        LimitSubject::Credential(..) | LimitSubject::Client(_) => String::new(),
    };
    v1::QuotaSignal {
        revision: quota.revision,
        provider,
        used: quota.used,
        resets_in_ms: millis(quota.resets_at.since(now)),
        budget: Some(budget_to_wire(&quota.budget)),
        leased: quota.leased,
        spent_ms_ago: quota.spent_at.map(|at| millis(now.since(at))),
    }
}

fn quota_from_wire(wire: &v1::QuotaSignal, now: WallTime) -> Result<QuotaSignal, ConvertError> {
    let budget = match &wire.budget {
        Some(budget) => budget_from_wire(Some(budget))?,
        None => BudgetId::of_provider(required("QuotaSignal.provider", &wire.provider)?, QuotaUnit::Tokens),
    };
    Ok(QuotaSignal {
        revision: wire.revision,
        budget,
        used: wire.used,
        leased: wire.leased,
        spent_at: wire.spent_ms_ago.map(|ms| now.minus(Duration::from_millis(ms))),
        resets_at: now.plus(Duration::from_millis(wire.resets_in_ms)),
    })
}
