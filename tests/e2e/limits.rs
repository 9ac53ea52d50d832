//! Limits that hold over the whole cluster: what the provider's own count says is never more than the limit, whatever
//! dies meanwhile.

mod fixture;

mod away;
mod clocks;
mod kills;
mod moves;
mod others;
mod outages;
mod rates;
