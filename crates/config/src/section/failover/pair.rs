//! `active_passive`: which of the two this node is, and where the other one is.

use super::{
    Identity, Mode, Part,
    peers::{EXAMPLE, Peers},
};
use crate::{field::Field, section::address};

/// Reads the pair. `backup_url` says which node waits; `peers`, where it is given, names both.
pub fn read(
    mode: &Field<'_>,
    backup: Option<&Field<'_>>,
    peers: &Peers<'_>,
    identity: &Identity,
    shares_plane: bool,
) -> Option<Mode> {
    let Some(field) = backup else {
        mode.refuse(
            "`active_passive` needs to know the node that waits; write its address as `server.failover.backup_url`",
        );
        return None;
    };
    let backup = address::read(field, "a node", EXAMPLE)?;
    let is_backup = identity.is_own(&backup);
    let mut rest = peers.others.iter().filter(|other| other.url != backup.url);
    let (primary, more) = (rest.next(), rest.next());
    if more.is_some() {
        field.refuse_key(
            "a pair has two nodes, and `server.failover.peers` names more than one beside `backup_url`; name the \
             primary and the backup there, or write `mode: active_active`",
        );
        return None;
    }
    let primary_url = primary.map(|address| address.url.clone());
    let part = match (is_backup, primary_url) {
        (true, None) if !shares_plane => {
            field.refuse(
                "this is the node itself, which waits for the other one; name both in `server.failover.peers`, so that \
                 it knows whom to ask, or set `control_plane.endpoints`",
            );
            return None;
        }
        (true, primary_url) => Part::Backup { primary_url },
        (false, Some(other)) if peers.names_own || identity.advertised().is_some() => {
            field.refuse_key(format!(
                "`server.failover.peers` names {other} beside this node and the backup, and a pair has two nodes; \
                 remove it, or correct `server.advertise_url`"
            ));
            return None;
        }
        // One that is not the backup is the primary, by whichever name the list has for it.
        (false, _) => Part::Primary,
    };
    Some(Mode::ActivePassive { backup_url: backup.url, part })
}
