//! Each block of YAML is a configuration, alone and with the others.

use super::{Gateway, Providers, gateway::named, section, yaml::merged};
use http::Method;

/// The sections whose blocks are served.
const SECTIONS: [&str; 3] = ["## Intelligent Cooldown", "## Load Balancing", "## Health Monitoring"];

fn all() -> Vec<String> {
    SECTIONS
        .iter()
        .flat_map(|heading| {
            section(heading).blocks("yaml").map(|block| block.text.clone()).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_yaml_is_served_as_it_stands() {
    let blocks = all();
    assert_eq!(blocks.len(), 9, "blocks of these sections");
    let providers = Providers::start();
    for block in blocks {
        println!("{block}");
        let gateway = Gateway::start(&providers, &block, &[]).await;
        let names = named(&block);
        for name in &names {
            let answer = gateway.ask_of(name).await;
            assert_eq!(answer.status, 200, "{}\n{block}", answer.text());
            assert_eq!(answer.header("x-cliproxy-provider"), *name);
        }
        let status = gateway.call(Method::GET, "/v0/operations/load_balancing/status").await;
        let known: Vec<_> = status["providers"].as_object().into_iter().flat_map(|all| all.keys()).collect();
        assert_eq!(known.len(), names.len(), "{known:?}\n{block}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_blocks_of_yaml_are_served_together() {
    let all = all();
    let text = merged(all.iter().map(String::as_str));
    let providers = Providers::start();
    let gateway = Gateway::start(&providers, &text, &[]).await;
    let status = gateway.call(Method::GET, "/v0/operations/load_balancing/status").await;
    // The last of the blocks that set it.
    assert_eq!(status["strategy"], "cost", "{status}");
    for (name, priority) in [("claude", 1), ("gemini", 2), ("openai", 3)] {
        assert_eq!(status["providers"][name]["priority"], priority, "{status}");
        assert_eq!(gateway.ask_of(name).await.status, 200);
    }
    let quotas = gateway.call(Method::GET, "/v0/operations/quotas").await;
    for (name, limit) in [("claude", 1e6), ("openai", 2e6)] {
        assert_eq!(quotas["quotas"][name]["limit"].as_f64(), Some(limit), "{quotas}");
    }
}
