//! The certificates of this replica and of the nodes that are connected to it: who is who, and until when.

use cliproxy_domain::{NodeId, WallTime};
use cliproxy_host::{
    Tls,
    tls::{Expiry, File, Validity},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// The certificates that this replica has to do with. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    own: Option<Arc<Tls>>,
    /// What each connected node showed when its newest stream's connection began, with the number of that stream.
    nodes: Arc<Mutex<BTreeMap<NodeId, (u64, Validity)>>>,
    streams: Arc<Mutex<u64>>,
}

/// A certificate that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiring {
    /// Whose: `None` of this replica itself.
    pub(crate) node: Option<NodeId>,
    /// Which of the replica's own files.
    pub(crate) file: Option<File>,
    /// How near its end is; never [`Expiry::Far`].
    pub(crate) expiry: Expiry,
    /// When its end is.
    pub(crate) not_after: WallTime,
}

/// A node's certificate is known for as long as this is there.
pub(crate) struct Shown {
    certificates: Certificates,
    node: NodeId,
    stream: u64,
}

impl Certificates {
    pub(crate) fn new(own: Option<Arc<Tls>>) -> Self {
        Self { own, ..Self::default() }
    }

    /// Notes what a node showed whose stream begins.
    pub(crate) fn shown(&self, node: &NodeId, validity: Validity) -> Shown {
        let stream = {
            let mut streams = self.streams.lock();
            *streams += 1;
            *streams
        };
        self.nodes.lock().insert(node.clone(), (stream, validity));
        Shown { certificates: self.clone(), node: node.clone(), stream }
    }

    /// Lists what expires: first this replica's own, then the nodes' by name.
    pub(crate) fn expiring(&self, now: WallTime) -> Vec<Expiring> {
        let own = self.own.iter().flat_map(|tls| tls.validities());
        let own = own.map(|(file, validity)| (None, Some(file), validity));
        let nodes = self.nodes.lock();
        let nodes = nodes.iter().map(|(node, (_, validity))| (Some(node.clone()), None, *validity));
        own.chain(nodes)
            .map(|(node, file, validity)| Expiring {
                node,
                file,
                expiry: validity.expiry(now),
                not_after: validity.not_after,
            })
            .filter(|expiring| expiring.expiry > Expiry::Far)
            .collect()
    }

    /// Says why this replica's files hold what it does not use, while that is so.
    pub(crate) fn refused(&self) -> Option<String> {
        self.own.as_ref()?.refused()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut nodes = self.certificates.nodes.lock();
        // A newer stream of the node has said its own.
        if nodes.get(&self.node).is_some_and(|(stream, _)| *stream == self.stream) {
            nodes.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn until(days: i64) -> Validity {
        Validity { not_before: WallTime(0), not_after: WallTime(days * DAY) }
    }

    #[test]
    fn what_expires_is_told_for_as_long_as_its_node_is_connected() {
        let certificates = Certificates::default();
        let (soon, far) = ("soon".into(), "far".into());
        let shown = [certificates.shown(&far, until(90)), certificates.shown(&soon, until(40))];
        let expiring = certificates.expiring(WallTime(35 * DAY));
        assert_eq!(
            expiring,
            [Expiring { node: Some(soon), file: None, expiry: Expiry::Soon, not_after: WallTime(40 * DAY) }]
        );
        drop(shown);
        assert!(certificates.expiring(WallTime(35 * DAY)).is_empty());
    }

    #[test]
    fn the_end_of_an_old_stream_does_not_hide_the_new_one_of_the_same_node() {
        let (certificates, node) = (Certificates::default(), "n".into());
        let old = certificates.shown(&node, until(90));
        let _new = certificates.shown(&node, until(10));
        drop(old);
        assert_eq!(certificates.expiring(WallTime(9 * DAY)).len(), 1);
    }
}
