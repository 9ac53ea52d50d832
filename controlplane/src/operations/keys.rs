//! Clients' keys: made, replaced and revoked while the gateway runs.
//!
//! A key is made here, shown once, and kept as its hash. It is in force on all nodes once it is stored, so that a call is
//! done or not done; what was shown is never the key of a call that failed.

mod known;

pub(super) use known::{KnownKeys, unknown_client};

use super::{Actor, OperationError, Operations, remembered::Remembered};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use cliproxy_domain::{
    ClientName, Hint, HintVersion, KeyHash, KeyRecord, Secret, Snapshot, WallTime,
    operate::{KeyOrder, KeyVerb, KeyWanted, Lifetime},
    status::{ClientKeyStatus, ClientKeysStatus, KeyChangeStatus, KeyState, Source},
};
use cliproxy_store::Change;
use known::KnownKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What every key begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "cpk_";
/// How many valid keys a client has at most.
const MOST_OF_CLIENT: usize = 100;
/// How many keys are remembered at most, of all clients: every node has all of them in memory.
const MOST: usize = 5_000;

/// What a call comes to.
struct Plan {
    /// What is said of each key from now on; empty when nothing changes.
    records: Vec<KeyRecord>,
    /// The key that was made.
    key: Option<Secret>,
    before: Option<ClientKeyStatus>,
    outcome: Outcome,
    note: String,
}

/// What is remembered of a call: never the key.
#[derive(Clone, Serialize, Deserialize)]
struct Outcome {
    details: ClientKeyStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<ClientKeyStatus>,
}

impl Operations {
    /// Lists a client's keys.
    ///
    /// # Errors
    /// Fails when there is no such client, and no key is remembered of one.
    pub(crate) fn client_keys(&self, client: &str) -> Result<ClientKeysStatus, OperationError> {
        let (active, now) = (self.active()?, self.state.clock.wall());
        let name = ClientName::from(client);
        let configured = active.snapshot.clients.get(&name);
        let keys = self.known_keys().of(&name, configured, now);
        if configured.is_none() && keys.is_empty() {
            return Err(unknown_client(&name, &active.snapshot).into());
        }
        let keys = keys.iter().map(|key| key.status(now)).collect();
        Ok(ClientKeysStatus { source: Source::Cluster, as_of: now, client: name, keys })
    }

    /// Makes a key for a client, replaces one or revokes one; gives what is now, when as many nodes as were asked for know
    /// of it, or when the time for that is over. A call whose name was heard before does nothing and is answered as then,
    /// without the key.
    ///
    /// # Errors
    /// Fails when what is wanted means nothing or does not fit what is, when the call's name stands for another call, and
    /// when the store did not take it; then nothing was done, unless the store did not say so.
    pub(crate) async fn change_key(
        &self,
        actor: &Actor,
        verb: KeyVerb,
        (client, id): (&str, Option<&str>),
        wanted: KeyWanted,
    ) -> Result<KeyChangeStatus, OperationError> {
        let order = wanted.order(verb, client, id)?;
        let Some(id) = &order.request_id else { return self.carry_out_key(actor, &order).await };
        let _running = self.running.begin(id)?;
        match self.outcome(id, &order.call()).await? {
            Some(earlier) => Ok(self.told_again(&order, earlier).await),
            None => self.carry_out_key(actor, &order).await,
        }
    }

    pub(super) fn known_keys(&self) -> KnownKeys {
        KnownKeys::new(self.state.hints.client_keys())
    }

