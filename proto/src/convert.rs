//! Wire to domain and back. What comes from the wire is checked here; what goes out is taken as it is.

pub mod config;
pub mod hints;
pub mod peers;
pub mod quota;
pub mod replica;
pub mod status;
pub mod telemetry;
mod word;

/// What came from the wire and means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field that must be there is not.
    #[error("{field} is missing; the sender must set it")]
    Missing {
        /// Which, as `Provider.name`.
        field: &'static str,
    },
    /// A word that is none of those that the field knows.
    #[error("{field} is {value:?}; it must be one of: {expected}")]
    UnknownWord {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: String,
    },
    /// A number outside the range that the field allows.
    #[error("{field} is {value}; it must be {expected}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: i128,
        /// What it may hold.
        expected: &'static str,
    },
    /// A text that HTTP cannot carry where it is to stand.
    #[error("{field} is {value:?}; it must be {expected}")]
    Malformed {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// A body that is not the message that its kind says it is.
    #[error("the body of {kind} {key:?} does not decode ({error}); the sender must send it again")]
    Body {
        /// The kind of the change.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What the decoder found.
        error: String,
    },
    /// A body whose name is not the key that it came under.
    #[error("the body of {kind} {key:?} is named {name:?}; key and name must be the same")]
    WrongName {
        /// The kind of the change.
        kind: &'static str,
        /// Its key.
        key: String,
        /// The name in the body.
        name: String,
    },
    /// A target of an alias that names a provider the configuration does not have.
    #[error(
        "alias {alias:?} names provider {provider:?}, which is not configured; add it or drop the target"
    )]
    UnknownProvider {
        /// The alias.
        alias: String,
        /// The provider that it names.
        provider: String,
    },
    /// A row that does not come after the one before it.
    #[error("{field} {value:?} is out of order; rows must be sorted by key, one a key")]
    Unsorted {
        /// Which field.
        field: &'static str,
        /// The key of the row.
        value: String,
    },
    /// Two parts of one thing that have the same name.
    #[error("{field} {value:?} is there twice; names must be unique")]
    Duplicate {
        /// Which field.
        field: &'static str,
        /// The name.
        value: String,
    },
}

/// Takes a text that must not be empty.
fn required<'a>(field: &'static str, value: &'a str) -> Result<&'a str, ConvertError> {
    if value.is_empty() { Err(ConvertError::Missing { field }) } else { Ok(value) }
}

/// Takes a number that must be at least 1.
fn at_least_one(field: &'static str, value: u32) -> Result<u32, ConvertError> {
    if value == 0 {
        Err(ConvertError::OutOfRange { field, value: 0, expected: "at least 1" })
    } else {
        Ok(value)
    }
}

/// Takes an HTTP status, or 0 for none.
fn http_status(field: &'static str, value: u32) -> Result<u16, ConvertError> {
    u16::try_from(value).map_err(|_| ConvertError::OutOfRange {
        field,
        value: value.into(),
        expected: "at most 65535",
    })
}

/// Takes whole milliseconds of a duration, saturating.
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
