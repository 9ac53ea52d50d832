//! Files that say what the tests expect.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

/// Fails unless the files are those of `told`, by their paths below `fixtures/`, and no others. Writes them where
/// `UPDATE_GOLDEN` is set.
pub(super) fn compare(told: BTreeMap<String, String>) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        return update(&root, &told);
    }
    let mut complaints = Vec::new();
    for (name, text) in &told {
        match fs::read_to_string(root.join(name)) {
            Err(_) => complaints.push(format!("{name} is missing")),
            Ok(expected) if expected != *text => {
                complaints.push(format!("{name}: {}", difference(&expected, text)));
            }
            Ok(_) => {}
        }
    }
    let unreferenced = found(&root).into_iter().filter(|name| !told.contains_key(name));
    complaints.extend(unreferenced.map(|name| format!("{name} belongs to no recording")));
    assert!(complaints.is_empty(), "{} files differ:\n{}", complaints.len(), complaints.join("\n"));
}

fn update(root: &Path, told: &BTreeMap<String, String>) {
    for name in found(root).into_iter().filter(|name| !told.contains_key(name)) {
        fs::remove_file(root.join(name)).unwrap();
    }
    for (name, text) in told {
        fs::write(root.join(name), text).unwrap();
    }
}

/// Lists the files that are there.
fn found(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["openai-chat", "openai-responses", "anthropic", "gemini"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".snap") {
                names.insert(format!("{folder}/{name}"));
            }
        }
    }
    names
}

/// Shows the first line that differs.
fn difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((at, (expected, actual))) => {
            format!("line {}\n  expected {expected}\n  but was  {actual}", at + 1)
        }
        None => format!("{} lines expected, {} there", expected.lines().count(), actual.lines().count()),
    }
}
