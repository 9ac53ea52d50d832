//! A control plane, as its process runs it.

use crate::world::{CONFIG, NODES_PORT, OPERATORS_PORT, World, snapshot};
use cliproxy_controlplane::{ControlPlane, Settings};
use cliproxy_observe::metrics::Metrics;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a process that could not start stays away.
const RESTART: Duration = Duration::from_millis(500);

/// Runs the control plane of that name until its host crashes.
pub async fn run(world: Arc<World>, name: String, start: u32) -> turmoil::Result {
    let plane = loop {
        let settings = settings(&world, &name, start);
        let (clock, net) = (world.steady(&name), Arc::new(world.net.of(&name)));
        let store = Arc::new(world.store.clone());
        match ControlPlane::build(settings, store, clock, net, &Metrics::new()).await {
            Ok(plane) => break plane,
            Err(error) => world.tell(&name, &format!("did not start: {error}")),
        }
        tokio::time::sleep(RESTART).await;
    };
    let handle = plane.handle();
    while let Err(error) = handle.apply(snapshot(CONFIG), "file", "start").await {
        world.tell(&name, &format!("no configuration: {error}"));
        tokio::time::sleep(RESTART).await;
    }
    plane.run(CancellationToken::new()).await;
    Ok(())
}

fn settings(world: &World, name: &str, start: u32) -> Settings {
    let at = |port| ([127, 0, 0, 1], port).into();
    Settings {
        node_keep_alive: (Duration::from_millis(250), Duration::from_millis(750)),
        advertise_url: Some(format!("http://{name}:{NODES_PORT}")),
        entropy: world.entropy(&format!("{name} {start}")),
        ..Settings::new(at(OPERATORS_PORT), at(NODES_PORT), name)
    }
}
