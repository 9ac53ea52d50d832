//! `server.failover.peers`: the nodes that know of each other.

use super::{Identity, Mode};
use crate::{
    field::Field,
    section::address::{self, Address},
};

/// Far more nodes than anyone lists by hand; each asks each other for its health.
const MOST: usize = 64;
/// How a node is written.
pub const EXAMPLE: &str = "http://proxy1:8317";

/// The list.
pub struct Peers<'a> {
    list: Option<Field<'a>>,
    /// The nodes that it names besides this one, in its order.
    pub others: Vec<Address>,
    /// Whether it names this one.
    pub names_own: bool,
}

impl<'a> Peers<'a> {
    /// Reads the list; without one it is empty.
    pub fn read(section: &Field<'a>, identity: &Identity) -> Self {
        let list = section.section("peers");
        let mut peers = Self { list, others: Vec::new(), names_own: false };
        let Some(list) = &peers.list else { return peers };
        let items = list.items();
        if items.len() > MOST {
            list.refuse_key(format!(
                "{} nodes are too many to ask each other for their health; name at most {MOST}, or let a control \
                 plane keep track of them (`control_plane.endpoints`)",
                items.len()
            ));
        }
        for field in items.iter().take(MOST) {
            let Some(address) = address::read(field, "a node", EXAMPLE) else { continue };
            if identity.is_own(&address) && !peers.names_own {
                peers.names_own = true;
            } else if identity.is_own(&address) || peers.others.iter().any(|other| other.url == address.url) {
                field.refuse("this node is named twice; remove one of the two");
            } else {
                peers.others.push(address);
            }
        }
        peers
    }

    /// Gives the mode in which all of them serve. `mode` is the key to blame where there is no list.
    pub fn equals(self, mode: &Field<'_>, identity: &Identity, shares_plane: bool) -> Option<Mode> {
        let named = self.others.len() + usize::from(self.names_own);
        if named < 2 && !shares_plane {
            self.list.as_ref().unwrap_or(mode).refuse_key(
                "without a control plane nodes only know of each other what the file says; name two or more in \
                 `server.failover.peers`, this one too, or set `control_plane.endpoints`",
            );
            return None;
        }
        if let Some(list) = self.list.filter(|_| !self.names_own && named > 0) {
            list.warn_key(match identity.advertised() {
                Some(own) => format!(
                    "this node is not among them and counts as one more; add {own}, or correct `server.advertise_url`, \
                     which says that"
                ),
                None => "this node is not among them and counts as one more; add it, or set `server.advertise_url` to \
                         the address that stands for it"
                    .to_owned(),
            });
        }
        let mut peers: Vec<String> = self.others.into_iter().map(|address| address.url).collect();
        peers.sort();
        Some(Mode::ActiveActive { peers })
    }
}
