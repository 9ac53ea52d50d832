//! The folder of credential files, and who may read files.

use super::request;
use crate::{Config, ConfigError, Environment, Load, load};
use std::{fs, path::Path};
use tempfile::TempDir;

/// A folder with a configuration that points at a folder of credentials.
struct Setup {
    dir: TempDir,
}

impl Setup {
    fn new(config: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let auths = dir.path().join("auths");
        fs::create_dir(&auths).unwrap();
        let setup = Self { dir };
        setup.write("config.yaml", &format!("auths_dir: {}\n{config}", auths.display()));
        setup
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load(&Load { file: Some(self.dir.path().join("config.yaml")), ..request() })
    }

    fn refusal(&self) -> String {
        let error = self.load().expect_err("something is wrong").to_string();
        error.replace(&self.dir.path().display().to_string(), "DIR")
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn each_file_is_a_credential_in_the_order_of_the_names() {
    let setup =
        Setup::new("providers: {claude: {credentials: [{name: main, api_key: '${ANTHROPIC_API_KEY}'}]}}");
    setup.write("auths/b.json", r#"{"provider": "claude", "name": "work", "api_key": "two", "weight": 4}"#);
    setup.write("auths/a.yaml", "provider: claude\napi_key: one\n");
    setup.write("auths/notes.txt", "not a credential");
    setup.write("auths/.hidden.yaml", "nor: this");
    let config = setup.load().unwrap();
    let found: Vec<(&str, u32)> = config.snapshot.providers["claude"]
        .credentials
        .iter()
        .map(|credential| (credential.name.as_str(), credential.weight))
        .collect();
    assert_eq!(found, [("main", 1), ("a", 1), ("work", 4)]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_file_limits_its_credential_as_the_configuration_does() {
    let setup = Setup::new("providers: {claude: {}}");
    let limits = "{provider: claude, api_key: one, rate_limit: {requests_per_minute: 5}, quota: {limit: 7, reset: daily}}";
    setup.write("auths/a.yaml", limits);
    let config = setup.load().unwrap();
    let credential = &config.snapshot.providers["claude"].credentials[0];
    assert_eq!(credential.rate_limit.requests_per_minute, Some(5));
    assert_eq!(credential.quota.as_ref().map(|quota| quota.limit), Some(7));
    setup.write("auths/a.yaml", &limits.replace("limit: 7", "unit: usd, limit: 7"));
    let refusal = setup.refusal();
    assert!(refusal.starts_with("DIR/auths/a.yaml:1:"), "{refusal}");
    assert!(refusal.contains("`quota.unit`: nothing tells what `claude/claude-*` costs"), "{refusal}");
}

#[test]
fn a_file_is_enough_for_a_known_provider() {
    let setup = Setup::new("");
    setup.write("auths/a.yaml", "{provider: anthropic, api_key: one}");
    let load = Load {
        file: Some(setup.dir.path().join("config.yaml")),
        environment: Environment::fixed::<&str, &str>([]),
        wall: || cliproxy_domain::WallTime(0),
        purpose: crate::Purpose::Any,
        ..request()
    };
    let config = crate::load(&load).unwrap();
    assert_eq!(config.snapshot.providers["anthropic"].credentials[0].api_key.expose(), "one");
}

#[test]
fn a_credential_file_makes_the_usual_variable_unnecessary() {
    let setup = Setup::new("providers: {claude: {}}");
    setup.write("auths/a.yaml", "{provider: claude, api_key: one}");
    let config = setup.load().unwrap();
    assert_eq!(config.snapshot.providers["claude"].credentials.len(), 1);
}

#[test]
fn a_bad_file_is_named_with_its_line() {
    let setup = Setup::new("");
    setup.write("auths/a.yaml", "provider: claude\napi_kee: hunter2\n");
    let error = setup.refusal();
    assert!(
        error.contains("DIR/auths/a.yaml:2:1: unknown key `api_kee`; did you mean `api_key`?"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_file_for_a_provider_that_is_not_there_is_refused() {
    let setup = Setup::new("providers: {openai: {}}");
    setup.write("auths/a.yaml", "provider: claude\napi_key: one\n");
    let error = setup.refusal();
    assert!(
        error.contains("DIR/auths/a.yaml:1:11: `provider`: there is no provider of this name"),
        "{error}"
    );
    assert!(error.contains("providers are `openai`"), "{error}");
}

#[test]
fn a_name_that_the_provider_has_already_is_refused() {
    let setup = Setup::new("providers: {claude: {credentials: [{name: a, api_key: one}]}}");
    setup.write("auths/a.yaml", "provider: claude\napi_key: two\n");
    assert!(setup.refusal().contains("another credential of this provider has this name"));
}

#[test]
fn a_folder_that_is_named_has_to_exist() {
    let setup = Setup::new("");
    fs::remove_dir(setup.dir.path().join("auths")).unwrap();
    assert!(setup.refusal().contains("is not a folder that can be read"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let load_result = load(&Load { file: Some("no/such/config.yaml".into()), ..request() });
    assert!(load_result.unwrap_err().to_string().starts_with("cannot read no/such/config.yaml: "));
}

#[cfg(unix)]
#[test]
fn keys_that_everybody_can_read_are_warned_of() {
    let setup = Setup::new("providers: {claude: {api_key: one}}");
    setup.write("auths/a.yaml", "{provider: claude, api_key: two}");
    set_mode(&setup.dir.path().join("config.yaml"), 0o644);
    set_mode(&setup.dir.path().join("auths/a.yaml"), 0o644);
    let warnings = setup.load().unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().all(|warning| warning.contains("chmod 600")), "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn a_readable_file_without_keys_in_it_is_fine() {
    let setup = Setup::new("providers: {claude: {api_key: '${ANTHROPIC_API_KEY}'}}");
    set_mode(&setup.dir.path().join("config.yaml"), 0o644);
    assert!(setup.load().unwrap().warnings.is_empty());
}
