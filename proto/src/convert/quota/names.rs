//! Whose limits they are, by name.

use super::super::{ConvertError, required, word};
use crate::v1;
use cliproxy_domain::{BudgetId, LimitSubject, RateId};

pub(in super::super) fn budget_to_wire(id: &BudgetId) -> v1::BudgetId {
    v1::BudgetId { subject: Some(subject_to_wire(&id.subject)), unit: id.unit.as_str().to_owned() }
}

pub(in super::super) fn budget_from_wire(wire: Option<&v1::BudgetId>) -> Result<BudgetId, ConvertError> {
    let wire = wire.ok_or(ConvertError::Missing { field: "BudgetId" })?;
    Ok(BudgetId {
        subject: subject_from_wire(wire.subject.as_ref())?,
        unit: word::read("BudgetId.unit", &wire.unit)?,
    })
}

pub(in super::super) fn rate_to_wire(id: &RateId) -> v1::RateId {
    v1::RateId { subject: Some(subject_to_wire(&id.subject)), kind: id.kind.as_str().to_owned() }
}

pub(in super::super) fn rate_from_wire(wire: Option<&v1::RateId>) -> Result<RateId, ConvertError> {
    let wire = wire.ok_or(ConvertError::Missing { field: "RateId" })?;
    Ok(RateId {
        subject: subject_from_wire(wire.subject.as_ref())?,
        kind: word::read("RateId.kind", &wire.kind)?,
    })
}

fn subject_to_wire(subject: &LimitSubject) -> v1::LimitSubject {
    use v1::limit_subject::Subject;
    let subject = match subject {
        LimitSubject::Provider(provider) => Subject::Provider(provider.to_string()),
        LimitSubject::Credential(provider, credential) => Subject::Credential(v1::CredentialRef {
            provider: provider.to_string(),
            credential: credential.to_string(),
        }),
        LimitSubject::Client(client) => Subject::Client(client.to_string()),
    };
    v1::LimitSubject { subject: Some(subject) }
}

fn subject_from_wire(wire: Option<&v1::LimitSubject>) -> Result<LimitSubject, ConvertError> {
    use v1::limit_subject::Subject;
    match wire.and_then(|wire| wire.subject.as_ref()) {
        None => Err(ConvertError::Missing { field: "LimitSubject.subject" }),
        Some(Subject::Provider(provider)) => {
            Ok(LimitSubject::Provider(required("LimitSubject.provider", provider)?.into()))
        }
        Some(Subject::Credential(of)) => Ok(LimitSubject::Credential(
            required("CredentialRef.provider", &of.provider)?.into(),
            required("CredentialRef.credential", &of.credential)?.into(),
        )),
        Some(Subject::Client(client)) => {
            Ok(LimitSubject::Client(required("LimitSubject.client", client)?.into()))
        }
    }
}
