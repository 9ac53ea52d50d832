//! How the planes find and trust each other, and where the state is.

use super::{accept, places, refuse, request};
use crate::{Database, Load, Tls, load_text};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A folder with the three files of a process.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    set_mode(&folder.path().join("key.pem"), 0o600);
    folder
}

fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn tls(folder: &TempDir) -> String {
    let at = |name: &str| folder.path().join(name).display().to_string();
    format!("tls: {{ca: '{}', cert: '{}', key: '{}'}}", at("ca.pem"), at("cert.pem"), at("key.pem"))
}

#[test]
fn a_database_is_a_file_or_a_postgres_server() {
    let database =
        |url: &str| accept(&format!("control_plane: {{database: {{url: '{url}'}}}}")).control_plane.database;
    assert_eq!(database("sqlite://./x.db"), Database::Sqlite { path: PathBuf::from("./x.db") });
    assert_eq!(database("sqlite:///var/x.db"), Database::Sqlite { path: PathBuf::from("/var/x.db") });
    for url in ["postgres://me@db/x", "postgresql://db:5433/x?sslmode=require", "postgres:///x?host=/run/pg"]
    {
        let Database::Postgres { url: kept } = database(url) else { panic!("{url}") };
        assert_eq!(kept.expose(), url);
    }
    let refused = |url: &str| refuse(&format!("control_plane: {{database: {{url: '{url}'}}}}"));
    for url in ["mysql://x", "sqlite://", "sqlite://:memory:", "sqlite://x.db?mode=ro", "x.db"] {
        assert!(refused(url).contains("this is not the address of a database"), "{url}");
    }
    assert!(refused("postgres:///x").contains("no host is named"));
    assert!(refused("postgres://me@db:port/x").contains("this is not the address of a Postgres database"));
    for url in ["postgres://127.0.0.1", "postgres://me@db/", "postgres://me@db?sslmode=require"] {
        assert!(refused(url).contains("no database is named; write `postgres://user:"), "{url}");
    }
    accept("control_plane: {database: {url: 'postgres://me@db?dbname=x'}}");
}

#[test]
fn an_address_of_a_database_that_a_password_cuts_apart_is_refused_with_the_remedy_and_not_shown() {
    for password in
        ["p@ss/w", "p@ss", "5432/pass@w", "5432#pass", "5432?pass", "5432/pass", "/pass", "pa%/ss"]
    {
        let load = Load {
            overrides: vec![format!("control_plane.database.url=postgres://me:{password}@db/x")],
            ..request()
        };
        let refused = load_text("config.yaml", "{}", &load).unwrap_err().to_string();
        assert!(refused.contains("percent-encoded, as `%40` for `@`"), "{password}: {refused}");
        assert!(
            !refused.contains("ss@") && !refused.contains("pass@") && !refused.contains("5432"),
            "{refused}"
        );
    }
    let config = accept("control_plane: {database: {url: 'postgres://me@db/x?password=${OPENAI_API_KEY}'}}");
    assert!(matches!(config.control_plane.database, Database::Postgres { .. }));
    let plain = refuse("control_plane: {database: {url: 'postgres://me@db/x?password=hunter2'}}");
    assert!(plain.contains("has no place") && !plain.contains("hunter2"), "{plain}");
    let misspelt = refuse("control_plane: {database: {url: 'postgres://me@db/x?pasword=hunter2'}}");
    assert!(misspelt.contains("is not known; the known ones") && !misspelt.contains("hunter2"), "{misspelt}");
}

#[test]
fn the_password_of_a_database_comes_from_a_variable_and_is_never_shown() {
    for url in ["postgres://me:hunter2@db/x", "postgres://me:hun/ter2@db/x", "postgres://me:hun ter2@db:p/x"]
    {
        let refused = refuse(&format!("control_plane:\n  database: {{url: \"{url}\"}}\n"));
        assert!(!refused.contains("hunter2") && !refused.contains("ter2@"), "{refused}");
        assert!(refused.starts_with("config.yaml:2:19: `control_plane.database.url`: "), "{refused}");
    }
    let config = accept("control_plane: {database: {url: 'postgres://me:${OPENAI_API_KEY}@db/x'}}");
    let Database::Postgres { url } = &config.control_plane.database else { panic!("it is one") };
    assert_eq!(url.expose(), "postgres://me:openai-secret@db/x");
    assert!(!format!("{config:?}").contains("openai-secret"));
}

#[test]
fn no_key_stands_in_a_text_that_goes_into_a_database_for_several() {
    let text =
        "control_plane: {database: {url: 'postgres://db/x'}}\nproviders:\n  claude: {api_key: hunter2}\n";
    let reports = places(text);
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!((reports[0].0, reports[0].1), (3, 21));
    assert!(reports[0].2.contains("write `${NAME}` and set the variable"), "{reports:?}");
    accept(&text.replace("hunter2", "'${ANTHROPIC_API_KEY}'"));
    accept(&text.replace("postgres://db/x", "sqlite://x.db"));
    // What is not in the text does not go into the database.
    let load = Load { overrides: vec!["providers.claude.api_key=hunter2".to_owned()], ..request() };
    load_text("config.yaml", &text.replace("hunter2", "'${ANTHROPIC_API_KEY}'"), &load).unwrap();
}

