//! Who may ask: what a client may be, and what is said of one that cannot.

use super::{NOW, accept, environment, refuse, request};
use crate::{Environment, Load, load, load_text, masked};
use cliproxy_domain::{
    Client, ClientKey, KeyHash, LossMode, Priority, Quota, QuotaReset, QuotaUnit, RateLimits, WallTime,
};
use std::time::Duration;

/// Of `abc`, by which every description of SHA-256 tells its result.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A key that nobody guesses, and has no other look of a secret.
const PLAIN: &str = "correct-horse-battery-staple";

fn client(keys: &str) -> Client {
    let text = format!("clients: [{{name: ci, {keys}}}]");
    accept(&text).snapshot.clients.remove("ci").expect("it is there")
}

fn hash(text: &str) -> KeyHash {
    let text = format!("clients: [{{name: ci, keys: [{{key: '{text}'}}]}}]");
    accept(&text).snapshot.clients["ci"].keys[0].hash
}

/// Gives the only warning, which a text has to have.
fn warning(text: &str) -> String {
    let mut warnings = accept(text).warnings;
    assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
    warnings.remove(0)
}

#[test]
fn a_client_that_is_but_named_may_do_everything() {
    let client = client("");
    assert_eq!(client.name.as_str(), "ci");
    assert!(client.keys.is_empty() && client.models.is_empty() && client.providers.is_empty());
    assert!(client.tags.is_empty() && client.rate_limit.is_empty() && client.budgets.is_empty());
    assert_eq!(client.priority, Priority::Normal);
    assert!(
        accept("clients: []").snapshot.clients.is_empty() && accept("clients:").snapshot.clients.is_empty()
    );
}

#[test]
fn a_key_is_known_by_its_hash_alone() {
    let digest = |byte: usize| u8::from_str_radix(&ABC[2 * byte..2 * byte + 2], 16).unwrap();
    let expected = ClientKey { hash: KeyHash(std::array::from_fn(digest)), expires_at: None };
    assert_eq!(client(&format!("keys: [{{sha256: '{ABC}'}}]")).keys, [expected]);
    let upper = ABC.to_uppercase();
    assert_eq!(client(&format!("keys: [{{sha256: {upper}}}]")).keys[0].hash, hash("abc"));
    let load = Load { environment: Environment::fixed([("CI_KEY", "abc")]), ..request() };
    let text = "clients: [{name: ci, keys: [{key: '${CI_KEY}'}]}]";
    let config = load_text("config.yaml", text, &load).unwrap();
    assert_eq!(config.snapshot.clients["ci"].keys[0].hash, hash("abc"));
}

#[test]
fn a_key_ends_on_a_day_or_at_a_time() {
    let ends =
        |text: &str| client(&format!("keys: [{{sha256: '{ABC}', expires: {text}}}]")).keys[0].expires_at;
    let day = WallTime(4_073_500_800_000);
    assert_eq!(ends("2099-01-31"), Some(day));
    assert_eq!(ends("2099-01-31T18:00:00Z"), Some(day.plus(Duration::from_secs(18 * 3_600))));
    assert_eq!(ends("'2099-01-31T18:00:00+02:00'"), Some(day.plus(Duration::from_secs(16 * 3_600))));
}

#[test]
fn a_client_has_all_that_it_is_given() {
    let client = client(
        "models: [claude-*, gpt-5], providers: [claude, openai], tags: {team: search, cost-centre: 17}, \
         rate_limit: {requests_per_minute: 600, tokens_per_minute: 1000, concurrent_requests: 3, on_loss: strict}, \
         budgets: [{limit: 50, unit: requests, reset: 5h}, {limit: 7, reset: monthly, reset_day: 3, \
         timezone: Europe/Berlin, on_loss: optimistic, policy: finish, reserve_output: 9}], priority: high",
    );
    let texts: Vec<&str> = client.models.iter().map(|pattern| pattern.as_str()).collect();
    assert_eq!((texts, client.providers.len()), (vec!["claude-*", "gpt-5"], 2));
    let tags: Vec<(&str, &str)> =
        client.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("cost-centre", "17"), ("team", "search")]);
    let rates = RateLimits {
        requests_per_minute: Some(600),
        tokens_per_minute: Some(1_000),
        concurrent_requests: Some(3),
        on_loss: LossMode::Strict,
    };
    assert_eq!(client.rate_limit, rates);
    let hours = QuotaReset::Every(Duration::from_secs(5 * 3_600));
    let tokens = Quota {
        timezone: "Europe/Berlin".into(),
        on_loss: LossMode::Optimistic,
        policy: cliproxy_domain::SpentPolicy::Finish,
        reserve_output: 9,
        ..Quota::new(7, QuotaUnit::Tokens, QuotaReset::Monthly { day: 3 })
    };
    assert_eq!(client.budgets, [Quota::new(50, QuotaUnit::Requests, hours), tokens]);
    assert_eq!(client.priority, Priority::High);
}

