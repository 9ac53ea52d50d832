//! The control plane: what all nodes together know, and what all of them must know.
//!
//! The modules stand in the order in which a fact travels. A report or an urgent event enters at `grpc`, is
//! made durable by `ingest` or turned into a rest by `decide`, becomes part of what is true now in `state`,
//! and goes out to every node through `publish` and `grpc` again. What is done once for the whole cluster, as judging
//! whether providers answer, is `lead`'s. Operators ask through `grpc`
//! or `http`, and nodes hand their calls on through `grpc`: all of them call `operations`, which reads `state` and speaks
//! through `decide`. A configuration enters through [`Handle::change`]; its text comes from and
//! goes to [`Configurations`], outside of this crate.
//!
//! ```text
//! nodes ──▶ grpc ──▶ ingest ──┬──▶ state ──▶ operations ──▶ grpc, http ──▶ operators
//!                └─▶ decide ──┤    ▲ │
//! Handle::change ─────────────┘    │ └──▶ publish ──▶ grpc ──▶ every node
//!                     decide ◀── lead
//! ```
//!
//! What is exclusive is one transaction of the store. What is in memory here is a fold of the store and of what
//! nodes report, and is rebuilt when the process starts.
#![deny(missing_docs)]

mod backoff;
mod certificates;
mod configurations;
mod decide;
mod error;
mod grant;
mod grpc;
mod http;
mod ingest;
mod lead;
mod metrics;
mod operations;
mod plane;
mod publish;
mod replicas;
mod settings;
mod state;

pub use configurations::{Author, Checked, Configurations, NewText, Reading, Refused, Replaced, Shown};
pub use error::{ApplyError, Error};
pub use plane::{Addresses, Applied, ControlPlane, Doorstep, Handle, Proposal};
pub use settings::{AdminToken, Role, Settings};
