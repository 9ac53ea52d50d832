//! What is wrong with a text, as operators are told.

use cliproxy_config::{ConfigError, Report};
use cliproxy_controlplane::Refused;
use cliproxy_domain::configuring::ConfigMistake;

/// Refuses a text with all that is wrong with it.
pub fn refused(error: ConfigError) -> Refused {
    let mistakes = error.reports().iter().map(mistake).collect();
    Refused::Wrong { report: error.to_string(), mistakes }
}

fn mistake(report: &Report) -> ConfigMistake {
    let message = report.message.clone();
    let Some(place) = &report.place else { return ConfigMistake { message, ..ConfigMistake::default() } };
    let number = |value: usize| u32::try_from(value).ok();
    ConfigMistake {
        file: Some(place.file.clone()),
        line: number(place.line),
        column: number(place.column),
        message,
        excerpt: Some(place.excerpt().to_owned()),
    }
}
