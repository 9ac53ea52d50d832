//! The command, in folders of its own.

use super::*;
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

fn arguments(folder: &Path, planes: &[&str], nodes: &[&str]) -> Certificates {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Certificates {
        dir: folder.join("certs"),
        control_plane: owned(planes),
        node: owned(nodes),
        trust_domain: None,
        days: 7,
        ca_days: 3_650,
        renew: false,
    }
}

/// Loads what a process would.
fn load(folder: &Path, role: Role, base: &str) -> Tls {
    let path = |name: &str| folder.join("certs").join(name).display().to_string();
    let paths =
        Paths { ca: path("ca.crt"), cert: path(&format!("{base}.crt")), key: path(&format!("{base}.key")) };
    let disk = Arc::new(cliproxy_host::SystemDisk::new(""));
    Tls::load(disk, paths, role, Arc::new(SystemClock)).expect("the certificate can be used")
}

fn refusal(arguments: &Certificates) -> String {
    format!("{:#}", run(arguments).expect_err("it must be refused"))
}

#[test]
fn each_process_gets_a_certificate_of_its_name_for_a_week() {
    let folder = tempfile::tempdir().unwrap();
    run(&arguments(folder.path(), &["a,control-a,10.0.0.1", "b"], &["n1", "n2"])).unwrap();
    for (role, base, uri) in [
        (Role::ControlPlane, "control-plane-a", "spiffe://cliproxy/cliproxy/cp/a"),
        (Role::ControlPlane, "control-plane-b", "spiffe://cliproxy/cliproxy/cp/b"),
        (Role::Node, "node-n1", "spiffe://cliproxy/cliproxy/dp/n1"),
        (Role::Node, "node-n2", "spiffe://cliproxy/cliproxy/dp/n2"),
    ] {
        let own = load(folder.path(), role, base).own();
        assert_eq!(own.identity.to_string(), uri);
        let days = own.validity.not_after.since(own.validity.not_before).as_secs() / 86_400;
        assert_eq!(days, 7);
    }
}

#[test]
fn what_is_said_names_each_host_once_and_where_endpoints_go() {
    let said = |planes: &[&str], nodes: &[&str]| {
        let arguments = arguments(Path::new("."), planes, nodes);
        snippets::text(&Folder::new(&arguments.dir), &subjects(&arguments).unwrap(), 7)
    };
    let text = said(&["a,one.example", "b,one.example", "c,two.example"], &["n1"]);
    assert!(
        text.contains(r#"endpoints: ["https://one.example:8319", "https://two.example:8319"]"#),
        "{text}"
    );
    assert!(text.contains("listen on ports of their own"), "{text}");
    assert!(said(&[], &["n1"]).contains("# endpoints: where control planes are reached"));
}

#[test]
fn keys_are_readable_by_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    run(&arguments(folder.path(), &["a"], &["n1"])).unwrap();
    for (name, mode) in [("ca.key", 0o600), ("node-n1.key", 0o600), ("ca.crt", 0o644)] {
        let metadata = fs::metadata(folder.path().join("certs").join(name)).unwrap();
        // The umask may take more away.
        assert_eq!(metadata.permissions().mode() & 0o777 & !mode, 0, "{name}");
    }
}

#[test]
fn the_ca_of_the_folder_signs_for_those_that_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let first = Certificates {
        trust_domain: Some("prod.example".to_owned()),
        ..arguments(folder.path(), &["a"], &[])
    };
    run(&first).unwrap();
    let ca = fs::read(folder.path().join("certs/ca.crt")).unwrap();
    run(&arguments(folder.path(), &[], &["n1"])).unwrap();
    assert_eq!(fs::read(folder.path().join("certs/ca.crt")).unwrap(), ca);
    let own = load(folder.path(), Role::Node, "node-n1").own();
    assert_eq!(own.identity.trust_domain(), "prod.example");
    let other =
        Certificates { trust_domain: Some("test".to_owned()), ..arguments(folder.path(), &[], &["n2"]) };
    assert!(refusal(&other).contains("of the trust domain prod.example, not of test"));
}

