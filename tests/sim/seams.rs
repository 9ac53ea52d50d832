//! The seams of the planes, put in place by the simulation.

mod clock;
mod net;

pub use clock::{START, SimClock};
pub use net::SimNet;
