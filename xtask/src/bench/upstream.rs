//! The provider at the end of every path: the mock provider, told to answer chat completions from memory.

use super::role;
use cliproxy_mock_provider::{Family, Latency, MockOptions, MockProvider, Reply, Rule, Script, Usage};
use std::net::SocketAddr;

/// The events of a streamed answer.
pub(super) const EVENTS: u64 = 100;
/// Of these, the one that opens a stream with `include_usage` and the three that close it.
pub(super) const FRAMING_EVENTS: u64 = 4;
/// The time between two tokens: long enough that no process falls behind and joins two of them.
const TOKEN_GAP_MS: u64 = 5;

/// Answers until the parent process ends.
pub(crate) async fn run(listen: SocketAddr) -> anyhow::Result<()> {
    let family = Some(Family::OpenAi);
    let mock =
        MockProvider::start(MockOptions { listen, family, name: "bench".to_owned(), script: script() })?;
    role::announce(mock.addr())?;
    role::parent_gone().await;
    mock.stop().await;
    Ok(())
}

fn script() -> Script {
    let usage = Some(Usage { input_tokens: 220, output_tokens: EVENTS });
    let latency = Latency { per_token_ms: TOKEN_GAP_MS, ..Latency::default() };
    // A token is eight bytes.
    let reply = |tokens| Reply { tokens: Some(tokens), usage, ..Reply::default() };
    vec![
        Rule::default().streamed(true).latency(latency).reply(reply(EVENTS - FRAMING_EVENTS)),
        Rule::default().streamed(false).reply(reply(48)),
    ]
    .into()
}
