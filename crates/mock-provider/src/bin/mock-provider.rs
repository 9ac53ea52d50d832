//! Runs a mock provider until SIGINT or SIGTERM.

use clap::Parser;
use cliproxy_mock_provider::{Family, MockOptions, MockProvider, Script};
use std::{fs, io, net::SocketAddr, path::PathBuf, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

/// A scriptable upstream that plays Anthropic, OpenAI and Gemini over real HTTP.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The only family to play: anthropic, openai or gemini; all of them when absent
    #[arg(long, value_parser = family)]
    family: Option<Family>,
    /// Shown in default texts and in the x-mock-provider header
    #[arg(long, default_value = "mock")]
    name: String,
    /// A JSON file with the script; see docs/reference/mock-provider.md
    #[arg(long)]
    script: Option<PathBuf>,
}

fn family(name: &str) -> Result<Family, String> {
    let families = [Family::Anthropic, Family::OpenAi, Family::Gemini];
    families
        .into_iter()
        .find(|family| family.as_str() == name)
        .ok_or_else(|| "use anthropic, openai or gemini".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&mut io::stderr(), &format!("mock-provider: {problem}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments { listen, family, name, script } = arguments;
    let script = match script {
        Some(path) => {
            let at = |problem: String| format!("{}: {problem}", path.display());
            let json = fs::read(&path).map_err(|problem| at(problem.to_string()))?;
            serde_json::from_slice(&json).map_err(|problem| at(problem.to_string()))?
        }
        None => Script::default(),
    };
    // Before it says that it is there. The first process of a container is sent SIGTERM, and ignores it unless it listens.
    let heard = |kind| signal(kind).map_err(|problem| format!("cannot wait for a signal: {problem}"));
    let (mut interrupt, mut terminate) = (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?);
    let mock = MockProvider::start(MockOptions { listen, family, name, script })
        .map_err(|problem| format!("cannot serve on {listen}: {problem}"))?;
    say(&mut io::stdout(), &format!("listening on {}", mock.base_url()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    mock.stop().await;
    Ok(())
}

fn say(out: &mut impl io::Write, line: &str) {
    // Nobody reads a closed output; the mock goes on serving.
    let _ = writeln!(out, "{line}");
}
