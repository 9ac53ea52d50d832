//! Usage as comma-separated values (RFC 4180), for spreadsheets.

use cliproxy_domain::status::{UsageEntry, UsageStatus};
use std::fmt::Write as _;

/// What names a line, without the tags.
const NAMES: [&str; 7] = ["period_start", "period", "client", "provider", "credential", "model", "price"];
/// What is counted on it.
const COUNTS: [&str; 20] = [
    "calls",
    "ok",
    "err_4xx",
    "rate_limited",
    "err_5xx",
    "timeout",
    "connect",
    "cancelled",
    "retried",
    "streams",
    "average_latency_ms",
    "average_first_event_ms",
    "tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "estimated_tokens",
    "cost_usd",
];

/// Lays usage out, with a column for each of `tags`. All other columns are always there, in this order.
pub(super) fn of(status: &UsageStatus, tags: &[String]) -> String {
    let mut table = String::new();
    let names = NAMES.iter().map(|name| (*name).to_owned());
    let tag_names = tags.iter().map(|tag| format!("tag:{tag}"));
    line(&mut table, names.chain(tag_names).chain(COUNTS.iter().map(|name| (*name).to_owned())));
    for entry in &status.usage {
        line(&mut table, cells(entry, status.period.as_str(), tags));
    }
    table
}

fn cells(entry: &UsageEntry, period: &str, tags: &[String]) -> impl Iterator<Item = String> {
    fn shown<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let names = [
        entry.at.to_string(),
        period.to_owned(),
        shown(entry.client.as_ref()),
        shown(entry.provider.as_ref()),
        shown(entry.credential.as_ref()),
        shown(entry.model.as_ref()),
        shown(entry.price.as_ref()),
    ];
    let tags: Vec<String> = tags.iter().map(|tag| shown(entry.tags.get(tag))).collect();
    let (attempts, tokens) = (&entry.counts.attempts, &entry.counts.tokens);
    let counts = [
        attempts.total,
        attempts.ok,
        attempts.err_4xx,
        attempts.rate_limited,
        attempts.err_5xx,
        attempts.timeout,
        attempts.connect,
        attempts.cancelled,
        attempts.retried,
        attempts.streams,
    ]
    .map(|count| count.to_string());
    let averages = [shown(attempts.average_latency_ms), shown(attempts.average_first_event_ms)];
    let tokens = [
        tokens.total,
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write,
        tokens.reasoning,
        tokens.estimated,
    ]
    .map(|count| count.to_string());
    let texts = names.into_iter().chain(tags).map(|text| guarded(&text));
    texts.chain(counts).chain(averages).chain(tokens).chain([dollars(entry.counts.cost_nanos)])
}

/// Writes an amount to the last digit, as sums of rounded ones would not be the sum.
fn dollars(nanos: u64) -> String {
    let (whole, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    format!("{whole}.{part:09}")
}

/// Keeps a spreadsheet from taking a name for a formula: names come from configurations, and those of models from whoever
/// asks.
fn guarded(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn line(table: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a text does not fail.
        let _ = if cell.contains([',', '"', '\r', '\n']) {
            write!(table, "{comma}\"{}\"", cell.replace('"', "\"\""))
        } else {
            write!(table, "{comma}{cell}")
        };
    }
    table.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{AttemptCounts, TokenUsage, WallTime, status::UsageCounts};

    fn entry(client: &str, model: &str) -> UsageEntry {
        let attempts = AttemptCounts { ok: 2, latency_us: 3_000, ..AttemptCounts::default() };
        let tokens = TokenUsage { input: 10, output: 5, ..TokenUsage::default() };
        UsageEntry {
            at: WallTime(1_771_538_400_000),
            provider: Some("claude".into()),
            credential: None,
            model: Some(model.into()),
            client: Some(client.into()),
            price: None,
            tags: [("team".to_owned(), "search".to_owned())].into(),
            counts: UsageCounts::of(&attempts, &tokens, 1_000_000_007),
        }
    }

    fn lines(usage: Vec<UsageEntry>) -> Vec<String> {
        let status = UsageStatus { usage, ..UsageStatus::default() };
        of(&status, &["team".to_owned(), "x".to_owned()])
            .split_terminator("\r\n")
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_line_has_a_cell_for_every_heading() {
        let lines = lines(vec![entry("ci", "m")]);
        assert!(
            lines[0].starts_with(
                "period_start,period,client,provider,credential,model,price,tag:team,tag:x,calls"
            )
        );
        assert_eq!(
            lines[1],
            "2026-02-19T22:00:00Z,hour,ci,claude,,m,,search,,2,2,0,0,0,0,0,0,0,0,1,,15,10,5,0,0,0,0,1.000000007"
        );
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    }

    #[test]
    fn what_would_break_a_line_is_quoted_and_what_would_be_a_formula_is_none() {
        let lines = lines(vec![entry("a, \"b\"", "=HYPERLINK(\"http://x\")"), entry("-1", "@m")]);
        assert!(lines[1].contains(r#","a, ""b""",claude,,"'=HYPERLINK(""http://x"")","#), "{}", lines[1]);
        assert!(lines[2].contains(",'-1,claude,,'@m,"), "{}", lines[2]);
    }
}
