//! A data plane, as its process runs it.

use crate::world::{CLIENTS_PORT, World};
use cliproxy_dataplane::{DataPlane, Seams, Settings, authenticate::Admission, decode::BodyLimits};
use cliproxy_host::ServeOptions;
use cliproxy_observe::{access_log::AccessLog, metrics::Metrics};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Runs the node of that name until its host crashes.
pub async fn run(world: Arc<World>, name: String, start: u32) -> turmoil::Result {
    let settings = Settings {
        listen: ([0, 0, 0, 0], CLIENTS_PORT).into(),
        metrics: None,
        admission: Admission { allow_anonymous: true },
        body_limits: BodyLimits { max_body: 1 << 20, idle: Duration::from_secs(30) },
        serve: ServeOptions::default(),
        admin_tokens: Vec::new(),
        endpoints: world.endpoints(&name),
        tls: None,
        name: Some(name.as_str().into()),
        build: "simulated".into(),
        initial: None,
        failover: None,
    };
    let seams = Seams {
        clock: world.steady(&name),
        net: Arc::new(world.net.of(&name)),
        disk: Arc::new(world.disk(&name)),
        entropy: world.entropy(&format!("{name} {start}")),
    };
    let plane = DataPlane::build(settings, seams, Metrics::new(), AccessLog::discarding()).await?;
    world.lives.lock().expect("no panic").insert(name, plane.live());
    plane.run(CancellationToken::new()).await;
    Ok(())
}
