//! Why a request goes, or went, where it goes.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::{
    AttemptRecord, Considered, Decision,
    status::{Explanation, RequestStatus},
};

/// Turns a decision that might be made into its message.
pub fn explanation_to_wire(explanation: &Explanation) -> v1::ExplainRouteResponse {
    v1::ExplainRouteResponse {
        source: explanation.source.word().to_owned(),
        as_of_ms: explanation.as_of.0,
        decision: Some(decision_to_wire(&explanation.decision)),
        client: explanation.client.as_ref().map(ToString::to_string),
    }
}

/// Turns what is kept of a request into its message.
pub fn request_to_wire(status: &RequestStatus) -> v1::GetRequestResponse {
    let request = &status.request;
    v1::GetRequestResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        request: Some(v1::RequestRecord {
            id: request.id.clone(),
            node: request.node.to_string(),
            at_ms: request.at.0,
            api: request.api.clone(),
            outcome: request.outcome.clone(),
            code: request.code.clone(),
            why: request.why.clone(),
            served_by: request.served_by.clone().unwrap_or_default(),
            status: request.status.into(),
            latency_ms: request.latency_ms,
            decision: request.decision.as_ref().map(decision_to_wire),
            client: request.client.as_ref().map(ToString::to_string),
            key: request.key.as_ref().map(ToString::to_string),
            tags: request.tags.clone().into_iter().collect(),
            attempts: request.attempts.iter().map(attempt_to_wire).collect(),
        }),
    }
}

pub(super) fn decision_to_wire(decision: &Decision) -> v1::Decision {
    v1::Decision {
        config: decision.config.0,
        at_ms: decision.at.0,
        model: decision.model.clone(),
        strategy: decision.strategy.word().to_owned(),
        candidates: decision.candidates.iter().map(considered_to_wire).collect(),
        reason: decision.reason.clone(),
        soonest_ms: decision.soonest.map(|at| at.0),
        session: decision.session,
        health_ignored: decision.health_ignored,
    }
}

fn considered_to_wire(considered: &Considered) -> v1::Considered {
    v1::Considered {
        provider: considered.provider.to_string(),
        model: considered.model.to_string(),
        credential: considered.credential.as_ref().map(ToString::to_string),
        priority: considered.priority,
        weight: considered.weight,
        place: considered.place,
        excluded: considered.excluded.map(|reason| reason.word().to_owned()),
        cause: considered.cause.map(|cause| cause.word().to_owned()),
        until_ms: considered.until.map(|until| until.0),
        score: considered.score,
        rising: considered.rising,
        note: considered.note.clone(),
    }
}

fn attempt_to_wire(attempt: &AttemptRecord) -> v1::AttemptRecord {
    v1::AttemptRecord {
        provider: attempt.provider.to_string(),
        model: attempt.model.to_string(),
        credential: attempt.credential.to_string(),
        started_ms: attempt.started_ms,
        took_ms: attempt.took_ms,
        outcome: attempt.outcome.clone(),
        http_status: attempt.http_status.map(u32::from),
        hint_ms: attempt.hint_ms,
        then: attempt.then.clone(),
        cost_usd: attempt.cost_usd,
        reserved_tokens: attempt.reserved_tokens,
        spent_tokens: attempt.spent_tokens,
        price: attempt.price.as_ref().map(ToString::to_string),
    }
}
