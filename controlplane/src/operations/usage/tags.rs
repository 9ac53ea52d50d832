//! Usage by the tags of clients.

use cliproxy_domain::{Client, ClientName, WallTime, operate::UsageAsked};
use cliproxy_store::{UsageOf, UsageSum};
use std::{cmp::Reverse, collections::BTreeMap};

type Tags = BTreeMap<String, String>;

/// Sums what is told by client by the tags that are asked for, as the configuration in force has them: the newest period
/// first. What is of no client, or of one without such a tag, is a sum without it.
pub(super) fn summed(
    sums: Vec<UsageSum>,
    asked: &UsageAsked,
    clients: &BTreeMap<ClientName, Client>,
) -> Vec<(Tags, UsageSum)> {
    let mut summed: BTreeMap<(Reverse<WallTime>, Tags, UsageOf), UsageSum> = BTreeMap::new();
    for mut sum in sums {
        let known = sum.of.client.as_ref().and_then(|name| clients.get(name));
        let tag = |name: &String| Some((name.clone(), known?.tags.get(name)?.clone()));
        let tags: Tags = asked.tags.iter().filter_map(tag).collect();
        if !asked.by.client {
            sum.of.client = None;
        }
        let key = (Reverse(sum.at), tags, sum.of.clone());
        match summed.get_mut(&key) {
            None => {
                summed.insert(key, sum);
            }
            Some(known) => {
                known.attempts += sum.attempts;
                known.tokens += sum.tokens;
                known.cost_nanos = known.cost_nanos.saturating_add(sum.cost_nanos);
            }
        }
    }
    summed.into_iter().map(|((_, tags, _), sum)| (tags, sum)).collect()
}
