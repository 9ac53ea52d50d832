//! The data plane: one stateless node that serves clients from memory.
//!
//! A request meets the stages in this order, and each hands the next a type of its own:
//!
//! | stage | gives | does |
//! | --- | --- | --- |
//! | [`listen`] | `http::Request` | accepts connections, limits them, drains them |
//! | [`authenticate`] | [`authenticate::Caller`] | who asks, and whether it is served at all |
//! | [`decode`] | [`decode::Call`] | path table, body limit, the few fields that routing needs |
//! | [`admit`] | the same | what the client may ask for, and how fast |
//! | [`route`] | [`route::Route`] | what is known now → engine → ordered choices with reasons |
//! | [`attempt`] | [`attempt::Reply`] | calls upstreams until one has begun to answer |
//! | [`encode`] | `http::Response` | the client's bytes, and errors in the client's dialect |
//! | [`account`] | ledger rows | usage, metrics, the access log, hang-ups |
//!
//! [`pipeline`] is the only place that names them all. Beside the path: [`live`] is what the node knows now,
//! [`purse`] what it holds of limits, [`sync`] keeps that true and reports upwards, [`probe`] asks providers whether they are well, [`failover`] is what nodes
//! do for each other, [`ops`] answers operators.
#![deny(missing_docs)]

pub mod account;
pub mod admit;
pub mod attempt;
pub mod authenticate;
pub mod decode;
pub mod encode;
pub mod failover;
pub mod listen;
pub mod live;
pub mod node;
pub mod ops;
pub mod pipeline;
pub mod probe;
pub mod purse;
pub mod refusal;
pub mod route;
pub mod sync;
pub mod upstream;

pub use failover::{FailoverSettings, Part, Way};
pub use node::{BuildError, DataPlane, Seams, Settings};
pub use sync::Offered;
