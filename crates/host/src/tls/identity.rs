//! Who a certificate is of: a URI as SPIFFE writes it.

use std::{fmt, str::FromStr, sync::Arc};

/// What a process is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A data-plane node.
    Node,
    /// A control plane.
    ControlPlane,
}

impl Role {
    /// Gives its part of the URI's path.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Node => "dp",
            Self::ControlPlane => "cp",
        }
    }

    /// Gives what is at the other end of its connections.
    pub fn opposite(self) -> Self {
        match self {
            Self::Node => Self::ControlPlane,
            Self::ControlPlane => Self::Node,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::ControlPlane => "control plane",
        })
    }
}

/// Who a certificate is of. Shown, it is the URI that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    trust_domain: Arc<str>,
    role: Role,
    name: Arc<str>,
}

/// Why a URI names nobody here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{uri:?} is not the name of a node or control plane; it must be `spiffe://<trust domain>/cliproxy/dp/<node>` or \
     `spiffe://<trust domain>/cliproxy/cp/<name>`, of letters, digits, `.`, `-` and `_`, the trust domain in small letters"
)]
pub struct IdentityFault {
    uri: String,
}

/// The longest trust domain, in bytes (SPIFFE-ID 2.1), and the longest name: that of a DNS name.
const LONGEST: usize = 253;
const SCHEME: &str = "spiffe://";
const PROGRAM: &str = "cliproxy";

impl Identity {
    /// Names a process.
    ///
    /// # Errors
    /// When the trust domain or the name has other characters than SPIFFE allows, or more than 253.
    pub fn new(trust_domain: &str, role: Role, name: &str) -> Result<Self, IdentityFault> {
        let identity = Self { trust_domain: trust_domain.into(), role, name: name.into() };
        if is_trust_domain(trust_domain) && is_segment(name) {
            Ok(identity)
        } else {
            Err(IdentityFault { uri: identity.to_string().chars().take(600).collect() })
        }
    }

    /// Gives the domain within which names mean something.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Gives what the process is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Gives the name of the process: of a node, its id.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Identity {
    type Err = IdentityFault;

    fn from_str(uri: &str) -> Result<Self, IdentityFault> {
        let fault = || IdentityFault { uri: uri.chars().take(600).collect() };
        let mut parts = uri.strip_prefix(SCHEME).ok_or_else(fault)?.split('/');
        let (domain, program, role, name) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(domain), Some(PROGRAM), Some(role), Some(name), None) =
            (domain, program, role, name, parts.next())
        else {
            return Err(fault());
        };
        let roles = [Role::Node, Role::ControlPlane];
        let role = roles.into_iter().find(|known| known.segment() == role).ok_or_else(fault)?;
        Self::new(domain, role, name).map_err(|_| fault())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trust_domain, role, name } = self;
        write!(f, "{SCHEME}{trust_domain}/{PROGRAM}/{}/{name}", role.segment())
    }
}

/// Takes the trust domain of a URI that names it alone.
pub(super) fn trust_domain(uri: &str) -> Result<&str, IdentityFault> {
    let domain = uri.strip_prefix(SCHEME).filter(|domain| is_trust_domain(domain));
    domain.ok_or_else(|| IdentityFault { uri: uri.chars().take(600).collect() })
}

/// SPIFFE-ID 2.1: small letters, digits, dots, dashes and underscores.
fn is_trust_domain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// SPIFFE-ID 2.2: letters, digits, dots, dashes and underscores, and no relative segment.
fn is_segment(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for (uri, role) in [
            ("spiffe://example.org/cliproxy/dp/node-1.b_C", Role::Node),
            ("spiffe://prod/cliproxy/cp/a", Role::ControlPlane),
        ] {
            let identity: Identity = uri.parse().unwrap();
            assert_eq!((identity.to_string().as_str(), identity.role()), (uri, role));
        }
    }

    #[test]
    fn other_uris_name_nobody() {
        let long = format!("spiffe://prod/cliproxy/dp/{}", "a".repeat(254));
        for uri in [
            "",
            "spiffe://",
            "https://prod/cliproxy/dp/a",
            "spiffe://prod",
            "spiffe://prod/cliproxy/dp",
            "spiffe://prod/cliproxy/dp/",
            "spiffe://prod/cliproxy/dp/a/b",
            "spiffe://prod/cliproxy/dp/a/",
            "spiffe://prod/cliproxy/xx/a",
            "spiffe://prod/other/dp/a",
            "spiffe:///cliproxy/dp/a",
            "spiffe://Prod/cliproxy/dp/a",
            "spiffe://prod:1/cliproxy/dp/a",
            "spiffe://prod/cliproxy/dp/..",
            "spiffe://prod/cliproxy/dp/a%2fb",
            "spiffe://prod/cliproxy/dp/a\n",
            "spiffe://prod/cliproxy/dp/ä",
            &long,
        ] {
            assert!(uri.parse::<Identity>().is_err(), "{uri}");
        }
    }
}
