//! The log has the guide's entry for every request, and never a secret.

use super::that_has_served;
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Config, Launch, PATIENCE, config::upstream_key, mock::Behaviour, mock::ErrorKind, poll_until, provider,
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn each_request_leaves_one_line_with_exactly_the_guides_fields() {
    let (gateway, ..) = that_has_served(Config::new()).await;
    let of_requests =
        |line: &Value| matches!(line["msg"].as_str(), Some("request_success" | "request_failed"));
    let written = || async {
        let lines: Vec<_> = gateway.log_lines().into_iter().filter(of_requests).collect();
        (lines.len() == 9).then_some(lines)
    };
    let lines = poll_until("nine lines of requests", PATIENCE, written).await;
    for line in &lines {
        let failed = line["msg"] == "request_failed";
        let mut fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        let mut expected =
            vec!["latency_ms", "level", "model", "msg", "provider", "request_id", "timestamp", "tokens"];
        if failed {
            expected.extend(["error_type", "status"]);
            expected.sort_unstable();
        }
        assert_eq!(fields, expected);
        // What is wrong with the request itself its client has to mend.
        assert_eq!(line["level"], if failed { "warn" } else { "info" });
        let tokens: Vec<_> = line["tokens"].as_object().unwrap().keys().collect();
        assert_eq!(tokens, ["input", "output"]);
        assert!(line["latency_ms"].is_u64() && line["tokens"]["input"].is_u64(), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        if !failed {
            assert!(line["tokens"]["output"].as_u64().unwrap() > 0, "{line}");
        }
    }
    let failed: Vec<_> = lines.iter().filter(|line| line["msg"] == "request_failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["error_type"], &failed[0]["provider"], &failed[0]["status"]),
        (&"invalid_request".into(), &"anthropic".into(), &400.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_keys_nor_texts_are_in_any_log_line_or_metric() {
    const CLIENT_KEY: &str = "sk-client-secret";
    const TEXT: &str = "the-words-of-the-user";
    let good = provider("good", Behaviour::Answer);
    let bad = provider("bad", Behaviour::error(ErrorKind::Auth));
    let mut config = Config::new().set(&["logging", "level"], "debug");
    for api in Api::ALL {
        let kind = api.kind();
        config = config.provider(kind, kind, &good.base_url());
        config = config.provider(&format!("{kind}-bad"), kind, &bad.base_url());
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    let mut sent = 0;
    for api in Api::ALL {
        for model in [format!("{}/m", api.kind()), format!("{}-bad/m", api.kind()), "unknown".into()] {
            let (path, body) = api.request(&model, true);
            let body = body.replace("\"hi\"", &format!("\"{TEXT}\""));
            assert!(body.contains(TEXT));
            // Sound requests, and one that is no JSON, whose refusal must not repeat it.
            for body in [body.clone(), body[..body.len() - 1].to_owned()] {
                let path = format!("{path}{}key={CLIENT_KEY}", if path.contains('?') { '&' } else { '?' });
                let call = client.json(&path, body).header("authorization", format!("Bearer {CLIENT_KEY}"));
                let answer = call.header("x-api-key", CLIENT_KEY).send().await.unwrap();
                for secret in [CLIENT_KEY, "sk-upstream-"] {
                    assert!(!answer.text().contains(secret), "{}", answer.text());
                }
                sent += 1;
            }
        }
    }
    let ended = || async {
        let lines = gateway.log_lines();
        let requests = lines.iter().filter(|line| line["request_id"].is_string());
        (requests.count() >= sent).then_some(lines.len())
    };
    assert!(poll_until("a line for each request", PATIENCE, ended).await > sent);
    let metrics = client.get("/metrics").await;
    let everything = [gateway.stdout().join("\n"), gateway.stderr(), metrics.text().to_owned()].concat();
    for secret in [CLIENT_KEY, TEXT, &upstream_key("openai"), &upstream_key("anthropic-bad"), "sk-upstream"] {
        let found = everything.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} was told");
    }
}
