//! Names: cheap to clone, compared by text, never mixed up with one another.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps `text` as it is; what makes a valid name is checked where it is read.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Shows the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name_type!(
    /// The name of a replica of the control plane, as `cp-1`.
    ReplicaId
);
name_type!(
    /// The key of a provider in the configuration, as `claude`.
    ProviderName
);
name_type!(
    /// The name of one credential of a provider, unique within that provider.
    CredentialName
);
name_type!(
    /// A model's name: what a client asks for, or what a provider is asked for.
    ModelName
);
name_type!(
    /// The name of one that uses the gateway, its key in the configuration.
    ClientName
);
name_type!(
    /// The name of one data-plane node, stable over restarts.
    NodeId
);
name_type!(
    /// The name of the figures that a cost was reckoned by, as `shipped-2026-11-22` or `config-5e884898`: the same figures
    /// have the same name.
    PriceVersion
);
name_type!(
    /// The id of one client request, returned as `x-request-id`.
    RequestId
);
