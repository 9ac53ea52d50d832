//! Clients' keys. Their times travel as they are, by the control plane's clock: a record that changed on its way would be
//! another one to merge with, and a key's end is days away rather than seconds. A revoked key needs no clock at all.

use super::super::{ConvertError, required};
use crate::v1;
use cliproxy_domain::{ClientName, KeyHash, KeyRecord, ReplicaId, WallTime};

pub(super) fn to_wire(record: &KeyRecord) -> v1::ClientKeyRecord {
    let ms = |at: Option<WallTime>| at.map(|at| at.0);
    v1::ClientKeyRecord {
        revision: record.revision,
        client: record.client.to_string(),
        sha256: record.hash.0.to_vec(),
        created_at_ms: ms(record.created_at),
        expires_at_ms: ms(record.expires_at),
        revoked_at_ms: ms(record.revoked_at),
        said_by: record.said_by.to_string(),
    }
}

pub(super) fn from_wire(wire: v1::ClientKeyRecord) -> Result<KeyRecord, ConvertError> {
    let length = u64::try_from(wire.sha256.len()).unwrap_or(u64::MAX);
    let hash = <[u8; 32]>::try_from(wire.sha256.as_slice()).map_err(|_| ConvertError::OutOfRange {
        field: "ClientKeyRecord.sha256",
        value: length.into(),
        expected: "32 bytes long",
    })?;
    let hash = KeyHash(hash);
    Ok(KeyRecord {
        revision: wire.revision,
        id: hash.id(),
        client: ClientName::from(required("ClientKeyRecord.client", &wire.client)?),
        hash,
        created_at: wire.created_at_ms.map(WallTime),
        expires_at: wire.expires_at_ms.map(WallTime),
        revoked_at: wire.revoked_at_ms.map(WallTime),
        said_by: ReplicaId::from(wire.said_by),
    })
}
