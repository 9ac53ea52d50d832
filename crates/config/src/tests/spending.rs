//! Whether there is anything that budgets could be spent on.

use super::{accept, refuse};

const BUDGET: &str = "budget: {limit: 5, unit: usd, reset: daily}";

#[test]
fn a_clients_budget_in_dollars_names_the_models_without_a_price() {
    let providers = "providers: {claude: {models: [claude-opus-4-5, claude-9]}, openai: {models: [gpt-5]}}";
    let told =
        |client: &str| accept(&format!("{providers}\nclients: [{{name: ci, {BUDGET}{client}}}]")).warnings;
    let all = told("");
    let expected = "config.yaml:2:47: `clients[0].budget.unit`: nothing tells what `claude/claude-9` costs;";
    assert!(matches!(&all[..], [one] if one.starts_with(expected)), "{all:?}");
    for sound in [", models: [gpt-5]", ", providers: [openai]", ", models: ['claude-opus-*']"] {
        assert_eq!(told(sound), Vec::<String>::new(), "{sound}");
    }
}

#[test]
fn a_clients_budget_in_dollars_of_which_nothing_can_be_spent_is_refused() {
    let unpriced = "own: {kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x, models: [m]}";
    let cases = [
        (unpriced, "", "`own/m`"),
        (unpriced, ", models: [m]", "`own/m`"),
        (unpriced, ", models: [own/m]", "`own/m`"),
        ("own: {kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x}", "", "`own/*`"),
        ("claude: {}", ", models: [claude-9]", "`claude/claude-9`"),
    ];
    for (provider, client, models) in cases {
        let error = refuse(&format!("providers: {{{provider}}}\nclients: [{{name: ci, {BUDGET}{client}}}]"));
        let expected = format!(
            "config.yaml:2:47: `clients[0].budget.unit`: nothing tells what {models} costs, and the client may ask for \
             nothing else"
        );
        assert!(error.starts_with(&expected) && error.contains("or count `tokens`"), "{client}: {error}");
    }
}

#[test]
fn what_a_client_names_of_a_providers_patterns_needs_a_price_and_no_more() {
    let told = |client: &str| {
        accept(&format!("providers: {{claude: {{}}}}\nclients: [{{name: ci, {BUDGET}{client}}}]")).warnings
    };
    assert_eq!(told(", models: [claude-sonnet-4-5]"), Vec::<String>::new());
    assert_eq!(told(", models: [claude/claude-sonnet-4-5]"), Vec::<String>::new());
    for client in ["", ", models: ['*']", ", models: [claude-9, claude-sonnet-4-5]"] {
        let warnings = told(client);
        assert!(
            matches!(&warnings[..], [one] if one.contains("or let the client's `models` name only what has one")),
            "{client}: {warnings:?}"
        );
    }
}

#[test]
fn a_budget_that_has_less_than_a_request_sets_aside_is_warned_of() {
    let told = |quota: &str| {
        accept(&format!("providers: {{claude: {{quota: {{reset: monthly, {quota}}}}}}}")).warnings
    };
    for quota in ["limit: 3000", "limit: 4096, unit: tokens", "limit: 50, reserve_output: 50"] {
        let warnings = told(quota);
        let start = "config.yaml:1:22: `providers.claude.quota`: a request that names no maximum of tokens sets aside";
        assert!(
            matches!(&warnings[..], [one] if one.starts_with(start) && one.contains("or a `reserve_output` well below")),
            "{quota}: {warnings:?}"
        );
    }
    for sound in ["limit: 4097", "limit: 3000, reserve_output: 500", "limit: 1, unit: requests"] {
        assert_eq!(told(sound), Vec::<String>::new(), "{sound}");
    }
}

#[test]
fn a_limit_of_tokens_a_minute_that_hardly_a_request_fits_is_warned_of() {
    let told = |limit: u32| {
        accept(&format!(
            "providers: {{claude: {{}}}}\nclients: [{{name: ci, rate_limit: {{tokens_per_minute: {limit}}}}}]"
        ))
        .warnings
    };
    let warnings = told(10);
    let start = "config.yaml:2:54: `clients[0].rate_limit.tokens_per_minute`: a request whose prompt is larger than 10 \
                 tokens is always refused";
    assert!(matches!(&warnings[..], [one] if one.starts_with(start)), "{warnings:?}");
    assert_eq!(told(100), Vec::<String>::new());
}
