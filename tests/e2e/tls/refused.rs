//! Who is not let in, and what does not start.

use super::fixture::{Certificates, count, endpoint};
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, mock::Script, now, poll_until, provider};
use std::time::Duration;

const REFUSED: &str = "a connection is refused";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_foreign_certificate_is_refused_and_comes_back_ever_more_slowly() {
    let (ours, theirs) = (Certificates::make(&["n1"]).await, Certificates::make(&["n1"]).await);
    let mock = provider("p", Script::default());
    let config = Config::new().provider("p", "openai", &mock.base_url()).alias("fast", &[("p", "m")]);
    let control = ours.control_plane(config).await;
    let operators = Client::new(control.operators().await);

    // It believes both, so that it is the control plane that refuses.
    let read = |from: &Certificates| std::fs::read_to_string(from.path().join("ca.crt")).expect("a CA");
    std::fs::write(theirs.path().join("ca.crt"), format!("{}{}", read(&theirs), read(&ours)))
        .expect("a bundle");
    let stranger = theirs.node("n1", control.nodes().await);
    let line = control.wait_for_log(REFUSED, PATIENCE).await;
    assert_eq!(line["error"], "the certificate is not signed by anybody in control_plane.tls.ca");
    let line = stranger.wait_for_log("a control plane does not let this node in", PATIENCE).await;
    assert!(line["error"].as_str().is_some_and(|error| error.ends_with("UnknownCA")), "{line}");

    let began = now();
    let tried_for_a_while = || async { (now() - began > Duration::from_secs(5)).then_some(()) };
    poll_until("five seconds of tries", PATIENCE, tried_for_a_while).await;
    let refused = count(&operators, r#"cliproxy_tls_handshakes_total{side="server",result="refused"}"#).await;
    assert!((1..100).contains(&refused), "{refused} connections in about five seconds");

    // Nobody else is harmed.
    let ours = ours.node("n1", control.nodes().await);
    ours.ready().await;
    let (path, body) = Api::Chat.request("fast", false);
    assert_eq!(ours.client().await.post(&path, body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_the_clear_is_told_apart_from_one_without_a_certificate() {
    let certificates = Certificates::make(&["n1"]).await;
    let control = certificates.control_plane(Config::new()).await;
    let config = endpoint("http", control.nodes().await);
    let _plain = Launch::new(CLIPROXY, "dataplane").config(config.text()).start();
    let line = control.wait_for_log(REFUSED, PATIENCE).await;
    assert!(line["error"].as_str().is_some_and(|error| error.contains("an `https://` endpoint")), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_does_not_start_and_says_what_to_do() {
    let certificates = Certificates::make(&["n1"]).await;
    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let node = |base: &str| certificates.of(base, endpoint("https", nowhere));
    let plane = |base: &str| certificates.of(base, Config::new());
    for (subcommand, config, arguments, wanted) in [
        ("serve", plane("control-plane-a"), "", "`cliproxy serve` is both planes in one process"),
        ("dataplane", node("control-plane-a"), "", "it must be of a node: spiffe://"),
        ("controlplane", plane("node-n1"), "", "it must be of a control plane: spiffe://"),
        (
            "dataplane",
            node("node-n1"),
            "--node-name other",
            "the node's name is other, and its certificate is of n1",
        ),
    ] {
        let launch = Launch::new(CLIPROXY, subcommand).config(config.text());
        let finished =
            arguments.split_whitespace().fold(launch, |launch, argument| launch.arg(argument)).run().await;
        assert!(!finished.status.success() && finished.stderr.contains(wanted), "{}", finished.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_clear_beyond_this_machine_only_the_operators_word_starts_it_and_each_start_warns() {
    let open =
        || Launch::new(CLIPROXY, "controlplane").arg("--set").arg("control_plane.nodes_listen=\"0.0.0.0:0\"");
    let refused = open().config(Config::new().text()).run().await;
    assert!(
        !refused.status.success() && refused.stderr.contains("control_plane.allow_plaintext"),
        "{}",
        refused.stderr
    );
    let insisted = Config::new().set(&["control_plane", "allow_plaintext"], true);
    let control = open().config(insisted.text()).ready().await;
    control
        .wait_for_line("a warning", PATIENCE, |line| {
            line["msg"].as_str().is_some_and(|said| said.starts_with("nodes are listened for in the clear"))
        })
        .await;
}
