//! Two ends that show each other certificates.

mod authority;
mod handshakes;
mod reading;
mod rotation;
mod serving;
