//! The recorded translations, held against the vendors' own types and accumulators.

use crate::clients;
use std::{path::Path, process::Command};

#[test]
fn every_recorded_translation_is_what_the_clients_sdk_expects() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(clients::python())
        .arg(root.join("tests/clients/golden.py"))
        .arg(root.join("crates/dialects/fixtures"))
        .output()
        .expect("Python runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    println!("{told}");
}
