//! The metrics are the guide's, with its labels and no others.

use super::that_has_served;
use cliproxy_testkit::{Client, Config, Samples};
use serde_json::json;
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// The guide's families: name, type, labels.
const FAMILIES: [(&str, &str, &[&str]); 4] = [
    ("cliproxy_requests_total", "counter", &["model", "provider", "status"]),
    ("cliproxy_errors_total", "counter", &["error_type", "provider"]),
    ("cliproxy_tokens_total", "counter", &["model", "provider", "type"]),
    ("cliproxy_request_duration_seconds", "histogram", &["provider"]),
];

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_families_have_the_guides_labels_on_both_ports() {
    let port = free_port();
    let config = Config::new().set(&["metrics"], json!({"enabled": true, "port": port, "path": "/scrape"}));
    let (_gateway, client, mock) = that_has_served(config).await;
    let extra = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    assert_eq!(extra.get("/metrics").await.status, 404);
    for (client, path) in [(&client, "/metrics"), (&extra, "/scrape")] {
        let answer = client.get(path).await;
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let samples = Samples::parse(answer.text());
        for (name, kind, labels) in FAMILIES {
            // The type is declared for the family, whose name a counter's samples have with a suffix.
            let declared = samples.kinds().get(name).or(samples.kinds().get(name.trim_end_matches("_total")));
            assert_eq!(declared.map(String::as_str), Some(kind), "{name}");
            let (sample, labels) = match kind {
                "histogram" => (format!("{name}_bucket"), labels.iter().copied().chain(["le"]).collect()),
                _ => (name.to_owned(), labels.iter().copied().collect::<BTreeSet<_>>()),
            };
            assert_eq!(samples.labels(&sample), labels, "{name}");
        }
        let totals = mock.totals();
        let tokens = |kind| samples.sum("cliproxy_tokens_total", &[("type", kind)]);
        assert_eq!(tokens("input"), totals.input_tokens as f64);
        assert_eq!(tokens("output"), totals.output_tokens as f64);
        assert_eq!(samples.sum("cliproxy_requests_total", &[("status", "success"), ("model", "m")]), 8.0);
        assert_eq!(
            samples.sum("cliproxy_requests_total", &[("status", "error"), ("provider", "anthropic")]),
            1.0
        );
        let refused = [("provider", "anthropic"), ("error_type", "invalid_request")];
        assert_eq!(samples.sum("cliproxy_errors_total", &refused), 1.0);
        assert_eq!(samples.sum("cliproxy_request_duration_seconds_count", &[]), 8.0);
        let open = [("provider", "openai"), ("le", "+Inf")];
        assert_eq!(samples.sum("cliproxy_request_duration_seconds_bucket", &open), 4.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_clients_make_up_do_not_become_labels() {
    let (_gateway, client, _mock) = that_has_served(Config::new()).await;
    let before = Samples::parse(client.get("/metrics").await.text());
    for number in 0..50 {
        let body = format!(r#"{{"model":"made-up-{number}","messages":[]}}"#);
        assert_eq!(client.post("/v1/chat/completions", body).await.status, 404);
    }
    let answer = client.get("/metrics").await;
    assert!(!answer.text().contains("made-up"), "{}", answer.text());
    let after = Samples::parse(answer.text());
    let errors = |samples: &Samples| samples.sum("cliproxy_requests_total", &[("status", "error")]);
    assert_eq!(errors(&after), errors(&before) + 50.0);
}
