//! What the files may hold, and what is said of the rest.

use super::{
    super::{Role, Tls},
    authority::{Authority, DAY, Leaf, Process, leaf, paths, write},
    handshakes::{CP, DP},
};
use crate::{Disk as _, MemoryDisk, SystemClock};
use std::sync::Arc;

/// Gives why the files are not taken, of which one was replaced.
fn fault(file: &str, content: Option<&str>) -> String {
    let disk = Authority::new("ca").process(DP).disk;
    match content {
        Some(content) => write(&disk, file, content),
        None => disk.remove(file).unwrap(),
    }
    Process::start(disk).map(|_| ()).expect_err("it must be refused").to_string()
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for file in ["ca", "cert", "key"] {
        assert_eq!(
            fault(file, None),
            format!("control_plane.tls.{file} {file} cannot be read: there is no such file")
        );
    }
}

#[test]
fn a_file_that_holds_something_else_is_named() {
    for file in ["ca", "cert", "key"] {
        for content in ["", "not PEM", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"] {
            let fault = fault(file, Some(content));
            assert!(fault.starts_with(&format!("control_plane.tls.{file} {file} ")), "{fault}");
        }
    }
    // A certificate of nothing.
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(fault("cert", Some(empty)).contains("not an X.509 certificate"));
    assert!(fault("ca", Some(empty)).contains("not an X.509 certificate"));
    assert!(fault("ca", Some(&"x".repeat(2_000_000))).contains("1048576 are the most"));
}

#[test]
fn keys_do_not_come_into_messages() {
    let authority = Authority::new("ca");
    let (_, key) = authority.sign(&leaf(DP));
    let secret = key.lines().nth(1).unwrap().to_owned();
    for (file, content) in
        [("key", key.replace("PRIVATE", "PRIVAT")), ("cert", key.clone()), ("ca", key.clone())]
    {
        assert!(!fault(file, Some(&content)).contains(&secret));
    }
    let process = authority.process(DP);
    assert!(!format!("{:?}", process.tls).contains("PRIVATE"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (_, key) = Authority::new("ca").sign(&leaf(DP));
    assert_eq!(
        fault("key", Some(&key)),
        "control_plane.tls.key key is not the key of control_plane.tls.cert cert; replace both together"
    );
}

#[test]
fn a_certificate_that_the_bundle_does_not_sign_for_is_refused() {
    let other = Authority::new("other").pem();
    let fault = fault("ca", Some(&other));
    assert!(fault.contains("not signed by anybody in control_plane.tls.ca ca"), "{fault}");
}

#[test]
fn a_process_wants_a_certificate_of_what_it_is() {
    let disk = Authority::new("ca").process(CP).disk;
    let error = Tls::load(Arc::new(disk), paths(), Role::Node, Arc::new(SystemClock)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "control_plane.tls.cert cert is of spiffe://test/cliproxy/cp/a; it must be of a node: \
         spiffe://<trust domain>/cliproxy/dp/<name>"
    );
}

#[test]
fn a_process_starts_with_a_certificate_out_of_its_time_so_that_it_can_serve() {
    let authority = Authority::new("ca");
    for valid in [(-2 * DAY, -DAY), (DAY, 2 * DAY)] {
        authority.process_with(&Leaf { valid, ..leaf(DP) });
    }
}

#[test]
fn keys_in_the_older_forms_are_read() {
    // As `openssl ecparam -genkey` writes them: SEC1 behind a block of parameters.
    let authority = Authority::new("ca");
    let disk: MemoryDisk = authority.process(DP).disk;
    let (cert, key) = authority.sign(&leaf(DP));
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    write(&disk, "cert", &cert);
    write(&disk, "key", &format!("{parameters}{key}"));
    Process::start(disk).unwrap();
}
