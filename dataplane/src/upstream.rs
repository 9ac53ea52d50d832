//! The way to each provider: where it is, how it is asked, and the connections that stay open to it.

mod base;
mod connector;
mod pool;
mod probe;
mod request;
mod translated;

pub use pool::{Place, Pool, PoolError, SendError};
pub(crate) use request::{stops_at_a_gateway, stops_here};
pub use translated::Written;

use arc_swap::ArcSwap;
use base::{Base, Origin};
use cliproxy_dialects::envelope::Sealer;
use cliproxy_domain::{CredentialName, Profile, Provider, ProviderName, Snapshot};
use cliproxy_host::Net;
use http::{HeaderName, HeaderValue};
use probe::Probe;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Why a provider cannot be called as configured.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The base URL is none that HTTP can use.
    #[error("providers.{provider}.base_url is not an http or https URL with a host")]
    BaseUrl {
        /// The provider.
        provider: ProviderName,
    },
    /// A key has characters that no HTTP header can carry.
    #[error(
        "the credential `{credential}` of provider `{provider}` has characters that no HTTP header can carry"
    )]
    Key {
        /// The provider.
        provider: ProviderName,
        /// The credential.
        credential: CredentialName,
    },
    /// A header of its profile is none that HTTP can carry.
    #[error("the profile of provider `{provider}` has a header that HTTP cannot carry")]
    Profile {
        /// The provider.
        provider: ProviderName,
    },
    /// It cannot be asked whether it is well.
    #[error(
        "providers.{provider}.health_check.endpoint is not an http or https URL with a host, or its method is none"
    )]
    HealthCheck {
        /// The provider.
        provider: ProviderName,
    },
    /// The connection pool could not be made.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

/// One provider, ready to be called.
pub struct Upstream {
    /// Its configuration.
    pub provider: Provider,
    /// The open connections.
    pub pool: Arc<Pool>,
    /// How its server differs from OpenAI.
    pub profile: Profile,
    /// Closes and opens envelopes for its state. Its secret is the provider's first key: every node has that, and
    /// whoever changes it makes older state unreadable, which is then left out.
    pub sealer: Sealer,
    base: Base,
    /// The authentication header's value for each credential.
    keys: HashMap<CredentialName, HeaderValue>,
    /// The header that carries the key.
    key_name: HeaderName,
    /// Headers that every request carries.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// How it is asked whether it is well.
    probe: Probe,
}

impl Upstream {
    /// Makes the way to a provider; `pool` gives the connections to an origin.
    fn new(provider: &Provider, mut pool: impl FnMut(Origin) -> Arc<Pool>) -> Result<Self, UpstreamError> {
        let base = Base::parse(&provider.base_url)
            .ok_or_else(|| UpstreamError::BaseUrl { provider: provider.name.clone() })?;
        let profile = provider.profile.clone().unwrap_or_default();
        let (key_name, headers) = request::profile_headers(provider.kind, &profile)
            .ok_or_else(|| UpstreamError::Profile { provider: provider.name.clone() })?;
        let mut keys = HashMap::new();
        for credential in &provider.credentials {
            let value = request::key_header(provider.kind, &profile, &credential.api_key).map_err(|_| {
                UpstreamError::Key { provider: provider.name.clone(), credential: credential.name.clone() }
            })?;
            keys.insert(credential.name.clone(), value);
        }
        let probe = Probe::new(provider, &base, &profile, &mut pool)?;
        let secret = provider.credentials.first().map_or("", |credential| credential.api_key.expose());
        Ok(Self {
            sealer: Sealer::new(provider.name.as_str(), secret.as_bytes()),
            provider: provider.clone(),
            pool: pool(base.origin()),
            profile,
            base,
            keys,
            key_name,
            headers,
            probe,
        })
    }
}

/// Makes upstreams, and keeps the pools of those that stay the same over a change of configuration.
pub struct Upstreams {
    net: Arc<dyn Net>,
    tls: Arc<rustls::ClientConfig>,
    pools: ArcSwap<HashMap<PoolKey, Arc<Pool>>>,
}

/// Providers with the same origin and connect timeout share connections.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PoolKey {
    origin: Origin,
    connect: Duration,
}

impl Upstreams {
    /// Opens connections through `net`, with TLS by the public roots of trust.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(net: Arc<dyn Net>) -> Result<Self, PoolError> {
        Ok(Self::with_tls(net, connector::tls_config()?))
    }

    /// Opens connections through `net`, and trusts what `tls` trusts. Which versions of HTTP are offered is not
    /// `tls`'s to say: always both.
    pub fn with_tls(net: Arc<dyn Net>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { net, tls, pools: ArcSwap::default() }
    }

    /// Makes connections to wherever they are asked for, opened within `connect`: for other gateways, which no
    /// configuration of providers knows.
    pub fn pool(&self, connect: Duration) -> Pool {
        Pool::new(Arc::clone(&self.net), Arc::clone(&self.tls), connect)
    }

    /// Makes the upstreams of a whole configuration.
    ///
    /// # Errors
    /// For the first provider that cannot be called; nothing changes then.
    pub fn of(&self, snapshot: &Snapshot) -> Result<HashMap<ProviderName, Arc<Upstream>>, UpstreamError> {
        let before = self.pools.load();
        let mut pools = HashMap::new();
        let mut upstreams = HashMap::new();
        for provider in snapshot.providers.values() {
            let connect = provider.timeouts.connect;
            let upstream = Upstream::new(provider, |origin| {
                let key = PoolKey { origin, connect };
                let pool = pools.entry(key).or_insert_with_key(|key| {
                    before.get(key).cloned().unwrap_or_else(|| {
                        Arc::new(Pool::new(Arc::clone(&self.net), Arc::clone(&self.tls), connect))
                    })
                });
                Arc::clone(pool)
            })?;
            upstreams.insert(provider.name.clone(), Arc::new(upstream));
        }
        self.pools.store(Arc::new(pools));
        Ok(upstreams)
    }
}
