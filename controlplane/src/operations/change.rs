//! An operator's word: a provider, or a part of it, rests or rests no longer.

use super::{Actor, OperationError, Operations, remembered::Remembered};
use cliproxy_domain::{
    AuditEntry, Cooldown, Hint, HintVersion, Scope, WallTime,
    operate::{Order, OrderError, Verb, Wait, Wanted},
    status::{ChangeStatus, RestStatus, Source},
};
use cliproxy_engine::{
    ProviderOutlook,
    cooldown::{Stage, stage},
    status::{Standing, answer, stage_name, standings, word},
};
use std::time::Duration;

impl Operations {
    /// Lets a provider rest, or ends its rests, on all nodes at once; gives what is now, when as many nodes as were
    /// asked for have it, or when the time for that is over. A call whose name was heard before does nothing and is
    /// answered as then.
    ///
    /// # Errors
    /// Fails when what is wanted means nothing, when the call's name stands for another call, and when the store did
    /// not take it; in the last case the word may be in force all the same.
    pub(crate) async fn change(
        &self,
        actor: &Actor,
        verb: Verb,
        provider: &str,
        wanted: Wanted,
    ) -> Result<ChangeStatus, OperationError> {
        let active = self.active()?;
        let order = wanted.order(verb, provider, &active.snapshot)?;
        let Some(id) = order.request_id.as_ref().filter(|_| !order.dry_run) else {
            return self.carry_out(actor, &order).await;
        };
        let _running = self.running.begin(id)?;
        match self.remembered(id, &order).await? {
            Some(answer) => Ok(answer),
            None => self.carry_out(actor, &order).await,
        }
    }

    /// Says the word, unless it is only tried out.
    async fn carry_out(&self, actor: &Actor, order: &Order) -> Result<ChangeStatus, OperationError> {
        let now = self.state.clock.wall();
        let outlook = self.state.outlook();
        let provider = order.key.provider.as_str();
        // Another configuration may have come into force since the order was held against one.
        let known = outlook.provider(provider).ok_or_else(|| self.gone(provider))?;
        let word = word(order, known, &actor.name, now);
        let status = answer(order, known, &word, Source::Cluster, now);
        if order.dry_run {
            let (_, total_nodes) = self.state.nodes.with_hints(HintVersion(0));
            return Ok(ChangeStatus { total_nodes, ..status });
        }
        let entry = self.entry(actor, order, known, &word, now);
        let outcome =
            order.request_id.as_ref().map(|id| Remembered::new(order.call(), &status).outcome(id, now));
        tracing::info!(
            actor = actor.name, from = actor.from, subject = %word.key, until = %word.until, reason = order.reason,
            action = entry.action, "an operator spoke"
        );
        let mut hints = vec![Hint::Cooldown(word)];
        if order.verb == Verb::Recover && order.key.scope == Scope::Provider {
            // What was counted and judged before he spoke is older than his word.
            hints.extend(self.decide.reset_health(&order.key.provider));
        }
        let hint_version = self.decide.say(hints, entry, outcome).await?;
        let (applied_nodes, total_nodes) = self.wait(hint_version, order.wait, order.timeout).await;
        let status = ChangeStatus { hint_version, applied_nodes, total_nodes, ..status };
        if let Some(id) = &order.request_id {
            self.remember(id, order, &status, now).await;
        }
        Ok(status)
    }

    fn gone(&self, provider: &str) -> OperationError {
        match self.state.active() {
            Some(active) => OrderError::unknown_provider(provider, &active.snapshot).into(),
            None => OperationError::NotConfigured,
        }
    }

    /// Writes what was said for the audit log.
    fn entry(
        &self,
        actor: &Actor,
        order: &Order,
        known: &ProviderOutlook,
        word: &Cooldown,
        now: WallTime,
    ) -> AuditEntry {
        let replaced = replaced(known, word, now).into_iter();
        let before: Vec<_> =
            replaced.map(|known| RestStatus::of(known.rest, stage_name(&known.stage), now)).collect();
        let after = RestStatus::of(word, stage_name(&stage(word, now)), now);
        let action = match order.verb {
            Verb::Cooldown => "cooldown_forced",
            Verb::Recover => "recovered",
        };
        AuditEntry {
            actor: actor.name.clone(),
            from: actor.from.clone(),
            subject: word.key.to_string(),
            // Their keys are texts, so that this does not fail.
            before: serde_json::to_string(&before).unwrap_or_default(),
            after: serde_json::to_string(&after).unwrap_or_default(),
            ..self.decide.ids().entry(action, &word.key.provider, order.reason.clone())
        }
    }

    /// Waits until enough of the connected nodes have a change. Gives how many have it, of how many.
    pub(super) async fn wait(&self, version: HintVersion, wait: Wait, timeout: Duration) -> (u32, u32) {
        let nodes = &self.state.nodes;
        let mut changes = nodes.watch();
        let enough = async {
            loop {
                let (have, all) = nodes.with_hints(version);
                if have >= wait.enough(all) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Those that are late are told by the count.
        let _ = tokio::time::timeout(timeout, enough).await;
        nodes.with_hints(version)
    }
}

/// Gives the words in force that `word` puts out of force.
fn replaced<'a>(known: &'a ProviderOutlook, word: &Cooldown, now: WallTime) -> Vec<Standing<'a>> {
    let mut words = standings(known, now);
    words.retain(|known| {
        known.stage != Stage::Over
            && known.rest.epoch < word.epoch
            && word.key.scope.covers(&known.rest.key.scope)
    });
    words
}
