//! The configuration: what is in force, what was changed, what is wrong, and what there was before.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::configuring::{
    ConfigApplied, ConfigChanges, ConfigCheck, ConfigHistory, ConfigMistake, ConfigShown,
};

/// Turns the configuration in force into its message.
pub fn config_to_wire(shown: &ConfigShown) -> v1::GetConfigResponse {
    v1::GetConfigResponse {
        source: shown.source.word().to_owned(),
        as_of_ms: shown.as_of.0,
        config: shown.config.0,
        file: shown.file.clone(),
        needs_restart: shown.needs_restart.clone(),
        text: shown.text.clone(),
    }
}

/// Turns what was changed into its message.
pub fn applied_to_wire(applied: &ConfigApplied) -> v1::ConfigApplied {
    v1::ConfigApplied {
        source: applied.source.word().to_owned(),
        as_of_ms: applied.as_of.0,
        config: applied.config.0,
        before: applied.before.0,
        changes: Some(changes(&applied.changes)),
        needs_restart: applied.needs_restart.clone(),
        warnings: applied.warnings.clone(),
    }
}

/// Turns what would change, or what is wrong, into its message.
pub fn check_to_wire(check: &ConfigCheck) -> v1::DryRunConfigResponse {
    v1::DryRunConfigResponse {
        source: check.source.word().to_owned(),
        as_of_ms: check.as_of.0,
        valid: check.valid,
        changes: Some(changes(&check.changes)),
        needs_restart: check.needs_restart.clone(),
        warnings: check.warnings.clone(),
        errors: check.errors.iter().map(mistake).collect(),
    }
}

/// Turns the list of configurations into its message.
pub fn configs_to_wire(history: &ConfigHistory) -> v1::ListConfigsResponse {
    let configs = history.configs.iter().map(|record| v1::ConfigRecord {
        config: record.config.0,
        author: record.author.clone(),
        reason: record.reason.clone(),
        at_ms: record.at.0,
        in_force: record.in_force,
        kept: record.kept,
    });
    v1::ListConfigsResponse {
        source: history.source.word().to_owned(),
        as_of_ms: history.as_of.0,
        configs: configs.collect(),
    }
}

fn changes(changes: &ConfigChanges) -> v1::ConfigChanges {
    let ConfigChanges { added, changed, removed } = changes.clone();
    v1::ConfigChanges { added, changed, removed }
}

fn mistake(mistake: &ConfigMistake) -> v1::ConfigMistake {
    let ConfigMistake { file, line, column, message, excerpt } = mistake.clone();
    v1::ConfigMistake { file, line, column, message, excerpt }
}
