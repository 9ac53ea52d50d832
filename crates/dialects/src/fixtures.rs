//! The recorded bodies and streams that the tests walk.

use cliproxy_domain::Dialect;
use std::{fs, path::PathBuf};

/// One recorded file.
pub(crate) struct Fixture {
    pub(crate) dialect: Dialect,
    /// The folder and the file's name, for messages and tables.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl std::fmt::Debug for Fixture {
    /// Names it: the bytes are in the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

const FOLDERS: [(Dialect, &str); 4] = [
    (Dialect::OpenAiChat, "openai-chat"),
    (Dialect::OpenAiResponses, "openai-responses"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Reads one file below `fixtures/`.
pub(crate) fn read(path: &str) -> Vec<u8> {
    fs::read(folder(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Lists the files of one folder whose names end with `suffix`, sorted.
pub(crate) fn names(folder_name: &str, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(folder_name))
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

/// Reads all files of the four dialects whose names end with `suffix`.
pub(crate) fn all(suffix: &str) -> Vec<Fixture> {
    let mut found = Vec::new();
    for (dialect, folder) in FOLDERS {
        for name in names(folder, suffix) {
            let name = format!("{folder}/{name}");
            found.push(Fixture { dialect, bytes: read(&name), name });
        }
    }
    assert!(!found.is_empty(), "no fixtures end with {suffix}");
    found
}

/// Cuts `bytes` at the given places, which are taken modulo the length.
pub(crate) fn chunks<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut start = 0;
    places
        .into_iter()
        .map(|end| {
            let chunk = &bytes[start..end];
            start = end;
            chunk
        })
        .collect()
}
