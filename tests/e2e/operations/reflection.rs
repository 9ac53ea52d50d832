//! gRPC tools find the services by reflection, in the version that they know.

use crate::CLIPROXY;
use cliproxy_testkit::{Config, Launch};
use futures_util::stream;
use tonic::transport::Channel;
use tonic_reflection::pb::{v1, v1alpha};

const OPERATIONS: &str = "cliproxy.control.v1.Operations";

async fn v1_services(channel: Channel) -> Vec<String> {
    use v1::{server_reflection_request::MessageRequest, server_reflection_response::MessageResponse};
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let list = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(stream::iter([list])).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("no list of services: {other:?}"),
    }
}

async fn v1alpha_services(channel: Channel) -> Vec<String> {
    use v1alpha::{server_reflection_request::MessageRequest, server_reflection_response::MessageResponse};
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let list = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(stream::iter([list])).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("no list of services: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_reflection_list_the_operations() {
    let gateway = Launch::new(CLIPROXY, "controlplane").config(Config::new()).ready().await;
    let url = format!("http://{}", gateway.operators().await);
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    for services in [v1_services(channel.clone()).await, v1alpha_services(channel).await] {
        assert!(services.iter().any(|name| name == OPERATIONS), "{services:?}");
        assert!(services.iter().any(|name| name == "grpc.health.v1.Health"), "{services:?}");
    }
}
