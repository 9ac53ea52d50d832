//! Which node of a pair serves.

use super::harness::*;
use cliproxy_proto::v1::{HoldRequest, HoldResponse, role_client::RoleClient};
use std::time::Duration;
use tonic::{Code, Status};

const PAIR: &str = "http://proxy2:8317";

fn asks(node: &str) -> HoldRequest {
    HoldRequest {
        node_id: node.into(),
        pair: PAIR.into(),
        ttl_ms: 30_000,
        primary: node == "primary",
        ..HoldRequest::default()
    }
}

async fn hold(plane: &Plane, request: HoldRequest) -> Result<HoldResponse, Status> {
    RoleClient::new(plane.as_node().await).hold(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn one_node_has_the_role_until_it_gives_it_up() {
    let plane = Plane::start().await;
    let first = hold(&plane, asks("primary")).await.unwrap();
    assert_eq!((first.held, first.holder.as_str(), first.epoch), (true, "primary", 1));
    let other = hold(&plane, asks("backup")).await.unwrap();
    assert_eq!((other.held, other.holder.as_str()), (false, "primary"));
    let elsewhere = hold(&plane, HoldRequest { pair: "another".into(), ..asks("backup") }).await.unwrap();
    assert!(elsewhere.held, "another pair is another role");

    let given_up = hold(&plane, HoldRequest { release: true, ..asks("primary") }).await.unwrap();
    assert_eq!((given_up.held, given_up.holder.as_str()), (false, ""));
    let next = hold(&plane, asks("backup")).await.unwrap();
    assert_eq!((next.held, next.epoch), (true, 2));
    let refused = hold(&plane, HoldRequest { release: true, ..asks("primary") }).await.unwrap();
    assert_eq!((refused.held, refused.holder.as_str()), (false, "backup"), "nobody gives up what he has not");
}

#[tokio::test]
async fn a_role_that_nobody_renews_is_free_after_its_time() {
    let plane = Plane::start().await;
    assert!(hold(&plane, HoldRequest { ttl_ms: 50, ..asks("primary") }).await.unwrap().held);
    let taken = async {
        while !hold(&plane, asks("backup")).await.unwrap().held {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, taken).await.expect("the role is free");
}

#[tokio::test]
async fn a_backup_hears_that_the_primary_wants_the_role_back_once_that_is_well_for_long_enough() {
    let plane = Plane::start().await;
    assert!(!hold(&plane, asks("backup")).await.unwrap().wanted_back, "nobody waits");
    let young = hold(&plane, asks("primary")).await.unwrap();
    assert!(!young.held);
    assert!(!hold(&plane, asks("backup")).await.unwrap().wanted_back, "the primary has only just come");
    // It may ask while the backup has a look.
    let wanted = async {
        loop {
            hold(&plane, HoldRequest { wants_back: true, ..asks("primary") }).await.unwrap();
            if hold(&plane, asks("backup")).await.unwrap().wanted_back {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, wanted).await.expect("the backup hears of it");
    hold(&plane, HoldRequest { release: true, ..asks("backup") }).await.unwrap();
    assert!(hold(&plane, asks("primary")).await.unwrap().held);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_without_the_store_nobody_has_a_role() {
    let plane = Plane::start().await;
    for wrong in [
        HoldRequest { node_id: String::new(), ..asks("primary") },
        HoldRequest { pair: String::new(), ..asks("primary") },
        HoldRequest { pair: "x".repeat(301), ..asks("primary") },
        HoldRequest { ttl_ms: 0, ..asks("primary") },
        HoldRequest { ttl_ms: 60_001, ..asks("primary") },
    ] {
        assert_eq!(hold(&plane, wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    plane.store.faults().set_unavailable(true);
    assert_eq!(hold(&plane, asks("primary")).await.unwrap_err().code(), Code::Unavailable);
}
