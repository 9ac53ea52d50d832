//! What both planes tell the outside about themselves: log lines, the access log and metrics, with what is
//! secret taken out.
//!
//! - [`logging`] installs the process's subscriber: one line per event, as JSON or logfmt.
//! - [`access_log`] writes the line that every finished request leaves, to the same place.
//! - [`metrics`] holds the families of the user guide behind handles that a request may use without a lock.
//! - [`redact`] takes keys and passwords out of URLs and renders chains of errors.
//!
//! This crate knows none of our others: names, error types and times come in as plain values.
#![deny(missing_docs)]

pub mod access_log;
mod line;
pub mod logging;
pub mod metrics;
pub mod redact;
mod sink;
mod timestamp;

pub use access_log::{AccessEntry, AccessLog, Outcome};
pub use logging::{Format, Level, LogError, LogGuard, LogSettings, Output};
pub use metrics::{Metrics, RouteHandles};
