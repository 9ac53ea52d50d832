//! Numbers that order things: configuration versions, hint versions, incarnations, ledger sequence numbers.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Gives the number that follows this one.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_type!(
    /// The number of one whole configuration. 0 means "none yet".
    ConfigId
);
number_type!(
    /// The number of one change on the hint line. 0 means "none yet".
    HintVersion
);
number_type!(
    /// Grows each time a data-plane process starts; starts at 1.
    Incarnation
);
number_type!(
    /// The place of a ledger batch within (node, incarnation); starts at 1, without gaps.
    Seq
);

/// Names one history of the store. It changes when the store is replaced or rolled back, so that nobody
/// compares version numbers of different histories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryId(pub String);

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
