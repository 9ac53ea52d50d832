//! What limits whom: budgets, which are spent, and rates, which come back by themselves.

pub mod budget;
mod holding;
pub mod rate;

pub use holding::{check_alone, check_prices, check_reserves};
