//! What was used, by period.

use super::*;
use cliproxy_domain::{Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime};
use cliproxy_host::Clock as _;
use cliproxy_store::{NodeBatches, RETAINED_NODES, Store};

const MINUTE: Duration = Duration::from_secs(60);

fn used(provider: &str, credential: &str, model: &str, input: u64) -> LedgerRow {
    LedgerRow {
        key: LedgerKey { provider: provider.into(), credential: credential.into(), model: model.into() }
            .into(),
        attempts: AttemptCounts { ok: 2, err_5xx: 1, latency_us: 900_000, ..AttemptCounts::default() },
        tokens: TokenUsage { input, output: 1, ..TokenUsage::default() },
        cost_nanos: 0,
    }
}

/// Has the ledger take, at `now`, a batch of a window that began at `began_at`.
pub(super) async fn report(
    plane: &Plane,
    node: &str,
    seq: u64,
    began_at: WallTime,
    now: WallTime,
    rows: Vec<LedgerRow>,
) {
    let (incarnation, seq) = (Incarnation(1), Seq(seq));
    let batch = Batch { incarnation, seq, window_start: began_at, window: Duration::from_secs(1), rows };
    let report = NodeBatches { node: node.into(), incarnation, oldest_unacked: seq, batches: vec![batch] };
    plane.store.apply_batches(vec![report], now).await.unwrap();
}

/// Has the ledger hold calls of three minutes and two hours, and some that may have been counted before.
pub(super) async fn counted(plane: &Plane) {
    let long_ago = START.minus(RETAINED_NODES + 20 * MINUTE);
    report(plane, "gone", 1, long_ago, long_ago, vec![used("claude", "main", "m", 1)]).await;
    plane.store.tidy(START.minus(MINUTE), None).await.unwrap();
    let again = vec![used("claude", "main", "m", 4), used("openai", "main", "gpt", 2)];
    report(plane, "gone", 1, long_ago, START, again).await;
    let an_hour_ago = START.minus(60 * MINUTE);
    let rows = vec![used("claude", "main", "m", 100), used("openai", "main", "gpt", 10)];
    report(plane, "here", 1, an_hour_ago, an_hour_ago, rows).await;
    let a_minute_ago = START.minus(MINUTE);
    report(plane, "here", 2, a_minute_ago, a_minute_ago, vec![used("claude", "main", "m", 1_000)]).await;
    report(plane, "here", 3, START, START, vec![used("claude", "spare", "n", 10_000)]).await;
}

