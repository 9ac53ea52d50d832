//! `providers`: the upstreams, their keys and the models they serve.

mod cooldown;
mod health_check;
mod known;
mod price;

use self::known::{FROM_ENVIRONMENT, KINDS, WELL_KNOWN, WellKnown, default_base_url, default_models};
use super::{
    auths::AuthFile,
    credential,
    limits::budget,
    model_traits,
    profiles::{Profiles, Resolved, built_in::BuiltIn},
    timeouts,
};
use crate::{
    catalogue,
    environment::Environment,
    error::Report,
    field::{Field, Findings},
    suggest,
};
use cliproxy_domain::{
    CooldownDurations, Credential, HealthCheck, LimitSubject, ModelPattern, Profile, Provider, ProviderKind,
    ProviderName, Secret, Timeouts,
};
use std::collections::BTreeMap;

/// The providers, and the names of those that the file means to have, also when they are wrong.
pub struct Providers {
    /// Those that are sound.
    pub sound: BTreeMap<ProviderName, Provider>,
    /// All names, so that one mistake does not make others.
    pub names: Vec<String>,
}

/// Reads the section; without one, providers come from the environment and from credential files.
pub fn read(
    root: &Field<'_>,
    base: Timeouts,
    auth_files: Vec<AuthFile>,
    profiles: &Profiles<'_>,
) -> Providers {
    let findings = root.findings();
    let mut by_provider: BTreeMap<ProviderName, Vec<AuthFile>> = BTreeMap::new();
    for file in auth_files {
        by_provider.entry(file.provider.clone()).or_default().push(file);
    }
    let mut providers = Providers { sound: BTreeMap::new(), names: Vec::new() };
    match root.section("providers") {
        Some(section) => {
            for (name, field) in section.entries() {
                providers.names.push(name.to_owned());
                let files = by_provider.remove(name).unwrap_or_default();
                if let Some(provider) = read_provider(name, &field, base, &files, profiles) {
                    providers.sound.insert(provider.name.clone(), provider);
                }
            }
        }
        None => {
            for known in &WELL_KNOWN {
                let files = by_provider.remove(known.name).unwrap_or_default();
                if let Some(provider) = without_section(known, base, &files, findings) {
                    providers.names.push(known.name.to_owned());
                    providers.sound.insert(provider.name.clone(), provider);
                }
            }
        }
    }
    let names: Vec<&str> = providers.names.iter().map(String::as_str).collect();
    for file in by_provider.values().flatten() {
        let remedy = "add it under `providers`, or correct the name";
        let message = format!(
            "there is no provider of this name; {remedy}; providers are {}",
            suggest::list(names.iter().copied())
        );
        file.refuse_provider(findings, &message);
    }
    providers
}

/// Sets a well-known provider up that no file describes, when it has a key.
fn without_section(
    known: &WellKnown,
    base: Timeouts,
    files: &[AuthFile],
    findings: &Findings<'_>,
) -> Option<Provider> {
    let mut credentials = Vec::new();
    add_auth_files(&mut credentials, files, findings);
    if credentials.is_empty() && FROM_ENVIRONMENT.contains(&known.name) {
        credentials.extend(from_environment(known, findings));
    }
    (!credentials.is_empty()).then(|| Provider {
        name: ProviderName::from(known.name),
        kind: known.kind,
        base_url: default_base_url(known.kind).unwrap_or_default().to_owned(),
        credentials,
        models: default_models(known.kind),
        weight: 1,
        priority: 1,
        timeouts: base,
        profile: None,
        traits: catalogue::entries(known.kind, None),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: catalogue::prices(known.kind),
    })
}

