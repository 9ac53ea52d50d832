//! What the page on translation says of the header's words.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../../../docs/reference/translation.md");

/// The words that the table of words explains.
fn explained() -> BTreeSet<String> {
    let table =
        PAGE.split("| word |").nth(1).expect("a table of words").split("\n\n").next().expect("its rows");
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

/// The words that the code of this crate says to clients.
fn said(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if name != "tests" && name != "losses" && name != "matrix" {
                said(&path, words);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "loss.rs" {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for call in source.split("losses.changed(").chain(source.split("losses.tell(")).skip(1) {
                words.extend(call.split(';').next().unwrap().rsplit('"').nth(1).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_word_of_the_header_is_explained_and_every_explained_word_is_said() {
    let mut words = BTreeSet::from(["dropped".to_owned()]);
    said(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut words);
    // Told by a variable: what became of an effort, and by the data plane: what nobody counted.
    words.extend(["raised", "lowered", "estimated"].map(str::to_owned));
    words.retain(|word| word.bytes().all(|b| b.is_ascii_lowercase()));
    assert_eq!(words, explained());
}

#[test]
fn no_row_of_the_page_is_there_twice() {
    let requests = PAGE.split("## Requests").nth(1).expect("the section").split("\n## ").next().expect("it");
    let names: Vec<&str> =
        requests.lines().filter_map(|row| row.strip_prefix("| ")?.split(" |").next()).collect();
    assert!(names.len() > 30, "{names:?}");
    let once: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), once.len());
    for row in requests.lines().filter(|row| row.starts_with("| ")) {
        assert_eq!(row.matches(" |").count(), 5, "{row}");
    }
}
