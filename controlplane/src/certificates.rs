//! The certificates of this replica and of the nodes: until when they hold.

use crate::state::Nodes;
use cliproxy_domain::{NodeId, WallTime};
use cliproxy_host::{
    Tls,
    tls::{Expiry, File},
};
use std::sync::Arc;

/// The certificates that operators are told of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    own: Option<Arc<Tls>>,
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

impl Certificates {
    pub(crate) fn new(own: Option<Arc<Tls>>) -> Self {
        Self { own }
    }

    /// Lists what expires: first this replica's own, then those by which nodes are connected to any replica, by name.
    pub(crate) fn expiring(&self, nodes: &Nodes, now: WallTime) -> Vec<Expiring> {
        let own = self.own.iter().flat_map(|tls| tls.validities());
        let own = own.map(|(file, validity)| (None, Some(file), validity));
        let nodes = nodes.all().into_iter().filter(|node| node.is_connected());
        let nodes = nodes.filter_map(|node| Some((Some(node.record.node), None, node.certificate?)));
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
