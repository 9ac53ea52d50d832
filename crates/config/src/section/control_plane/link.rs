//! What the planes may say to each other in the clear: what stays on this machine, and what the operator insists on.

use super::ControlPlane;
use crate::{
    field::Field,
    section::address::{self, Address},
};
use std::net::SocketAddr;

const INSIST: &str =
    "set `control_plane.tls`, or `control_plane.allow_plaintext: true` where nobody else can listen";

/// The section, and what it says of encryption.
pub struct Link<'f, 'a> {
    section: &'f Field<'a>,
    has_tls: bool,
    allow_plaintext: bool,
}

impl<'f, 'a> Link<'f, 'a> {
    /// Takes what was read of it.
    pub fn of(section: &'f Field<'a>, plane: &ControlPlane) -> Self {
        // A section that was refused says what is wanted all the same: one mistake is told once.
        let has_tls = plane.tls.is_some() || section.section("tls").is_some();
        Self { section, has_tls, allow_plaintext: plane.allow_plaintext }
    }

    /// Reads `endpoints`; `None` when there are none to go by.
    pub fn read_endpoints(&self) -> Option<Vec<String>> {
        let list = self.section.section("endpoints")?;
        if list.is_empty_list() {
            list.refuse_key(
                "the list is empty; name a control plane such as `http://127.0.0.1:8319`, or remove the key",
            );
        }
        let read = |field: &Field<'_>| {
            let address = address::read(field, "a control plane", self.example())?;
            self.refuse_open_endpoint(field, &address);
            Some(address.url)
        };
        let endpoints: Vec<String> = list.items().iter().filter_map(read).collect();
        (!endpoints.is_empty()).then_some(endpoints)
    }

    /// Reads where other replicas' nodes find this one.
    pub fn read_advertised(&self) -> Option<String> {
        let field = self.section.child("advertise_url")?;
        let address = address::read(&field, "a control plane", self.example())?;
        self.refuse_open_endpoint(&field, &address);
        Some(address.url)
    }

    fn example(&self) -> &'static str {
        if self.has_tls { "https://control.example:8319" } else { "http://127.0.0.1:8319" }
    }

    fn refuse_open_endpoint(&self, field: &Field<'_>, address: &Address) {
        if address.is_https && !self.has_tls {
            field.refuse(
                "`https` needs certificates, since each plane proves to the other who it is; \
                 set `control_plane.tls.ca`, `cert` and `key`",
            );
        } else if !address.is_https && self.has_tls && !self.allow_plaintext {
            field.refuse(
                "`http` speaks in the clear, and `control_plane.tls` is set: who listens there with certificates \
                 understands nothing of it; write `https://`, or remove `control_plane.tls` where no plane has it",
            );
        } else if !address.is_https && !address.is_loopback && !self.allow_plaintext {
            field.refuse(format!("configurations with keys would cross the network in the clear; {INSIST}"));
        }
    }

    /// Refuses to listen for nodes of other machines in the clear.
    pub fn refuse_open_listener(&self, listen: SocketAddr) {
        let Some(field) = self.section.child("nodes_listen") else { return };
        if !listen.ip().is_loopback() && !self.has_tls && !self.allow_plaintext {
            field.refuse(format!(
                "whoever connects would be given configurations with keys, in the clear; {INSIST}"
            ));
        }
    }
}
