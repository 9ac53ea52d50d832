//! `providers.<name>.health_check`: what that provider is asked to see whether it is well.

use crate::field::Field;
use cliproxy_domain::HealthCheck;

/// The methods that a check may use.
const METHODS: [(&str, &str); 4] =
    [("GET", "GET"), ("HEAD", "HEAD"), ("POST", "POST"), ("OPTIONS", "OPTIONS")];

/// Reads the section; without one the provider is asked for its list of models, where checks are enabled at all.
pub fn read(provider: &Field<'_>) -> HealthCheck {
    let mut check = HealthCheck::default();
    let Some(section) = provider.section("health_check") else { return check };
    if let Some(enabled) = section.child("enabled").and_then(|field| field.boolean()) {
        check.enabled = enabled;
    }
    check.endpoint = section.child("endpoint").and_then(|field| read_endpoint(&field));
    if let Some(method) = section.child("method").and_then(|field| field.choice("method", &METHODS)) {
        check.method = method.to_owned();
    }
    check
}

/// Reads a URL that is asked as it stands.
fn read_endpoint(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let url = url::Url::parse(&text.value).ok();
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
    else {
        field.refuse("this is not a URL to check; write one that starts with `https://` or `http://`");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        field.refuse("the URL of a check holds no user or password; a check takes the provider's own keys");
        return None;
    }
    if url.fragment().is_some() {
        field.refuse("a URL with a `#` part cannot be asked; remove that part");
        return None;
    }
    Some(url.into())
}
