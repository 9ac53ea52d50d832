//! What the replicas of the control plane tell each other.

#[cfg(test)]
mod tests;

use super::{ConvertError, hints, millis, quota, required, telemetry};
use crate::v1;
use cliproxy_domain::{
    ConfigId, Hint, HintVersion, HistoryId, Incarnation, LedgerRow, NodeGrants, NodeId, ProbeReport,
    ProviderName, UrgentEvent, WallTime,
};
use prost::Message;
use std::time::Duration;

/// What a replica says in one post. Times are by the clock of whoever holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// The replica's name, for people.
    pub name: String,
    /// Where nodes reach it.
    pub advertise_url: Option<String>,
    /// The history of the store that it goes by.
    pub history: HistoryId,
    /// The configuration that it has in force.
    pub config: ConfigId,
    /// The epoch under which it leads; 0 when it does not.
    pub leader_epoch: u64,
    /// Whether it has just begun to listen.
    pub joined: bool,
    /// Whether it goes.
    pub leaving: bool,
    /// Whether it gave up to lead.
    pub resigned: bool,
    /// How many nodes are connected to it.
    pub node_count: u32,
    /// Whether `nodes` are all of them.
    pub whole: bool,
    /// Nodes that are connected, or of which something changed.
    pub nodes: Vec<SeenNode>,
    /// Nodes that are connected no more, and when they were last seen.
    pub gone: Vec<(NodeId, WallTime)>,
    /// What its nodes reported, and when it happened. The events' own ages say nothing here.
    pub events: Vec<(UrgentEvent, WallTime)>,
    /// Usage that it committed.
    pub usage: Vec<WindowSums>,
    /// What its nodes' calls say of providers.
    pub traffic: Vec<HeardTraffic>,
    /// Probes of its nodes, and when they ended. The reports' own ages say nothing here.
    pub probes: Vec<(ProbeReport, WallTime)>,
    /// Hints that are never stored.
    pub passing: Vec<Hint>,
    /// What nodes hold that others wait for.
    pub recalls: Vec<HeldElsewhere>,
    /// Which of its sender's posts it is, from 1 on; 0 when that does not say.
    pub number: u64,
}

/// A node that is connected to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The version of its program.
    pub build: String,
    /// Where it listens for clients.
    pub listen: String,
    /// The configuration that it acknowledged.
    pub config: ConfigId,
    /// The hints that it acknowledged.
    pub hints: HintVersion,
    /// The configuration that it refused last.
    pub refused: Option<RefusedConfig>,
    /// When it presented itself.
    pub last_seen: WallTime,
    /// From when to when the certificate holds that it is connected by; unset in the clear.
    pub certificate: Option<(WallTime, WallTime)>,
}

/// A configuration that a node refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedConfig {
    /// Which.
    pub config: ConfigId,
    /// The one that it goes on with.
    pub still_on: ConfigId,
    /// Why.
    pub reason: String,
    /// When.
    pub at: WallTime,
    /// When the node takes it again; `None`: never.
    pub again_at: Option<WallTime>,
}

/// Sums of windows that ended within the same second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSums {
    /// The minute that the store counts them under.
    pub minute: WallTime,
    /// When the windows ended.
    pub end: WallTime,
    /// Sorted by key, one a key.
    pub rows: Vec<LedgerRow>,
}

/// What a node's calls say of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardTraffic {
    /// The node.
    pub node: NodeId,
    /// The provider.
    pub provider: ProviderName,
    /// Whether it answered.
    pub ok: bool,
    /// How many results this stands for.
    pub count: u32,
    /// For people: what the answer was.
    pub said: String,
    /// When.
    pub at: WallTime,
}

/// What a node holds that others wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldElsewhere {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it holds, each with `recall`, as it was at `at`.
    pub grants: NodeGrants,
    /// When.
    pub at: WallTime,
}

