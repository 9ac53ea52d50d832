//! Who is answered on the operators' listener.

use super::harness::*;
use crate::settings::{AdminToken, Role, Settings};
use cliproxy_host::{Connection, Listener, Net, SystemNet, net::NetFuture};
use cliproxy_proto::v1::{
    GetProviderStatusRequest, OrderKey, RecoverRequest, operations_client::OperationsClient,
};
use hyper::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{io, net::SocketAddr, sync::Arc};
use tonic::{Code, Request};

const STATUS: &str = "/v0/operations/providers/status";

/// A network on which every caller comes from another machine.
struct FarNet;

struct FarListener(Box<dyn Listener>);

impl Net for FarNet {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> NetFuture<'a, Connection> {
        SystemNet.connect(host, port)
    }

    fn listen(&self, address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(
            async move { Ok(Box::new(FarListener(SystemNet.listen(address).await?)) as Box<dyn Listener>) },
        )
    }
}

impl Listener for FarListener {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async move {
            let (connection, _) = self.0.accept().await?;
            Ok((connection, "203.0.113.5:40000".parse().unwrap()))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn with_token(token: &str) -> Settings {
    let sha256 = Sha256::digest(token).into();
    let admin_tokens = vec![AdminToken { name: "ops".into(), role: Role::Operator, sha256 }];
    Settings { admin_tokens, ..settings() }
}

#[tokio::test]
async fn without_tokens_another_machine_is_told_how_to_set_one() {
    let plane = Plane::start_with(settings(), memory(), Arc::new(FarNet)).await;
    let answer = plane.get(STATUS).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("set server.operations.admin_tokens"), "{message}");
    let mut grpc = OperationsClient::new(plane.as_operator().await);
    let refused = grpc.get_provider_status(GetProviderStatusRequest {}).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, message));
    assert_eq!(plane.get("/health").await.status, StatusCode::OK);
    assert_eq!(plane.get("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    plane.stop().await;
}

#[tokio::test]
async fn with_tokens_everybody_must_show_one() {
    for net in [Arc::new(FarNet) as Arc<dyn Net>, Arc::new(SystemNet)] {
        let plane = Plane::start_with(with_token("open sesame"), memory(), net).await;
        for token in [None, Some("open"), Some("")] {
            let answer = plane.rest(Method::GET, STATUS, token).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        assert_eq!(plane.rest(Method::GET, STATUS, Some("open sesame")).await.status, StatusCode::OK);
        assert_eq!(plane.get("/health").await.status, StatusCode::OK);
        plane.stop().await;
    }
}

#[tokio::test]
async fn grpc_takes_the_same_token() {
    let plane = Plane::start_with(with_token("open sesame"), memory(), Arc::new(FarNet)).await;
    let mut grpc = OperationsClient::new(plane.as_operator().await);
    let refused = grpc.get_provider_status(GetProviderStatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut request = Request::new(GetProviderStatusRequest {});
    request.metadata_mut().insert("authorization", "Bearer open sesame".parse().unwrap());
    assert!(grpc.get_provider_status(request).await.is_ok());
    plane.stop().await;
}

#[tokio::test]
async fn the_audit_log_names_the_token_that_a_change_was_made_with() {
    let plane = Plane::start_with(with_token("open sesame"), memory(), Arc::new(FarNet)).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let path = "/v0/operations/providers/claude/recover";
    assert_eq!(plane.rest(Method::POST, path, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(plane.rest(Method::POST, path, Some("open sesame")).await.status, StatusCode::OK);
    let mut grpc = OperationsClient::new(plane.as_operator().await);
    let key = Some(OrderKey { provider: "claude".into(), ..Default::default() });
    let mut request = Request::new(RecoverRequest { key, ..Default::default() });
    request.metadata_mut().insert("authorization", "Bearer open sesame".parse().unwrap());
    grpc.recover(request).await.unwrap();
    let log =
        plane.rest(Method::GET, "/v0/operations/audit?action=recovered", Some("open sesame")).await.json;
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "who was turned away changed nothing");
    for entry in entries {
        assert_eq!((&entry["actor"], &entry["from"]), (&json!("ops"), &json!("203.0.113.5")));
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_path_that_is_not_there_does_not_tell_strangers_so() {
    let plane = Plane::start_with(settings(), memory(), Arc::new(FarNet)).await;
    assert_eq!(plane.get("/nothing").await.status, StatusCode::FORBIDDEN);
    plane.stop().await;
}
