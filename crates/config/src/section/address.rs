//! Where another process is reached: a scheme, a host and a port, and nothing else.

use crate::field::Field;
use url::{Host, Url};

/// The address of another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// As it is dialled and compared: `http://host` or `http://host:port`, small letters, no port that goes without
    /// saying.
    pub url: String,
    /// Whether it asks for TLS.
    pub is_https: bool,
    /// Whether it is on this machine.
    pub is_loopback: bool,
    host: String,
    port: u16,
}

impl Address {
    /// Gives the host: a name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Gives the port, which may go without saying.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Reads the address of `what`; `example` is shown to whoever gets it wrong. The value is not repeated: it may hold a
/// password.
pub fn read(field: &Field<'_>, what: &str, example: &str) -> Option<Address> {
    let text = field.text()?;
    let address = Url::parse(&text.value).ok().as_ref().and_then(plain);
    if address.is_none() {
        field.refuse(format!(
            "this is not the address of {what}; write a scheme, a host and a port, such as `{example}`"
        ));
    }
    address
}

/// Takes a URL that holds nothing else.
fn plain(url: &Url) -> Option<Address> {
    let is_https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return None;
    }
    let (host, is_loopback) = match url.host()? {
        Host::Domain(name) => (name.to_owned(), name == "localhost"),
        Host::Ipv4(ip) => (ip.to_string(), ip.is_loopback()),
        Host::Ipv6(ip) => (ip.to_string(), ip.is_loopback()),
    };
    let port = url.port_or_known_default()?;
    Some(Address { url: url.origin().ascii_serialization(), is_https, is_loopback, host, port })
}
