//! One call over the simulated network, on a connection of its own.

use crate::world::World;
use bytes::Bytes;
use cliproxy_host::Net as _;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;

/// Nothing of the request was sent.
pub struct Unsent;

/// Sends a request from one host to another; gives the status and the body, or why they did not come.
pub async fn call(
    world: &World,
    from: &str,
    (host, port): (&str, u16),
    request: Request<Full<Bytes>>,
) -> Result<Result<(u16, Bytes), String>, Unsent> {
    let connection = world.net.of(from).connect(host, port).await.map_err(|_| Unsent)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
    let Ok((mut sender, connection)) = handshake else { return Err(Unsent) };
    tokio::spawn(connection);
    let broken = |error: hyper::Error| error.to_string();
    Ok(match sender.send_request(request).await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            answer.into_body().collect().await.map(|body| (status, body.to_bytes())).map_err(broken)
        }
        Err(error) => Err(broken(error)),
    })
}
