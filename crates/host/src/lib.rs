//! What a plane takes from the machine it runs on: time, network, disk and randomness.
//!
//! Each is a trait, handed in at the composition root, so that a simulation can put its own in place. Nothing
//! else in the planes asks the machine directly; `clippy.toml` bans the ambient forms. On top of them stands the
//! one accept loop ([`serve`](serve())) that every listener uses, REST, proxy and gRPC alike, and the mutual TLS between the planes
//! ([`tls`]).
#![deny(missing_docs)]

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod net;
pub mod origin;
pub mod serve;
pub mod tls;

pub use clock::{Clock, SteadyClock, SystemClock};
pub use disk::{Disk, MemoryDisk, Pages, SystemDisk};
pub use entropy::Entropy;
pub use net::{Connection, Listener, Net, SystemNet};
pub use origin::Origin;
pub use serve::{Peer, ServeOptions, serve, serve_tls};
pub use tls::{Presented, Tls};
