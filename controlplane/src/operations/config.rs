//! The configuration as operators see and change it.

mod asked;

pub(crate) use asked::{ChangeAsked, RollbackAsked, USUAL as USUAL_CONFIGS, history_limit};

use super::{Actor, OperationError, Operations};
use crate::{
    configurations::{Author, Checked, Configurations, NewText, Refused, Replaced, changes, parts_of},
    error::ApplyError,
};
use cliproxy_domain::{
    ConfigId,
    configuring::{ConfigApplied, ConfigCheck, ConfigHistory, ConfigMistake, ConfigRecord, ConfigShown},
    status::Source,
};
use cliproxy_proto::convert::config::EntrySet;
use cliproxy_store::StoreError;
use std::{collections::BTreeSet, sync::Arc};

/// What reports call a text that an operator sent.
const BODY: &str = "body";

impl Operations {
    /// Shows the text in force, without its secrets.
    ///
    /// # Errors
    /// Fails before a configuration was applied.
    pub(crate) async fn config(&self) -> Result<ConfigShown, OperationError> {
        let shown = self.configurations()?.shown().await;
        let config = self.active()?.id;
        Ok(ConfigShown {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            config,
            file: shown.file,
            needs_restart: shown.needs_restart,
            text: shown.text,
        })
    }

    /// Tells what would come of a text. Changes nothing.
    ///
    /// # Errors
    /// Fails before a configuration was applied; a text that is wrong is an answer.
    pub(crate) async fn check_config(&self, text: String) -> Result<ConfigCheck, OperationError> {
        let checked = self.configurations()?.check(text).await;
        let empty =
            ConfigCheck { source: Source::Cluster, as_of: self.state.clock.wall(), ..ConfigCheck::default() };
        let Checked { snapshot, needs_restart, warnings } = match checked {
            Ok(checked) => checked,
            Err(Refused::Wrong { mistakes, .. }) => return Ok(ConfigCheck { errors: mistakes, ..empty }),
            Err(other) => return Err(other.into()),
        };
        let entries = EntrySet::from_snapshot(&snapshot);
        // What a node would do with it.
        if let Err(error) = entries.to_snapshot() {
            let mistake = ConfigMistake { message: error.to_string(), ..ConfigMistake::default() };
            return Ok(ConfigCheck { errors: vec![mistake], ..empty });
        }
        let changes = changes(&parts_of(&self.active()?.entries), &parts_of(&entries));
        Ok(ConfigCheck { valid: true, changes, needs_restart, warnings, ..empty })
    }

    /// Puts a text in force, and into the file, so that a restart finds it there.
    ///
    /// # Errors
    /// Fails when the text is wrong, when another configuration is in force than the caller expects, when the file
    /// cannot be written, and when the store does not answer; the one before goes on.
    pub(crate) async fn apply_config(
        &self,
        actor: &Actor,
        text: String,
        asked: ChangeAsked,
    ) -> Result<ConfigApplied, OperationError> {
        if text.trim().is_empty() {
            let message = "there is no text; send the whole configuration as YAML, `{}` for one without keys";
            return Err(OperationError::Invalid(message.to_owned()));
        }
        self.replace(NewText {
            name: BODY.to_owned(),
            text,
            author: author(actor, asked.reason),
            expected: asked.expected,
        })
        .await
    }

    /// Lists the newest configurations.
    ///
    /// # Errors
    /// Fails when the store does not answer.
    pub(crate) async fn config_history(&self, limit: u32) -> Result<ConfigHistory, OperationError> {
        let kept = self.configurations()?.kept().await;
        let in_force = self.active()?.id;
        let stored = self.state.store.configs(asked::within_limit(limit)?).await?;
        let configs = stored.into_iter().map(|config| ConfigRecord {
            config: config.id,
            author: config.author,
            reason: config.reason,
            at: config.at,
            in_force: config.id == in_force,
            kept: kept.contains(&config.id),
        });
        Ok(ConfigHistory {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            configs: configs.collect(),
        })
    }

    /// Puts the text of an earlier configuration in force again, as a new one. Variables and credential files are those
    /// of now.
    ///
    /// # Errors
    /// Fails as [`Operations::apply_config`], and when there is no such configuration or its text is not kept.
    pub(crate) async fn roll_back_config(
        &self,
        actor: &Actor,
        asked: RollbackAsked,
    ) -> Result<ConfigApplied, OperationError> {
        let id = asked.config;
        let Some(text) = self.configurations()?.kept_text(id).await else {
            return Err(self.not_kept(id).await?);
        };
        let reason = match asked.reason.as_str() {
            "" => format!("rollback to configuration {id}"),
            reason => format!("rollback to configuration {id}: {reason}"),
        };
        self.replace(NewText {
            name: format!("configuration {id}"),
            text,
            author: author(actor, reason),
            expected: None,
        })
        .await
    }

    async fn replace(&self, new: NewText) -> Result<ConfigApplied, OperationError> {
        let configurations = Arc::clone(self.configurations()?);
        // A caller that hangs up must not leave the file written and the configuration not applied.
        let replaced = tokio::spawn(async move { configurations.replace(new).await }).await;
        let Replaced { applied, needs_restart, warnings } = replaced.map_err(|error| {
            StoreError::CommitUnknown(format!("the change was interrupted ({error}); read the configuration"))
        })??;
        Ok(ConfigApplied {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            config: applied.config,
            before: applied.before,
            changes: applied.changes,
            needs_restart,
            warnings,
        })
    }

    /// Says why a configuration cannot be rolled back to, and which can.
    async fn not_kept(&self, id: ConfigId) -> Result<OperationError, OperationError> {
        let kept = listed(&self.configurations()?.kept().await);
        Ok(match self.state.store.config(id).await? {
            Some(_) => OperationError::Superseded(format!(
                "the text of configuration {id} is no longer kept; {kept}"
            )),
            None => OperationError::NotFound(format!("there is no configuration {id}; {kept}")),
        })
    }

    fn configurations(&self) -> Result<&Arc<dyn Configurations>, OperationError> {
        self.configurations.as_ref().ok_or(OperationError::NotConfigured)
    }
}

fn author(actor: &Actor, reason: String) -> Author {
    Author { name: actor.name.clone(), from: actor.from.clone(), reason }
}

fn listed(kept: &BTreeSet<ConfigId>) -> String {
    if kept.is_empty() {
        return "none is kept".to_owned();
    }
    let numbers: Vec<String> = kept.iter().rev().map(ToString::to_string).collect();
    format!("kept are {}", numbers.join(", "))
}

impl From<Refused> for OperationError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Wrong { .. } => OperationError::Invalid(refused.to_string()),
            Refused::Superseded { .. } | Refused::File(_) => OperationError::Superseded(refused.to_string()),
            Refused::Apply(ApplyError::Store(error)) => OperationError::Store(error),
            Refused::Apply(ApplyError::Superseded { .. }) => OperationError::Superseded(refused.to_string()),
            Refused::Apply(ApplyError::Invalid(error)) => {
                OperationError::Invalid(format!("nodes would refuse the configuration: {error}"))
            }
        }
    }
}
