//! `auths_dir`: a folder of credential files, one credential a file.

use super::credential;
use crate::{
    error::Report,
    field::{Field, Findings},
    permission, schema,
    source::Source,
    tree::{self, Node},
};
use cliproxy_domain::{Credential, ProviderName};
use std::path::{Path, PathBuf};

/// The most files that are read.
const MAX_FILES: usize = 1_000;

/// The folder where credential files are looked for unless the file names another.
const DEFAULT_DIR: &str = "./auths";

/// A credential from a file of its own.
#[derive(Clone)]
pub struct AuthFile {
    /// The provider that it belongs to.
    pub provider: ProviderName,
    /// The credential.
    pub credential: Credential,
    node: Node,
}

impl AuthFile {
    /// Reports that the file names a provider that does not fit.
    pub fn refuse_provider(&self, findings: &Findings<'_>, message: &str) {
        let root = Field::root(&self.node, findings);
        root.child("provider").unwrap_or(root.clone()).refuse(message);
    }

    /// Reports that the credential's name is taken.
    pub fn refuse_name(&self, findings: &Findings<'_>, message: &str) {
        let root = Field::root(&self.node, findings);
        root.child("name").or_else(|| root.child("provider")).unwrap_or(root.clone()).refuse(message);
    }
}

/// Reads where the folder is. A folder that the file names must exist.
pub fn read_dir(root: &Field<'_>) -> PathBuf {
    let Some(field) = root.child("auths_dir") else { return PathBuf::from(DEFAULT_DIR) };
    let Some(text) = field.text() else { return PathBuf::from(DEFAULT_DIR) };
    let dir = PathBuf::from(text.value);
    if !dir.is_dir() {
        field.refuse(format!(
            "{} is not a folder that can be read; create it or remove the key",
            field.shown()
        ));
    }
    dir
}

/// Reads the credential files of `dir` in the order of their names. A folder that is not there has none.
pub fn read_files(dir: &Path, findings: &Findings<'_>) -> Vec<AuthFile> {
    let files = match credential_files(dir) {
        Ok(files) => files,
        Err(error) => {
            let message = format!("cannot read the folder of credentials {}: {error}", dir.display());
            findings.refuse(Report::unplaced(message));
            return Vec::new();
        }
    };
    if files.len() > MAX_FILES {
        let message = format!("{} has more than {MAX_FILES} credential files; move some away", dir.display());
        findings.refuse(Report::unplaced(message));
    }
    files.iter().take(MAX_FILES).filter_map(|path| read_file(path, findings)).collect()
}

/// Lists `*.yaml`, `*.yml` and `*.json`, except hidden files, which editors and mounts leave.
fn credential_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if matches!(extension, Some("yaml" | "yml" | "json")) && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file.
fn read_file(path: &Path, findings: &Findings<'_>) -> Option<AuthFile> {
    let parsed = Source::read(path).and_then(|source| tree::parse(&source));
    let node = match parsed {
        Ok(node) => node,
        Err(report) => {
            findings.refuse(report);
            return None;
        }
    };
    if permission::is_world_readable(path) {
        let path = path.display();
        findings
            .warn(format!("{path}: other users of this machine can read this key; run `chmod 600 {path}`"));
    }
    let root = Field::root(&node, findings);
    schema::check(&root, schema::CREDENTIAL_FILE_KEYS);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let provider = read_provider(&root);
    let credential = credential::read(&root, provider.as_ref().map(ProviderName::as_str), stem);
    Some(AuthFile { provider: provider?, credential: credential?, node })
}

fn read_provider(root: &Field<'_>) -> Option<ProviderName> {
    match root.child("provider") {
        Some(field) => field.text().map(|text| ProviderName::from(text.value)),
        None => {
            root.refuse("`provider` is missing; name the provider that the key belongs to");
            None
        }
    }
}
