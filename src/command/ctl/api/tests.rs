use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

fn asked(url: &str, ca_file: Option<PathBuf>) -> Asked {
    Asked { url: url.to_owned(), token: None, ca_file }
}

/// Makes a CA of nobody else's, and has a server that it signed for answer every request with `{}`. Gives its address and
/// the CA's certificate in PEM.
async fn served_under_a_private_ca() -> (String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let own = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&own, &Issuer::new(params, key)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(own.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((connection, _)) = listener.accept().await {
            // Whoever does not trust it hangs up.
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let mut request = [0; 4_096];
            let _ = connection.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = connection.write_all(answer).await;
            let _ = connection.shutdown().await;
        }
    });
    (url, ca)
}

fn written(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[tokio::test]
async fn whom_a_private_ca_signed_for_is_asked_with_its_certificate_and_with_no_other() {
    let folder = TempDir::new().unwrap();
    let (url, ca) = served_under_a_private_ca().await;
    let (_, another) = served_under_a_private_ca().await;
    let (file, other) = (written(&folder, "ca.pem", &ca), written(&folder, "other.pem", &another));
    let answer = Api::new(&asked(&url, Some(file))).unwrap().get("nodes").await.unwrap();
    assert_eq!(answer, "{}");
    for unfit in [None, Some(other)] {
        let error = Api::new(&asked(&url, unfit)).unwrap().get("nodes").await.unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("--ca-file") && told.contains("invalid peer certificate"), "{told}");
    }
}

#[test]
fn a_ca_file_that_is_of_no_use_is_told_with_what_to_give() {
    let folder = TempDir::new().unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let refused = |url: &str, file: PathBuf| match Api::new(&asked(url, Some(file))) {
        Ok(_) => panic!("it is taken"),
        Err(error) => format!("{error:#}"),
    };
    for (file, part) in [
        (folder.path().join("missing.pem"), "cannot be read"),
        (written(&folder, "empty.pem", ""), "holds no certificate; give a PEM file"),
        (written(&folder, "broken.pem", broken), "is not PEM"),
    ] {
        let told = refused("https://127.0.0.1:1", file);
        assert!(told.starts_with("--ca-file ") && told.contains(part), "{told}");
    }
    let told = refused("http://127.0.0.1:1", "ca.pem".into());
    assert!(told.contains("give an https:// address, or leave the file out"), "{told}");
}

#[test]
fn names_are_encoded_whatever_they_hold() {
    assert_eq!(encoded("my client/é?&=+ ~"), "my%20client%2F%C3%A9%3F%26%3D%2B%20~");
}

#[test]
fn what_is_no_address_is_refused() {
    for url in ["", "127.0.0.1:8317", "ftp://x", "http://"] {
        assert!(Api::new(&asked(url, None)).is_err(), "{url:?}");
    }
}
