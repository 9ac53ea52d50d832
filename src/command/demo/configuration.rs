//! The demonstration's configuration file, which can be edited while it runs.

use super::PROVIDERS;
use cliproxy_mock_provider::MockProvider;
use std::{fmt::Write as _, net::SocketAddr, path::Path};

/// Where the demonstration listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Clients and operators.
    pub clients: SocketAddr,
    /// The control plane, for operators.
    pub operators: SocketAddr,
    /// The control plane, for nodes.
    pub nodes: SocketAddr,
}

/// The APIs that the simulated providers speak, each with a model.
const KINDS: [(&str, &str); 3] =
    [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5"), ("gemini", "gemini-2.5-pro")];

/// Gives the names under which the configuration knows a simulated provider.
pub fn names(mock: usize) -> Vec<String> {
    let primary = KINDS[mock].0.to_owned();
    let (backed_up, _) = KINDS[(mock + KINDS.len() - 1) % KINDS.len()];
    vec![primary, format!("{backed_up}-backup")]
}

/// Writes the file: for each API, two of the simulated providers, in an alias that fails over between them.
pub fn text(folder: &Path, ports: Ports, mocks: &[MockProvider]) -> String {
    let mut text = format!(
        "# The demonstration's configuration. Change it while it runs: providers and models follow at once.\n\
         server:\n  listen: \"{}\"\n  drain_timeout: 5s\n  timeouts: {{first_byte: 5s}}\n\
         control_plane:\n  listen: \"{}\"\n  nodes_listen: \"{}\"\n\
         logging:\n  output: \"{}\"\n\
         providers:\n",
        ports.clients,
        ports.operators,
        ports.nodes,
        folder.join("cliproxy.log").display(),
    );
    for (index, (kind, model)) in KINDS.iter().enumerate() {
        for (mock, name) in [(index, ""), ((index + 1) % mocks.len(), "-backup")] {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {kind}{name}:  # the simulated provider `{}`\n    kind: {kind}\n    base_url: \"{}\"\n    \
                 api_key: simulated\n    models: [\"{model}\"]\n    priority: {}",
                PROVIDERS[mock],
                mocks[mock].base_url(),
                if name.is_empty() { 1 } else { 2 },
            );
        }
    }
    text.push_str("models:\n  smart:  # one name for every client, whatever API it speaks\n    targets:\n");
    for (kind, model) in KINDS {
        for name in [kind.to_owned(), format!("{kind}-backup")] {
            let _ = writeln!(text, "      - {{provider: {name}, model: {model}}}");
        }
    }
    text
}
