//! The reference page names every field of every answer, and none that is not there.
//!
//! What gRPC and REST tell is the same, so that the descriptors stand for both.

use super::same::{SERVICE, name_of, pool};
use prost_reflect::{Kind, MessageDescriptor};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../../docs/reference/operations.md");

/// Each method with the section that describes its answer, and the messages that have a table of their own.
const SECTIONS: [(&str, &str, &[&str]); 24] = [
    ("GetProviderStatus", "How providers are doing", &[]),
    ("ListCooldowns", "What rests", &["Rest"]),
    ("ForceCooldown", "Letting a provider rest, and recovering it", &[]),
    ("Recover", "Letting a provider rest, and recovering it", &[]),
    ("GetLoadBalancingStatus", "How calls are spread", &["Decision"]),
    ("ExplainRoute", "Where a request would go", &[]),
    ("GetRequest", "Where a request went", &["Decision"]),
    ("ListNodes", "Nodes", &[]),
    ("ListQuotas", "Quotas", &[]),
    ("ReleaseQuota", "Taking back what is stranded", &[]),
    ("ListClients", "Clients", &["BudgetStatus", "ClientKeyStatus"]),
    ("ListClientKeys", "Keys of a client", &[]),
    ("CreateClientKey", CHANGING_KEYS, &[]),
    ("RotateClientKey", CHANGING_KEYS, &[]),
    ("RevokeClientKey", CHANGING_KEYS, &[]),
    ("GetUsage", "Usage", &["UsageAttempts", "UsageTokens"]),
    ("ListPrices", "Prices", &[]),
    ("ListAlerts", "Alerts", &[]),
    ("ListAudit", "Audit log", &[]),
    ("GetConfig", "The configuration in force", &[]),
    ("DryRunConfig", "Checking a configuration", &[]),
    ("ApplyConfig", "Changing the configuration", &[]),
    ("RollbackConfig", "Changing the configuration", &[]),
    ("ListConfigs", "Earlier configurations", &[]),
];

const CHANGING_KEYS: &str = "Making, replacing and revoking keys";

/// Gives the paths of a message's fields, as `models.*.targets[].model`.
fn leaves(message: &MessageDescriptor, apart: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for field in message.fields() {
        let name = name_of(&field);
        let (path, kind) = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => {
                (format!("{name}.*"), entry.map_entry_value_field().kind())
            }
            kind if field.is_list() => (format!("{name}[]"), kind),
            kind => (name.clone(), kind),
        };
        match kind {
            Kind::Message(inner) if apart.contains(&inner.name()) => {
                found.insert(path.trim_end_matches(".*").to_owned());
            }
            Kind::Message(inner) => {
                found.extend(leaves(&inner, apart).into_iter().map(|below| format!("{path}.{below}")));
            }
            _ => {
                found.insert(path);
            }
        }
    }
    found
}

/// Gives what the first column of a section's tables names, of those tables whose heading is `heading`; what only
/// holds other fields is left out.
fn listed(section: &str, heading: &str) -> BTreeSet<String> {
    let (_, rest) =
        PAGE.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let text = rest.split("\n## ").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    for table in text.split("\n\n").filter(|table| table.trim_start().starts_with(&format!("| {heading} |")))
    {
        let cells = table.lines().skip(2).filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        names.extend(cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned));
    }
    let all = names.clone();
    names.retain(|name| !all.iter().any(|other| other.strip_prefix(name.as_str()).is_some_and(is_below)));
    names
}

fn is_below(rest: &str) -> bool {
    rest.starts_with('.') || rest.starts_with("[]")
}

#[test]
fn the_page_names_every_field_of_every_answer() {
    let service = pool().get_service_by_name(SERVICE).unwrap();
    let methods: Vec<_> = service.methods().collect();
    assert_eq!(methods.len(), SECTIONS.len(), "each method has a section");
    for (method, section, apart) in SECTIONS {
        let output = methods.iter().find(|known| known.name() == method).unwrap().output();
        assert_eq!(listed(section, "field"), leaves(&output, apart), "{method}, {section}");
    }
    let rest = pool().get_message_by_name("cliproxy.control.v1.Rest").unwrap();
    assert_eq!(listed("What rests", "field of a rest"), leaves(&rest, &[]));
    for (heading, name) in [("field of attempts", "UsageAttempts"), ("field of tokens", "UsageTokens")] {
        let message = pool().get_message_by_name(&format!("cliproxy.control.v1.{name}")).unwrap();
        assert_eq!(listed("Usage", heading), leaves(&message, &[]), "{name}");
    }
}

#[test]
fn the_page_names_every_field_of_the_bodies() {
    let named = listed("Letting a provider rest, and recovering it", "field of the body");
    let taken = cliproxy_domain::operate::Verb::Cooldown.fields();
    assert_eq!(named, taken.iter().map(|field| (*field).to_owned()).collect());
    let named = listed("Taking back what is stranded", "field of the body");
    let taken = cliproxy_domain::operate::ReleaseAsked::FIELDS;
    assert_eq!(named, taken.iter().map(|field| (*field).to_owned()).collect());
    let named = listed(CHANGING_KEYS, "field of the body");
    let taken = cliproxy_domain::operate::KeyVerb::Rotate.fields();
    assert_eq!(named, taken.iter().map(|field| (*field).to_owned()).collect());
}

#[test]
fn the_page_names_every_method() {
    let service = pool().get_service_by_name(SERVICE).unwrap();
    for method in service.methods() {
        assert!(PAGE.contains(&format!("| `{}` |", method.name())), "{}", method.name());
    }
}