/// Encodes a post that is sent at `now`.
pub fn to_bytes(post: &Post, now: WallTime) -> Vec<u8> {
    let age = |at: WallTime| millis(now.since(at));
    let event = |(event, at): &(UrgentEvent, WallTime)| v1::UrgentEvent {
        age_ms: age(*at),
        ..telemetry::event_to_wire(event)
    };
    let probe = |(report, at): &(ProbeReport, WallTime)| v1::HeardProbe {
        node_id: report.node.to_string(),
        report: Some(v1::ProbeReport { age_ms: age(*at), ..telemetry::probe_to_wire(report) }),
    };
    let usage = |sums: &WindowSums| v1::ReplicaUsage {
        minute_ms: sums.minute.0,
        age_ms: age(sums.end),
        rows: sums.rows.iter().map(telemetry::row_to_wire).collect(),
    };
    let traffic = |heard: &HeardTraffic| v1::HeardTraffic {
        node_id: heard.node.to_string(),
        provider: heard.provider.to_string(),
        ok: heard.ok,
        count: heard.count,
        said: heard.said.clone(),
        age_ms: age(heard.at),
    };
    let recall = |held: &HeldElsewhere| {
        let v1::LeaseDown { budgets, rates, .. } = quota::grants_to_wire(&held.grants, 0);
        let (node_id, incarnation, age_ms) = (held.node.to_string(), held.incarnation.0, age(held.at));
        v1::HeldElsewhere { node_id, incarnation, budgets, rates, age_ms }
    };
    let gone =
        |(node, at): &(NodeId, WallTime)| v1::GoneNode { node_id: node.to_string(), last_seen_ms: at.0 };
    v1::ReplicaPost {
        name: post.name.clone(),
        advertise_url: post.advertise_url.clone().unwrap_or_default(),
        history_id: post.history.0.clone(),
        config: post.config.0,
        leader_epoch: post.leader_epoch,
        joined: post.joined,
        leaving: post.leaving,
        resigned: post.resigned,
        node_count: post.node_count,
        whole: post.whole,
        nodes: post.nodes.iter().map(node_to_wire).collect(),
        gone: post.gone.iter().map(gone).collect(),
        events: post.events.iter().map(event).collect(),
        usage: post.usage.iter().map(usage).collect(),
        traffic: post.traffic.iter().map(traffic).collect(),
        probes: post.probes.iter().map(probe).collect(),
        passing: post.passing.iter().map(|hint| hints::to_wire(hint, now)).collect(),
        recalls: post.recalls.iter().map(recall).collect(),
        number: post.number,
    }
    .encode_to_vec()
}

/// Decodes a post that is read at `now`. Parts that mean nothing here are left out and told to `odd`: they are a newer
/// program's, most likely, and the others are as good as before.
///
/// # Errors
///
/// Fails when it is no post.
pub fn from_bytes(
    bytes: &[u8],
    now: WallTime,
    mut odd: impl FnMut(ConvertError),
) -> Result<Post, ConvertError> {
    let wire = v1::ReplicaPost::decode(bytes).map_err(|error| ConvertError::Body {
        kind: "post",
        key: String::new(),
        error: error.to_string(),
    })?;
    let before = |age_ms: u64| now.minus(Duration::from_millis(age_ms));
    let event = |wire: &v1::UrgentEvent| {
        Ok((UrgentEvent { age: Duration::ZERO, ..telemetry::event_from_wire(wire)? }, before(wire.age_ms)))
    };
    let usage = |wire: &v1::ReplicaUsage| {
        let rows = wire.rows.iter().map(telemetry::row_from_wire).collect::<Result<_, _>>()?;
        Ok(WindowSums { minute: WallTime(wire.minute_ms), end: before(wire.age_ms), rows })
    };
    let traffic = |wire: &v1::HeardTraffic| {
        Ok(HeardTraffic {
            node: required("HeardTraffic.node_id", &wire.node_id)?.into(),
            provider: required("HeardTraffic.provider", &wire.provider)?.into(),
            ok: wire.ok,
            count: wire.count.max(1),
            said: wire.said.clone(),
            at: before(wire.age_ms),
        })
    };
    let probe = |wire: &v1::HeardProbe| {
        let report = wire.report.as_ref().ok_or(ConvertError::Missing { field: "HeardProbe.report" })?;
        let node = NodeId::from(required("HeardProbe.node_id", &wire.node_id)?);
        let read = telemetry::probe_from_wire(report, node)?;
        Ok((ProbeReport { age: Duration::ZERO, ..read }, before(report.age_ms)))
    };
    let gone = |wire: &v1::GoneNode| {
        Ok((required("GoneNode.node_id", &wire.node_id)?.into(), WallTime(wire.last_seen_ms)))
    };
    Ok(Post {
        name: wire.name,
        advertise_url: Some(wire.advertise_url).filter(|url| !url.is_empty()),
        history: HistoryId(wire.history_id),
        config: ConfigId(wire.config),
        leader_epoch: wire.leader_epoch,
        joined: wire.joined,
        leaving: wire.leaving,
        resigned: wire.resigned,
        node_count: wire.node_count,
        whole: wire.whole,
        nodes: each(&wire.nodes, node_from_wire, &mut odd),
        gone: each(&wire.gone, gone, &mut odd),
        events: each(&wire.events, event, &mut odd),
        usage: each(&wire.usage, usage, &mut odd),
        traffic: each(&wire.traffic, traffic, &mut odd),
        probes: each(&wire.probes, probe, &mut odd),
        passing: each(&wire.passing, |change| hints::from_wire(change, now), &mut odd)
            .into_iter()
            .flatten()
            .collect(),
        recalls: wire.recalls.into_iter().filter_map(|held| recall_from_wire(held, now, &mut odd)).collect(),
        number: wire.number,
    })
}

