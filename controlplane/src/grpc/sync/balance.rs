//! Nodes are asked to go elsewhere: where this replica has more than its share, and when it is about to end.

use super::super::Context;
use crate::state::fleet::Other;
use cliproxy_proto::v1::ReconnectTo;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often one node is asked at most.
const EVERY: Duration = Duration::from_millis(500);
/// For so many looks in a row there must be too many: counts of others are a second old.
const LOOKS: u32 = 4;
/// How much of its share a replica keeps, in tenths.
const KEPT_TENTHS: u64 = 11;
/// How long nodes have to go when the replica ends.
const LEAVE: Duration = Duration::from_secs(5);
/// When the replica ends, nodes go one after another: so many milliseconds for each, and so many at most.
const APART_MS: usize = 10;
const LONGEST_APART_MS: usize = 2_000;

/// Sheds nodes one by one while there are too many, until `end`.
pub(crate) async fn run(context: &Context, end: &CancellationToken) {
    let mut looks = 0;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
        }
        let others = context.state.fleet.others();
        looks = if has_too_many(context.sessions.count(), &others) { looks + 1 } else { 0 };
        if looks < LOOKS {
            continue;
        }
        let word = ReconnectTo { endpoints: emptiest(&others), within_ms: 0, leaving: false };
        if let Some(node) = context.sessions.ask_one(word, context.state.clock.now()) {
            context.metrics.sync.asked_to_go("share");
            tracing::info!(%node, nodes = context.sessions.count(), "a node is asked to go where there are fewer");
        }
    }
}

/// Tells whether a replica with so many nodes has more than its share, and a node that went would not be too many
/// elsewhere.
fn has_too_many(own: usize, others: &[Other]) -> bool {
    if others.is_empty() {
        return false;
    }
    let (own, replicas) = (own as u64, others.len() as u64 + 1);
    let all = own + others.iter().map(|other| u64::from(other.nodes)).sum::<u64>();
    // Of a share that is no whole number of nodes somebody must have one more.
    own > all.div_ceil(replicas).max(all * KEPT_TENTHS / (replicas * 10))
}

/// Gives where the replica with the fewest nodes is; nothing when it does not say.
fn emptiest(others: &[Other]) -> Vec<String> {
    let reachable = others.iter().filter_map(|other| Some((other.nodes, other.advertise_url.as_ref()?)));
    reachable.min().map(|(_, url)| url.clone()).into_iter().collect()
}

/// Asks all nodes to go to other replicas, where there are any, and waits until they have gone or the time is up.
pub(crate) async fn leave(context: &Context) {
    context.leaving.cancel();
    let nodes = context.sessions.count();
    if nodes == 0 || context.state.fleet.others().is_empty() {
        return;
    }
    let within = (nodes * APART_MS).min(LONGEST_APART_MS);
    tracing::info!(nodes, "the nodes are asked to go to other replicas");
    context.metrics.sync.asked_to_go("leaving");
    context.sessions.ask_all(&ReconnectTo {
        endpoints: context.state.fleet.places(),
        within_ms: u32::try_from(within).unwrap_or(u32::MAX),
        leaving: true,
    });
    if tokio::time::timeout(LEAVE, context.sessions.none()).await.is_err() {
        let left = context.sessions.count();
        tracing::warn!(nodes = left, "these nodes did not go to another replica; their streams are ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(nodes: &[u32]) -> Vec<Other> {
        let other = |nodes: &u32| Other { advertise_url: Some(format!("http://{nodes}")), nodes: *nodes };
        nodes.iter().map(other).collect()
    }

    #[test]
    fn alone_no_number_is_too_many() {
        assert!(!has_too_many(500, &[]));
    }

    #[test]
    fn a_tenth_above_the_share_is_kept() {
        assert!(!has_too_many(55, &others(&[45])) && has_too_many(56, &others(&[44])));
        assert!(has_too_many(100, &others(&[100, 0])));
    }

    #[test]
    fn of_a_few_nodes_none_is_kept_that_another_replica_lacks() {
        assert!(has_too_many(2, &others(&[0])) && has_too_many(4, &others(&[2])));
        assert!(!has_too_many(1, &others(&[0])) && !has_too_many(2, &others(&[1])));
        assert!(has_too_many(2, &others(&[1, 0])) && !has_too_many(1, &others(&[1, 0])));
    }

    #[test]
    fn what_is_shed_is_never_shed_back() {
        for own in 0..60_u32 {
            for elsewhere in 0..60 {
                if has_too_many(own as usize, &others(&[elsewhere])) {
                    assert!(
                        !has_too_many(elsewhere as usize + 1, &others(&[own - 1])),
                        "{own} and {elsewhere}"
                    );
                }
            }
        }
    }

    #[test]
    fn nodes_are_sent_where_there_are_fewest() {
        assert_eq!(emptiest(&others(&[7, 3, 5])), ["http://3"]);
        assert!(emptiest(&[Other { advertise_url: None, nodes: 0 }]).is_empty());
    }
}
