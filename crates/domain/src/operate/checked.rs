//! Fields that several calls take.

use super::{LONGEST_WAIT, MAX_NAME, MAX_REASON, OrderError, Shown, USUAL_WAIT, cut};
use std::time::Duration;

/// Checks for how long an answer waits for the nodes at most.
pub(super) fn timeout(given: Option<Duration>) -> Result<Duration, OrderError> {
    let timeout = given.unwrap_or(USUAL_WAIT);
    if timeout.is_zero() || timeout > LONGEST_WAIT {
        let remedy = "give a time above zero and of at most 30 seconds, as \"2s\"";
        return Err(OrderError::field("timeout", Shown(timeout), remedy));
    }
    Ok(timeout)
}

/// Checks a reason; empty when none is given.
pub(super) fn reason(given: Option<String>) -> Result<String, OrderError> {
    let reason = given.unwrap_or_default();
    if reason.len() > MAX_REASON {
        let value = format!("{} bytes long", reason.len());
        return Err(OrderError::field("reason", value, format!("give at most {MAX_REASON} bytes")));
    }
    Ok(reason)
}

/// Checks the name of a call.
pub(super) fn request_id(given: Option<String>) -> Result<Option<String>, OrderError> {
    if let Some(id) = &given
        && (id.is_empty() || id.len() > MAX_NAME || !id.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        let remedy = "give 1 to 200 printable characters without blanks, new for each call";
        return Err(OrderError::field("request_id", format_args!("{:?}", cut(id)), remedy));
    }
    Ok(given)
}
