//! `cliproxy healthcheck`: for container images, which have no other program to ask with.

use crate::{cli::Healthcheck, terminal};
use anyhow::{Context as _, bail};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const WITHIN: Duration = Duration::from_secs(5);

/// Fails unless the node answers `/health` with 200 within five seconds.
pub async fn run(arguments: &Healthcheck) -> anyhow::Result<()> {
    let address = arguments.listen;
    let status = tokio::time::timeout(WITHIN, ask(address))
        .await
        .with_context(|| format!("{address} did not answer within {WITHIN:?}"))?
        .with_context(|| format!("{address} could not be asked"))?;
    if status != "200" {
        bail!("{address} answered {status}");
    }
    terminal::say("healthy");
    Ok(())
}

async fn ask(address: std::net::SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    let head = String::from_utf8_lossy(&answer);
    Ok(head.split_ascii_whitespace().nth(1).context("the answer is not HTTP")?.to_owned())
}