#[test]
fn certificates_are_three_files_that_can_be_read() {
    let folder = certificates();
    let config = accept(&format!("control_plane: {{{}}}", tls(&folder)));
    let at = |name: &str| folder.path().join(name);
    assert_eq!(
        config.control_plane.tls,
        Some(Tls { ca: at("ca.pem"), cert: at("cert.pem"), key: at("key.pem") })
    );
    assert_eq!(config.control_plane.endpoints, ["https://127.0.0.1:8319"]);
    assert!(!config.control_plane.endpoints_given);
    let two = tls(&folder).replace(&format!(", key: '{}'", at("key.pem").display()), "");
    assert!(
        refuse(&format!("control_plane: {{{two}}}")).contains("`key` is missing; `ca`, `cert` and `key` go")
    );
    fs::remove_file(at("cert.pem")).unwrap();
    fs::remove_file(at("ca.pem")).unwrap();
    fs::create_dir(at("ca.pem")).unwrap();
    let reports = places(&format!("control_plane: {{{}}}", tls(&folder)));
    let told: Vec<&str> = reports.iter().map(|report| report.2.as_str()).collect();
    assert!(told[0].contains("`control_plane.tls.ca`: ") && told[0].contains("it is not a file"), "{told:?}");
    assert!(told[1].contains("`control_plane.tls.cert`: ") && told[1].contains("cannot be read"), "{told:?}");
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let folder = certificates();
    let warnings =
        || accept(&format!("providers: {{claude: {{}}}}\ncontrol_plane: {{{}}}", tls(&folder))).warnings;
    assert_eq!(warnings(), [""; 0]);
    set_mode(&folder.path().join("key.pem"), 0o644);
    let told = warnings();
    assert!(
        told[0].contains("`control_plane.tls.key`: other users") && told[0].contains("chmod 600"),
        "{told:?}"
    );
}

#[test]
fn nothing_leaves_the_machine_in_the_clear_unless_the_operator_insists() {
    let refused = [
        ("nodes_listen: '0.0.0.0:8319'", "whoever connects would be given configurations with keys"),
        (
            "endpoints: ['http://control:8319']",
            "would cross the network in the clear; set `control_plane.tls`",
        ),
        ("advertise_url: 'http://10.0.0.1:8319'", "would cross the network in the clear"),
        ("endpoints: ['https://control:8319']", "`https` needs certificates"),
    ];
    for (keys, expected) in refused {
        let error = refuse(&format!("control_plane: {{{keys}}}"));
        assert!(error.contains(expected), "{error}");
        if !keys.contains("https") {
            accept(&format!("control_plane: {{allow_plaintext: true, {keys}}}"));
        }
    }
    for keys in [
        "nodes_listen: '[::1]:8319'",
        "endpoints: ['http://localhost:1', 'http://[::1]:2', 'http://127.9.9.9:3']",
    ] {
        accept(&format!("control_plane: {{{keys}}}"));
    }
    let folder = certificates();
    let with_tls = |keys: &str| format!("control_plane: {{{}, {keys}}}", tls(&folder));
    accept(&with_tls("nodes_listen: '0.0.0.0:8319', endpoints: ['https://control:8319']"));
    let error = refuse(&with_tls("endpoints: ['http://control:8319']"));
    assert!(error.contains("in the clear, and `control_plane.tls` is set"), "{error}");
    for keys in
        ["endpoints: ['https://a', 'http://127.0.0.1:8319']", "advertise_url: 'http://localhost:8319'"]
    {
        let error = refuse(&with_tls(keys));
        assert!(error.contains("write `https://`, or remove `control_plane.tls`"), "{error}");
        accept(&with_tls(&format!("allow_plaintext: true, {keys}")));
    }
}

#[test]
fn addresses_are_scheme_host_and_port_and_compared_as_such() {
    let plane =
        accept("control_plane: {endpoints: ['http://LOCALHOST:80/', 'http://[0:0::1]:8319']}").control_plane;
    assert_eq!(plane.endpoints, ["http://localhost", "http://[::1]:8319"]);
    assert!(plane.endpoints_given);
    for url in
        ["127.0.0.1:8319", "http://x/path", "ftp://x", "http://me:hunter2@x", "http://x?a=b", "http://x#a"]
    {
        let error = refuse(&format!("control_plane: {{allow_plaintext: true, endpoints: ['{url}']}}"));
        assert!(error.contains("this is not the address of a control plane"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_replica_has_a_name_that_fits_everywhere() {
    let named = |name: &str| format!("control_plane: {{name: '{name}'}}");
    assert_eq!(accept(&named("cp-1.eu_west")).control_plane.name.as_deref(), Some("cp-1.eu_west"));
    for name in ["a b", "a/b", &"x".repeat(65)] {
        assert!(refuse(&named(name)).contains("is not a name; write at most 64 letters"), "{name}");
    }
}
