//! `metrics`: a port of its own for Prometheus, beside `/metrics` on the server's port.

use crate::field::Field;

/// Where metrics are served beside the server's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whether the extra port listens; no unless given. `/metrics` on the server's port answers in any case.
    pub enabled: bool,
    /// The extra port, on the server's address; 9090 unless given.
    pub port: u16,
    /// The path on the extra port; `/metrics` unless given.
    pub path: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: false, port: 9090, path: "/metrics".to_owned() }
    }
}

/// Reads the section.
pub fn read(root: &Field<'_>) -> Metrics {
    let mut metrics = Metrics::default();
    let Some(section) = root.section("metrics") else { return metrics };
    if let Some(enabled) = section.child("enabled").and_then(|field| field.boolean()) {
        metrics.enabled = enabled;
    }
    let port = section.child("port").and_then(|field| field.number(1..=u64::from(u16::MAX)));
    if let Some(port) = port.and_then(|number| u16::try_from(number).ok()) {
        metrics.port = port;
    }
    if let Some(field) = section.child("path")
        && let Some(path) = field.text()
    {
        if path.value.starts_with('/') && !path.value.contains(['?', '#', '%', ' ', '\t', '\n', '{', '}']) {
            metrics.path = path.value;
        } else {
            field.refuse(format!("{} is not a path; write one such as `/metrics`", field.shown()));
        }
    }
    let named = ["port", "path"].into_iter().find_map(|key| section.child(key));
    if let Some(field) = named.filter(|_| !metrics.enabled && section.child("enabled").is_none()) {
        field.warn("has no effect without `metrics.enabled: true`");
    }
    metrics
}
