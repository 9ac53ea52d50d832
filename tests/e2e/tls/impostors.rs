//! A certificate says who speaks, whatever the messages say.

use super::fixture::{Certificates, shows};
use cliproxy_host::{
    Net as _, SystemClock, SystemDisk, SystemNet, Tls,
    tls::{Paths, Role},
};
use cliproxy_proto::v1::{
    BudgetClaim, Hello, LeaseUp, ObserveRequest, ReportHello, ReportUp, SyncUp, UrgentEvent, UrgentKind,
    quota_client::QuotaClient, report_up, sync_client::SyncClient, sync_up,
    telemetry_client::TelemetryClient,
};
use cliproxy_testkit::{Client, Config, PATIENCE};
use futures_util::stream;
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc};
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};

/// Connects as the node `n1`.
async fn connect(certificates: &Certificates, to: SocketAddr) -> Channel {
    let path = |name: &str| certificates.path().join(name).display().to_string();
    let paths = Paths { ca: path("ca.crt"), cert: path("node-n1.crt"), key: path("node-n1.key") };
    let tls = Tls::load(Arc::new(SystemDisk::new("")), paths, Role::Node, Arc::new(SystemClock));
    let tls = Arc::new(tls.expect("a certificate"));
    let connector = tower::service_fn(move |_: Uri| {
        let tls = Arc::clone(&tls);
        async move {
            let connection = SystemNet.connect(&to.ip().to_string(), to.port()).await?;
            tls.secure(connection, "any.name").await.map(TokioIo::new).map_err(std::io::Error::other)
        }
    });
    let endpoint = Endpoint::from_shared(format!("https://{to}")).expect("an address");
    endpoint.connect_with_connector(connector).await.expect("a connection")
}

/// Gives how a stream ended.
async fn end<T>(mut stream: Streaming<T>) -> Status {
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("it ended"),
                Err(status) => return status,
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it must end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cannot_speak_for_another_by_any_call() {
    let certificates = Certificates::make(&["n1"]).await;
    let control = certificates.control_plane(Config::new()).await;
    let operators = Client::new(control.operators().await);
    let channel = connect(&certificates, control.nodes().await).await;
    let (mut sync, mut telemetry) = (SyncClient::new(channel.clone()), TelemetryClient::new(channel.clone()));
    let mut quota = QuotaClient::new(channel);
    let other = || "n2".to_owned();

    let hello = Hello { node_id: other(), incarnation: 1, ..Hello::default() };
    let hello = SyncUp { message: Some(sync_up::Message::Hello(hello)) };
    let subscribed = end(sync.subscribe(stream::iter([hello])).await.expect("a stream").into_inner()).await;

    let hello = ReportHello { node_id: other(), incarnation: 1, oldest_unacked: 1 };
    let hello = ReportUp { message: Some(report_up::Message::Hello(hello)) };
    let reported = end(telemetry.report(stream::iter([hello])).await.expect("a stream").into_inner()).await;

    let event = UrgentEvent {
        event_id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        node_id: other(),
        kind: UrgentKind::RateLimited.into(),
        provider: "p".to_owned(),
        credential: "default".to_owned(),
        model: "m".to_owned(),
        error_type: "rate_limit".to_owned(),
        http_status: 429,
        ..UrgentEvent::default()
    };
    let told = end(telemetry.events(stream::iter([event])).await.expect("a stream").into_inner()).await;

    let observed = telemetry.observe(ObserveRequest { node_id: other(), ..ObserveRequest::default() }).await;
    let observed = observed.expect_err("it must be refused");

    let claim = |node_id: String| LeaseUp {
        req: 1,
        node_id,
        incarnation: 1,
        budgets: vec![BudgetClaim { want: 1_000, least: 1_000, ..BudgetClaim::default() }],
        rates: Vec::new(),
    };
    let claimed = quota.lease(stream::iter([claim(other())])).await.expect("a stream").into_inner();
    let claimed = end(claimed).await;

    for status in [subscribed, reported, told, observed, claimed] {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        assert!(status.message().contains("spiffe://cliproxy/cliproxy/dp/n1"), "{status}");
    }
    shows(&operators, "cliproxy_controlplane_impostors_total 5").await;
    let nodes = operators.get("/v0/operations/nodes").await.json();
    assert!(nodes["nodes"].get("n2").is_none(), "{nodes}");

    // As itself it is heard.
    let own = telemetry.observe(ObserveRequest { node_id: "n1".to_owned(), ..ObserveRequest::default() });
    own.await.expect("it is let in");
    let own = quota.lease(stream::iter([claim("n1".to_owned())])).await.expect("a stream").into_inner();
    assert_eq!(end(own).await.code(), Code::Ok, "it may claim for itself");
}