    async fn carry_out_key(
        &self,
        actor: &Actor,
        order: &KeyOrder,
    ) -> Result<KeyChangeStatus, OperationError> {
        let (active, now) = (self.active()?, self.state.clock.wall());
        let plan = self.plan(order, &active.snapshot, now)?;
        if plan.records.is_empty() {
            let version = self.state.hints.version();
            return Ok(self.told(order, plan, HintVersion(0), version).await);
        }
        let (action, done) = match order.verb {
            KeyVerb::Create => ("client_key_created", "a client's key was made"),
            KeyVerb::Rotate => ("client_key_rotated", "a client's key was replaced"),
            KeyVerb::Revoke => ("client_key_revoked", "a client's key was revoked"),
        };
        let about = order.id.as_ref().unwrap_or(&plan.outcome.details.id);
        let mut entry = self.entry_of(
            actor,
            action,
            format!("client {} key {about}", order.client),
            order.reason.clone(),
        );
        // Their keys are texts, so that this does not fail.
        entry.before =
            plan.before.as_ref().and_then(|key| serde_json::to_string(key).ok()).unwrap_or_default();
        entry.after = serde_json::to_string(&plan.outcome).unwrap_or_default();
        let outcome =
            order.request_id.as_ref().map(|id| Remembered::new(order.call(), &plan.outcome).outcome(id, now));
        let hints = plan.records.iter().cloned().map(Hint::ClientKey).collect();
        let change = Change { hints, audit: vec![entry], outcome, fence: None };
        let Some(version) = self.store_first(change).await? else { return self.overtaken(order).await };
        self.metrics.client_keys.changed(order.verb);
        tracing::info!(
            actor = actor.name, from = actor.from, client = %order.client, key = %plan.outcome.details.id,
            action, reason = order.reason, "{done}"
        );
        Ok(self.told(order, plan, version, version).await)
    }

    /// Answers a call of which nothing was stored: another replica carried it out in between.
    async fn overtaken(&self, order: &KeyOrder) -> Result<KeyChangeStatus, OperationError> {
        if let Some(id) = &order.request_id
            && let Some(earlier) = self.outcome(id, &order.call()).await?
        {
            return Ok(self.told_again(order, earlier).await);
        }
        let message = "somebody else changed this key at the same time; see it and ask again";
        Err(OperationError::Superseded(message.to_owned()))
    }

    fn plan(&self, order: &KeyOrder, snapshot: &Snapshot, now: WallTime) -> Result<Plan, OperationError> {
        let known = self.known_keys();
        let configured = snapshot.clients.get(&order.client);
        let keys = known.of(&order.client, configured, now);
        if configured.is_none() && (keys.is_empty() || order.verb != KeyVerb::Revoke) {
            return Err(unknown_client(&order.client, snapshot).into());
        }
        let Some(id) = &order.id else {
            return self.create(order, &known, &keys, None, now);
        };
        let found = keys.iter().find(|key| key.record.id == *id).ok_or_else(|| {
            let ids: Vec<_> = keys.iter().map(|key| key.record.id.0.as_str()).collect();
            let has =
                if ids.is_empty() { "it has none".to_owned() } else { format!("it has {}", ids.join(", ")) };
            let id: String = id.0.chars().take(100).collect();
            OperationError::NotFound(format!("client {} has no key {id:?}; {has}", order.client))
        })?;
        match order.verb {
            KeyVerb::Revoke => Ok(self.revoke(found, now)),
            _ => self.create(order, &known, &keys, Some(found), now),
        }
    }

    fn revoke(&self, found: &KnownKey, now: WallTime) -> Plan {
        let before = found.status(now);
        if let Some(at) = before.revoked_at {
            let note = format!("it was revoked at {at} already; nothing changed");
            let outcome = Outcome { details: before.clone(), replaces: None };
            return Plan { records: Vec::new(), key: None, before: Some(before), outcome, note };
        }
        let record = KeyRecord { revoked_at: Some(now), ..self.next(&found.record) };
        let details = ClientKeyStatus::of(&record, found.configured_end, now);
        Plan {
            records: vec![record],
            key: None,
            before: Some(before),
            outcome: Outcome { details, replaces: None },
            note: "a node refuses it from when it hears of it".to_owned(),
        }
    }

