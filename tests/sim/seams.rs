//! The seams of the planes, put in place by the simulation.

mod clock;
mod net;
mod store;

pub use clock::{START, SimClock};
pub use net::SimNet;
pub use store::WatchedStore;
