//! Where a provider is.

use http::{
    Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

/// A base URL, in the parts that addresses are made of.
pub(super) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Its path, without a trailing slash.
    pub(super) prefix: String,
    /// Whether that path ends in a version, as `/v1`, so that none is added.
    pub(super) versioned: bool,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    https: bool,
    /// In lower case.
    host: String,
    port: u16,
}

impl Base {
    /// Reads a URL; none when it has no scheme or no host.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let Parts { scheme, authority, path_and_query, .. } = url.parse::<Uri>().ok()?.into_parts();
        let prefix = path_and_query.map(|p| p.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        let versioned = prefix.rsplit('/').next().is_some_and(is_version);
        Some(Self { scheme: scheme?, authority: authority?, prefix, versioned })
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::new(&self.scheme, &self.authority)
    }

    /// Gives the address of a path there, with the queries that are given.
    pub(super) fn uri<const N: usize>(
        &self,
        mut path: String,
        queries: [Option<&str>; N],
    ) -> Result<Uri, http::Error> {
        let mut before = '?';
        for query in queries.into_iter().flatten() {
            path.push(before);
            path.push_str(query);
            before = '&';
        }
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(path)?);
        Ok(Uri::from_parts(parts)?)
    }
}

impl Origin {
    fn new(scheme: &Scheme, authority: &Authority) -> Self {
        let https = *scheme == Scheme::HTTPS;
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        Self { https, host: authority.host().to_ascii_lowercase(), port }
    }

    /// Gives the origin of an address; none when that is not one that HTTP can use.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS)?;
        Some(Self::new(scheme, uri.authority()?))
    }
}

/// Tells whether a path segment is an API version, as `v1`, `v1beta` or `v4`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
