//! What operators are answered before there is a control plane: that it lives, and what it waits for.

use crate::{error::Error, settings::Settings};
use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use cliproxy_host::{Connection, Listener, Net, ServeOptions, net::NetFuture};
use serde_json::json;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How long answers may take that are under way when the wait is over.
const DRAIN: Duration = Duration::from_secs(1);

/// What is listened on for operators, of a control plane whose database may not be there yet.
pub struct Doorstep {
    pub(super) operators: Box<dyn Listener>,
    pub(super) at: SocketAddr,
}

impl Doorstep {
    /// Starts to listen for operators, who are answered during [`Doorstep::wait_for`].
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be listened on, and when nodes would be listened for in the clear on other than a
    /// loopback address without the operator's word.
    pub async fn open(settings: &Settings, net: &dyn Net) -> Result<Self, Error> {
        let open = settings.tls.is_none() && !settings.allow_plaintext;
        if open && !settings.nodes_listen.ip().to_canonical().is_loopback() {
            return Err(Error::NodesListenOpen { address: settings.nodes_listen });
        }
        let (operators, at) = super::listen(net, "control_plane.listen", settings.listen).await?;
        Ok(Self { operators, at })
    }

    /// Tells where operators are listened for.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// Waits for the database, and tells operators so meanwhile: `/health` that the process lives, `/ready` that it is
    /// not ready and why, all else that it is to be asked later.
    pub async fn wait_for<T>(self, database: impl Future<Output = T>) -> (T, Self) {
        let Self { operators, at } = self;
        let lent = Arc::new(Mutex::new(operators));
        let done = CancellationToken::new();
        let listener = Box::new(Lent { listener: Arc::clone(&lent), at });
        let options = ServeOptions { drain: DRAIN, ..ServeOptions::default() };
        let serving = super::serve_router(listener, options, done.clone(), router());
        let waiting = async {
            let opened = database.await;
            done.cancel();
            opened
        };
        let (opened, _) = tokio::join!(waiting, serving);
        (opened, Self { operators: returned(lent), at })
    }
}

/// Gives back what was lent, now that nobody has it any more.
#[expect(clippy::expect_used, reason = "the one that it was lent to is gone when it has served")]
fn returned(lent: Arc<Mutex<Box<dyn Listener>>>) -> Box<dyn Listener> {
    Arc::into_inner(lent).map(Mutex::into_inner).expect("nobody else has it")
}

/// A listener that is given back.
struct Lent {
    listener: Arc<Mutex<Box<dyn Listener>>>,
    at: SocketAddr,
}

impl Listener for Lent {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async { self.listener.lock().await.accept().await })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

fn router() -> Router {
    let why = "the database is waited for";
    let not_ready = move || async move {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not_ready", "reason": why})))
    };
    let later = move || async move {
        let error = json!({"error": {"type": "store_unavailable", "message": format!("{why}; ask again when it is there")}});
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], Json(error)).into_response()
    };
    Router::new()
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/ready", get(not_ready))
        .fallback(later)
}
