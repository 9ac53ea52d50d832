//! What a primary cannot serve goes to its backup, once.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{CHAT, Script, Step, chat, chunk, chunked_events, document, limited, send},
};
use cliproxy_dataplane::{FailoverSettings, Part, Way};
use cliproxy_domain::ProviderKind;
use cliproxy_host::{Clock as _, SystemClock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CHAT_PATH: &str = "/v1/chat/completions";
const ASK: &str = r#"{"model":"m"}"#;
const STREAM: &str = r#"{"model":"m","stream":true}"#;
/// What a waiting backup says of its health.
const WELL: &str = r#"{"status":"ok","node":"node-2","role":"passive","draining":false}"#;

fn primary() -> Option<FailoverSettings> {
    Some(FailoverSettings {
        way: Way::Pair {
            name: "http://backup".to_owned(),
            part: Part::Primary,
            other: Some("http://backup".to_owned()),
        },
        check_interval: Duration::from_secs(10),
        timeout: Duration::from_secs(30),
        shares_control_plane: false,
    })
}

/// A primary whose only provider rests for a minute after one request, and a backup that is asked for its health first
/// and answers everything else with `answers`.
async fn pair(net: &MemoryNet, answers: Vec<Vec<Step>>) -> (Node, Script, Script) {
    let up = Script::play(net, "up", vec![limited(60)]);
    let health = vec![document("200 OK", WELL)];
    let backup = Script::play(net, "backup", health.into_iter().chain(answers).collect());
    let node = Node::start_among(net, in_turn(vec![provider("up", ProviderKind::OpenAi)]), primary()).await;
    while backup.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The answer to the check has to be read as well.
    tokio::time::sleep(Duration::from_millis(10)).await;
    (node, up, backup)
}

/// Gives the requests that are no checks and no words about rests.
fn asked(backup: &Script) -> Vec<String> {
    let of_clients = |request: &String| request.starts_with("POST /v1/");
    backup.requests().into_iter().filter(of_clients).collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_for_which_everything_is_out_is_answered_by_the_backup_as_the_client_sent_it() {
    let net = MemoryNet::new();
    let (node, up, backup) = pair(&net, vec![chat()]).await;
    let mut request = post("/v1/chat/completions?beta=1", ASK);
    for (name, value) in [
        ("authorization", "Bearer the-clients-own"),
        ("x-request-id", "mine-1"),
        ("idempotency-key", "once"),
        ("x-session-id", "s"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = Answer::read(node.open(request).await).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, CHAT));
    assert_eq!(answer.headers["x-cliproxy-served-by"], "backup");
    assert_eq!(answer.headers["x-request-id"], "mine-1");
    assert_eq!(up.requests().len(), 1, "its own provider was tried first");
    let asked = asked(&backup);
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions?beta=1 HTTP/1.1\r\n"), "{head}");
    for line in [
        "authorization: Bearer the-clients-own",
        "x-request-id: mine-1",
        "idempotency-key: once",
        "x-session-id: s",
        "x-cliproxy-hop: 1",
        "host: backup",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    assert!(head.contains("x-cliproxy-elapsed-ms: "), "{head}");
    assert_eq!(body, ASK);
    assert_eq!(node.metric("cliproxy_forwarded_total{result=\"answered\"}"), 1);
    assert!(!node.metrics().contains("cliproxy_requests_total{provider=\"none\""), "{}", node.metrics());
}

#[tokio::test(start_paused = true)]
async fn what_rests_already_is_not_called_before_the_backup_is() {
    let net = MemoryNet::new();
    let (node, up, backup) = pair(&net, vec![chat()]).await;
    for _ in 0..3 {
        assert_eq!(node.ask(CHAT_PATH, ASK).await.status, 200);
    }
    assert_eq!((up.requests().len(), asked(&backup).len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_handed_on_is_not_handed_on_again() {
    let net = MemoryNet::new();
    let (node, _, backup) = pair(&net, vec![chat()]).await;
    let mut request = post(CHAT_PATH, ASK);
    request.headers_mut().insert("x-cliproxy-hop", "1".parse().unwrap());
    let answer = Answer::read(node.open(request).await).await;
    assert_eq!(answer.status, 429);
    assert!(!answer.headers.contains_key("x-cliproxy-served-by"));
    assert!(asked(&backup).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_cannot_serve_either_leaves_the_client_with_the_first_refusal() {
    for (refusal, result) in [
        (limited(7), "refused"),
        (document("503 Service Unavailable", "{}"), "refused"),
        (document("403 Forbidden", "{}"), "refused"),
        (vec![], "unreachable"),
    ] {
        let net = MemoryNet::new();
        let (node, _, _backup) = pair(&net, vec![refusal]).await;
        let answer = node.ask(CHAT_PATH, ASK).await;
        assert_eq!(answer.status, 429, "{result}");
        assert_eq!(answer.headers["retry-after"], "60", "this node's own rest, not the backup's");
        assert!(!answer.headers.contains_key("x-cliproxy-served-by"));
        assert_eq!(node.metric(&format!("cliproxy_forwarded_total{{result=\"{result}\"}}")), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_the_client_is_told_in_the_backups_words() {
    let net = MemoryNet::new();
    let (node, ..) = pair(&net, vec![document("422 Unprocessable Entity", r#"{"error":"so"}"#)]).await;
    let answer = node.ask(CHAT_PATH, ASK).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (422, r#"{"error":"so"}"#));
    assert_eq!(node.metric("cliproxy_forwarded_total{result=\"answered\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_was_not_well_at_its_last_check_is_not_asked() {
    let net = MemoryNet::new();
    Script::play(&net, "up", vec![limited(60)]);
    let backup = Script::play(&net, "backup", vec![document("500 Internal Server Error", "")]);
    let node = Node::start_among(&net, in_turn(vec![provider("up", ProviderKind::OpenAi)]), primary()).await;
    while backup.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(node.ask(CHAT_PATH, ASK).await.status, 429);
    assert!(asked(&backup).is_empty());
    assert_eq!(node.metric("cliproxy_forwarded_total{result=\"unhealthy\"}"), 1);
    assert_eq!(node.metric("cliproxy_peer_up{peer=\"http://backup\"}"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_another_node_is_told_in_words_on_nodes() {
    let net = MemoryNet::new();
    let node = Node::start_among(&net, in_turn(vec![provider("up", ProviderKind::OpenAi)]), primary()).await;
    let mut said = serde_json::Value::Null;
    while !said["error"].is_string() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let told = node.get("/v0/operations/failover").await;
        said = serde_json::from_str::<serde_json::Value>(&told.body).unwrap()["peers"][0].take();
    }
    assert_eq!(said["error"], "no connection to the node", "{said}");
}

#[tokio::test(start_paused = true)]
async fn what_the_backup_says_of_its_answer_is_not_added_to() {
    let net = MemoryNet::new();
    Script::play(&net, "up", vec![limited(600)]);
    let own = [
        send(
            "HTTP/1.1 200 OK\r\nx-cliproxy-node: node-2\r\nx-cliproxy-config: 7\r\nconnection: close\r\n\r\n",
        ),
        send(CHAT),
    ];
    let checks = vec![document("200 OK", WELL); 8];
    let backup = Script::play(&net, "backup", checks.into_iter().chain([own.to_vec()]).collect());
    let providers = in_turn(vec![provider("up", ProviderKind::OpenAi)]);
    let node = Node::start_with(&net, providers, primary(), &["http://nowhere:8319"]).await;
    while backup.requests().len() < 8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let answer = node.ask(CHAT_PATH, ASK).await;
    assert_eq!(answer.headers["x-cliproxy-served-by"], "backup", "{answer:?}");
    assert_eq!(
        (&answer.headers["x-cliproxy-node"], &answer.headers["x-cliproxy-config"]),
        (&"node-2".parse().unwrap(), &"7".parse().unwrap())
    );
    assert!(!answer.headers.contains_key("x-cliproxy-control-plane"), "the backup has heard one: {answer:?}");
    let models = node.get("/v1/models").await;
    assert_eq!(models.headers["x-cliproxy-control-plane"], "stale", "this node has not");
}

#[tokio::test(start_paused = true)]
async fn streams_pass_through_and_break_as_they_break_there() {
    let net = MemoryNet::new();
    let whole = [chunked_events(), chunk("data: 1\n\n"), chunk("data: [DONE]\n\n"), send("0\r\n\r\n")];
    let (node, ..) = pair(&net, vec![whole.to_vec()]).await;
    let answer = node.ask(CHAT_PATH, STREAM).await;
    assert!(answer.complete);
    assert_eq!(answer.body, "data: 1\n\ndata: [DONE]\n\n");
    assert_eq!(answer.headers["x-cliproxy-served-by"], "backup");

    let net = MemoryNet::new();
    let (node, ..) = pair(&net, vec![vec![chunked_events(), chunk("data: 1\n\n")]]).await;
    let answer = node.ask(CHAT_PATH, STREAM).await;
    assert!(!answer.complete, "what broke there breaks here");
    assert_eq!(answer.body, "data: 1\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_falls_silent_in_its_answer_is_given_up_after_the_idle_timeout() {
    let net = MemoryNet::new();
    let (node, ..) = pair(&net, vec![vec![chunked_events(), chunk("data: 1\n\n"), Step::Hang]]).await;
    let asked = SystemClock.now();
    let answer = node.ask(CHAT_PATH, STREAM).await;
    assert!(!answer.complete);
    let took = (SystemClock.now() - asked).as_secs();
    assert!((120..=240).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_on_keeps_the_time_that_it_has_used_up() {
    let net = MemoryNet::new();
    Script::play(&net, "up", vec![vec![Step::Hang]]);
    let node = Node::start(&net, in_turn(vec![provider("up", ProviderKind::OpenAi)])).await;
    let mut request = post(CHAT_PATH, ASK);
    request.headers_mut().insert("x-cliproxy-hop", "1".parse().unwrap());
    // Ten minutes are the whole of its time.
    request.headers_mut().insert("x-cliproxy-elapsed-ms", "590000".parse().unwrap());
    let asked = SystemClock.now();
    assert_eq!(Answer::read(node.open(request).await).await.status, 504);
    let took = (SystemClock.now() - asked).as_secs();
    assert!((9..=11).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_the_backup_answered_is_in_the_record_of_the_request() {
    let net = MemoryNet::new();
    let (node, ..) = pair(&net, vec![chat()]).await;
    let mut request = post(CHAT_PATH, ASK);
    request.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    Answer::read(node.open(request).await).await;
    let told = node.get("/v0/operations/requests/mine-1").await;
    let record: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let record = &record["request"];
    assert_eq!((&record["outcome"], &record["served_by"]), (&"success".into(), &"backup".into()), "{record}");
    assert_eq!(record["attempts"][0]["outcome"], "rate_limit", "{record}");
}

/// A request whose head has come, and the rest of it; the node is told to stop in between. Gives its answer.
async fn asked_while_draining(net: &MemoryNet, node: Node, headers: &str) -> String {
    let mut connection = net.dial();
    let (first, rest) = ASK.split_at(4);
    let head = format!(
        "POST {CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n{headers}\
        content-length: {}\r\n\r\n{first}",
        ASK.len()
    );
    connection.write_all(head.as_bytes()).await.expect("the node reads");
    tokio::time::sleep(Duration::from_millis(10)).await;
    let stopping = tokio::spawn(node.stop());
    tokio::time::sleep(Duration::from_millis(10)).await;
    connection.write_all(rest.as_bytes()).await.expect("the node reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    assert_eq!(stopping.await.expect("no panic"), 0, "nothing is cut");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_hands_on_what_it_has_not_begun_although_it_could_serve_it() {
    // To a backup that takes the word that the node leaves, and to one that knows nothing of its being one.
    for goodbye in ["204 No Content", "404 Not Found"] {
        let net = MemoryNet::new();
        let (node, _, backup) = pair(&net, vec![document(goodbye, ""), chat()]).await;
        node.adopt(in_turn(vec![provider("well", ProviderKind::OpenAi)]));
        let well = Script::play(&net, "well", vec![chat()]);
        let answer = asked_while_draining(&net, node, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(CHAT), "{goodbye}: {answer}");
        assert!(answer.contains("x-cliproxy-served-by: backup\r\n"), "{goodbye}: {answer}");
        assert_eq!((well.requests().len(), asked(&backup).len()), (0, 1));
        assert_eq!(backup.requests().len(), 3, "{goodbye}: its health was never in doubt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_serves_what_its_backup_cannot_take() {
    for (answer, headers) in [(limited(7), ""), (chat(), "x-cliproxy-hop: 1\r\n")] {
        let net = MemoryNet::new();
        let (node, _, backup) = pair(&net, vec![document("204 No Content", ""), answer]).await;
        node.adopt(in_turn(vec![provider("well", ProviderKind::OpenAi)]));
        let well = Script::play(&net, "well", vec![chat()]);
        let answer = asked_while_draining(&net, node, headers).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(CHAT), "{answer}");
        assert!(!answer.contains("x-cliproxy-served-by"), "{answer}");
        assert_eq!((well.requests().len(), asked(&backup).len()), (1, usize::from(headers.is_empty())));
    }
}
