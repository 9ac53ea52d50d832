use super::*;
use cliproxy_domain::{
    AttemptCounts, BudgetGrant, BudgetId, LedgerKey, LimitSubject, QuotaSignal, QuotaUnit, TokenUsage,
    UrgentKind,
};

const NOW: WallTime = WallTime(1_771_541_400_000);

fn ago(ms: u64) -> WallTime {
    NOW.minus(Duration::from_millis(ms))
}

fn key() -> LedgerKey {
    LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() }
}

/// A post with something of everything.
fn whole() -> Post {
    let event = UrgentEvent {
        id: "0190".into(),
        node: "node-1".into(),
        kind: UrgentKind::Failed,
        subject: key(),
        about_model: false,
        rest: None,
        http_status: 503,
        error_type: "upstream_error".into(),
        hint: None,
        seen_epoch: 4,
        age: Duration::ZERO,
    };
    let report = ProbeReport {
        node: "node-2".into(),
        provider: "claude".into(),
        healthy: false,
        http_status: 500,
        error_type: "upstream_error".into(),
        took: Duration::from_millis(30),
        age: Duration::ZERO,
    };
    let attempts = AttemptCounts { ok: 3, latency_us: 900, ..AttemptCounts::default() };
    let refused = RefusedConfig {
        config: ConfigId(3),
        still_on: ConfigId(2),
        reason: "no".into(),
        at: ago(9),
        again_at: Some(ago(1)),
    };
    Post {
        name: "cp-1".into(),
        advertise_url: Some("https://cp-1:8319".into()),
        history: HistoryId("history-1".into()),
        config: ConfigId(3),
        leader_epoch: 7,
        joined: true,
        leaving: true,
        resigned: true,
        node_count: 2,
        whole: true,
        nodes: vec![SeenNode {
            node: "node-1".into(),
            incarnation: Incarnation(2),
            build: "0.1.0".into(),
            listen: "127.0.0.1:8317".into(),
            config: ConfigId(2),
            hints: HintVersion(11),
            refused: Some(refused),
            last_seen: ago(1_000),
            certificate: Some((ago(90_000), WallTime(1_771_600_000_000))),
        }],
        gone: vec![("node-3".into(), ago(5_000))],
        events: vec![(event, ago(12))],
        usage: vec![WindowSums {
            minute: WallTime(1_771_541_340_000),
            end: ago(700),
            rows: vec![LedgerRow {
                key: key().into(),
                attempts,
                tokens: TokenUsage::default(),
                cost_nanos: 0,
            }],
        }],
        traffic: vec![HeardTraffic {
            node: "node-1".into(),
            provider: "claude".into(),
            ok: false,
            count: 4,
            said: "timeouts".into(),
            at: ago(700),
        }],
        probes: vec![(report, ago(40))],
        passing: vec![Hint::Quota(QuotaSignal {
            revision: 5,
            budget: BudgetId::of_provider("claude", QuotaUnit::Tokens),
            used: 9,
            leased: 3,
            spent_at: Some(ago(5)),
            resets_at: NOW.plus(Duration::from_secs(60)),
        })],
        recalls: vec![HeldElsewhere {
            node: "node-1".into(),
            incarnation: Incarnation(7),
            grants: NodeGrants { budgets: vec![recalled()], rates: Vec::new() },
            at: ago(15),
        }],
        number: 12,
    }
}

fn recalled() -> BudgetGrant {
    BudgetGrant {
        id: BudgetId { subject: LimitSubject::Client("ci".into()), unit: QuotaUnit::Tokens },
        period: NOW,
        ends_in: Duration::from_secs(60),
        granted: 40,
        limit: 100,
        used: 10,
        leased: 90,
        recall: true,
    }
}

fn read(bytes: &[u8], now: WallTime) -> (Post, usize) {
    let mut odd = 0;
    (from_bytes(bytes, now, |_| odd += 1).unwrap(), odd)
}

#[test]
fn a_post_comes_as_it_was_sent() {
    assert_eq!(read(&to_bytes(&whole(), NOW), NOW), (whole(), 0));
    let empty = Post::default();
    assert_eq!(read(&to_bytes(&empty, NOW), NOW), (empty, 0));
}

#[test]
fn a_reader_whose_clock_is_ahead_reads_the_same_ages() {
    let (post, _) = read(&to_bytes(&whole(), NOW), NOW.plus(Duration::from_secs(600)));
    let later = |at: WallTime| at.plus(Duration::from_secs(600));
    assert_eq!(post.events[0].1, later(ago(12)));
    assert_eq!(post.usage[0].end, later(ago(700)));
    assert_eq!(post.usage[0].minute, whole().usage[0].minute, "the store's minute is the same for all");
    assert_eq!(post.nodes[0].last_seen, ago(1_000));
}

#[test]
fn what_means_nothing_is_left_out_and_the_rest_is_read() {
    let mut post = whole();
    post.nodes[0].node = "".into();
    post.traffic[0].provider = "".into();
    post.events[0].0.id = String::new();
    let (read, odd) = read(&to_bytes(&post, NOW), NOW);
    assert_eq!((read.nodes.len(), read.traffic.len(), read.events.len(), odd), (0, 0, 0, 3));
    assert_eq!((read.usage, read.probes), (whole().usage, whole().probes));
    assert!(from_bytes(&[0xff, 1, 2], NOW, |_| ()).is_err());
}