/// Reads one provider.
fn read_provider(
    name: &str,
    field: &Field<'_>,
    base: Timeouts,
    files: &[AuthFile],
    profiles: &Profiles<'_>,
) -> Option<Provider> {
    let known = WELL_KNOWN.iter().find(|known| known.name == name);
    let name_is_sound = check_name("provider", name, field);
    let kind = match (field.child("kind"), known) {
        (Some(kind), _) => kind.choice("kind", &KINDS),
        (None, Some(known)) => Some(known.kind),
        (None, None) => {
            let remedy = suggest::list(KINDS.iter().map(|(name, _)| *name));
            field.refuse_key(format!(
                "`kind` is missing, and the name does not imply one; known are {remedy}"
            ));
            None
        }
    };
    let base_url = read_base_url(field, kind);
    let credentials = read_credentials(
        name,
        field,
        known.filter(|known| kind.is_none_or(|kind| kind == known.kind)),
        files,
    );
    let weight = field.child("weight").map_or(Some(1), |field| field.weight());
    let priority = field.child("priority").map_or(Some(1), |field| field.priority());
    let models = read_models(field, kind);
    let timeouts = timeouts::read(field, base);
    let (cooldown, health_check) = (cooldown::read(field), health_check::read(field));
    let quota = budget::read(field, &LimitSubject::Provider(ProviderName::from(name)));
    let prices = price::read(field, kind);
    let own_traits = model_traits::read(field);
    let profile = read_profile(field, kind, profiles);
    if let (Some(url), Some(Some(resolved))) = (&base_url, &profile) {
        check_paths(field, url, &resolved.profile);
    }
    if !name_is_sound {
        return None;
    }
    let (kind, profile) = (kind?, profile?);
    let mut traits = own_traits?;
    traits.extend(catalogue::entries(kind, profile.as_ref().map(|resolved| resolved.origin)));
    Some(Provider {
        name: ProviderName::from(name),
        kind,
        base_url: base_url?,
        credentials: credentials?,
        models: models?,
        weight: weight?,
        priority: priority?,
        timeouts,
        profile: profile.map(|resolved| resolved.profile),
        traits,
        cooldown,
        health_check,
        quota: quota?,
        prices: prices?,
    })
}

/// Reads `profile`, which compatible providers alone have: the generic one when none is named.
fn read_profile(
    provider: &Field<'_>,
    kind: Option<ProviderKind>,
    profiles: &Profiles<'_>,
) -> Option<Option<Resolved>> {
    let compatible = kind.is_none_or(|kind| kind == ProviderKind::OpenAiCompatible);
    match provider.child("profile") {
        Some(field) if compatible => profiles.find(&field).map(Some),
        Some(field) => {
            let remedy = "remove it, or set `kind: openai_compatible`";
            field.refuse_key(format!("a profile is for providers of kind `openai_compatible`; {remedy}"));
            None
        }
        None => Some((kind == Some(ProviderKind::OpenAiCompatible)).then(|| BuiltIn::Generic.into())),
    }
}

/// Refuses a base URL that ends in what the profile's own paths begin with: both would stand in every request.
fn check_paths(provider: &Field<'_>, base_url: &str, profile: &Profile) {
    let own = url::Url::parse(base_url).ok().map(|url| url.path().trim_end_matches('/').to_owned());
    let Some(own) = own.filter(|own| !own.is_empty()) else { return };
    let paths = [&profile.chat_path, &profile.embeddings_path];
    let doubled = paths
        .into_iter()
        .flatten()
        .find(|path| path.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('/')));
    if let Some(path) = doubled
        && let Some(field) = provider.child("base_url")
    {
        let own = crate::mask::shown(&own);
        field.refuse(format!("the profile's path `{path}` begins with `{own}` as well; remove it here"));
    }
}

/// Checks the name of a provider, which stands in URLs, in metrics and before the slash of `provider/model`, or of
/// something else that is named alike.
pub fn check_name(what: &str, name: &str, field: &Field<'_>) -> bool {
    let sound = is_name(name);
    if !sound {
        field.refuse_key(format!("this cannot name a {what}; {NAME_REMEDY}"));
    }
    sound
}

/// Says how names are spelled.
pub const NAME_REMEDY: &str =
    "start with a letter or digit and use at most 64 letters, digits, `-`, `_` and `.`";