#[test]
fn what_is_there_is_replaced_when_asked_for_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = arguments(folder.path(), &["a"], &["n1"]);
    run(&made).unwrap();
    let inode = |name: &str| fs::metadata(folder.path().join("certs").join(name)).unwrap().ino();
    let content = |name: &str| fs::read(folder.path().join("certs").join(name)).unwrap();
    let before = (content("node-n1.crt"), content("node-n1.key"), content("ca.crt"));

    let more = arguments(folder.path(), &[], &["n2", "n1"]);
    assert!(refusal(&more).contains("node-n1.crt is there already; add --renew"));
    assert!(!folder.path().join("certs/node-n2.crt").exists(), "all or nothing");
    assert_eq!((content("node-n1.crt"), content("node-n1.key"), content("ca.crt")), before);

    let old = inode("node-n1.crt");
    run(&Certificates { renew: true, ..made }).unwrap();
    assert_ne!(content("node-n1.crt"), before.0);
    assert_ne!(content("node-n1.key"), before.1);
    assert_eq!(content("ca.crt"), before.2);
    assert_ne!(inode("node-n1.crt"), old, "it is replaced in one step, not written over");
    load(folder.path(), Role::Node, "node-n1");
}

#[test]
fn nothing_holds_longer_than_the_ca() {
    let folder = tempfile::tempdir().unwrap();
    let made = Certificates { days: 30, ca_days: 2, ..arguments(folder.path(), &[], &["n1"]) };
    run(&made).unwrap();
    let [(_, own), (_, ca)] = load(folder.path(), Role::Node, "node-n1").validities();
    assert_eq!(own.not_after, ca.not_after);
}

#[test]
fn wrong_names_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for (planes, nodes, why) in [
        (&[][..], &[][..], "nobody is named"),
        (&[], &["a/b"], "is not the name of a node"),
        (&[], &[".."], "is not the name of a node"),
        (&[""], &[], "is not the name of a node or control plane"),
        (&["a,not a host"], &[], "neither the name of a host nor an IP address"),
        (&[], &["n1", "n1"], "node n1 is named twice"),
    ] {
        let refused = refusal(&arguments(folder.path(), planes, nodes));
        assert!(refused.contains(why), "{refused}");
    }
    assert!(!folder.path().join("certs").exists());
}

#[test]
fn half_a_ca_and_one_of_another_maker_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (certs, made) = (folder.path().join("certs"), arguments(folder.path(), &[], &["n1"]));
    fs::create_dir(&certs).unwrap();
    let foreign = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
    fs::write(certs.join("ca.crt"), foreign.cert.pem()).unwrap();
    assert!(refusal(&made).contains("put the key back"));
    fs::write(certs.join("ca.key"), foreign.signing_key.serialize_pem()).unwrap();
    assert!(refusal(&made).contains("was not made by this command"));
    fs::remove_file(certs.join("ca.crt")).unwrap();
    assert!(refusal(&made).contains("its certificate"));

    // The key of another CA.
    let other = tempfile::tempdir().unwrap();
    run(&arguments(other.path(), &[], &["n1"])).unwrap();
    fs::copy(other.path().join("certs/ca.crt"), certs.join("ca.crt")).unwrap();
    assert!(refusal(&made).contains("do not sign for each other"));
    assert!(!certs.join("node-n1.crt").exists());
}

#[test]
fn the_snippets_are_configurations_that_load() {
    let folder = tempfile::tempdir().unwrap();
    let made = arguments(folder.path(), &["a,control-a", "b,::1"], &["n1"]);
    run(&made).unwrap();
    let subjects = subjects(&made).unwrap();
    for subject in &subjects {
        // The nodes' endpoints are those of all control planes that were named with them.
        let with_planes: Vec<Subject> = subjects.clone();
        let all = snippets::text(&Folder::new(&made.dir), &with_planes, 7);
        let heading = format!("# {} {}, for 7 days\n", subject.role, subject.name);
        let (_, rest) = all.split_once(&heading).expect("a snippet of each");
        let snippet = rest.split("\n\n").next().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, format!("{snippet}\n")).unwrap();
        let load = cliproxy_config::Load {
            file: Some(file),
            overrides: Vec::new(),
            data_dir: folder.path().to_owned(),
            environment: cliproxy_config::Environment::process(),
            wall: || WallTime(0),
            purpose: cliproxy_config::Purpose::Any,
        };
        let config = cliproxy_config::load(&load).unwrap();
        assert!(config.control_plane.tls.is_some());
        if subject.role == Role::Node {
            assert_eq!(config.control_plane.endpoints, ["https://control-a:8319", "https://[::1]:8319"]);
        }
    }
}

#[test]
fn a_ca_that_has_expired_signs_nothing_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let made = arguments(folder.path(), &[], &["n1"]);
    let long_ago = SystemClock.wall().minus(3 * DAY);
    let authority = Authority::make("cliproxy", long_ago, DAY).unwrap();
    Folder::new(&made.dir).write_authority(&authority.signed).unwrap();
    let refused = refusal(&made);
    assert!(refused.contains("has expired"), "{refused}");
    assert!(!folder.path().join("certs/node-n1.crt").exists());
}
