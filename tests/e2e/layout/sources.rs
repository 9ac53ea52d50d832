//! The sources of the repository, as a test reads them.

use std::{fs, path::Path};

/// One Rust file.
pub(super) struct Source {
    /// Its path from the root, with `/`.
    pub(super) path: String,
    text: String,
}

/// Folders that hold sources.
const PLACES: [&str; 7] = ["controlplane", "crates", "dataplane", "proto", "src", "tests", "xtask"];

/// Reads every Rust file below `root`.
pub(super) fn all(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    for place in PLACES {
        gather(root, &root.join(place), &mut sources);
    }
    assert!(sources.len() > 100, "only {} sources were found", sources.len());
    sources
}

fn gather(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the folder is read") {
        let path = entry.expect("the folder is read").path();
        if path.is_dir() {
            gather(root, &path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let path = path.strip_prefix(root).expect("it is below the root");
            let path = path.to_str().expect("paths are UTF-8").replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
}

impl Source {
    /// Tells whether the whole file is for tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
    }

    /// Counts its lines.
    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Gives its code without comments and without the tests at its end; nothing of a file of tests.
    pub(super) fn production(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let code = self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        without_comments(code)
    }

    /// Tells whether its code has `word` as the beginning of a path.
    pub(super) fn names(&self, word: &str) -> bool {
        let code = without_comments(&self.text);
        code.match_indices(word).any(|(at, _)| {
            !code[..at].ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | '"'))
        })
    }
}

fn without_comments(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
