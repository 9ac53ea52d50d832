//! Profiles, traits and translation: any of them for the properties, and what is refused.

use super::*;
use cliproxy_domain::{
    Effort, ErrorClass, ErrorRule, MaxTokensName, Need, OnLoss, Profile, Thinking, TraitsEntry,
    TranslationPolicy, UnsupportedTools,
};

fn rules() -> impl Generate<Value = ErrorRule> {
    let conditions = (option::of(400..600_u16), option::of("\\PC{1,9}"), option::of("\\PC{1,9}"));
    (conditions, select(ErrorClass::ALL.to_vec())).prop_map(|((status, code, message), class)| {
        // A rule without a condition is refused.
        let status = status.or((code.is_none() && message.is_none()).then_some(500));
        ErrorRule { status, code, message, class }
    })
}

pub(super) fn profiles() -> impl Generate<Value = Profile> {
    let texts = ("[a-z-]{1,9}", "[ -~]{0,9}", "[a-z_]{1,9}");
    let paths = [0; 2].map(|_| option::of("/[a-z/{}.-]{0,9}"));
    let headers = collection::vec(("[a-z-]{1,9}", "[!-~ ]{0,9}"), 0..3);
    let flags = any::<[bool; 4]>();
    let rest = (option::of("[a-z=&%0-9+]{0,9}"), select(MaxTokensName::ALL.to_vec()), 16..99_usize);
    (texts, paths, headers, flags, rest, collection::vec(rules(), 0..3)).prop_map(
        |((auth_header, auth_prefix, reasoning_field), paths, headers, flags, rest, errors)| {
            let ([chat_path, embeddings_path], (query, max_tokens, max_tool_id)) = (paths, rest);
            let [stream_usage, developer_role, strict_schemas, parallel_tool_calls] = flags;
            Profile {
                auth_header,
                auth_prefix,
                headers,
                chat_path,
                embeddings_path,
                query,
                max_tokens,
                stream_usage,
                reasoning_field,
                developer_role,
                strict_schemas,
                parallel_tool_calls,
                max_tool_id,
                errors,
            }
        },
    )
}

pub(super) fn traits() -> impl Generate<Value = TraitsEntry> {
    let models = collection::vec("[a-z*?-]{1,8}", 1..3);
    let abilities = collection::vec((select(Need::ALL.to_vec()), any::<bool>()), 0..4);
    let thinking = option::of(select(Thinking::ALL.to_vec()));
    let efforts = option::of(collection::vec(select(Effort::ALL.to_vec()), 0..4));
    let flags = [0; 6].map(|_| option::of(any::<bool>()));
    (models, option::of(1..u64::MAX), abilities, thinking, efforts, flags).prop_map(
        |(models, max_output, abilities, thinking, efforts, flags)| {
            let [thinking_optional, sampling, system_anywhere, prefill, forced, responses] = flags;
            TraitsEntry {
                models: models.into_iter().map(ModelPattern::new).collect(),
                max_output,
                abilities,
                thinking,
                efforts,
                thinking_optional,
                sampling,
                system_anywhere,
                prefill,
                forced_tools_while_thinking: forced,
                tools_need_responses: responses,
            }
        },
    )
}

pub(super) fn translations() -> impl Generate<Value = TranslationPolicy> {
    (select(OnLoss::ALL.to_vec()), select(UnsupportedTools::ALL.to_vec()), 1..u64::MAX).prop_map(
        |(on_loss, unsupported_tools, default_max_tokens)| TranslationPolicy {
            on_loss,
            unsupported_tools,
            default_max_tokens,
        },
    )
}

#[test]
fn a_message_without_profile_traits_and_translation_reads_as_the_defaults() {
    let snapshot = spoilt(|provider, policy| {
        provider.profile = None;
        policy.translation = None;
    })
    .unwrap();
    assert_eq!((&snapshot.providers["p0"].profile, snapshot.providers["p0"].traits.len()), (&None, 0));
    assert_eq!(snapshot.policy.translation, TranslationPolicy::default());
    let empty = spoilt(|_, policy| policy.translation = Some(v1::Translation::default())).unwrap();
    assert_eq!(empty.policy.translation, TranslationPolicy::default());
}

#[test]
fn what_the_configuration_would_refuse_is_refused_on_the_wire_as_well() {
    fn profile(wire: &mut v1::Provider) -> &mut v1::Profile {
        wire.profile.as_mut().unwrap()
    }
    type Spoil = fn(&mut v1::Provider, &mut v1::Policy);
    let cases: [(Spoil, &str); 13] = [
        (|p, _| p.kind = "openai".into(), "Provider.kind of a provider with a profile is \"openai\""),
        (|p, _| profile(p).auth_header.clear(), "Profile.auth_header is missing"),
        (|p, _| profile(p).auth_header = "a b".into(), "Profile.auth_header is \"a b\"; it must be the name"),
        (|p, _| profile(p).auth_prefix = "a\n".into(), "Profile.auth_prefix is \"a\\n\"; it must be visible"),
        (|p, _| profile(p).chat_path = Some("chat".into()), "Profile.chat_path is \"chat\""),
        (|p, _| profile(p).query = Some("a b".into()), "Profile.query is \"a b\""),
        (|p, _| profile(p).max_tokens.clear(), "Profile.max_tokens is \"\"; it must be one of"),
        (|p, _| profile(p).max_tool_id = 15, "Profile.max_tool_id is 15; it must be at least 16"),
        (|p, _| profile(p).errors = vec![v1::ErrorRule::default()], "a condition of ErrorRule is missing"),
        (
            |p, _| {
                profile(p).errors =
                    vec![v1::ErrorRule { status: Some(70_000), class: "auth".into(), ..Default::default() }];
            },
            "ErrorRule.status is 70000",
        ),
        (|p, _| p.traits = vec![v1::ModelTraits::default()], "ModelTraits.models is missing"),
        (
            |p, _| {
                let abilities = vec![v1::Ability { need: "wings".into(), able: true }];
                p.traits =
                    vec![v1::ModelTraits { models: vec!["*".into()], abilities, ..Default::default() }];
            },
            "Ability.need is \"wings\"",
        ),
        (
            |_, policy| {
                policy.translation = Some(v1::Translation { on_loss: "shrug".into(), ..Default::default() });
            },
            "Translation.on_loss is \"shrug\"; it must be one of: warn, refuse",
        ),
    ];
    for (spoil, message) in cases {
        let error = spoilt(spoil).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
