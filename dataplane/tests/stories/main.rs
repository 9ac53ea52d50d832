//! A whole node in one process: scripted providers and clients on a network in memory, under a paused clock, so
//! that a timeout of two minutes costs nothing. Only the connections of HTTP/2 are real ones. A module is a subject.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod adoption;
mod affinity;
mod alone;
mod arrays;
mod callers;
mod cooldown;
mod endings;
mod forwarding;
mod half_open;
mod hang_ups;
mod hedging;
mod http2;
mod network;
mod never_counted;
mod node;
mod peers;
mod profiles;
mod quotas;
mod rates;
mod records;
mod replies;
mod requests;
mod retries;
mod script;
mod timeouts;
mod translation;
mod translation_continued;
mod translation_elsewhere;
mod translation_needs;
mod translation_reasoning;
mod translation_told;
