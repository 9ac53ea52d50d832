//! `docs/reference/faults.md` names the test of each row of the failure matrix: they are there.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Gives the sources below a folder, together.
fn sources(folder: PathBuf) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all += &sources(path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all += &std::fs::read_to_string(&path).expect("a source");
        }
    }
    all
}

/// Gives the names of tests in a row of the table: in its column of tests, in backticks.
fn names(row: &str) -> Vec<&str> {
    let column = row.split('|').nth(3).unwrap_or_default();
    column.split('`').skip(1).step_by(2).filter(|name| name.contains('_') && !name.contains('/')).collect()
}

#[test]
fn every_test_that_the_page_of_faults_names_is_there() {
    let page = std::fs::read_to_string(root().join("docs/reference/faults.md")).expect("the page");
    let sources: String =
        ["tests", "controlplane", "dataplane", "crates"].map(|folder| sources(root().join(folder))).concat();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).collect();
    let named: Vec<&str> = rows.iter().flat_map(|row| names(row)).collect();
    assert!(named.len() > 25, "the table names tests: {named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}