/// Asks, and shows each sum as text: when, what is told apart, and the tokens.
async fn sums(plane: &Plane, query: &str) -> Vec<String> {
    let answer = plane.get(&format!("/v0/operations/usage?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let shown = |sum: &Value| {
        let names = ["provider", "credential", "model"].map(|name| word(&sum[name])).join(" ");
        format!("{} {names} {}", &word(&sum["at"])[11..16], sum["tokens"]["input"])
    };
    answer.json["usage"].as_array().unwrap().iter().map(shown).collect()
}

#[tokio::test]
async fn usage_is_told_by_hour_and_provider_unless_asked_otherwise() {
    let plane = Plane::configured().await;
    counted(&plane).await;
    let by_hour = ["22:00 claude - - 11000", "21:00 claude - - 100", "21:00 openai - - 10"];
    assert_eq!(sums(&plane, "").await, by_hour);
    assert_eq!(sums(&plane, "from=45m&by=none").await, ["22:00 - - - 11000"]);
    assert_eq!(
        sums(&plane, "from=5m&period=minute&by=none").await,
        ["22:50 - - - 10000", "22:49 - - - 1000"]
    );
    assert_eq!(
        sums(&plane, "to=30m&by=model").await,
        ["22:00 - - m 1000", "22:00 - - n 10000", "21:00 - - gpt 10", "21:00 - - m 100"]
    );
    assert_eq!(
        sums(&plane, "from=30d&period=day&by=credential&provider=claude&model=m").await,
        ["00:00 claude main - 1100", "00:00 claude main - 1"]
    );
    plane.stop().await;
}

#[tokio::test]
async fn usage_tells_calls_and_tokens_by_kind_with_totals_and_what_came_late() {
    let plane = Plane::configured().await;
    counted(&plane).await;
    let answer = plane.get("/v0/operations/usage?from=2026-02-19T21:30:00Z&provider=openai").await.json;
    let attempts = |calls: u64| {
        json!({
            "total": 3 * calls, "ok": 2 * calls, "err_4xx": 0, "rate_limited": 0, "err_5xx": calls, "timeout": 0,
            "connect": 0, "cancelled": 0, "retried": 0, "streams": 0, "average_latency_ms": 450
        })
    };
    let tokens = |input: u64, output: u64| {
        json!({
            "total": input + output, "input": input, "output": output, "cache_read": 0, "cache_write": 0,
            "reasoning": 0, "estimated": 0
        })
    };
    let expected = json!({
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z",
        "from": "2026-02-19T21:00:00Z",
        "to": "2026-02-19T22:50:30Z",
        "period": "hour",
        "usage": [{
            "at": "2026-02-19T21:00:00Z", "provider": "openai", "tags": {}, "attempts": attempts(1),
            "tokens": tokens(10, 1), "cost_usd": 0.0
        }],
        "truncated": false,
        "total": {"attempts": attempts(1), "tokens": tokens(10, 1), "cost_usd": 0.0},
        "late": {"attempts": attempts(1), "tokens": tokens(2, 1), "cost_usd": 0.0}
    });
    assert_eq!(answer, expected);
    plane.stop().await;
}

#[tokio::test]
async fn totals_hold_also_what_the_limit_leaves_out() {
    let plane = Plane::configured().await;
    counted(&plane).await;
    for (limit, told, truncated) in [(1, 1, true), (2, 2, true), (3, 3, false), (2_000, 3, false)] {
        let answer = plane.get(&format!("/v0/operations/usage?limit={limit}")).await.json;
        let told_sums = answer["usage"].as_array().unwrap().len();
        assert_eq!((told_sums, &answer["truncated"]), (told, &json!(truncated)), "{limit}");
        assert_eq!(answer["total"]["tokens"]["input"], 11_110, "{limit}");
        assert_eq!(answer["total"]["attempts"]["total"], 12, "{limit}");
    }
    plane.stop().await;
}

#[tokio::test]
async fn usage_of_nothing_has_no_sums_and_no_averages() {
    let plane = Plane::start().await;
    let answer = plane.get("/v0/operations/usage").await.json;
    assert_eq!((&answer["usage"], &answer["truncated"]), (&json!([]), &json!(false)));
    assert_eq!(answer["total"]["attempts"]["total"], 0);
    assert_eq!(answer["total"]["attempts"].get("average_latency_ms"), None);
    assert_eq!(answer.get("late"), None);
    plane.stop().await;
}

#[tokio::test]
async fn what_a_question_for_usage_means_is_checked_parameter_by_parameter() {
    let plane = Plane::start().await;
    for (query, part) in [
        ("period=week", "period is \"week\"; give one of minute, hour, day"),
        ("by=zone", "by is \"zone\"; give some of provider, credential, model, client, price and tag:NAME"),
        ("limit=2001", "limit is 2001; give a whole number from 1 to 2000"),
        ("from=tomorrow", "from is \"tomorrow\"; give a time as"),
        ("from=1h&to=2h", "give an earlier time than"),
        ("from=400d", "a range has at most 2200 periods"),
        ("from=1h&from=2h", "from is \"2h\" after it was given before"),
    ] {
        let answer = plane.get(&format!("/v0/operations/usage?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{query}: {message}");
    }
    plane.store.faults().set_unavailable(true);
    let answer = plane.get("/v0/operations/usage").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["error"]["type"], "store_unavailable");
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn a_sum_that_takes_too_long_is_told_with_a_remedy_before_a_node_waits_no_more() {
    let plane = Plane::start().await;
    plane.store.faults().hang(true);
    let began = plane.clock.now();
    let answer = plane.get("/v0/operations/usage").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.json["error"]["message"].as_str().unwrap().contains("ask for a shorter one"),
        "{answer:?}"
    );
    assert!(plane.clock.now() - began < Duration::from_secs(7), "a node waits so long");
    plane.store.faults().heal();
    plane.stop().await;
}
