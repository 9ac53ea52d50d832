//! What must hold at the end of a run, whatever went wrong in it.

mod agreement;
mod answers;
mod books;
mod configs;
mod fencing;
mod limits;
mod permits;
mod rests;

use crate::world::World;

/// Gives what nodes know otherwise than the database, when they have had time to hear of it.
pub use agreement::check as agreement;

/// Gives everything that does not hold.
pub fn all(world: &World) -> Vec<String> {
    let checks: [fn(&World) -> Vec<String>; 7] = [
        answers::check,
        books::check,
        configs::check,
        fencing::check,
        limits::check,
        permits::check,
        rests::check,
    ];
    checks.iter().flat_map(|check| check(world)).collect()
}
