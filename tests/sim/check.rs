//! What must hold at the end of a run, whatever went wrong in it.

mod agreement;
mod answers;
mod books;
mod rests;

use crate::world::World;

/// Gives everything that does not hold.
pub fn all(world: &World) -> Vec<String> {
    let checks = [agreement::check, answers::check, books::check, rests::check];
    checks.iter().flat_map(|check| check(world)).collect()
}
