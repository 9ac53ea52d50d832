//! The request that asks a provider whether it is well.

use super::{
    Pool, Upstream, UpstreamError,
    base::{Base, Origin},
    request::ANTHROPIC_VERSION,
};
use bytes::Bytes;
use cliproxy_domain::{CredentialName, Profile, Provider, ProviderKind};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body_util::Full;
use std::sync::Arc;

/// What a probe says it comes from.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("cliproxy/", env!("CARGO_PKG_VERSION"), " health-check"));

/// What a provider is asked, and over which connections.
pub(super) struct Probe {
    uri: Uri,
    method: Method,
    /// Whether it goes to the provider's own origin: no other gets its keys.
    own: bool,
    /// Connections to that origin.
    pool: Arc<Pool>,
}

impl Probe {
    /// Reads what a provider's health check asks; `pool` gives the connections to an origin.
    ///
    /// # Errors
    /// When the endpoint is no URL that HTTP can use, or the method is none.
    pub(super) fn new(
        provider: &Provider,
        base: &Base,
        profile: &Profile,
        pool: impl FnOnce(Origin) -> Arc<Pool>,
    ) -> Result<Self, UpstreamError> {
        let check = &provider.health_check;
        let read = || {
            let uri = match &check.endpoint {
                None => list_of_models(provider.kind, base, profile).ok()?,
                Some(endpoint) => endpoint.parse().ok()?,
            };
            Some((check.method.parse().ok()?, Origin::of(&uri)?, uri))
        };
        let (method, origin, uri) =
            read().ok_or_else(|| UpstreamError::HealthCheck { provider: provider.name.clone() })?;
        Ok(Self { own: origin == base.origin(), pool: pool(origin), uri, method })
    }
}

/// Gives the address of a provider's list of models, as each official SDK asks for it.
fn list_of_models(kind: ProviderKind, base: &Base, profile: &Profile) -> Result<Uri, http::Error> {
    let version = match (base.versioned, kind) {
        (true, _) => "",
        (false, ProviderKind::Gemini) => "/v1beta",
        (false, _) => "/v1",
    };
    base.uri(format!("{}{version}/models", base.prefix), [profile.query.as_deref()])
}

impl Upstream {
    /// Tells whether the probe's answer depends on a key.
    pub fn probe_takes_key(&self) -> bool {
        self.probe.own
    }

    /// Gives the connections that probes go over: the provider's own where they go to its origin.
    pub fn probe_pool(&self) -> &Pool {
        &self.probe.pool
    }

    /// Builds a probe. The key goes along only to the provider's own origin.
    pub fn probe(&self, credential: &CredentialName) -> Request<Full<Bytes>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        if self.probe.own {
            self.add_key(&mut headers, credential);
            if self.provider.kind == ProviderKind::Anthropic {
                headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
            }
        }
        let mut request = Request::new(Full::default());
        *request.method_mut() = self.probe.method.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.probe.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    /// Forgets all connections to the provider, those of its probes as well: new ones look its name up anew. Providers
    /// of the same origin share connections, so theirs are forgotten too.
    pub fn renew(&self) {
        self.pool.renew();
        if !Arc::ptr_eq(&self.pool, &self.probe.pool) {
            self.probe.pool.renew();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Upstreams;
    use super::*;
    use cliproxy_domain::{Credential, HealthCheck, Secret, Snapshot, Timeouts};
    use cliproxy_host::SystemNet;

    fn upstream(change: impl FnOnce(&mut Provider)) -> Result<Arc<Upstream>, UpstreamError> {
        let mut provider = Provider {
            name: "p".into(),
            kind: ProviderKind::Anthropic,
            base_url: "https://api.example".to_owned(),
            credentials: vec![Credential::new("main", Secret::new("the-key"))],
            models: Vec::new(),
            weight: 1,
            priority: 1,
            timeouts: Timeouts::default(),
            profile: None,
            traits: Vec::new(),
            cooldown: Default::default(),
            health_check: HealthCheck::default(),
            quota: None,
            prices: Vec::new(),
        };
        change(&mut provider);
        let mut snapshot = Snapshot::default();
        snapshot.providers.insert(provider.name.clone(), provider);
        let mut made = Upstreams::new(Arc::new(SystemNet)).unwrap().of(&snapshot)?;
        Ok(made.remove("p").unwrap())
    }

    fn shown(request: &Request<Full<Bytes>>) -> String {
        let mut headers: Vec<_> = request.headers().iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        let headers: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "accept" | "accept-encoding" | "user-agent"))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        format!("{} {} [{}]", request.method(), request.uri(), headers.join(", "))
    }

    #[test]
    fn each_kind_is_asked_for_its_models_as_its_sdk_asks() {
        let cases = [
            (
                ProviderKind::Anthropic,
                "https://a.example",
                "https://a.example/v1/models [anthropic-version: 2023-06-01, x-api-key: the-key]",
            ),
            (
                ProviderKind::OpenAi,
                "https://a.example/v1",
                "https://a.example/v1/models [authorization: Bearer the-key]",
            ),
            (
                ProviderKind::Gemini,
                "https://a.example",
                "https://a.example/v1beta/models [x-goog-api-key: the-key]",
            ),
            (
                ProviderKind::OpenAiCompatible,
                "http://a.example:8000/api/v4",
                "http://a.example:8000/api/v4/models [authorization: Bearer the-key]",
            ),
        ];
        for (kind, base, expected) in cases {
            let upstream = upstream(|provider| {
                provider.kind = kind;
                provider.base_url = base.to_owned();
            });
            let probe = upstream.unwrap().probe(&"main".into());
            assert_eq!(shown(&probe), format!("GET {expected}"));
        }
    }

    #[test]
    fn a_profile_says_how_its_server_is_asked() {
        let upstream = upstream(|provider| {
            provider.kind = ProviderKind::OpenAiCompatible;
            provider.profile = Some(Profile {
                auth_header: "api-key".to_owned(),
                auth_prefix: String::new(),
                query: Some("api-version=1".to_owned()),
                ..Default::default()
            });
        });
        let probe = upstream.unwrap().probe(&"main".into());
        assert_eq!(shown(&probe), "GET https://api.example/v1/models?api-version=1 [api-key: the-key]");
    }

    #[test]
    fn the_key_goes_to_the_providers_own_origin_alone() {
        let asked_at = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            let check = HealthCheck { endpoint, method: "HEAD".to_owned(), ..HealthCheck::default() };
            upstream(|provider| provider.health_check = check).unwrap()
        };
        let own = asked_at("https://api.example:443/v1/messages");
        assert_eq!(
            shown(&own.probe(&"main".into())),
            "HEAD https://api.example:443/v1/messages [anthropic-version: 2023-06-01, x-api-key: the-key]"
        );
        assert!(Arc::ptr_eq(&own.pool, &own.probe.pool));
        for other in ["https://status.example/up", "http://api.example/up", "https://api.example:444/up"] {
            let other = asked_at(other);
            assert!(!other.probe_takes_key());
            assert!(shown(&other.probe(&"main".into())).ends_with("/up []"));
            assert!(!Arc::ptr_eq(&other.pool, &other.probe.pool));
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_asked_is_refused() {
        for endpoint in ["status", "ftp://a.example/", "/v1/models"] {
            let refused = upstream(|provider| provider.health_check.endpoint = Some(endpoint.to_owned()));
            assert_eq!(
                refused.err().unwrap().to_string(),
                "providers.p.health_check.endpoint is not an http or https URL with a host, or its method is none"
            );
        }
    }
}
