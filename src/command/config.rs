//! `cliproxy config`: looks at configuration files without running them.

use super::setup;
use crate::{cli::Config, terminal};
use anyhow::Context as _;

/// Checks a configuration, or prints an example.
pub fn run(arguments: &Config) -> anyhow::Result<()> {
    match arguments {
        Config::Example => {
            terminal::say(cliproxy_config::EXAMPLE.trim_end());
            Ok(())
        }
        Config::Check(arguments) => {
            let request = setup::load_request_of(arguments);
            let config = cliproxy_config::load(&request).context("the configuration is refused")?;
            for warning in &config.warnings {
                terminal::warn(warning);
            }
            let source = request.file.map_or("the environment".to_owned(), |file| file.display().to_string());
            let snapshot = &config.snapshot;
            let mut parts =
                vec![counted(snapshot.providers.len(), "provider"), counted(snapshot.models.len(), "model")];
            // Who needs none is not asked for any.
            if !snapshot.clients.is_empty() {
                parts.push(counted(snapshot.clients.len(), "client"));
            }
            terminal::say(&format!("{source} is sound: {}", parts.join(", ")));
            Ok(())
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