/// Reads all parts of one kind that mean something.
fn each<W, T>(
    wire: &[W],
    read: impl Fn(&W) -> Result<T, ConvertError>,
    odd: &mut impl FnMut(ConvertError),
) -> Vec<T> {
    wire.iter().filter_map(|part| read(part).map_err(&mut *odd).ok()).collect()
}

fn recall_from_wire(
    wire: v1::HeldElsewhere,
    now: WallTime,
    odd: &mut impl FnMut(ConvertError),
) -> Option<HeldElsewhere> {
    let node = required("HeldElsewhere.node_id", &wire.node_id).map(NodeId::from).map_err(&mut *odd).ok()?;
    let (incarnation, at) = (Incarnation(wire.incarnation), now.minus(Duration::from_millis(wire.age_ms)));
    let grants = v1::LeaseDown { req: 0, budgets: wire.budgets, rates: wire.rates };
    Some(HeldElsewhere { node, incarnation, grants: quota::grants_from_wire(&grants, odd), at })
}

fn node_to_wire(seen: &SeenNode) -> v1::SeenNode {
    let refused = |refused: &RefusedConfig| v1::RefusedConfig {
        config: refused.config.0,
        still_on: refused.still_on.0,
        reason: refused.reason.clone(),
        at_ms: refused.at.0,
        again_at_ms: refused.again_at.map_or(0, |at| at.0),
    };
    v1::SeenNode {
        node_id: seen.node.to_string(),
        incarnation: seen.incarnation.0,
        build: seen.build.clone(),
        listen: seen.listen.clone(),
        config: seen.config.0,
        hints: seen.hints.0,
        refused: seen.refused.as_ref().map(refused),
        last_seen_ms: seen.last_seen.0,
        certificate: seen
            .certificate
            .map(|(from, to)| v1::SeenCertificate { not_before_ms: from.0, not_after_ms: to.0 }),
    }
}

fn node_from_wire(wire: &v1::SeenNode) -> Result<SeenNode, ConvertError> {
    let refused = |refused: &v1::RefusedConfig| RefusedConfig {
        config: ConfigId(refused.config),
        still_on: ConfigId(refused.still_on),
        reason: refused.reason.clone(),
        at: WallTime(refused.at_ms),
        again_at: (refused.again_at_ms != 0).then_some(WallTime(refused.again_at_ms)),
    };
    Ok(SeenNode {
        node: required("SeenNode.node_id", &wire.node_id)?.into(),
        incarnation: Incarnation(wire.incarnation),
        build: wire.build.clone(),
        listen: wire.listen.clone(),
        config: ConfigId(wire.config),
        hints: HintVersion(wire.hints),
        refused: wire.refused.as_ref().map(refused),
        last_seen: WallTime(wire.last_seen_ms),
        certificate: wire
            .certificate
            .as_ref()
            .map(|holds| (WallTime(holds.not_before_ms), WallTime(holds.not_after_ms))),
    })
}
