//! What the documents name is there: the targets of links, and files of the repository.

use super::root;
use std::path::{Path, PathBuf};

/// Where files are named by their place in the repository, or by the end of it.
const NAMING: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs"];
/// What these endings name is a file.
const ENDINGS: [&str; 7] = [".rs", ".proto", ".py", ".yaml", ".toml", ".json", ".md"];
/// Files of the reader, and examples of names.
const ELSEWHERE: [&str; 4] = ["config.yaml", "node.yaml", "foo.rs", "mod.rs"];

#[test]
fn every_link_leads_somewhere() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
            let path = link.split('#').next().unwrap_or_default();
            let folder = page.parent().expect("a page is in a folder");
            let found = path.is_empty() || link.starts_with("https://") || folder.join(path).exists();
            assert!(found, "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn every_file_that_is_named_is_there() {
    let files = files(root());
    let there = |name: &str| files.iter().any(|file| file.ends_with(name));
    for (page, text) in pages() {
        for name in text.split('`').skip(1).step_by(2) {
            let name = name.trim_start_matches("./").trim_start_matches("~/");
            let is_file =
                ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.contains(['*', ' ', '…']);
            if is_file && !name.starts_with('.') && !ELSEWHERE.contains(&name) {
                assert!(there(name), "{}: there is no {name}", page.display());
            }
        }
    }
}

fn pages() -> Vec<(PathBuf, String)> {
    let listed = NAMING.iter().flat_map(|name| files(&root().join(name)));
    let pages = listed.filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    pages.map(|page| (page.clone(), std::fs::read_to_string(page).expect("a page"))).collect()
}

/// Gives a file, or the files below a folder, hidden ones and what is built left out.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry"));
    let seen = entries.filter(|entry| {
        let name = entry.file_name();
        name != "target" && !name.to_string_lossy().starts_with('.')
    });
    seen.flat_map(|entry| files(&entry.path())).collect()
}
