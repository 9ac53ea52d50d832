//! One key of a provider, from the configuration file or from a file of its own.

use super::limits::{budget, rate};
use crate::field::Field;
use cliproxy_domain::{Credential, CredentialName, LimitSubject, ProviderName, Secret};

/// Reads one credential of the provider `owner`, where that is known. Without a name it is called `default_name`.
pub fn read(item: &Field<'_>, owner: Option<&str>, default_name: Option<&str>) -> Option<Credential> {
    let name = match (item.child("name"), default_name) {
        (Some(field), _) => read_name(&field),
        (None, Some(name)) => Some(CredentialName::from(name)),
        (None, None) => {
            item.refuse("`name` is missing; logs and metrics show it instead of the key");
            None
        }
    };
    let api_key = match item.child("api_key") {
        Some(field) => read_key(&field),
        None => {
            item.refuse("`api_key` is missing");
            None
        }
    };
    let weight = match item.child("weight") {
        Some(field) => field.weight(),
        None => Some(1),
    };
    let rate_limit = rate::read(item);
    let subject = |name: &CredentialName| {
        LimitSubject::Credential(ProviderName::from(owner.unwrap_or_default()), name.clone())
    };
    // Without a name it is nobody's: what is wrong with it is told, and then it is given up.
    let quota = budget::read(item, &subject(name.as_ref().unwrap_or(&CredentialName::from(""))));
    Some(Credential {
        weight: weight?,
        rate_limit: rate_limit?,
        quota: quota?,
        ..Credential::new(name?, api_key?)
    })
}

/// Reads a credential's name.
fn read_name(field: &Field<'_>) -> Option<CredentialName> {
    let text = field.text()?;
    if text.value.chars().count() > 64 || text.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let remedy = "write at most 64 characters without blanks";
        field.refuse(format!("{} is not a name; {remedy}", field.shown()));
        return None;
    }
    Some(CredentialName::from(text.value))
}

/// Reads a key, which is sent as an HTTP header. It is never shown.
pub fn read_key(field: &Field<'_>) -> Option<Secret> {
    let text = field.text()?;
    let key = text.value.trim();
    if key.bytes().any(|b| !(0x21..=0x7e).contains(&b)) {
        field.refuse("the key has a blank, a line break or a character outside ASCII in it; copy it again");
        return None;
    }
    if text.is_plain {
        field.findings().note_plain_key(field.span());
    }
    Some(Secret::new(key))
}