#[test]
fn one_budget_is_written_without_a_list() {
    let expected = Quota::new(5, QuotaUnit::Tokens, QuotaReset::Daily);
    assert_eq!(client("budget: {limit: 5, reset: daily}").budgets, [expected]);
}

#[test]
fn a_client_may_be_given_whatever_is_served() {
    let providers = "providers: {claude: {}, my-vllm: {kind: openai_compatible, base_url: 'http://127.0.0.1:1', \
                     api_key: x}}\nmodels: {smart: {targets: [{provider: my-vllm, model: llama}]}}";
    for models in ["smart", "s*", "claude-sonnet-4-5", "'*-sonnet-*'", "my-vllm/llama", "my-vllm/*", "'*'"] {
        accept(&format!("{providers}\nclients: [{{name: ci, models: [{models}]}}]"));
    }
}

#[test]
fn what_a_client_cannot_be_is_refused_at_its_place() {
    let key = |text: &str| format!("{{name: a, keys: [{{{text}}}]}}");
    let cases = [
        ("{models: [gpt-5]}".to_owned(), "{", "`name` is missing"),
        ("{name: a b}".to_owned(), "a b", "cannot name a client; start with a letter"),
        ("{name: a, models: []}".to_owned(), "models", "could do nothing; name at least one model"),
        ("{name: a, models: [gtp-5]}".to_owned(), "gtp-5", "nothing serves `gtp-5`; did you mean `gpt-5`?"),
        (
            "{name: a, models: [llama]}".to_owned(),
            "llama",
            "nothing serves `llama`; known are `smart`, `claude-*`",
        ),
        ("{name: a, models: [smrat]}".to_owned(), "smrat", "nothing serves `smrat`; did you mean `smart`?"),
        ("{name: a, models: [azure/*]}".to_owned(), "azure", "nothing serves `azure/*`"),
        (
            "{name: a, providers: [openai], models: [smart]}".to_owned(),
            "smart",
            "none of its providers serves `smart`",
        ),
        ("{name: a, providers: []}".to_owned(), "providers", "name at least one provider"),
        ("{name: a, providers: [cluade]}".to_owned(), "cluade", "did you mean `claude`?"),
        ("{name: a, providers: [openai, openai]}".to_owned(), "openai]", "stands here twice"),
        ("{name: a, priority: urgent}".to_owned(), "urgent", "known are `low`, `normal` and `high`"),
        ("{name: a, rate_limit: {requests_per_minute: 0}}".to_owned(), "0", "write a whole number from 1 to"),
        ("{name: a, rate_limit: {tokens_per_minute: -7}}".to_owned(), "-7", "write a whole number from 1 to"),
        ("{name: a, rate_limit: {concurrent_requests: 1000001}}".to_owned(), "1000001", "from 1 to 1000000"),
        ("{name: a, rate_limit: {requests_per_minute: 1.5}}".to_owned(), "1.5", "is not a whole number"),
        ("{name: a, rate_limit: {on_loss: safe}}".to_owned(), "on_loss", "nothing is limited; give one of"),
        ("{name: a, rate_limit: {rpm: 5}}".to_owned(), "rpm", "unknown key"),
        (
            "{name: a, budget: {limit: 1, reset: daily}, budgets: [{limit: 1, reset: daily}]}".to_owned(),
            "budget:",
            "move this one into the list",
        ),
        (
            "{name: a, budgets: [{limit: 1, reset: daily}, {limit: 2, reset: 5h}]}".to_owned(),
            "{limit: 2",
            "counts `tokens` as well; keep the smaller one",
        ),
        (
            "{name: a, budget: {limit: 5, reset: daily, on_loss: safe}}".to_owned(),
            "safe",
            "would pass the limit together; write `strict` or `optimistic`",
        ),
        ("{name: a, tags: {'a b': x}}".to_owned(), "'a b'", "cannot name a tag"),
        (format!("{{name: a, tags: {{a: y{}}}}}", "x".repeat(128)), "yx", "at most 128 characters"),
        (key("expires: 2099-01-01"), "{expires", "there is no key; give its `sha256`"),
        (key("sha256: abc"), "abc", "expected 64 hexadecimal digits; make it with `printf %s KEY"),
        (key(&format!("sha256: {}", &ABC[1..])), &ABC[1..], "expected 64 hexadecimal digits"),
        (
            key("sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            "e3b0",
            "the hash of nothing, as of a variable that is not set",
        ),
        (key(&format!("sha256: {ABC}, key: {PLAIN}")), "key:", "`sha256` and `key` are both given"),
        (key("key: 'two words and more of them'"), "'two", "the key has a blank"),
        (key(&format!("sha256: {ABC}, expires: soon")), "soon", "is not a time; write one such as"),
        (key(&format!("sha256: {ABC}, expires: 2099-02-30")), "2099", "is not a time"),
        (
            format!("{{name: a, keys: [{{sha256: {ABC}}}, {{key: abc}}]}}"),
            "abc}]",
            "the same key stands here twice",
        ),
    ];
    for (client, at, expected) in cases {
        let line = format!("  - {client}");
        let aliases = "models: {smart: {targets: [{provider: claude, model: m}]}}";
        let error = refuse(&format!("{aliases}\nclients:\n{line}\n"));
        let column = if at == "{" { 5 } else { line.rfind(at).expect("the culprit stands in the line") + 1 };
        // Of a key the name is what is wrong, of a value the value.
        let place = format!("config.yaml:3:{column}: ");
        assert!(error.starts_with(&place) && error.contains(expected), "{client}: {error}");
        assert_eq!(error.matches("config.yaml:").count(), 1, "one report for one mistake: {error}");
        assert!(error.contains('^'), "{error}");
    }
}

#[test]
fn two_clients_have_neither_one_name_nor_one_key() {
    let error = refuse("clients:\n  - {name: ci}\n  - {name: ci}\n");
    assert!(
        error.starts_with("config.yaml:3:12: `clients[1].name`: another client is called `ci`"),
        "{error}"
    );
    let text = format!(
        "clients:\n  - {{name: ci, keys: [{{sha256: {ABC}}}]}}\n  - {{name: web, keys: [{{key: abc}}]}}\n"
    );
    let error = refuse(&text);
    let expected =
        "config.yaml:3:30: `clients[1].keys[0].key`: the client `ci` has the same key; give each client";
    assert!(error.starts_with(expected), "{error}");
    assert!(!error.contains("abc"), "{error}");
}

#[test]
fn numbers_of_clients_and_of_what_they_have_are_bounded() {
    let many = |count: usize, item: fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let keys = many(101, |i| format!("{{sha256: '{i:064x}'}}"));
    let tags = many(17, |i| format!("t{i}: x"));
    let models = many(101, |i| format!("claude-{i}"));
    let cases = [
        (format!("clients: [{{name: a, keys: [{keys}]}}]"), "more than 100 keys"),
        (format!("clients: [{{name: a, tags: {{{tags}}}}}]"), "more than 16 tags"),
        (format!("clients: [{{name: a, models: [{models}]}}]"), "more than 100 entries"),
        (format!("clients: [{}]", many(10_001, |i| format!("{{name: c{i}}}"))), "more than 10000 clients"),
    ];
    for (text, expected) in cases {
        let error = refuse(&text);
        assert!(error.contains(expected), "{}", error.lines().next().unwrap_or_default());
    }
}

#[test]
fn a_mistake_in_a_provider_makes_none_in_its_clients() {
    let text =
        "providers: {my-vllm: {api_key: x}}\nclients: [{name: ci, models: [llama], providers: [my-vllm]}]";
    let error = refuse(text);
    assert!(error.contains("`kind` is missing"), "{error}");
    assert!(!error.contains("clients"), "{error}");
}

#[test]
fn a_key_that_expired_and_one_that_is_short_are_warned_of() {
    let told = warning(&format!("clients: [{{name: ci, keys: [{{sha256: '{ABC}', expires: 2026-11-21}}]}}]"));
    let expected =
        "`clients[0].keys[0].expires`: the key expired at 2026-11-21T00:00:00Z, and is refused; remove it";
    assert!(told.starts_with("config.yaml:1:") && told.ends_with(expected), "{told}");
    assert_eq!(NOW.to_string(), "2026-11-22T00:00:00Z");
    let told = warning("clients: [{name: ci, keys: [{key: hunter2}]}]");
    assert!(told.contains("`clients[0].keys[0].key`: the key is short enough to be guessed"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_plain_key_in_a_file_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let told = |key: &str, mode: u32| {
        std::fs::write(&file, format!("clients: [{{name: ci, keys: [{{key: '{key}'}}]}}]")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let variables = [("CI_KEY", PLAIN), ("ANTHROPIC_API_KEY", "k")];
        let environment = Environment::fixed(variables);
        load(&Load { file: Some(file.clone()), environment, ..request() }).unwrap().warnings
    };
    let open = told(PLAIN, 0o644);
    assert!(
        matches!(&open[..], [one] if one.contains("other users of this machine can read the keys")),
        "{open:?}"
    );
    assert_eq!(told(PLAIN, 0o600), Vec::<String>::new());
    assert_eq!(told("${CI_KEY}", 0o644), Vec::<String>::new());
}

#[test]
fn a_plain_key_does_not_go_into_a_database() {
    let database = "control_plane: {database: {url: 'postgres://db/x'}}";
    let text = format!("{database}\nclients: [{{name: ci, keys: [{{key: {PLAIN}}}]}}]");
    let error = refuse(&text);
    assert!(error.starts_with("config.yaml:2:35: a Postgres database keeps the text"), "{error}");
    assert!(!error.contains(PLAIN), "{error}");
    accept(&format!("{database}\nclients: [{{name: ci, keys: [{{sha256: '{ABC}'}}]}}]"));
}

#[test]
fn a_plain_key_is_never_shown() {
    let text =
        format!("clients:\n  - name: ci\n    keys:\n      - key: {PLAIN}\n        expires: 2099-01-31\n");
    let shown = masked(&text);
    assert!(!shown.contains(PLAIN) && shown.contains("expires: 2099-01-31"), "{shown}");
    let config = accept(&text);
    assert!(!format!("{config:?}").contains(PLAIN));
    let id = config.snapshot.clients["ci"].keys[0].hash.id().to_string();
    assert!(format!("{config:?}").contains(&id), "its name is no secret");
    // Where it stands by mistake as well.
    for text in [
        format!("clients: [{{name: ci, keys: [{PLAIN}]}}]"),
        format!("clients: [{{name: ci, keys: {PLAIN}}}]"),
        format!("clients: [{{name: ci, keys: [{{sha256: {PLAIN}}}]}}]"),
        format!("clients: [{{name: ci, keys: [{{key: [{PLAIN}]}}]}}]"),
        format!("clients: [{{name: ci, key: {PLAIN}}}]"),
    ] {
        let error = refuse(&text);
        assert!(!error.contains(PLAIN), "{error}");
        assert!(!masked(&text).contains(PLAIN), "{text}");
    }
}

#[test]
fn a_hash_is_shown_so_that_the_text_can_be_changed_and_given_back() {
    let text = format!("clients: [{{name: ci, keys: [{{sha256: '{ABC}'}}]}}]\n");
    assert_eq!(masked(&text), text);
    load_text("body", &masked(&text), &Load { environment: environment(), ..request() }).unwrap();
    let long = format!("clients: [{{name: ci, keys: [{{sha256: {ABC}0}}, {{sha256: {ABC}-x}}]}}]\n");
    assert!(!masked(&long).contains(&ABC[..60]), "{}", masked(&long));
    let report = refuse(&format!("clients: [{{nam: ci, keys: [{{sha256: '{ABC}'}}]}}]\n"));
    assert!(!report.contains(&ABC[..20]), "reports go to logs: {report}");
}

#[test]
fn clients_are_taken_over_while_running() {
    let before = accept("clients: [{name: ci}]");
    let after = accept("clients: [{name: ci, priority: high}, {name: web}]");
    assert_ne!(before.snapshot, after.snapshot);
    assert_eq!(before.needs_restart(&after), Vec::<&str>::new());
}
