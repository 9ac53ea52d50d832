//! Profiles: what is built in, what is declared over it, and what is refused.

use super::{accept, places, refuse};
use cliproxy_domain::{ErrorClass, ErrorRule, MaxTokensName, Profile};
use insta::assert_snapshot;

/// A file with one compatible provider of that profile, and the section `profiles` as given.
fn with(profile: &str, section: &str) -> String {
    format!(
        "providers:
  local: {{kind: openai_compatible, base_url: 'https://api.example', api_key: x, profile: {profile}}}
profiles:
{section}"
    )
}

fn resolved(profile: &str, section: &str) -> Profile {
    let config = accept(&with(profile, section));
    config.snapshot.providers["local"].profile.clone().expect("a compatible provider has a profile")
}

fn rule(status: Option<u16>, code: Option<&str>, message: Option<&str>, class: ErrorClass) -> ErrorRule {
    ErrorRule { status, code: code.map(str::to_owned), message: message.map(str::to_owned), class }
}

#[test]
fn a_compatible_provider_without_a_profile_gets_what_most_servers_take_and_other_kinds_get_none() {
    let config = accept(
        "providers: {v: {kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x}, claude: {}}",
    );
    let expected =
        Profile { max_tokens: MaxTokensName::MaxTokens, developer_role: false, ..Profile::default() };
    assert_eq!(config.snapshot.providers["v"].profile, Some(expected.clone()));
    assert_eq!(config.snapshot.providers["claude"].profile, None);
    assert_eq!(resolved("generic", ""), expected);
}

#[test]
fn the_built_in_profiles_differ_where_their_vendors_do() {
    let reasoning = ["vllm", "ollama", "openrouter", "groq", "deepseek", "azure_openai"]
        .map(|name| resolved(name, "").reasoning_field);
    assert_eq!(
        reasoning,
        ["reasoning", "reasoning", "reasoning", "reasoning", "reasoning_content", "reasoning_content"]
    );
    let azure = resolved("azure_openai", "");
    assert_eq!((azure.auth_header.as_str(), azure.auth_prefix.as_str()), ("api-key", ""));
    assert_eq!(azure.chat_path.as_deref(), Some("/openai/v1/chat/completions"));
    assert_eq!((azure.max_tool_id, azure.max_tokens), (40, MaxTokensName::MaxCompletionTokens));
    assert!(!resolved("deepseek", "").strict_schemas);
    let groq = resolved("groq", "");
    assert!(groq.errors.contains(&rule(Some(498), None, None, ErrorClass::Overloaded)));
    assert_eq!(resolved("openrouter", "").errors[0], rule(Some(402), None, None, ErrorClass::Billing));
}

#[test]
fn every_key_of_a_profile_is_taken() {
    let text = "  mine:
    auth_header: X-Key
    auth_prefix: Token
    headers: {X-Title: us, http-referer: 'https://example.com'}
    paths: {chat: '/m/{model}/chat', embeddings: /embed}
    query: {api-version: 2026-06-01, flag: 'a b&c'}
    max_tokens: max_completion_tokens
    stream_usage: false
    reasoning_field: thoughts
    developer_role: true
    strict_schemas: false
    parallel_tool_calls: false
    max_tool_id: 29
    errors:
      - {status: 418, code: teapot, message: short and stout, class: overloaded}
      - {message: no credit, class: billing}
";
    let expected = Profile {
        auth_header: "x-key".to_owned(),
        auth_prefix: "Token ".to_owned(),
        headers: vec![
            ("x-title".to_owned(), "us".to_owned()),
            ("http-referer".to_owned(), "https://example.com".to_owned()),
        ],
        chat_path: Some("/m/{model}/chat".to_owned()),
        embeddings_path: Some("/embed".to_owned()),
        query: Some("api-version=2026-06-01&flag=a+b%26c".to_owned()),
        max_tokens: MaxTokensName::MaxCompletionTokens,
        stream_usage: false,
        reasoning_field: "thoughts".to_owned(),
        developer_role: true,
        strict_schemas: false,
        parallel_tool_calls: false,
        max_tool_id: 29,
        errors: vec![
            rule(Some(418), Some("teapot"), Some("short and stout"), ErrorClass::Overloaded),
            rule(None, None, Some("no credit"), ErrorClass::Billing),
        ],
    };
    assert_eq!(resolved("mine", text), expected);
}

