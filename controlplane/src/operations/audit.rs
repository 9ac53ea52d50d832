//! Who changed what.

use super::{OperationError, Operations};
use cliproxy_domain::{
    AuditQuery, WallTime,
    operate::{OrderError, single},
    status::{AuditLog, Source},
};

const PARAMETERS: [&str; 4] = ["provider", "action", "before", "limit"];
/// How many entries are told at most.
const MOST: u32 = 1_000;

impl Operations {
    /// Tells the newest entries of the audit log that a query asks for.
    ///
    /// # Errors
    /// Fails when the query asks for too many or none, and when the store does not answer.
    pub(crate) async fn audit_log(&self, query: AuditQuery) -> Result<AuditLog, OperationError> {
        if query.limit == 0 || query.limit > MOST {
            return Err(limit(query.limit).into());
        }
        let entries = self.state.store.audit(query).await?;
        Ok(AuditLog { source: Source::Cluster, as_of: self.state.clock.wall(), entries })
    }
}

/// Reads the parameters of `GET …/audit`.
///
/// # Errors
/// [`OrderError`] names the parameter, what it holds, and what to do.
pub(crate) fn audit_query(parameters: &[(String, String)]) -> Result<AuditQuery, OrderError> {
    single(parameters, &PARAMETERS)?;
    let mut query = AuditQuery::default();
    for (name, value) in parameters {
        match name.as_str() {
            "provider" => query.provider = Some(value.as_str().into()),
            "action" => query.action = Some(value.clone()),
            "before" => query.before = Some(before(value)?),
            _ => query.limit = value.parse().map_err(|_| limit(format_args!("{:?}", shown(value))))?,
        }
    }
    Ok(query)
}

fn before(value: &str) -> Result<WallTime, OrderError> {
    value.parse().map_err(|_| OrderError::Field {
        field: "before",
        value: format!("{:?}", shown(value)),
        remedy: "give a time as 2026-02-19T22:50:00Z, or leave it out".to_owned(),
    })
}

fn limit(value: impl std::fmt::Display) -> OrderError {
    OrderError::Field {
        field: "limit",
        value: value.to_string(),
        remedy: format!("give a whole number from 1 to {MOST}, or leave it out for 100"),
    }
}

fn shown(value: &str) -> String {
    value.chars().take(100).collect()
}
