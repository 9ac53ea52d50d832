//! Who is let in, and who is talked to.

use super::{
    super::{HandshakeError, Presented, Tls, material::provider},
    authority::{Authority, DAY, Leaf, Process, leaf},
};
use crate::{Clock as _, Connection, SystemClock};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{ClientConfig, RootCertStore, version::TLS12};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

pub(super) const CP: &str = "spiffe://test/cliproxy/cp/a";
pub(super) const DP: &str = "spiffe://test/cliproxy/dp/n1";

pub(super) type Ends = (Result<Arc<Presented>, HandshakeError>, Result<(), String>);

/// Has two ends shake hands and the server say a word; gives what each came to.
pub(super) async fn shake(server: &Tls, client: &Tls) -> Ends {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let accepting = async {
        let (mut connection, presented) = server.accept(Connection::new(ours)).await?;
        let _ = connection.write_all(b"x").await;
        Ok(presented)
    };
    let connecting = async {
        let secured = client.secure(Connection::new(theirs), "any.name").await;
        let mut connection = secured.map_err(|error| error.to_string())?;
        // Whether the server takes our certificate shows here.
        connection.read_u8().await.map(|_| ()).map_err(|error| error.to_string())
    };
    tokio::join!(accepting, connecting)
}

/// Gives what the server says of a client whose certificate was made so.
async fn refusal(of: Leaf) -> String {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    replace_without_checks(&client, &authority.sign(&of));
    let (accepted, connected) = shake(&server.tls, &client.tls).await;
    assert!(connected.is_err(), "the client must be told");
    accepted.expect_err("it must be refused").to_string()
}

/// Has a process show a certificate that it would not take from its files.
fn replace_without_checks(process: &Process, (cert, key): &(String, String)) {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let certified = rustls::sign::CertifiedKey::from_der(chain, key, &provider()).unwrap();
    let old = process.tls.material();
    process.tls.swapped.current.store(Arc::new(super::super::material::Material {
        certified: Arc::new(certified),
        own: old.own.clone(),
        ca: old.ca,
        roots: Arc::clone(&old.roots),
        clients: Arc::clone(&old.clients),
        digest: old.digest,
    }));
}

#[tokio::test]
async fn both_ends_learn_who_the_other_is() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let (accepted, connected) = shake(&server.tls, &client.tls).await;
    assert_eq!(accepted.unwrap().identity.to_string(), DP);
    connected.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_signer_is_believed_by_neither_end() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (server, stranger) = (ours.process(CP), theirs.process(DP));
    let (accepted, connected) = shake(&server.tls, &stranger.tls).await;
    assert!(connected.unwrap_err().contains("not signed by anybody in control_plane.tls.ca"));
    // The client went away first: it does not believe the server either.
    assert!(accepted.is_err());
    let of_ours = ours.process(DP);
    replace_without_checks(&of_ours, &theirs.sign(&leaf(DP)));
    let (accepted, connected) = shake(&server.tls, &of_ours.tls).await;
    assert!(accepted.unwrap_err().to_string().contains("not signed by anybody in control_plane.tls.ca"));
    assert!(connected.unwrap_err().contains("UnknownCA"));
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let expired = refusal(Leaf { valid: (-2 * DAY, -1), ..leaf(DP) }).await;
    assert!(expired.contains("expired"), "{expired}");
    let early = refusal(Leaf { valid: (DAY, 2 * DAY), ..leaf(DP) }).await;
    assert!(early.contains("not valid yet"), "{early}");
}

#[tokio::test]
async fn a_certificate_of_another_role_domain_or_name_is_refused_with_what_it_is_of() {
    for (uri, wanted) in [
        (CP, "the certificate is of spiffe://test/cliproxy/cp/a; it must be of a node"),
        ("spiffe://other/cliproxy/dp/n1", "this process is of the trust domain test"),
        ("spiffe://test/ns/default/sa/n1", "is not the name of a node or control plane"),
    ] {
        let refused = refusal(leaf(uri)).await;
        assert!(refused.contains(wanted), "{refused}");
    }
    let nameless = refusal(Leaf { uris: vec![], ..leaf(DP) }).await;
    assert!(nameless.contains("it has 0 URI names"), "{nameless}");
    let two = refusal(Leaf { uris: vec![DP.to_owned(), CP.to_owned()], ..leaf(DP) }).await;
    assert!(two.contains("it has 2 URI names"), "{two}");
}

#[tokio::test]
async fn a_certificate_that_is_for_servers_alone_opens_no_connection() {
    let usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let refused = refusal(Leaf { usages, ..leaf(DP) }).await;
    assert!(refused.contains("usage"), "{refused}");
}

#[tokio::test]
async fn a_node_does_not_talk_to_another_node() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    replace_without_checks(&server, &authority.sign(&leaf(DP)));
    let (_, connected) = shake(&server.tls, &client.tls).await;
    let refused = connected.unwrap_err();
    assert!(refused.contains("it must be of a control plane"), "{refused}");
}

/// Connects as `config` says; gives what the server says of it.
async fn foreign(config: rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>) -> HandshakeError {
    let authority = Authority::new("ca");
    let server = authority.process(CP);
    // Believes the server, so that it is the server that decides.
    let mut roots = RootCertStore::empty();
    roots.roots.extend(server.tls.material().roots.roots.iter().cloned());
    let client =
        config.dangerous().with_custom_certificate_verifier(authority.process(DP).tls.swapped.clone());
    let client = client.with_no_client_auth();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let connecting = async {
        let mut stream =
            TlsConnector::from(Arc::new(client)).connect("any.name".try_into().unwrap(), theirs).await?;
        stream.read_u8().await
    };
    let (accepted, connected) = tokio::join!(server.tls.accept(Connection::new(ours)), connecting);
    assert!(connected.is_err(), "the client must be told");
    accepted.map(|(_, presented)| presented).expect_err("it must be refused")
}

#[tokio::test]
async fn whoever_shows_no_certificate_is_refused() {
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    assert!(matches!(foreign(config).await, HandshakeError::NoCertificate));
}

#[tokio::test]
async fn whoever_speaks_an_older_version_alone_is_refused() {
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS12]).unwrap();
    let error = foreign(config).await;
    assert!(matches!(error, HandshakeError::Version), "{error:?}");
}

#[tokio::test]
async fn plain_text_is_refused_with_what_to_do_at_either_end() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    theirs.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let error = server.tls.accept(Connection::new(ours)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, HandshakeError::NotTls) && error.to_string().contains("https://"), "{error}");

    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = client.tls.secure(Connection::new(ours), "any.name").await.map(|_| ()).unwrap_err();
    assert!(matches!(error, HandshakeError::NotTls), "{error}");
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_let_go_after_five_seconds() {
    let server = Authority::new("ca").process(CP);
    let (ours, _theirs) = tokio::io::duplex(64 * 1024);
    let began = SystemClock.now();
    let error = server.tls.accept(Connection::new(ours)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, HandshakeError::TimedOut), "{error}");
    assert_eq!(SystemClock.now() - began, super::super::HANDSHAKE);
}

#[tokio::test]
async fn sessions_are_not_resumed() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    shake(&server.tls, &client.tls).await.1.unwrap();
    // A resumed session would not look at the certificate again.
    client.clock.move_by(8 * DAY);
    server.clock.move_by(8 * DAY);
    assert!(shake(&server.tls, &client.tls).await.1.is_err());
}
