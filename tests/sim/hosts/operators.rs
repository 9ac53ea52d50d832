//! Operators who change the configuration, each over whichever control plane, and sometimes at the same time.

use super::http::call;
use crate::{
    plan::{FAULTS_BEGIN, LOAD_ENDS},
    truth::{Changed, Outcome},
    world::{CONFIG, OPERATORS_PORT, TOKEN, World},
};
use bytes::Bytes;
use cliproxy_host::Entropy;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How long an operator waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest pause between two changes of one.
const PAUSE: Duration = Duration::from_secs(4);
/// What marks the weight that each change makes another one.
const WEIGHT: &str = "weight: 1000";

/// Changes the configuration as one of several operators, until clients stop to ask.
pub async fn run(world: Arc<World>, number: u64) -> turmoil::Result {
    let (name, entropy) = ("operators", world.entropy(&format!("operator {number}")));
    tokio::time::sleep(FAULTS_BEGIN).await;
    for turn in 0.. {
        tokio::time::sleep(PAUSE.mul_f64(entropy.fraction())).await;
        let at = turmoil::sim_elapsed().unwrap_or_default();
        if at >= LOAD_ENDS {
            break;
        }
        let control = control(&world, &entropy);
        let Some(expected) = in_force(&world, name, &control).await else { continue };
        // Everybody's weights are his own.
        let weight = 2_000 + turn * 10 + number;
        let bad = entropy.next_u64().is_multiple_of(6);
        let outcome = change(&world, name, &control, expected, weight, bad).await;
        world.tell(
            name,
            &format!("{outcome:?} from {control} for weight {weight} after {expected}, bad: {bad}"),
        );
        let changed = Changed { weight, bad, expected, outcome };
        world.truth.lock().expect("no panic").changed.push(changed);
    }
    Ok(())
}

fn control(world: &World, entropy: &Entropy) -> String {
    let which = entropy.next_u64() % world.controls.len() as u64;
    world.controls[usize::try_from(which).expect("few control planes")].clone()
}

/// Asks for the number of the configuration in force.
async fn in_force(world: &World, name: &str, control: &str) -> Option<u64> {
    let (status, body) = ask(world, name, control, Method::GET, "", String::new()).await?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    (status == 200).then(|| body["config"].as_u64()).flatten()
}

/// Has a configuration of that weight replace the expected one.
async fn change(world: &World, name: &str, control: &str, expected: u64, weight: u64, bad: bool) -> Outcome {
    let mut text = CONFIG.replace(WEIGHT, &format!("weight: {weight}"));
    if bad {
        text.push_str("unheard_of: true\n");
    }
    match ask(world, name, control, Method::PUT, &format!("?expected={expected}"), text).await {
        Some((200, body)) => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let number = |key: &str| body[key].as_u64().unwrap_or_default();
            Outcome::Applied { config: number("config"), before: number("before") }
        }
        Some((status @ 400..=499, _)) => Outcome::Refused(status),
        _ => Outcome::Unknown,
    }
}

async fn ask(
    world: &World,
    name: &str,
    control: &str,
    method: Method,
    query: &str,
    body: String,
) -> Option<(u16, Bytes)> {
    let request = Request::builder()
        .method(method)
        .uri(format!("/v0/operations/config{query}"))
        .header("host", control)
        .header("authorization", format!("Bearer {}", TOKEN.0))
        .body(Full::new(Bytes::from(body)))
        .expect("a request");
    let asking = call(world, name, (control, OPERATORS_PORT), request);
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => answer.ok(),
        // Not connected, or no answer in time.
        Ok(Err(_)) | Err(_) => None,
    }
}