/// Tells whether a name is one that needs no quotes anywhere.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Reads `base_url`; its default depends on the kind.
fn read_base_url(provider: &Field<'_>, kind: Option<ProviderKind>) -> Option<String> {
    let Some(field) = provider.child("base_url") else {
        let kind = kind?;
        let default = default_base_url(kind);
        if default.is_none() {
            let example = "such as `http://127.0.0.1:8000/v1`";
            provider.refuse_key(format!(
                "`base_url` is missing; a provider of kind `{}` needs one, {example}",
                kind.as_str()
            ));
        }
        return default.map(str::to_owned);
    };
    let text = field.text()?;
    let url = url::Url::parse(&text.value).ok();
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
    else {
        field.refuse("this is not a base URL; write one that starts with `https://` or `http://`");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        field.refuse("a base URL holds no user or password; put the key under `api_key`");
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        field.refuse("a base URL has no `?` or `#` part; paths are appended to it");
        return None;
    }
    if url.scheme() == "http" && !is_this_machine(&url) {
        field.warn("the provider's key travels unencrypted; use `https://` unless the network is your own");
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn is_this_machine(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Reads `api_key` or `credentials`, adds those from files, and else takes the usual variable.
fn read_credentials(
    owner: &str,
    provider: &Field<'_>,
    known: Option<&WellKnown>,
    files: &[AuthFile],
) -> Option<Vec<Credential>> {
    let findings = provider.findings();
    let mut credentials: Vec<Credential> = Vec::new();
    let mut sound = true;
    let list = provider.section("credentials");
    if let Some(field) = provider.child("api_key") {
        if list.is_some() {
            field.refuse_key("`api_key` and `credentials` are both given; move this key into the list");
            return None;
        }
        let api_key = credential::read_key(&field)?;
        credentials.push(Credential::new("default", api_key));
    }
    for item in list.iter().flat_map(Field::items) {
        let Some(credential) = credential::read(&item, Some(owner), None) else {
            sound = false;
            continue;
        };
        if credentials.iter().any(|known| known.name == credential.name) {
            item.child("name")
                .unwrap_or(item)
                .refuse("another credential of this provider has this name; choose a different one");
            sound = false;
            continue;
        }
        credentials.push(credential);
    }
    add_auth_files(&mut credentials, files, findings);
    if !sound {
        return None;
    }
    if credentials.is_empty() {
        credentials.extend(known.and_then(|known| from_environment(known, findings)));
    }
    if credentials.is_empty() {
        provider.refuse_key(no_credential(known));
        return None;
    }
    Some(credentials)
}

/// Says how a provider without any key gets one.
fn no_credential(known: Option<&WellKnown>) -> String {
    let advice = match known {
        Some(known) => {
            format!(
                "set {}, or give `api_key`",
                suggest::list(known.variables.iter().copied()).replace(" and ", " or ")
            )
        }
        None => "give `api_key` (a server that needs none takes any text)".to_owned(),
    };
    format!("the provider has no credential; {advice}, `credentials` or a file in `auths_dir`")
}

/// Adds the credentials of files; a name that is taken is reported.
fn add_auth_files(credentials: &mut Vec<Credential>, files: &[AuthFile], findings: &Findings<'_>) {
    for file in files {
        if credentials.iter().any(|known| known.name == file.credential.name) {
            file.refuse_name(
                findings,
                "another credential of this provider has this name; give `name` a different one",
            );
            continue;
        }
        credentials.push(file.credential.clone());
    }
}

/// Takes the key from the first of the usual variables that is set and not empty.
fn from_environment(known: &WellKnown, findings: &Findings<'_>) -> Option<Credential> {
    let environment: &Environment = findings.environment;
    let set = |variable: &&'static str| {
        environment
            .get(variable)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .map(|value| (*variable, value))
    };
    let (variable, value) = known.variables.iter().find_map(set)?;
    if value.bytes().any(|b| !(0x21..=0x7e).contains(&b)) {
        let message = format!(
            "the variable `{variable}` has a blank, a line break or a character outside ASCII in it; set it again"
        );
        findings.refuse(Report::unplaced(message));
    }
    Some(Credential::new("default", Secret::new(value)))
}

/// Reads `models`; the default depends on the kind.
fn read_models(provider: &Field<'_>, kind: Option<ProviderKind>) -> Option<Vec<ModelPattern>> {
    match provider.section("models") {
        Some(list) => model_traits::read_patterns(&list),
        None => kind.map(default_models),
    }
}
