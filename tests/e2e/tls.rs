//! The planes prove to each other who they are: certificates made by the program's own command, served by, renewed and
//! refused.

mod expiring;
mod fixture;
mod impostors;
mod limits;
mod refused;
mod renewed;

pub use fixture::Certificates;
