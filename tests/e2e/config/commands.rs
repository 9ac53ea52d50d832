//! The commands that look at configurations and at running nodes.

use crate::CLIPROXY;
use cliproxy_testkit::{Config, Launch, process::Finished};
use std::net::{Ipv4Addr, TcpListener};

async fn check(text: &str) -> Finished {
    Launch::new(CLIPROXY, "config check").config(text).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_file_is_called_sound_with_what_it_holds() {
    let config = Config::new()
        .provider("a", "openai", "http://127.0.0.1:1")
        .provider("b", "anthropic", "http://127.0.0.1:1")
        .alias("smart", &[("a", "m")]);
    let checked = check(&config.text()).await;
    assert!(checked.status.success(), "{}", checked.stderr);
    assert!(checked.stdout.ends_with("config.yaml is sound: 2 providers, 1 model"), "{}", checked.stdout);
    assert_eq!(checked.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_broken_file_is_told_with_its_place_and_no_secret() {
    let checked = check(
        "server:\n  lisen: \"127.0.0.1:1\"\n  drain_timeout: soon\nproviders:\n  a:\n    kind: openai\n    \
         api_key: sk-very-secret\n    weight: 0\nalerts: {}\n",
    )
    .await;
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(checked.stdout, "");
    for part in [
        "the configuration is refused",
        "config.yaml:2:3: unknown key `server.lisen`; did you mean `listen`?",
        "2 |   lisen: \"127.0.0.1:1\"",
        "  |   ^^^^^",
        "config.yaml:3:",
        "config.yaml:8:",
        "is not available yet",
    ] {
        assert!(checked.stderr.contains(part), "{part}: {}", checked.stderr);
    }
    assert!(!checked.stderr.contains("very-secret"), "{}", checked.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_example_is_sound_once_its_variables_are_set() {
    let printed = Launch::new(CLIPROXY, "config example").run().await;
    assert!(printed.status.success(), "{}", printed.stderr);
    let with_variables = |launch: Launch| {
        launch
            .env("CLIPROXY_ADMIN_TOKEN_SHA256", &"0".repeat(64))
            .env("ANTHROPIC_API_KEY", "a")
            .env("ANTHROPIC_API_KEY_2", "b")
            .env("OPENAI_API_KEY", "c")
    };
    let launch = || Launch::new(CLIPROXY, "config check").config(printed.stdout.as_str());
    let checked = with_variables(launch()).run().await;
    assert!(checked.status.success(), "{}", checked.stderr);
    let without = launch().run().await;
    assert_eq!(without.status.code(), Some(1));
    assert!(without.stderr.contains("OPENAI_API_KEY"), "{}", without.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_does_not_start_on_a_wrong_configuration() {
    for command in ["serve", "dataplane", "controlplane"] {
        let launch = Launch::new(CLIPROXY, command).config("providers:\n  unknown-name: {api_key: k}\n");
        let ended = launch.run().await;
        assert_eq!(ended.status.code(), Some(1), "{command}");
        assert!(ended.stderr.contains("config.yaml:2:"), "{command}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_says_by_its_exit_code_whether_the_node_lives() {
    let gateway = Launch::new(CLIPROXY, "serve").config(Config::new()).ready().await;
    let ask = |address: String| Launch::new(CLIPROXY, "healthcheck").arg("--listen").arg(address).run();
    let healthy = ask(gateway.address().await.to_string()).await;
    assert_eq!((healthy.status.code(), healthy.stdout.as_str()), (Some(0), "healthy"));
    // A port that was free a moment ago, and that nobody here will take.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let gone = ask(free.to_string()).await;
    assert_eq!(gone.status.code(), Some(1));
    assert!(gone.stderr.contains(&free.to_string()), "{}", gone.stderr);
}
