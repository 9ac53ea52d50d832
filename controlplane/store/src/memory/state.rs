//! What the store in memory holds, and what each transaction does to it.

use super::{book::Book, limits::Limits, usage::Usage};
use crate::{
    Change, ConfigSummary, HintChange, NewConfig, NodeRecord, Post, RETAINED_EVENTS, RETAINED_POSTS,
    StoreError, StoredConfig, hints, leases::Held, ledger::rolling,
};
use cliproxy_domain::{
    ConfigId, Fence, Hint, HintKey, HintVersion, HistoryId, Lease, LeaseName, NodeId, ReplicaId, UrgentEvent,
    WallTime,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// A numbered configuration, as it is listed, and the text that it was made of.
#[derive(Clone)]
struct Numbered {
    config: StoredConfig,
    summary: ConfigSummary,
    text: Option<String>,
}

/// All tables. Sorted maps, so that answers do not depend on hashing.
#[derive(Clone)]
pub(super) struct State {
    pub(super) history: HistoryId,
    /// Grows with whatever other replicas are to hear of.
    pub(super) news: u64,
    configs: BTreeMap<ConfigId, Numbered>,
    events: BTreeMap<String, WallTime>,
    hint_version: HintVersion,
    hints: BTreeMap<HintKey, Hint>,
    changes: VecDeque<HintChange>,
    nodes: BTreeMap<NodeId, NodeRecord>,
    leases: BTreeMap<LeaseName, Held>,
    newest_post: u64,
    posts: VecDeque<Post>,
    pub(super) usage: Usage,
    pub(super) limits: Limits,
    pub(super) book: Book,
}

impl State {
    pub(super) fn new(history: HistoryId) -> Self {
        Self {
            history,
            news: 0,
            configs: BTreeMap::new(),
            events: BTreeMap::new(),
            hint_version: HintVersion(0),
            hints: BTreeMap::new(),
            changes: VecDeque::new(),
            nodes: BTreeMap::new(),
            leases: BTreeMap::new(),
            newest_post: 0,
            posts: VecDeque::new(),
            usage: Usage::default(),
            limits: Limits::default(),
            book: Book::default(),
        }
    }

    /// Refuses what is written under a lease that is another's.
    pub(super) fn check(&self, fence: Option<&Fence>) -> Result<(), StoreError> {
        match fence {
            Some(fence) if !self.leases.get(&fence.lease).is_some_and(|held| held.admits(fence)) => {
                Err(StoreError::Fenced(fence.lease.0.clone()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn lead(&mut self, lease: LeaseName, holder: String, now: WallTime, ttl: Duration) -> Lease {
        let held = Held::taken(self.leases.remove(&lease), holder, now, ttl);
        let seen = held.at(now);
        self.leases.insert(lease, held);
        seen
    }

    pub(super) fn resign(&mut self, fence: &Fence) {
        if let Some(held) = self.leases.get_mut(&fence.lease)
            && held.admits(fence)
        {
            *held = held.clone().resigned();
            self.news += 1;
        }
    }

    pub(super) fn post(&mut self, replica: ReplicaId, body: Vec<u8>) -> u64 {
        self.newest_post += 1;
        self.news += 1;
        self.posts.push_back(Post { number: self.newest_post, replica, body });
        let forgotten = self.newest_post.saturating_sub(RETAINED_POSTS);
        while self.posts.front().is_some_and(|oldest| oldest.number <= forgotten) {
            self.posts.pop_front();
        }
        self.newest_post
    }

    pub(super) fn newest_post(&self) -> u64 {
        self.newest_post
    }

    pub(super) fn posts_since(&self, number: u64, limit: u32) -> Option<Vec<Post>> {
        if number > self.newest_post || number < self.newest_post.saturating_sub(RETAINED_POSTS) {
            return None;
        }
        let after = self.posts.iter().filter(|post| post.number > number);
        Some(after.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    pub(super) fn tidy(&mut self, now: WallTime, by_clock: WallTime) {
        self.limits.tidy(now, by_clock);
        let is_heard = |node: &NodeId, incarnation, since| {
            self.nodes
                .get(node)
                .is_some_and(|known| known.incarnation == incarnation && known.last_seen >= since)
        };
        self.usage.tidy(now, is_heard);
        let since = rolling::heard_since(now);
        self.nodes.retain(|_, node| node.last_seen >= since);
    }

    pub(super) fn active_config(&self) -> Option<&StoredConfig> {
        self.configs.last_key_value().map(|(_, numbered)| &numbered.config)
    }

    pub(super) fn config(&self, id: ConfigId) -> Option<&StoredConfig> {
        self.configs.get(&id).map(|numbered| &numbered.config)
    }

    pub(super) fn config_text(&self, id: ConfigId) -> Option<String> {
        self.configs.get(&id)?.text.clone()
    }

    pub(super) fn put_config(&mut self, new: NewConfig) -> Result<ConfigId, StoreError> {
        let newest = match self.active_config() {
            Some(active) if new.is_numbered(active.id, active.hash) => {
                let id = active.id;
                self.replace_text(id, &new);
                return Ok(id);
            }
            Some(active) => active.id,
            None => ConfigId(0),
        };
        if new.follows.is_some_and(|follows| follows != newest) {
            return Err(StoreError::Superseded { newest });
        }
        self.news += 1;
        let id = new.number_after(newest);
        let hash = new.hash;
        let summary =
            ConfigSummary { id, hash, author: new.author.clone(), reason: new.reason.clone(), at: new.at };
        let text = new.text.clone();
        let config = StoredConfig { id, hash, entries: new.into_sorted_entries() };
        self.configs.insert(id, Numbered { config, summary, text });
        Ok(id)
    }

    fn replace_text(&mut self, id: ConfigId, new: &NewConfig) {
        if let (Some(numbered), Some(text)) = (self.configs.get_mut(&id), new.text_in_place_of(id)) {
            numbered.text = Some(text.to_owned());
        }
    }

    pub(super) fn record_events(&mut self, events: Vec<UrgentEvent>, now: WallTime) {
        for event in events {
            self.events.entry(event.id).or_insert(now);
        }
        let horizon = now.minus(RETAINED_EVENTS);
        self.events.retain(|_, at| *at >= horizon);
    }

    pub(super) fn event_ids(&self) -> Vec<String> {
        self.events.keys().cloned().collect()
    }

    pub(super) fn change(&mut self, change: Change) -> Vec<HintChange> {
        if change.outcome.as_ref().is_some_and(|outcome| self.book.remembers(outcome)) {
            return Vec::new();
        }
        self.book.write(change.audit, change.outcome);
        let changes = hints::merge_and_number(&mut self.hints, self.hint_version, change.hints);
        if let Some(newest) = changes.last() {
            self.hint_version = newest.version;
            self.news += 1;
        }
        self.changes.extend(changes.iter().cloned());
        let forgotten = hints::forgotten_up_to(self.hint_version);
        while self.changes.front().is_some_and(|oldest| oldest.version <= forgotten) {
            self.changes.pop_front();
        }
        changes
    }

    #[cfg(test)]
    pub(super) fn take_version(&mut self) {
        self.hint_version = self.hint_version.next();
    }

    pub(super) fn hints(&self) -> (HintVersion, Vec<Hint>) {
        (self.hint_version, self.hints.values().cloned().collect())
    }

    pub(super) fn forget_cooldowns(&mut self, ended_before: WallTime) {
        self.hints.retain(|_, hint| hints::settled_at(hint).is_none_or(|settled| settled >= ended_before));
    }

    pub(super) fn configs(&self, limit: u32) -> Vec<ConfigSummary> {
        let newest = self.configs.values().rev().map(|numbered| numbered.summary.clone());
        newest.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
    }

    pub(super) fn changes_since(&self, version: HintVersion, limit: u32) -> Option<Vec<HintChange>> {
        if version > self.hint_version || version < hints::forgotten_up_to(self.hint_version) {
            return None;
        }
        let after = self.changes.iter().filter(|change| change.version > version);
        Some(after.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    pub(super) fn see_node(&mut self, node: NodeRecord) {
        match self.nodes.get_mut(&node.node) {
            Some(known) if node.replaces(known) => *known = node,
            Some(_) => {}
            None => {
                self.nodes.insert(node.node.clone(), node);
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<NodeRecord> {
        self.nodes.values().cloned().collect()
    }
}
