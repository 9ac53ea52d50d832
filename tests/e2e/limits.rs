//! Limits that hold over the whole cluster: what the provider's own count says is never more than the limit, whatever
//! dies meanwhile.

mod fixture;

mod alerts;
mod attempts;
mod away;
mod clocks;
mod kills;
mod money;
mod moves;
mod others;
mod outages;
mod rates;
mod upstream;
