//! Clients that ask at their own pace, whatever becomes of what they asked before.

use super::http::{Unsent, call};
use crate::{
    plan::{LOAD_BEGINS, LOAD_ENDS},
    truth::Asked,
    world::{CLIENTS_PORT, World},
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::{sync::Arc, time::Duration};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks as often as the plan says, and waits for the last answers.
pub async fn run(world: Arc<World>) -> turmoil::Result {
    let entropy = world.entropy("clients");
    tokio::time::sleep(LOAD_BEGINS).await;
    let mut asking = tokio::task::JoinSet::new();
    while turmoil::sim_elapsed().unwrap_or_default() < LOAD_ENDS {
        // The pauses of arrivals that know nothing of each other.
        let pause = -(1.0 - entropy.fraction()).ln() / world.plan.requests_per_second;
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let first = usize::try_from(entropy.next_u64() % world.nodes.len() as u64).expect("few nodes");
        asking.spawn(ask(Arc::clone(&world), first));
    }
    while let Some(asked) = asking.join_next().await {
        asked?;
    }
    Ok(())
}

/// Asks one node, as whoever spreads requests over nodes has chosen it; another one where it cannot be reached.
async fn ask(world: Arc<World>, first: usize) {
    let at = turmoil::sim_elapsed().unwrap_or_default();
    let count = world.nodes.len();
    let mut asked = String::new();
    let mut result = Err("no node can be reached".to_owned());
    for turn in 0..count {
        asked.clone_from(&world.nodes[(first + turn) % count]);
        match tokio::time::timeout(PATIENCE, complete(&world, &asked)).await {
            Ok(Err(Unsent)) => continue,
            Ok(Ok(answer)) => result = answer,
            Err(_) => result = Err(format!("no answer within {PATIENCE:?}")),
        }
        break;
    }
    let until = turmoil::sim_elapsed().unwrap_or_default();
    world.tell("clients", &format!("{result:?} from {asked}, asked at {:.3}", at.as_secs_f64()));
    world.truth.lock().expect("no panic").asked.push(Asked { at, until, node: asked, result });
}

/// Asks a node for a completion; gives the status.
async fn complete(world: &World, node: &str) -> Result<Result<u16, String>, Unsent> {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Well?"}]}"#;
    let request = Request::post("/v1/chat/completions")
        .header("host", node)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .expect("a request");
    Ok(call(world, "clients", (node, CLIENTS_PORT), request).await?.map(|(status, _)| status))
}
