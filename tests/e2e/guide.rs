//! The user guide holds: each of its snippets on cooldown, load balancing, health, self-healing and troubleshooting
//! runs as it stands there.
//!
//! The snippets are cut out of a copy of the guide when a test runs. What is put in their place: the addresses of
//! gateway and providers, and, where a test could not wait for it, a time; each test says which.

mod balancing;
mod blocks;
mod cooldown;
mod gateway;
mod health;
mod page;
mod shape;
mod troubleshooting;
mod yaml;

use gateway::{Gateway, Providers};
use page::{Block, section};
