//! Cooldowns and the log of their changes.

use crate::{fault::Fault, sql};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, CredentialName, HintVersion, NodeId, ProviderName, WallTime,
};
use cliproxy_store::{HintChange, hints};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// The kind of all changes in the log so far.
const COOLDOWN_KIND: &str = "cooldown";

/// Provider, credential, epoch (its bits read as signed), start, end, cause, source: a row of `cooldown`.
type Row = (String, String, i64, i64, i64, String, String);

/// The body of a change in the log. Fields may be added, with a default; none may change its meaning.
#[derive(Serialize, Deserialize)]
struct Body {
    provider: String,
    credential: String,
    epoch: u64,
    started_ms: i64,
    until_ms: i64,
    cause: String,
    source_node: String,
}

pub(crate) async fn merge(
    connection: &mut SqliteConnection,
    cooldowns: Vec<Cooldown>,
) -> Result<Vec<HintChange>, Fault> {
    let newest = newest_version(connection).await?;
    let mut current = BTreeMap::new();
    for cooldown in &cooldowns {
        if let Some(stored) = read(connection, &cooldown.key).await? {
            current.insert(stored.key.clone(), stored);
        }
    }
    let changes = hints::merge_and_number(&mut current, newest, cooldowns);
    if let Some(last) = changes.last() {
        for change in &changes {
            write(connection, change).await?;
        }
        let forgotten = hints::forgotten_up_to(last.version).0.cast_signed();
        sqlx::query(sql::SET_HINT_VERSION)
            .bind(last.version.0.cast_signed())
            .execute(&mut *connection)
            .await?;
        sqlx::query(sql::FORGET_CHANGES).bind(forgotten).execute(connection).await?;
    }
    Ok(changes)
}

pub(crate) async fn current(
    connection: &mut SqliteConnection,
    now: WallTime,
) -> Result<(HintVersion, Vec<Cooldown>), Fault> {
    let version = newest_version(connection).await?;
    let rows: Vec<Row> = sqlx::query_as(sql::COOLDOWNS).bind(now.0).fetch_all(connection).await?;
    let cooldowns = rows.into_iter().map(of_row).collect::<Result<_, _>>()?;
    Ok((version, cooldowns))
}

pub(crate) async fn changes_since(
    connection: &mut SqliteConnection,
    version: HintVersion,
    limit: u32,
) -> Result<Option<Vec<HintChange>>, Fault> {
    let newest = newest_version(connection).await?;
    if version > newest {
        return Ok(None);
    }
    // At least one row, to see whether the next change is still there.
    let query = sqlx::query_as(sql::CHANGES).bind(version.0.cast_signed()).bind(i64::from(limit.max(1)));
    let rows: Vec<(i64, String, String)> = query.fetch_all(connection).await?;
    let mut changes = rows.iter().map(of_log).collect::<Result<Vec<_>, _>>()?;
    let next_is_there = changes.first().is_some_and(|change| change.version == version.next());
    if version < newest && !next_is_there {
        return Ok(None);
    }
    changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Some(changes))
}

async fn newest_version(connection: &mut SqliteConnection) -> Result<HintVersion, Fault> {
    let version: i64 = sqlx::query_scalar(sql::HINT_VERSION).fetch_one(connection).await?;
    Ok(HintVersion(version.cast_unsigned()))
}

async fn read(connection: &mut SqliteConnection, key: &CooldownKey) -> Result<Option<Cooldown>, Fault> {
    let query = sqlx::query_as(sql::COOLDOWN).bind(key.provider.as_str()).bind(key.credential.as_str());
    let row: Option<Row> = query.fetch_optional(connection).await?;
    row.map(of_row).transpose()
}

/// Writes the merged value and its entry in the log.
async fn write(connection: &mut SqliteConnection, change: &HintChange) -> Result<(), Fault> {
    let cooldown = &change.cooldown;
    sqlx::query(sql::SET_COOLDOWN)
        .bind(cooldown.key.provider.as_str())
        .bind(cooldown.key.credential.as_str())
        .bind(cooldown.epoch.cast_signed())
        .bind(cooldown.started_at.0)
        .bind(cooldown.until.0)
        .bind(cause_text(cooldown.cause))
        .bind(cooldown.source.as_str())
        .execute(&mut *connection)
        .await?;
    let body =
        serde_json::to_string(&Body::of(cooldown)).map_err(|error| Fault::Corrupt(error.to_string()))?;
    sqlx::query(sql::ADD_CHANGE)
        .bind(change.version.0.cast_signed())
        .bind(COOLDOWN_KIND)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(())
}

fn of_row(
    (provider, credential, epoch, started_ms, until_ms, cause, source_node): Row,
) -> Result<Cooldown, Fault> {
    let epoch = epoch.cast_unsigned();
    Body { provider, credential, epoch, started_ms, until_ms, cause, source_node }.into_cooldown()
}

fn of_log((version, kind, body): &(i64, String, String)) -> Result<HintChange, Fault> {
    if kind != COOLDOWN_KIND {
        return Err(Fault::Corrupt(format!("change {version} is of the unknown kind `{kind}`")));
    }
    let body: Body = serde_json::from_str(body)
        .map_err(|error| Fault::Corrupt(format!("change {version} cannot be read: {error}")))?;
    Ok(HintChange { version: HintVersion(version.cast_unsigned()), cooldown: body.into_cooldown()? })
}

impl Body {
    fn of(cooldown: &Cooldown) -> Self {
        Self {
            provider: cooldown.key.provider.to_string(),
            credential: cooldown.key.credential.to_string(),
            epoch: cooldown.epoch,
            started_ms: cooldown.started_at.0,
            until_ms: cooldown.until.0,
            cause: cause_text(cooldown.cause).to_owned(),
            source_node: cooldown.source.to_string(),
        }
    }

    fn into_cooldown(self) -> Result<Cooldown, Fault> {
        Ok(Cooldown {
            cause: cause_of(&self.cause)?,
            key: CooldownKey {
                provider: ProviderName::from(self.provider),
                credential: CredentialName::from(self.credential),
            },
            epoch: self.epoch,
            started_at: WallTime(self.started_ms),
            until: WallTime(self.until_ms),
            source: NodeId::from(self.source_node),
        })
    }
}

fn cause_text(cause: CooldownCause) -> &'static str {
    match cause {
        CooldownCause::RateLimit => "rate_limit",
        CooldownCause::QuotaExhausted => "quota_exhausted",
        CooldownCause::CredentialRejected => "credential_rejected",
    }
}

fn cause_of(text: &str) -> Result<CooldownCause, Fault> {
    match text {
        "rate_limit" => Ok(CooldownCause::RateLimit),
        "quota_exhausted" => Ok(CooldownCause::QuotaExhausted),
        "credential_rejected" => Ok(CooldownCause::CredentialRejected),
        other => Err(Fault::Corrupt(format!("unknown cause of a cooldown `{other}`"))),
    }
}
