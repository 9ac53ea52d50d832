//! Certificates in a folder, and processes that have them.

use crate::CLIPROXY;
use cliproxy_domain::WallTime;
use cliproxy_host::{Clock as _, SystemClock};
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, Process, poll_until};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

pub const HOUR: i64 = 3600;

/// A folder of certificates: of the control plane `a` and of the nodes that were named.
pub struct Certificates(TempDir);

impl Certificates {
    pub async fn make(nodes: &[&str]) -> Self {
        let made = Self(tempfile::tempdir().expect("a folder"));
        made.command(nodes, false).await;
        made
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the command for the control plane and these nodes.
    pub async fn command(&self, nodes: &[&str], renew: bool) {
        let mut launch = Launch::new(CLIPROXY, "ctl certificates").arg("--dir").arg(self.text(""));
        launch = launch.arg("--control-plane").arg("a,127.0.0.1");
        for node in nodes {
            launch = launch.arg("--node").arg(*node);
        }
        let finished = if renew { launch.arg("--renew") } else { launch }.run().await;
        assert!(finished.status.success(), "{}", finished.stderr);
    }

    fn text(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Adds the files of a process, as `control-plane-a`, to its configuration.
    pub fn of(&self, base: &str, config: Config) -> Config {
        let (cert, key) = (self.text(&format!("{base}.crt")), self.text(&format!("{base}.key")));
        ["ca", "cert", "key"]
            .into_iter()
            .zip([self.text("ca.crt"), cert, key])
            .fold(config, |config, (name, path)| config.set(&["control_plane", "tls", name], path))
    }

    /// Replaces the certificate of a node by one that holds at other times: hours from now.
    pub fn sign(&self, node: &str, hours: (i64, i64)) {
        let read = |name: &str| std::fs::read_to_string(self.path().join(name)).expect("it is there");
        let mut ca = CertificateParams::default();
        ca.distinguished_name = DistinguishedName::new();
        ca.distinguished_name.push(DnType::OrganizationName, "cliproxy");
        let key = KeyPair::from_pem(&read("ca.key")).expect("a key");
        let id: String = ca.key_identifier(&key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        ca.distinguished_name.push(DnType::CommonName, format!("cliproxy CA {id}"));
        let issuer = Issuer::new(ca, key);

        let at = |hours: i64| {
            let WallTime(now) = SystemClock.wall();
            let seconds = u64::try_from(now / 1000 + hours * HOUR).expect("after 1970");
            date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (at(hours.0), at(hours.1));
        let uri = format!("spiffe://cliproxy/cliproxy/dp/{node}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("a URI"))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &issuer).expect("a certificate");
        let replace = |ending: &str, text: String| {
            let path: PathBuf = self.path().join(format!("node-{node}.{ending}"));
            std::fs::write(&path, text).expect("it can be written");
        };
        replace("crt", signed.pem());
        replace("key", key.serialize_pem());
    }

    /// Starts the control plane.
    pub async fn control_plane(&self, config: Config) -> Process {
        Launch::new(CLIPROXY, "controlplane").config(self.of("control-plane-a", config).text()).ready().await
    }

    /// Starts a node, and waits for nothing.
    pub fn node(&self, name: &str, control_plane: SocketAddr) -> Process {
        let config = self.of(&format!("node-{name}"), endpoint("https", control_plane));
        Launch::new(CLIPROXY, "dataplane").config(config.text()).start()
    }
}

/// A node's configuration, which says where its control plane is and no more.
pub fn endpoint(scheme: &str, control_plane: SocketAddr) -> Config {
    let endpoints = vec![format!("{scheme}://{control_plane}")];
    Config::new().set(&["control_plane", "endpoints"], endpoints)
}

/// Waits until the metrics of a process show this.
pub async fn shows(client: &Client, wanted: &str) {
    let shown = || async {
        let metrics = client.get("/metrics").await;
        metrics.text().lines().any(|line| line.contains(wanted)).then_some(())
    };
    poll_until(wanted, PATIENCE, shown).await;
}

/// Gives one number of the metrics of a process; 0 while there is none.
pub async fn count(client: &Client, series: &str) -> u64 {
    let metrics = client.get("/metrics").await;
    let line = metrics.text().lines().find(|line| line.starts_with(series)).map(str::to_owned);
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}
