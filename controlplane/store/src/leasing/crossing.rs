//! What the audit log says of a part of a limit that is spent.

use super::{Columns, Crossed, Leased};
use cliproxy_domain::{AuditEntry, LimitSubject, QuotaUnit, WallTime, audit::SYSTEM};
use xxhash_rust::xxh3::xxh3_128;

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;

impl Leased {
    /// Gives the entries of the audit log for what was crossed at `now`. A store writes them in the same transaction, in
    /// which the books say that it was told: whatever becomes of whoever asked, each is there once.
    pub fn audit(&self, now: WallTime) -> Vec<AuditEntry> {
        self.crossed.iter().map(|crossed| crossed.entry(now)).collect()
    }
}

impl Crossed {
    /// Gives what was settled and the limit as people reckon them: of money in dollars.
    pub fn shown(&self) -> (f64, f64) {
        let shown = |amount: u64| match self.id.unit {
            QuotaUnit::Usd => amount as f64 / NANOS,
            QuotaUnit::Tokens | QuotaUnit::Requests => amount as f64,
        };
        (shown(self.settled), shown(self.limit))
    }

    fn entry(&self, now: WallTime) -> AuditEntry {
        let Self { id, percent, period, .. } = self;
        let ((used, limit), unit) = (self.shown(), id.unit.as_str());
        let provider = match &id.subject {
            LimitSubject::Provider(provider) | LimitSubject::Credential(provider, _) => {
                Some(provider.clone())
            }
            LimitSubject::Client(_) => None,
        };
        AuditEntry {
            id: self.entry_id(now),
            at: now,
            actor: SYSTEM.to_owned(),
            from: String::new(),
            action: "quota_threshold".to_owned(),
            provider,
            subject: id.subject.to_string(),
            reason: format!("{percent} % of {limit} {unit} are spent"),
            before: String::new(),
            after: format!(
                r#"{{"percent":{percent},"used":{used},"limit":{limit},"unit":"{unit}","resets_at":"{}"}}"#,
                period.end
            ),
        }
    }

    /// Makes a UUID v7 (RFC 9562 §5.7) without chance: a store that is asked the same decides the same.
    fn entry_id(&self, now: WallTime) -> String {
        let Columns { subject, owner, credential, counts } = Columns::of_budget(&self.id);
        let name =
            format!("{:?}", (subject, owner, credential, counts, self.period.start.0, self.percent, now.0));
        let hash = xxh3_128(name.as_bytes());
        let time = u128::try_from(now.0).unwrap_or(0) & ((1 << 48) - 1);
        let (a, b) = ((hash >> 64) & 0xfff, hash & ((1 << 62) - 1));
        let id = format!("{:032x}", (time << 80) | (7 << 76) | (a << 64) | (2 << 62) | b);
        [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::BudgetId;

    fn crossed(percent: u8) -> Crossed {
        let id = BudgetId { subject: LimitSubject::Client("ci".into()), unit: QuotaUnit::Usd };
        let period = WallTime(0)..WallTime(86_400_000);
        Crossed { id, period, percent, settled: 7_500_000_000, limit: 15_000_000_000 }
    }

    #[test]
    fn an_entry_says_how_much_of_what_is_spent_and_money_in_dollars() {
        let entry = crossed(50).entry(WallTime(5));
        assert_eq!(entry.reason, "50 % of 15 usd are spent");
        assert_eq!((entry.subject.as_str(), entry.provider), ("client ci", None));
        let after = r#"{"percent":50,"used":7.5,"limit":15,"unit":"usd","resets_at":"1970-01-02T00:00:00Z"}"#;
        assert_eq!(entry.after, after);
    }

    #[test]
    fn its_id_is_a_uuid_of_its_time_and_of_nothing_but_what_was_crossed() {
        let now = WallTime(1_771_541_430_000);
        let id = crossed(50).entry(now).id;
        assert_eq!((id.len(), &id[..15], &id[14..15]), (36, "019c7818-fef0-7", "7"), "{id}");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        assert_eq!(crossed(50).entry(now).id, id);
        assert_ne!(crossed(80).entry(now).id, id);
    }
}