    /// Makes a key, in the place of another where there is one.
    fn create(
        &self,
        order: &KeyOrder,
        known: &KnownKeys,
        keys: &[KnownKey],
        replaced: Option<&KnownKey>,
        now: WallTime,
    ) -> Result<Plan, OperationError> {
        let valid = keys.iter().filter(|key| key.status(now).state == KeyState::Active).count();
        if valid >= MOST_OF_CLIENT || known.count() >= MOST {
            let message = format!(
                "client {} has {valid} valid keys, and {} keys are remembered in all; at most {MOST_OF_CLIENT} and {MOST} \
                 can be: revoke those that are not used (one that is over is forgotten after 30 days)",
                order.client,
                known.count()
            );
            return Err(OperationError::Superseded(message));
        }
        let before = replaced.map(|key| key.status(now));
        if let Some(old) = before.as_ref().filter(|old| old.state != KeyState::Active) {
            let over = if old.state == KeyState::Revoked { "revoked" } else { "expired" };
            let message =
                format!("key {} of client {} is {over}; create a key instead", old.id, order.client);
            return Err(OperationError::Superseded(message));
        }
        let usual = before.as_ref().and_then(|old| Some(old.expires_at?.since(old.created_at?)));
        let lifetime = match order.expires_in {
            Lifetime::Usual => usual,
            Lifetime::Unending => None,
            Lifetime::Of(lifetime) => Some(lifetime),
        };
        let (key, hash) = self.make(known)?;
        let record = KeyRecord {
            revision: 1,
            id: hash.id(),
            client: order.client.clone(),
            hash,
            created_at: Some(now),
            expires_at: lifetime.map(|lifetime| now.plus(lifetime)),
            revoked_at: None,
            said_by: self.replica.clone(),
        };
        let details = ClientKeyStatus::of(&record, None, now);
        let (mut records, mut replaces) = (vec![record], None);
        let mut note = "keep it: it is shown this once, and only its hash is stored".to_owned();
        if let (Some(old), Some(shown)) = (replaced, &before) {
            let end = now.plus(order.overlap);
            let end = shown.expires_at.map_or(end, |expires| expires.min(end));
            let ending = KeyRecord { expires_at: Some(end), ..self.next(&old.record) };
            replaces = Some(ClientKeyStatus::of(&ending, old.configured_end, now));
            note = format!("{note}; key {} is refused from {end} on", ending.id);
            records.push(ending);
        }
        Ok(Plan { records, key: Some(key), before, outcome: Outcome { details, replaces }, note })
    }

    /// Makes a key that nobody can guess, whose name no other has.
    fn make(&self, known: &KnownKeys) -> Result<(Secret, KeyHash), OperationError> {
        loop {
            let bytes = self.entropy.secret().map_err(|error| {
                OperationError::Internal(format!(
                    "the operating system gives no randomness to make a key of ({error}); try again"
                ))
            })?;
            let key = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
            let hash = KeyHash(Sha256::digest(&key).into());
            if !known.has(&hash.id()) {
                return Ok((Secret::new(key), hash));
            }
        }
    }

    /// Begins the next word on a key.
    fn next(&self, record: &KeyRecord) -> KeyRecord {
        KeyRecord {
            revision: record.revision.saturating_add(1),
            said_by: self.replica.clone(),
            ..record.clone()
        }
    }

    /// Waits for the nodes, and tells what came of a call.
    async fn told(
        &self,
        order: &KeyOrder,
        plan: Plan,
        hint_version: HintVersion,
        known_as: HintVersion,
    ) -> KeyChangeStatus {
        let (applied_nodes, total_nodes) = self.wait(known_as, order.wait, order.timeout).await;
        KeyChangeStatus {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            client: order.client.clone(),
            key: plan.key,
            details: plan.outcome.details,
            replaces: plan.outcome.replaces,
            hint_version,
            applied_nodes,
            total_nodes,
            note: plan.note,
        }
    }

    /// Tells once more what came of a call.
    async fn told_again(&self, order: &KeyOrder, outcome: Outcome) -> KeyChangeStatus {
        let note = match order.verb {
            KeyVerb::Revoke => "this call was carried out before; nothing was done again".to_owned(),
            KeyVerb::Create | KeyVerb::Rotate => format!(
                "this call was carried out before; its key was shown then and is not kept: if it is lost, revoke {} and \
                 create another under a new request_id",
                outcome.details.id
            ),
        };
        // All up to the newest number is known; so is this.
        let version = self.state.hints.version();
        let plan = Plan { records: Vec::new(), key: None, before: None, outcome, note };
        self.told(order, plan, version, version).await
    }
}
