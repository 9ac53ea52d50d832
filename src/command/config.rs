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
            terminal::say(&format!(
                "{source} is sound: {}, {}",
                counted(config.snapshot.providers.len(), "provider"),
                counted(config.snapshot.models.len(), "model"),
            ));
            Ok(())
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
