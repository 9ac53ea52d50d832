//! Clients that ask at their own pace, whatever becomes of what they asked before.

use super::http::{Unsent, call};
use crate::{
    plan::{LOAD_BEGINS, LOAD_ENDS},
    truth::Asked,
    world::{CLIENTS_PORT, SCARCE, World},
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::{sync::Arc, time::Duration};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often clients ask together for what is scarce: more than there is for them.
const SCARCE_PER_SECOND: f64 = 5.0;

/// What is asked for, and by whom.
#[derive(Clone, Copy)]
struct Wish {
    host: &'static str,
    key: Option<&'static str>,
    body: &'static str,
}

/// What nobody needs a key for, and is always answered.
const PLENTY: Wish = Wish {
    host: "clients",
    key: None,
    body: r#"{"model":"m","messages":[{"role":"user","content":"Well?"}]}"#,
};

/// Asks as often as the plan says, and waits for the last answers.
pub async fn run(world: Arc<World>) -> turmoil::Result {
    let per_second = world.plan.requests_per_second;
    keep_asking(world, per_second, &[PLENTY]).await
}

/// Asks more often than is allowed, in turn for each thing that is limited.
pub async fn run_scarce(world: Arc<World>) -> turmoil::Result {
    let [scarce, rated] = SCARCE.map(|(_, key)| Some(key));
    let wishes = [
        Wish {
            host: "scarce",
            key: scarce,
            body: r#"{"model":"scarce","max_tokens":20,"messages":[{"role":"user","content":"Well?"}]}"#,
        },
        Wish {
            host: "scarce",
            key: rated,
            body: r#"{"model":"rated","max_tokens":1,"messages":[{"role":"user","content":"Well?"}]}"#,
        },
    ];
    keep_asking(world, SCARCE_PER_SECOND, &wishes).await
}

async fn keep_asking(world: Arc<World>, per_second: f64, wishes: &[Wish]) -> turmoil::Result {
    let entropy = world.entropy(wishes[0].host);
    tokio::time::sleep(LOAD_BEGINS).await;
    let mut asking = tokio::task::JoinSet::new();
    for wish in wishes.iter().cycle() {
        if turmoil::sim_elapsed().unwrap_or_default() >= LOAD_ENDS {
            break;
        }
        // The pauses of arrivals that know nothing of each other.
        let pause = -(1.0 - entropy.fraction()).ln() / per_second;
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let first = usize::try_from(entropy.next_u64() % world.nodes.len() as u64).expect("few nodes");
        asking.spawn(ask(Arc::clone(&world), *wish, first));
    }
    while let Some(asked) = asking.join_next().await {
        asked?;
    }
    Ok(())
}

/// Asks one node, as whoever spreads requests over nodes has chosen it; another one where it cannot be reached.
async fn ask(world: Arc<World>, wish: Wish, first: usize) {
    let at = turmoil::sim_elapsed().unwrap_or_default();
    let count = world.nodes.len();
    let mut asked = String::new();
    let mut result = Err("no node can be reached".to_owned());
    for turn in 0..count {
        asked.clone_from(&world.nodes[(first + turn) % count]);
        match tokio::time::timeout(PATIENCE, complete(&world, wish, &asked)).await {
            Ok(Err(Unsent)) => continue,
            Ok(Ok(answer)) => result = answer,
            Err(_) => result = Err(format!("no answer within {PATIENCE:?}")),
        }
        break;
    }
    let until = turmoil::sim_elapsed().unwrap_or_default();
    world.tell(wish.host, &format!("{result:?} from {asked}, asked at {:.3}", at.as_secs_f64()));
    let mut truth = world.truth.lock().expect("no panic");
    let all = if wish.key.is_some() { &mut truth.asked_scarce } else { &mut truth.asked };
    all.push(Asked { at, until, node: asked, result });
}

/// Asks a node for a completion; gives the status.
async fn complete(world: &World, wish: Wish, node: &str) -> Result<Result<u16, String>, Unsent> {
    let mut request =
        Request::post("/v1/chat/completions").header("host", node).header("content-type", "application/json");
    if let Some(key) = wish.key {
        request = request.header("x-api-key", key);
    }
    let body = Full::new(Bytes::from_static(wish.body.as_bytes()));
    let request = request.body(body).expect("a request");
    Ok(call(world, wish.host, (node, CLIENTS_PORT), request).await?.map(|(status, _)| status))
}
