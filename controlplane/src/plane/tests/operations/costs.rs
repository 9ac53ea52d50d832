//! What clients used, what it cost, and the same as a table.

use super::{keys::with_clients, usage::report, *};
use cliproxy_domain::{LedgerRow, TokenUsage, UsageKey};

/// Calls of a client that cost so much, in billionths of a US dollar.
fn used(client: Option<&str>, model: &str, price: &str, cost_nanos: u64) -> LedgerRow {
    let key = UsageKey {
        provider: "claude".into(),
        credential: "main".into(),
        model: model.into(),
        client: client.map(Into::into),
        price: Some(price.into()),
    };
    LedgerRow {
        key,
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input: 10, output: 1, ..TokenUsage::default() },
        cost_nanos,
    }
}

/// Three clients, of which two have a tag, and somebody unnamed.
async fn spent() -> Plane {
    let mut snapshot = with_clients();
    let mut other = snapshot.clients["web"].clone();
    (other.name, other.tags, other.keys) = ("tools".into(), Default::default(), Vec::new());
    snapshot.clients.insert("tools".into(), other);
    let plane = Plane::configured_with(snapshot).await;
    let rows = vec![
        used(Some("ci"), "m", "config-1", 1_500_000_000),
        used(Some("web"), "m", "config-1", 250_000_000),
        used(Some("web"), "=m", "shipped-1", 1),
        used(Some("tools"), "m", "config-1", 3),
        used(None, "m", "config-1", 4),
    ];
    report(&plane, "node-1", 1, START, START, rows).await;
    plane
}

/// Asks, and shows each sum as text: what is told apart, and the cost.
async fn costs(plane: &Plane, query: &str) -> Vec<String> {
    let answer = plane.get(&format!("/v0/operations/usage?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let shown = |sum: &Value| {
        let names = ["client", "model", "price"].map(|name| sum[name].as_str().unwrap_or("-")).join(" ");
        let team = sum["tags"]["team"].as_str().unwrap_or("-");
        format!("{names} {team} {}", sum["cost_usd"])
    };
    answer.json["usage"].as_array().unwrap().iter().map(shown).collect()
}

#[tokio::test]
async fn costs_are_told_by_client_by_price_and_by_tag() {
    let plane = spent().await;
    let by_client = ["- - - - 4e-9", "ci - - - 1.5", "tools - - - 3e-9", "web - - - 0.250000001"];
    assert_eq!(costs(&plane, "by=client").await, by_client);
    let of_web = ["- - config-1 - 0.25", "- - shipped-1 - 1e-9"];
    assert_eq!(costs(&plane, "by=price&client=web").await, of_web);
    assert_eq!(costs(&plane, "by=tag:team").await, ["- - - - 7e-9", "- - - search 1.750000001"]);
    let both = costs(&plane, "by=client,tag:team").await;
    assert_eq!(both, ["- - - - 4e-9", "tools - - - 3e-9", "ci - - search 1.5", "web - - search 0.250000001"]);
    let first = plane.get("/v0/operations/usage?by=tag:team&limit=1").await.json;
    assert_eq!((&first["truncated"], &first["total"]["cost_usd"]), (&json!(true), &json!(1.750_000_008)));
    plane.stop().await;
}

#[tokio::test]
async fn a_table_has_a_line_for_each_sum_and_is_safe_in_a_spreadsheet() {
    let plane = spent().await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let uri =
        format!("http://{}/v0/operations/usage?by=client,model,tag:team&format=csv", plane.at.operators);
    let request = Request::builder().uri(uri).body(Full::new(Bytes::new())).unwrap();
    let response = within(client.request(request)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(
        lines[0].starts_with("period_start,period,client,provider,credential,model,price,tag:team,calls,ok,")
    );
    let ci = lines.iter().find(|line| line.contains(",ci,")).unwrap();
    assert!(
        ci.starts_with("2026-02-19T22:00:00Z,hour,ci,,,m,,search,1,1,") && ci.ends_with(",1.500000000"),
        "{ci}"
    );
    assert!(text.contains(",web,,,'=m,,search,"), "{text}");
    plane.stop().await;
}
