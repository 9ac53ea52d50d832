use super::*;
use crate::state::sample;
use cliproxy_domain::{
    AttemptCounts, Client, Incarnation, LedgerKey, ModelPattern, Priority, RateLimits, Seq, Snapshot,
    TokenUsage,
};
use cliproxy_proto::convert::config::EntrySet;
use std::time::Duration;

const NOW: WallTime = WallTime(1_771_541_430_500);

/// A provider `openai` with the key `main`, which lists one model and serves others by a pattern.
fn active(id: u64) -> ActiveConfig {
    let provider = sample::provider("openai", |provider| {
        provider.models = vec![ModelPattern::new("listed"), ModelPattern::new("gpt-*")];
    });
    let providers = BTreeMap::from([(provider.name.clone(), provider)]);
    let snapshot = Snapshot { providers, ..Snapshot::default() };
    ActiveConfig { id: ConfigId(id), entries: EntrySet::from_snapshot(&snapshot), snapshot }
}

fn key(provider: &str, credential: &str, model: &str) -> UsageKey {
    LedgerKey { provider: provider.into(), credential: credential.into(), model: model.into() }.into()
}

fn batch(keys: &[UsageKey]) -> Batch {
    let row = |key: &UsageKey| LedgerRow {
        key: key.clone(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input: 10, ..TokenUsage::default() },
        cost_nanos: 1,
    };
    let window = Duration::from_secs(1);
    let rows = keys.iter().map(row).collect();
    Batch { incarnation: Incarnation(1), seq: Seq(1), window_start: NOW, window, rows }
}

/// Names as they are when a day's place is used up.
fn full() -> Names {
    let mut names = Names::default();
    for part in 0..UNLISTED / 10 {
        let models: Vec<_> = (0..10).map(|n| key("openai", "main", &format!("gpt-{part}-{n}"))).collect();
        assert_eq!(names.fold(&mut [batch(&models)], Some(&active(1)), NOW), 0);
    }
    names
}

fn folded(names: &mut Names, keys: &[UsageKey], now: WallTime) -> (u64, Vec<(UsageKey, u64)>) {
    let mut batches = [batch(keys)];
    let count = names.fold(&mut batches, Some(&active(1)), now);
    let [batch] = batches;
    let rows = batch.rows.into_iter().map(|row| {
        assert_eq!(row.tokens.input, 10 * row.attempts.ok);
        (row.key, row.attempts.ok)
    });
    (count, rows.collect())
}

#[test]
fn what_has_no_place_is_counted_under_one_name_that_keeps_what_is_listed() {
    let reported = [
        key("openai", "main", "listed"),
        key("openai", "main", "gpt-new"),
        key("openai", "main", "gpt-newer"),
        key("openai", "gone", "listed"),
        key("gone", "main", "listed"),
        key("gone too", "main", "listed"),
        // Known since earlier.
        key("openai", "main", "gpt-0-0"),
    ];
    let (count, rows) = folded(&mut full(), &reported, NOW);
    assert_eq!(count, 5);
    assert_eq!(
        rows,
        [
            (key("openai", "main", "gpt-0-0"), 1),
            (key("openai", "main", "listed"), 1),
            (key("openai", "main", "other"), 2),
            (key("openai", "other", "listed"), 1),
            (key("other", "other", "other"), 2),
        ]
        .into_iter()
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn a_report_of_any_number_of_names_leaves_a_bounded_number() {
    let many: Vec<_> = (0..50_000).map(|n| key(&format!("provider {n}"), "main", "m")).collect();
    let (count, rows) = folded(&mut Names::default(), &many, NOW);
    assert_eq!((count, rows.len()), (49_000, UNLISTED + 1));
    assert_eq!(rows.iter().map(|(_, ok)| ok).sum::<u64>(), 50_000, "all of it is counted");
}

#[test]
fn names_that_nobody_can_mean_take_no_place() {
    let long = key("openai", "main", &"x".repeat(LONGEST + 1));
    let (count, rows) = folded(&mut Names::default(), &[long], NOW);
    assert_eq!((count, rows), (1, vec![(key("openai", "main", "other"), 1)]));
}

#[test]
fn there_is_place_again_on_the_next_day() {
    let mut names = full();
    let new = [key("openai", "main", "gpt-new")];
    assert_eq!(folded(&mut names, &new, NOW).0, 1);
    assert_eq!(folded(&mut names, &new, NOW.plus(Duration::from_secs(24 * 60 * 60))).0, 0);
}

#[test]
fn another_configuration_lists_other_names() {
    let mut names = full();
    let mut other = active(2);
    let renamed = sample::provider("openai", |provider| {
        provider.models = vec![ModelPattern::new("gpt-new")];
    });
    other.snapshot.providers.insert(renamed.name.clone(), renamed);
    let mut batches = [batch(&[key("openai", "main", "gpt-new"), key("openai", "main", "listed")])];
    assert_eq!(names.fold(&mut batches, Some(&other), NOW), 1);
    let kept: Vec<_> = batches[0].rows.iter().map(|row| row.key.model.as_str()).collect();
    assert_eq!(kept, ["gpt-new", "other"]);
}

#[test]
fn clients_and_prices_beyond_number_are_counted_under_one_name_and_those_configured_under_their_own() {
    let of = |client: String, price: String| UsageKey {
        client: Some(client.into()),
        price: Some(price.into()),
        ..key("openai", "main", "listed")
    };
    let many: Vec<_> = (0..2 * UNLISTED).map(|n| of(format!("client {n:04}"), format!("v{n:04}"))).collect();
    let mut names = Names::default();
    let (count, rows) = folded(&mut names, &many, NOW);
    assert_eq!((count, rows.len()), (UNLISTED as u64, UNLISTED + 1));
    assert_eq!(rows.iter().find(|(key, _)| *key == of("other".into(), "other".into())).unwrap().1, 1_000);

    let mut configured = active(2);
    configured.snapshot.clients.insert("ci".into(), sample_client());
    let mut batches = [batch(&[of("ci".into(), "v0000".into()), of("new".into(), "v0000".into())])];
    assert_eq!(names.fold(&mut batches, Some(&configured), NOW), 1);
    let kept: Vec<_> = batches[0].rows.iter().map(|row| row.key.client.clone().unwrap()).collect();
    assert_eq!(kept.iter().map(ClientName::as_str).collect::<Vec<_>>(), ["ci", "other"]);
}

fn sample_client() -> Client {
    Client {
        name: "ci".into(),
        keys: vec![],
        models: vec![],
        providers: vec![],
        tags: BTreeMap::new(),
        rate_limit: RateLimits::default(),
        budgets: vec![],
        priority: Priority::default(),
    }
}
