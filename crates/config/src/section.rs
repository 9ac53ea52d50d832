//! One module per section of the file: its struct, its defaults, its checks.

pub mod address;
pub mod auths;
pub mod clients;
pub mod control_plane;
pub mod credential;
pub mod digest;
pub mod failover;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod model_traits;
pub mod models;
pub mod operations;
pub mod profiles;
pub mod providers;
pub mod retries;
pub mod server;
pub mod timeouts;
pub mod translation;

/// Pairs the values of a closed set with the words that the file has for them.
fn choices<T: Copy, const N: usize>(all: [T; N], word: fn(T) -> &'static str) -> [(&'static str, T); N] {
    all.map(|value| (word(value), value))
}
