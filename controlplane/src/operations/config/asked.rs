//! What callers ask of the configuration.

use crate::operations::OperationError;
use cliproxy_domain::{
    ConfigId,
    operate::{OrderError, single},
};
use serde_json::{Map, Value};

/// The longest reason, in bytes.
const MAX_REASON: usize = 1_000;
/// How many configurations are listed at most.
const MOST: u32 = 1_000;
/// How many are listed where the call does not say.
pub(crate) const USUAL: u32 = 100;

/// The parameters of `PUT …/config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangeAsked {
    /// The configuration that is to be replaced; `None` for whichever is in force.
    pub(crate) expected: Option<ConfigId>,
    /// Why.
    pub(crate) reason: String,
}

impl ChangeAsked {
    /// Takes what gRPC asks.
    ///
    /// # Errors
    /// Fails when the reason is too long.
    pub(crate) fn new(expected: Option<u64>, reason: String) -> Result<Self, OrderError> {
        Ok(Self { expected: expected.map(ConfigId), reason: checked_reason(reason)? })
    }

    /// Reads the parameters of a query, decoded.
    ///
    /// # Errors
    /// [`OrderError`] names the parameter, what it holds, and what to do.
    pub(crate) fn read(parameters: &[(String, String)]) -> Result<Self, OrderError> {
        single(parameters, &["expected", "reason"])?;
        let mut asked = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "expected" => asked.expected = Some(number(value)?),
                _ => asked.reason = checked_reason(value.clone())?,
            }
        }
        Ok(asked)
    }
}

/// What `POST …/config/rollback` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RollbackAsked {
    /// The configuration whose text is to be put in force again.
    pub(crate) config: ConfigId,
    /// Why.
    pub(crate) reason: String,
}

impl RollbackAsked {
    /// Takes what gRPC asks.
    ///
    /// # Errors
    /// Fails when the reason is too long.
    pub(crate) fn new(config: u64, reason: String) -> Result<Self, OrderError> {
        Ok(Self { config: ConfigId(config), reason: checked_reason(reason)? })
    }

    /// Reads the body, `{"config": 3, "reason": "…"}`.
    ///
    /// # Errors
    /// Fails when it is no such object; the message names the field.
    pub(crate) fn read(body: &[u8]) -> Result<Self, OperationError> {
        const FORM: &str =
            r#"send {"config": 3, "reason": "…"} with the number of a configuration of the history"#;
        let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
            OperationError::Invalid(format!("the body is not a JSON object ({error}); {FORM}"))
        })?;
        let (mut config, mut reason) = (None, String::new());
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("config", Value::Number(number)) if number.is_u64() => config = number.as_u64(),
                ("reason", Value::String(text)) => reason = text,
                ("reason", Value::Null) => {}
                (known @ ("config" | "reason"), value) => {
                    let value: String = value.to_string().chars().take(100).collect();
                    return Err(OperationError::Invalid(format!("{known} is {value}; {FORM}")));
                }
                (unknown, _) => {
                    let unknown: String = unknown.chars().take(100).collect();
                    return Err(OperationError::Invalid(format!("there is no field {unknown:?}; {FORM}")));
                }
            }
        }
        let Some(config) = config else {
            return Err(OperationError::Invalid(format!("config is missing; {FORM}")));
        };
        Ok(Self::new(config, reason)?)
    }
}

/// Reads the parameters of `GET …/config/history`: how many are listed.
///
/// # Errors
/// [`OrderError`] names the parameter, what it holds, and what to do.
pub(crate) fn history_limit(parameters: &[(String, String)]) -> Result<u32, OrderError> {
    single(parameters, &["limit"])?;
    match parameters.first() {
        None => Ok(USUAL),
        Some((_, value)) => value.parse().map_err(|_| limit(format!("{:?}", cut(value)))),
    }
}

/// Refuses to list none or too many.
///
/// # Errors
/// [`OrderError`] says what may be asked.
pub(super) fn within_limit(number: u32) -> Result<u32, OrderError> {
    if (1..=MOST).contains(&number) { Ok(number) } else { Err(limit(number.to_string())) }
}

fn limit(value: String) -> OrderError {
    let remedy = format!("give a whole number from 1 to {MOST}, or leave it out for {USUAL}");
    OrderError::Field { field: "limit", value, remedy }
}

fn number(value: &str) -> Result<ConfigId, OrderError> {
    value.parse().map(ConfigId).map_err(|_| OrderError::Field {
        field: "expected",
        value: format!("{:?}", cut(value)),
        remedy: "give the number of the configuration that is to be replaced, or leave it out".to_owned(),
    })
}

fn checked_reason(reason: String) -> Result<String, OrderError> {
    if reason.len() <= MAX_REASON {
        return Ok(reason);
    }
    Err(OrderError::Field {
        field: "reason",
        value: format!("{} bytes long", reason.len()),
        remedy: format!("give at most {MAX_REASON} bytes"),
    })
}

fn cut(value: &str) -> String {
    value.chars().take(100).collect()
}
