//! Connections that are encrypted, to the server that the certificate names and to no other.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

use cliproxy_store::Store;
use cliproxy_store_postgres::{PostgresStore, Settings};
use cliproxy_testkit::{Postgres, poll_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// Makes an authority and writes its certificate.
fn authority(folder: &Path, name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join(name), authority.pem()).unwrap();
    authority
}

/// Has the server speak TLS as `127.0.0.1`.
async fn encrypt(postgres: &Postgres, authority: &CertifiedIssuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        let file = postgres.data().join(name);
        fs::write(&file, text).unwrap();
        // Its own, and nobody else's.
        let version = postgres.data().join("PG_VERSION");
        for (program, mode) in
            [("chown", format!("--reference={}", version.display())), ("chmod", "600".to_owned())]
        {
            assert!(Command::new(program).arg(mode).arg(&file).status().unwrap().success());
        }
    }
    postgres.sql("postgres", "ALTER SYSTEM SET ssl = on");
    postgres.sql("postgres", "SELECT pg_reload_conf()");
    poll_until("TLS", Duration::from_secs(10), async || {
        (postgres.sql("postgres", "SHOW ssl") == "on").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_address_says_whom_to_trust() {
    let folder = TempDir::new().unwrap();
    let trusted = authority(folder.path(), "ca.pem");
    authority(folder.path(), "other.pem");
    let postgres = Postgres::launch();
    encrypt(&postgres, &trusted).await;
    let url = postgres.create_database("gateway", None);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let with = |mode: &str, root: &str| format!("{url}?sslmode={mode}&sslrootcert={}", file(root));
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'cliproxy' AND datname = 'gateway'";

    for mode in ["require", "verify-ca", "verify-full"] {
        let store = PostgresStore::open(&with(mode, "ca.pem")).await.unwrap();
        store.ping().await.unwrap();
        assert_eq!(postgres.sql("postgres", encrypted), "t", "{mode}");
        store.close().await;
    }
    let impatient = Settings { patience: Some(Duration::ZERO), ..Settings::default() };
    let named = with("verify-full", "ca.pem").replace("127.0.0.1", "localhost");
    for url in [with("verify-full", "other.pem"), with("verify-ca", "other.pem"), named] {
        let refused = PostgresStore::open_with(&url, impatient).await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("certificate"), "{refused}");
    }
}
