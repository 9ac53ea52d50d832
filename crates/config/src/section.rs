//! One module per section of the file: its struct, its defaults, its checks.

pub mod auths;
pub mod control_plane;
pub mod credential;
pub mod logging;
pub mod metrics;
pub mod models;
pub mod operations;
pub mod providers;
pub mod server;
pub mod timeouts;
