//! The nodes, what is wrong, and who changed what.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::status::{AlertsStatus, AuditLog, NodesStatus, SpentBudget};

/// Turns the nodes' states into their message.
pub fn nodes_to_wire(status: &NodesStatus) -> v1::ListNodesResponse {
    let nodes = status.nodes.iter().map(|(name, node)| {
        let node = v1::NodeStatus {
            connected: node.connected,
            incarnation: node.incarnation.0,
            build: node.build.clone(),
            listen: node.listen.clone(),
            last_seen_ms: node.last_seen.0,
            config: node.config.0,
            hints: node.hints.0,
            refused: node.refused.clone(),
        };
        (name.to_string(), node)
    });
    v1::ListNodesResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        nodes: nodes.collect(),
    }
}

/// Turns what needs attention into its message.
pub fn alerts_to_wire(status: &AlertsStatus) -> v1::ListAlertsResponse {
    let alerts = status.alerts.iter().map(|alert| v1::Alert {
        name: alert.name.to_owned(),
        severity: alert.severity.to_owned(),
        provider: alert.provider.as_ref().map(ToString::to_string),
        since_ms: alert.since.map(|since| since.0),
        message: alert.message.clone(),
        budget: alert.budget.as_ref().map(spent_to_wire),
    });
    v1::ListAlertsResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        alerts: alerts.collect(),
    }
}

fn spent_to_wire(spent: &SpentBudget) -> v1::SpentBudget {
    v1::SpentBudget {
        subject: spent.subject.clone(),
        unit: spent.unit.word().to_owned(),
        level: spent.level,
        used: spent.used,
        limit: spent.limit,
        resets_at_ms: spent.resets_at.0,
    }
}

/// Turns a part of the audit log into its message.
pub fn audit_to_wire(log: &AuditLog) -> v1::ListAuditResponse {
    let entries = log.entries.iter().map(|entry| v1::AuditEntry {
        id: entry.id.clone(),
        at_ms: entry.at.0,
        actor: entry.actor.clone(),
        from: entry.from.clone(),
        action: entry.action.clone(),
        provider: entry.provider.as_ref().map(ToString::to_string),
        subject: entry.subject.clone(),
        reason: entry.reason.clone(),
        before: entry.before.clone(),
        after: entry.after.clone(),
    });
    v1::ListAuditResponse {
        source: log.source.word().to_owned(),
        as_of_ms: log.as_of.0,
        entries: entries.collect(),
    }
}
