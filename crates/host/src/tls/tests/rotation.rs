//! Certificates are replaced while connections are made and open.

use super::{
    super::{Expiry, Tls},
    authority::{Authority, DAY, Leaf, Process, leaf, write},
    handshakes::{CP, DP, shake},
};
use crate::Connection;
use prometheus_client::{encoding::text::encode, registry::Registry};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// Has a process look at its files, for as long as this is there.
struct Followed(
    #[expect(dead_code, reason = "it ends the task when it is dropped")] tokio_util::sync::DropGuard,
);

fn follow(tls: &Arc<Tls>) -> Followed {
    let (tls, shutdown) = (Arc::clone(tls), CancellationToken::new());
    let guard = shutdown.clone().drop_guard();
    tokio::spawn(async move { tls.follow(shutdown).await });
    Followed(guard)
}

/// Lets more time pass than a look at the files needs. The clock is paused: nobody waits.
async fn look() {
    tokio::time::sleep(Duration::from_secs(12)).await;
}

fn metrics(tls: &Tls) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    tls.metrics().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text
}

fn renew(process: &Process, authority: &Authority, leaf: &Leaf) {
    let (cert, key) = authority.sign(leaf);
    write(&process.disk, "cert", &cert);
    write(&process.disk, "key", &key);
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_survives_and_new_ones_show_the_new_certificate() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let _following = follow(&client.tls);
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (accepted, secured) = tokio::join!(
        server.tls.accept(Connection::new(ours)),
        client.tls.secure(Connection::new(theirs), "any.name"),
    );
    let ((mut at_server, first), mut at_client) = (accepted.unwrap(), secured.unwrap());

    let renewed = Leaf { valid: (-60, 30 * DAY), ..leaf(DP) };
    renew(&client, &authority, &renewed);
    look().await;

    at_client.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    at_server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    let second = shake(&server.tls, &client.tls).await.0.unwrap();
    let days =
        |validity: super::super::Validity| validity.not_after.since(validity.not_before).as_secs() / 86_400;
    assert_eq!((days(first.validity), days(second.validity)), (7, 30));
    let shown = metrics(&client.tls);
    assert!(shown.contains(r#"tls_reloads_total{result="renewed"} 1"#), "{shown}");
    let not_after = second.validity.not_after.0 / 1000;
    assert!(
        shown.contains(&format!(r#"tls_certificate_not_after_timestamp_seconds{{file="cert"}} {not_after}"#)),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn signers_are_replaced_in_three_steps_and_nobody_is_cut_off_at_any() {
    let (old, new) = (Authority::new("ca"), Authority::new("ca"));
    let (server, client) = (old.process(CP), old.process(DP));
    let _following = [follow(&server.tls), follow(&client.tls)];
    let talk = async || {
        let (accepted, connected) = shake(&server.tls, &client.tls).await;
        accepted.unwrap();
        connected.unwrap();
    };
    let both = format!("{}{}", old.pem(), new.pem());
    write(&client.disk, "ca", &both);
    look().await;
    talk().await;
    write(&server.disk, "ca", &both);
    look().await;
    talk().await;
    renew(&server, &new, &leaf(CP));
    look().await;
    talk().await;
    renew(&client, &new, &leaf(DP));
    look().await;
    talk().await;
    for process in [&server, &client] {
        write(&process.disk, "ca", &new.pem());
        look().await;
        talk().await;
    }
    // Whoever has not moved is not let in any more.
    let stayed = old.process(DP);
    write(&stayed.disk, "ca", &both);
    let stayed = Process::start(stayed.disk).unwrap();
    assert!(shake(&server.tls, &stayed.tls).await.0.is_err());
}

#[tokio::test(start_paused = true)]
async fn files_that_cannot_be_used_change_nothing_and_are_told_until_they_can() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let _following = follow(&client.tls);
    let (good_cert, _) = authority.sign(&leaf(DP));
    for (cert, wanted) in [
        ("corrupt".to_owned(), "holds no certificate"),
        (good_cert, "is not the key of"),
        (authority.sign(&leaf(CP)).0, "it must be of a node"),
        (Authority::new("other").sign(&leaf(DP)).0, ""),
    ] {
        write(&client.disk, "cert", &cert);
        look().await;
        let refused = client.tls.refused().expect("it must be refused");
        assert!(refused.contains(wanted), "{refused}");
        shake(&server.tls, &client.tls).await.1.unwrap();
        assert!(metrics(&client.tls).contains("tls_files_refused 1"));
    }
    renew(&client, &authority, &leaf(DP));
    look().await;
    assert_eq!(client.tls.refused(), None);
    assert!(metrics(&client.tls).contains("tls_files_refused 0"));
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_must_hold_now_and_be_of_the_same_process() {
    let authority = Authority::new("ca");
    let client = authority.process(DP);
    let _following = follow(&client.tls);
    let before = client.tls.own();
    for (new, wanted) in [
        (Leaf { valid: (-2 * DAY, -60), ..leaf(DP) }, "has expired already"),
        (Leaf { valid: (DAY, 2 * DAY), ..leaf(DP) }, "does not hold yet"),
        (leaf("spiffe://test/cliproxy/dp/n2"), "restart it to change its name"),
    ] {
        renew(&client, &authority, &new);
        look().await;
        let refused = client.tls.refused().expect("it must be refused");
        assert!(refused.contains(wanted), "{refused}");
        assert_eq!(client.tls.own(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_that_does_not_hold_yet_is_taken_once_it_does() {
    let authority = Authority::new("ca");
    let client = authority.process(DP);
    let _following = follow(&client.tls);
    // The signer's clock is ahead of this machine's.
    renew(&client, &authority, &Leaf { valid: (120, 30 * DAY), ..leaf(DP) });
    for _ in 0..2 {
        look().await;
        assert!(client.tls.refused().expect("it must be refused").contains("does not hold yet"));
    }
    let shown = metrics(&client.tls);
    assert!(shown.contains(r#"tls_reloads_total{result="refused"} 1"#), "told once: {shown}");
    client.clock.move_by(180);
    look().await;
    assert_eq!(client.tls.refused(), None);
    let shown = metrics(&client.tls);
    assert!(shown.contains(r#"result="renewed"} 1"#) && shown.contains("tls_files_refused 0"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_whose_key_follows_a_moment_later_is_taken_without_a_fault() {
    let authority = Authority::new("ca");
    let client = authority.process(DP);
    let _following = follow(&client.tls);
    let (cert, key) = authority.sign(&Leaf { valid: (-60, 30 * DAY), ..leaf(DP) });
    // The look is at ten seconds.
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    write(&client.disk, "cert", &cert);
    tokio::time::sleep(Duration::from_millis(500)).await;
    write(&client.disk, "key", &key);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let shown = metrics(&client.tls);
    assert!(shown.contains(r#"result="renewed"} 1"#) && shown.contains(r#"result="refused"} 0"#), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_runs_out_is_refused_from_then_on_and_taken_again_once_renewed() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let _following = follow(&client.tls);
    let days = |days: i64| {
        for process in [&server, &client] {
            process.clock.move_by(days * DAY);
        }
        client.tls.own().validity.expiry(crate::Clock::wall(&*client.clock))
    };
    assert_eq!([days(0), days(6), days(2)], [Expiry::Far, Expiry::Soon, Expiry::Expired]);
    renew(&server, &authority, &Leaf { valid: (-60, 30 * DAY), ..leaf(CP) });
    let server = Process::start(server.disk).unwrap();
    server.clock.move_by(8 * DAY);
    let (accepted, connected) = shake(&server.tls, &client.tls).await;
    assert!(accepted.unwrap_err().to_string().contains("expired"));
    assert!(connected.is_err());
    renew(&client, &authority, &Leaf { valid: (-60, 30 * DAY), ..leaf(DP) });
    look().await;
    shake(&server.tls, &client.tls).await.1.unwrap();
}
