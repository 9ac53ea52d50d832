//! Availability: no request fails for a fault of the control plane's, nor for one of a provider while another answers.

use crate::{truth::Asked, world::World};

/// Gives the requests that failed without a reason that a client has to bear.
///
/// One such reason is there: the node that held the request died. A plan leaves one sound key at all times, and as
/// many attempts as there are keys.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let failed = truth.asked.iter().filter(|asked| asked.result != Ok(200));
    // Of what is limited there is not enough for all.
    let failed = failed
        .chain(truth.asked_scarce.iter().filter(|asked| asked.result != Ok(200) && asked.result != Ok(429)));
    failed.filter(|asked| !died(world, asked)).map(tell).collect()
}

/// Tells whether the node that was asked died meanwhile.
fn died(world: &World, asked: &Asked) -> bool {
    asked.result.is_err()
        && world.plan.crashes_of(&asked.node).any(|crash| asked.at <= crash.from && crash.from <= asked.until)
}

fn tell(asked: &Asked) -> String {
    let (from, until) = (asked.at.as_secs_f64(), asked.until.as_secs_f64());
    format!("availability: {:?} from {}, asked at {from:.3}, ended at {until:.3}", asked.result, asked.node)
}
