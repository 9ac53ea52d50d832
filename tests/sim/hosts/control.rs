//! A control plane, as its process runs it.

mod texts;

use crate::{
    seams::WatchedStore,
    world::{NODES_PORT, OPERATORS_PORT, TOKEN, World},
};
use cliproxy_controlplane::{AdminToken, ControlPlane, Role, Settings};
use cliproxy_observe::metrics::Metrics;
use cliproxy_store::MemoryStore;
use std::{sync::Arc, time::Duration};
use texts::Texts;
use tokio_util::sync::CancellationToken;

/// How long a process that could not start stays away.
const RESTART: Duration = Duration::from_millis(500);

/// Runs the control plane of that name until its host crashes.
pub async fn run(world: Arc<World>, name: String, start: u32) -> turmoil::Result {
    let store = world.connect(&name);
    let plane = build(&world, &name, start, &store).await;
    let texts = Texts::new(store, plane.handle());
    texts.start(&world, &name).await;
    Box::pin(plane.with_configurations(texts).run(CancellationToken::new())).await;
    Ok(())
}

/// Builds it, again and again while the database does not answer.
async fn build(world: &World, name: &str, start: u32, store: &MemoryStore) -> ControlPlane {
    loop {
        let (clock, net) = (world.steady(name), Arc::new(world.net.of(name)));
        let settings = settings(world, name, start);
        let (truth, overtaking) = (Arc::clone(&world.truth), world.overtaking.clone());
        let store = Arc::new(WatchedStore { store: store.clone(), truth, overtaking });
        match ControlPlane::build(settings, store, clock, net, &Metrics::new()).await {
            Ok(plane) => return plane,
            Err(error) => world.tell(name, &format!("did not start: {error}")),
        }
        tokio::time::sleep(RESTART).await;
    }
}

fn settings(world: &World, name: &str, start: u32) -> Settings {
    let at = |port| ([127, 0, 0, 1], port).into();
    Settings {
        admin_tokens: vec![AdminToken { name: "ada".into(), role: Role::Operator, sha256: TOKEN.1 }],
        advertise_url: Some(format!("http://{name}:{NODES_PORT}")),
        entropy: world.entropy(&format!("{name} {start}")),
        ..Settings::new(at(OPERATORS_PORT), at(NODES_PORT), name)
    }
}
