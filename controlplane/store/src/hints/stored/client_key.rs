//! The body of a client's key: its hash, never the key.

use crate::StoreError;
use cliproxy_domain::{ClientName, KeyHash, KeyId, KeyRecord, ReplicaId, WallTime};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    revision: u64,
    id: KeyId,
    client: ClientName,
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_ms: Option<i64>,
    said_by: ReplicaId,
}

impl Body {
    pub(super) fn of(record: &KeyRecord) -> Self {
        let ms = |at: Option<WallTime>| at.map(|at| at.0);
        Self {
            revision: record.revision,
            id: record.id.clone(),
            client: record.client.clone(),
            sha256: record.hash.to_hex(),
            created_ms: ms(record.created_at),
            expires_ms: ms(record.expires_at),
            revoked_ms: ms(record.revoked_at),
            said_by: record.said_by.clone(),
        }
    }

    pub(super) fn into_record(self) -> Result<KeyRecord, StoreError> {
        let hash = KeyHash::from_hex(&self.sha256).filter(|hash| hash.id() == self.id).ok_or_else(|| {
            StoreError::Corrupt(format!("the record of the key {} holds the hash of no such key", self.id))
        })?;
        Ok(KeyRecord {
            revision: self.revision,
            id: self.id,
            client: self.client,
            hash,
            created_at: self.created_ms.map(WallTime),
            expires_at: self.expires_ms.map(WallTime),
            revoked_at: self.revoked_ms.map(WallTime),
            said_by: self.said_by,
        })
    }
}
