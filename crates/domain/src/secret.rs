//! Secrets that never print.

use secrecy::{ExposeSecret, SecretString};
use std::{fmt, sync::Arc};

/// An API key or token. `Debug` shows nothing of it, it has no `Display`, and it is wiped when the last clone
/// goes.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes the text of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(SecretString::from(text.into())))
    }

    /// Shows the secret. Call this only where it goes on the wire to its owner, or to a file of mode 0600.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Compares configurations, not guesses: a client's key is never compared through this.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("sk-1234")), "[secret]");
    }
}
