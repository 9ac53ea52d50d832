//! Stories of a mock provider, told over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails where it should")]

mod client;
mod control;
mod ends;
mod faults;
mod http2;
mod log;
mod loops;
mod streams;
mod strict;
