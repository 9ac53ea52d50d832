//! Asking the REST interface.

use crate::cli::Asked;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

/// How long an answer may take: a node waits for its control plane, and that for the nodes.
const WITHIN: Duration = Duration::from_secs(45);
/// The largest answer that is read, in bytes.
const MOST: usize = 64 * 1024 * 1024;

/// Whom is asked, and as who.
pub(super) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    r#type: String,
    message: String,
}

impl Api {
    pub(super) fn new(asked: &Asked) -> anyhow::Result<Self> {
        let uri: Uri = asked.url.parse().with_context(|| format!("--url is {:?}", asked.url))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            bail!("--url is {:?}; give it as http://127.0.0.1:8317", asked.url);
        }
        if let Some(file) = asked.ca_file.as_ref().filter(|_| uri.scheme_str() == Some("http")) {
            bail!(
                "--ca-file is {}, and --url is {:?}, where nobody shows a certificate; give an https:// address, or leave \
                 the file out",
                file.display(),
                asked.url
            );
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector(asked.ca_file.as_deref())?),
            url: asked.url.trim_end_matches('/').to_owned(),
            token: asked.token.clone().filter(|token| !token.is_empty()),
        })
    }

    /// Gets a path under `/v0/operations/`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Posts a body of JSON to a path under `/v0/operations/`.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Bytes> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
        let uri = format!("{}/v0/operations/{path}", self.url);
        let mut request = Request::builder().method(method).uri(&uri);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).with_context(|| format!("{uri} cannot be asked"))?;
        let asking = async {
            let response = self.client.request(request).await.map_err(anyhow::Error::from)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
            anyhow::Ok((status, body))
        };
        let (status, body) = tokio::time::timeout(WITHIN, asking)
            .await
            .with_context(|| format!("{} did not answer within {WITHIN:?}", self.url))?
            .with_context(|| {
                let remedy = match self.url.starts_with("https") {
                    true => "give its address as --url, and with a CA of your own that one's certificate as --ca-file",
                    false => "give its address as --url",
                };
                format!("{} could not be asked; is it running there? {remedy}", self.url)
            })?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }
}

/// Says what the other side said.
fn refused(status: StatusCode, body: &[u8]) -> anyhow::Error {
    match serde_json::from_slice::<Refused>(body) {
        Ok(Refused { error: Reason { r#type, message } }) => {
            anyhow::anyhow!("{message} ({}, {})", status.as_u16(), r#type)
        }
        Err(_) => anyhow::anyhow!("the answer is {status}, and not one of cliproxy's; check --url"),
    }
}

/// Makes what connects: to those that the public CAs sign for, or those of a file.
fn connector(ca_file: Option<&Path>) -> anyhow::Result<HttpsConnector<HttpConnector>> {
    let roots = match ca_file {
        Some(file) => roots_of(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build())
}

/// Reads who signs for the other side.
fn roots_of(file: &Path) -> anyhow::Result<RootCertStore> {
    let path = file.display();
    let pem = std::fs::read(file).with_context(|| format!("--ca-file {path} cannot be read"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.with_context(|| format!("--ca-file {path} is not PEM"))?;
        roots
            .add(certificate)
            .with_context(|| format!("--ca-file {path} holds a certificate that cannot be used"))?;
    }
    if roots.is_empty() {
        bail!(
            "--ca-file {path} holds no certificate; give a PEM file with the one that signed the other side's"
        );
    }
    Ok(roots)
}

/// Reads an answer.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> anyhow::Result<T> {
    serde_json::from_slice(body)
        .context("the answer is not understood; use the ctl of the version that answers, or --json")
}

/// Writes a name as a part of a path or a query.
pub(super) fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