#[test]
fn a_profile_says_only_what_differs_from_the_one_that_it_extends() {
    let text = "  child:
    extends: parent
    headers: {x-b: two}
    query: {v: 2, w: 3}
    errors: [{status: 402, class: permission}]
  parent:
    extends: azure_openai
    headers: {x-a: one, x-b: one}
    query: {u: 0, v: 1}
    paths: {chat: '/openai/deployments/{model}/chat/completions'}
";
    let child = resolved("child", text);
    assert_eq!(child.headers, [("x-a", "one"), ("x-b", "two")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert_eq!(child.query.as_deref(), Some("u=0&v=2&w=3"));
    assert_eq!(child.chat_path.as_deref(), Some("/openai/deployments/{model}/chat/completions"));
    assert_eq!(child.embeddings_path.as_deref(), Some("/openai/v1/embeddings"));
    assert_eq!((child.auth_header.as_str(), child.max_tool_id), ("api-key", 40));
    let classes: Vec<ErrorClass> = child.errors.iter().map(|rule| rule.class).collect();
    assert_eq!(classes, [ErrorClass::Permission, ErrorClass::NotFound], "its own rules come first");
}

#[test]
fn the_built_in_profile_that_one_goes_back_to_brings_what_is_known_of_the_models() {
    let config = accept(&with("mine", "  mine: {extends: groq, stream_usage: false}\n"));
    assert!(!config.snapshot.providers["local"].traits.is_empty());
}

#[test]
fn a_scheme_is_parted_from_the_key_and_other_prefixes_stand_as_they_are() {
    for (written, prefix) in
        [("Bearer", "Bearer "), ("'Bearer '", "Bearer "), ("token=", "token="), ("''", "")]
    {
        assert_eq!(resolved("p", &format!("  p: {{auth_prefix: {written}}}\n")).auth_prefix, prefix);
    }
}

#[test]
fn a_profile_that_no_provider_uses_is_warned_of() {
    let text = with("child", "  child: {extends: parent}\n  parent: {}\n  spare: {}\n");
    let warnings = accept(&text).warnings;
    assert_eq!(warnings, ["config.yaml:6:3: `profiles.spare`: no provider uses this profile"]);
}

#[test]
fn a_circle_is_reported_once_with_its_way() {
    let text = with("d", "  a: {extends: b}\n  b: {extends: c}\n  c: {extends: b}\n  d: {extends: d}\n");
    assert_snapshot!(refuse(&text), @r"
    config.yaml:5:16: `profiles.b.extends`: the profile extends itself (b → c → b); let one of them extend a built-in
      |
    5 |   b: {extends: c}
      |                ^

    config.yaml:7:16: `profiles.d.extends`: the profile extends itself (d → d); let one of them extend a built-in
      |
    7 |   d: {extends: d}
      |                ^
    ");
}

#[test]
fn an_unknown_profile_comes_with_a_suggestion() {
    let text = with("vlm", "  mine: {extends: olama}\n");
    assert_snapshot!(refuse(&text), @r"
    config.yaml:2:90: `providers.local.profile`: there is no profile `vlm`; did you mean `vllm`?
      |
    2 |   local: {kind: openai_compatible, base_url: 'https://api.example', api_key: *, profile: vlm}
      |                                                                                          ^^^

    config.yaml:4:19: `profiles.mine.extends`: there is no profile `olama`; did you mean `ollama`?
      |
    4 |   mine: {extends: olama}
      |                   ^^^^^
    ");
}

#[test]
fn a_profile_of_another_kind_is_refused_with_the_remedy() {
    assert_snapshot!(refuse("providers:\n  openai: {profile: azure_openai}\n"), @r"
    config.yaml:2:12: `providers.openai.profile`: a profile is for providers of kind `openai_compatible`; remove it, or set `kind: openai_compatible`
      |
    2 |   openai: {profile: azure_openai}
      |            ^^^^^^^
    ");
}

#[test]
fn a_secret_in_a_header_is_refused_and_not_shown() {
    let text =
        with("p", "  p:\n    headers:\n      Authorization: Bearer hunter2\n      x-api-key: hunter2\n");
    assert_snapshot!(refuse(&text), @r"
    config.yaml:6:7: `profiles.p.headers.Authorization`: secrets do not belong here; put the key under `api_key` of the provider, and name its header with `auth_header`
      |
    6 |       Authorization: **************
      |       ^^^^^^^^^^^^^

    config.yaml:7:7: `profiles.p.headers.x-api-key`: secrets do not belong here; put the key under `api_key` of the provider, and name its header with `auth_header`
      |
    7 |       x-api-key: *******
      |       ^^^^^^^^^
    ");
}

#[test]
fn the_header_that_carries_the_key_carries_nothing_else() {
    let text =
        with("child", "  child: {extends: base, auth_header: X-Key}\n  base: {headers: {x-key: one}}\n");
    let error = refuse(&text);
    assert!(error.contains("the profile sets `x-key`, which carries the key, as well"), "{error}");
}

#[test]
fn what_a_profile_cannot_say_is_refused_with_one_report_at_its_place() {
    let cases = [
        ("{headers: {api-key: x}}", "secrets do not belong here"),
        ("{headers: {Set-Cookie: x}}", "secrets do not belong here"),
        ("{headers: {proxy-authorization: x}}", "secrets do not belong here"),
        ("{headers: {host: x}}", "the gateway sets this header itself"),
        ("{headers: {x-cliproxy-node: x}}", "the gateway sets this header itself"),
        ("{headers: {'a b': x}}", "this is not the name of a header"),
        ("{headers: {x-a: 'ü'}}", "a header cannot carry this"),
        ("{headers: {x-a: \"a\\nb\"}}", "a header cannot carry this"),
        ("{headers: {x-a: 1, X-A: 2}}", "stands here twice"),
        ("{auth_header: 'a b'}", "is not the name of a header"),
        ("{auth_header: host}", "the gateway sets `host` itself"),
        ("{auth_prefix: \"a\\nb\"}", "a header cannot carry this"),
        ("{paths: {chat: v1/chat}}", "is not a path below the base URL"),
        ("{paths: {chat: '/v1?a=b'}}", "is not a path below the base URL"),
        ("{paths: {embeddings: '/{deployment}/e'}}", "is not a path below the base URL"),
        ("{paths: {models: /m}}", "unknown key `profiles.p.paths.models`"),
        ("{query: {api-key: x}}", "secrets do not belong into a URL"),
        ("{max_tokens: max_token}", "did you mean `max_tokens`?"),
        ("{reasoning_field: content}", "cannot name the field of reasoning"),
        ("{reasoning_field: 'a b'}", "cannot name the field of reasoning"),
        ("{max_tool_id: 8}", "`8` is out of range"),
        ("{stream_usage: 'no'}", "is not a boolean"),
        ("{errors: [{class: billing}]}", "the rule has no condition"),
        ("{errors: [{status: 402}]}", "`class` is missing"),
        ("{errors: [{status: 200, class: billing}]}", "`200` is out of range"),
        ("{errors: [{status: 402, class: biling}]}", "did you mean `billing`?"),
    ];
    for (profile, expected) in cases {
        let text = with("p", &format!("  p: {profile}\n"));
        let reports = places(&text);
        let [(line, _, message)] = reports.as_slice() else { panic!("{profile}: {reports:?}") };
        assert_eq!(*line, 4, "{profile}");
        assert!(message.contains(expected), "{profile}: {message}");
    }
}

#[test]
fn a_profile_is_named_as_a_provider_is_and_not_as_one_that_is_built_in() {
    let error = refuse("profiles: {vllm: {}}");
    assert!(error.contains("a built-in profile has this name"), "{error}");
    let error = refuse("profiles: {'a/b': {}}");
    assert!(error.contains("this cannot name a profile"), "{error}");
}

#[test]
fn a_base_url_with_the_path_that_the_profile_has_as_well_is_refused() {
    let text = "providers:
  azure:
    {kind: openai_compatible, profile: azure_openai, base_url: 'https://us.example/openai/v1/', api_key: x}
";
    let error = refuse(text);
    assert!(error.contains("begins with `/openai/v1` as well; remove it here"), "{error}");
    accept(&text.replace("/openai/v1/", ""));
    accept(&text.replace("/openai/v1/", "/gateway"));
}
