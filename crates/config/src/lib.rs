//! From YAML to a checked configuration: the snapshot that both planes know, and the settings of the process.
//!
//! In the order in which a text becomes a configuration: a `source` is parsed into a `tree` whose keys and values
//! know their places; `overrides` from the command line are put in; `schema` refuses what is unknown or not
//! available yet; each `section` reads its values through `field`, which fills variables in (`interpolate`) and
//! collects what is wrong; `advice` warns of what does less than it seems to; `error` shows what is wrong with line,
//! column and caret, and `mask` keeps secrets out of it, as out of the whole text where `shown` shows that.
//! [`reload`] tells when a file has changed.
//!
//! Nothing is accepted and ignored.
#![deny(missing_docs)]

mod advice;
mod catalogue;
mod environment;
mod error;
mod example;
mod field;
mod interpolate;
mod load;
mod mask;
mod overrides;
mod permission;
pub mod reload;
mod schema;
mod section;
mod shown;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;

pub use environment::Environment;
pub use error::{ConfigError, Place, Report};
pub use example::EXAMPLE;
pub use load::{Config, Load, Purpose, load, load_text, load_with_text};
pub use schema::{CREDENTIAL_FILE_KEYS, KEYS, Known, State};
pub use section::{
    control_plane::{ControlPlane, Database, Tls},
    failover::{Failover, Mode, Part},
    logging::{Format, Level, Logging, Output},
    metrics::Metrics,
    server::{AdminToken, Limits, Server},
};
pub use shown::masked;
pub use tree::MAX_TEXT;
