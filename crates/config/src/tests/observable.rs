//! No key that works is without effect: each changes the configuration, and in the way that the table says.

use super::{environment, request};
use crate::{Config, ConfigError, KEYS, Load, State, load_text};

/// A configuration that has every section.
const BASE: &str = "
server:
  operations:
    admin_tokens: [{name: ops, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}]
    health_check: {timeout: 10s}
    self_healing: {max_attempts: 3}
  retries: {hedge: {enabled: true}}
  advertise_url: http://one:8317
  failover: {mode: active_passive, backup_url: 'http://two:8317'}
control_plane:
  tls: {ca: Cargo.toml, cert: Cargo.toml, key: Cargo.toml}
providers:
  claude:
    credentials:
      - {name: main, api_key: one, rate_limit: {requests_per_minute: 5}, quota: {limit: 5, reset: monthly}}
      - {name: spare, api_key: two}
    prices: [{models: [claude-1], input: 0.1, output: 0.2}]
    quota: {limit: 5, reset: monthly}
    cost_per_1k_tokens: {input: 0.003, output: 0.015}
  openai:
    api_key: three
  local:
    kind: openai_compatible
    base_url: http://127.0.0.1:8000/v1
    api_key: four
    profile: mine
    model_traits: [{models: [a], efforts: [low]}]
profiles:
  mine: {errors: [{status: 400, class: billing}]}
models:
  smart:
    targets: [{provider: claude, model: claude-1}]
clients:
  - name: ci
    keys: [{sha256: '0000000000000000000000000000000000000000000000000000000000000000'}, {key: a-key-that-nobody-guesses}]
    models: [smart]
    providers: [claude, openai]
    tags: {team: search}
    rate_limit: {requests_per_minute: 5}
    budget: {limit: 5, reset: monthly}
  - name: research
    budgets: [{limit: 5, reset: monthly}]
";

/// For each key, an argument of `--set` that changes it.
const CHANGES: &[(&str, &str)] = &[
    ("server.listen", "server.listen=127.0.0.1:1"),
    ("server.allow_anonymous", "server.allow_anonymous=true"),
    ("server.drain_timeout", "server.drain_timeout=1s"),
    ("server.timeouts.connect", "server.timeouts.connect=1s"),
    ("server.timeouts.first_byte", "server.timeouts.first_byte=1s"),
    ("server.timeouts.idle", "server.timeouts.idle=1s"),
    ("server.timeouts.total", "server.timeouts.total=30s"),
    ("server.retries.max_attempts", "server.retries.max_attempts=1"),
    ("server.retries.budget_percent", "server.retries.budget_percent=0"),
    ("server.retries.hedge.enabled", "server.retries.hedge.enabled=false"),
    ("server.retries.hedge.after", "server.retries.hedge.after=1s"),
    ("server.retries.hedge.budget_percent", "server.retries.hedge.budget_percent=1"),
    ("server.limits.max_body", "server.limits.max_body=1M"),
    ("server.limits.max_connections", "server.limits.max_connections=5"),
    ("server.limits.max_header_bytes", "server.limits.max_header_bytes=32KiB"),
    ("server.limits.client_header_timeout", "server.limits.client_header_timeout=1s"),
    ("server.limits.client_idle_timeout", "server.limits.client_idle_timeout=1s"),
    ("server.limits.client_body_timeout", "server.limits.client_body_timeout=1s"),
    ("server.operations.admin_tokens[].name", "server.operations.admin_tokens.0.name=other"),
    (
        "server.operations.admin_tokens[].sha256",
        "server.operations.admin_tokens.0.sha256=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ),
    ("server.operations.load_balancing.strategy", "server.operations.load_balancing.strategy=latency"),
    ("server.operations.load_balancing.latency_window", "server.operations.load_balancing.latency_window=1m"),
    (
        "server.operations.load_balancing.session_affinity",
        "server.operations.load_balancing.session_affinity=off",
    ),
    ("server.operations.cooldown.enabled", "server.operations.cooldown.enabled=false"),
    ("server.operations.cooldown.detection_window", "server.operations.cooldown.detection_window=2m"),
    ("server.operations.cooldown.error_threshold", "server.operations.cooldown.error_threshold=1"),
    ("server.operations.cooldown.honor_retry_after", "server.operations.cooldown.honor_retry_after=false"),
    ("server.operations.cooldown.max_hint", "server.operations.cooldown.max_hint=1m"),
    ("server.operations.health_check.enabled", "server.operations.health_check.enabled=false"),
    ("server.operations.health_check.interval", "server.operations.health_check.interval=1m"),
    ("server.operations.health_check.timeout", "server.operations.health_check.timeout=1s"),
    (
        "server.operations.health_check.unhealthy_threshold",
        "server.operations.health_check.unhealthy_threshold=1",
    ),
    (
        "server.operations.health_check.healthy_threshold",
        "server.operations.health_check.healthy_threshold=1",
    ),
    ("server.operations.health_check.daily_budget", "server.operations.health_check.daily_budget=5000"),
    ("server.operations.self_healing.enabled", "server.operations.self_healing.enabled=false"),
    ("server.operations.self_healing.check_interval", "server.operations.self_healing.check_interval=2m"),
    ("server.operations.self_healing.max_attempts", "server.operations.self_healing.max_attempts=1"),
    ("server.operations.self_healing.backoff_duration", "server.operations.self_healing.backoff_duration=1s"),
    ("server.advertise_url", "server.advertise_url=http://other:8317"),
    ("server.failover.enabled", "server.failover.enabled=false"),
    (
        "server.failover.mode",
        "server.failover={mode: active_active, peers: ['http://one:8317', 'http://two:8317']}",
    ),
    ("server.failover.health_check_interval", "server.failover.health_check_interval=1s"),
    ("server.failover.failover_timeout", "server.failover.failover_timeout=11s"),
    ("server.failover.backup_url", "server.failover.backup_url=http://three:8317"),
    ("server.failover.load_balancing", "server.failover.load_balancing=consistent_hash"),
    (
        "server.failover.peers[]",
        "server.failover={mode: active_passive, backup_url: 'http://one:8317', peers: ['http://two:8317']}",
    ),
    ("control_plane.listen", "control_plane.listen=127.0.0.1:1"),
    ("control_plane.nodes_listen", "control_plane.nodes_listen=127.0.0.1:1"),
    ("control_plane.endpoints[]", "control_plane.endpoints=[https://control:8319]"),
    ("control_plane.database.url", "control_plane.database.url=sqlite://elsewhere.db"),
    ("control_plane.tls.ca", "control_plane.tls.ca=src/lib.rs"),
    ("control_plane.tls.cert", "control_plane.tls.cert=src/lib.rs"),
    ("control_plane.tls.key", "control_plane.tls.key=src/lib.rs"),
    ("control_plane.allow_plaintext", "control_plane.allow_plaintext=true"),
    ("control_plane.name", "control_plane.name=cp-1"),
    ("control_plane.advertise_url", "control_plane.advertise_url=https://cp-1:8319"),
    ("providers.*.kind", "providers.claude.kind=gemini"),
    ("providers.*.base_url", "providers.claude.base_url=https://example.com"),
    ("providers.*.api_key", "providers.openai.api_key=other"),
    ("providers.*.credentials[].name", "providers.claude.credentials.0.name=other"),
    ("providers.*.credentials[].api_key", "providers.claude.credentials.0.api_key=other"),
    ("providers.*.credentials[].weight", "providers.claude.credentials.0.weight=2"),
    (
        "providers.*.credentials[].rate_limit.requests_per_minute",
        "providers.claude.credentials.0.rate_limit.requests_per_minute=6",
    ),
    (
        "providers.*.credentials[].rate_limit.tokens_per_minute",
        "providers.claude.credentials.0.rate_limit.tokens_per_minute=6",
    ),
    (
        "providers.*.credentials[].rate_limit.concurrent_requests",
        "providers.claude.credentials.0.rate_limit.concurrent_requests=6",
    ),
    (
        "providers.*.credentials[].rate_limit.on_loss",
        "providers.claude.credentials.0.rate_limit.on_loss=strict",
    ),
    ("providers.*.credentials[].quota.limit", "providers.claude.credentials.0.quota.limit=6"),
    ("providers.*.credentials[].quota.unit", "providers.claude.credentials.0.quota.unit=requests"),
    ("providers.*.credentials[].quota.reset", "providers.claude.credentials.0.quota.reset=daily"),
    ("providers.*.credentials[].quota.reset_day", "providers.claude.credentials.0.quota.reset_day=15"),
    (
        "providers.*.credentials[].quota.timezone",
        "providers.claude.credentials.0.quota.timezone=Europe/Berlin",
    ),
    ("providers.*.credentials[].quota.on_loss", "providers.claude.credentials.0.quota.on_loss=optimistic"),
    ("providers.*.credentials[].quota.policy", "providers.claude.credentials.0.quota.policy=finish"),
    (
        "providers.*.credentials[].quota.reserve_output",
        "providers.claude.credentials.0.quota.reserve_output=1",
    ),
    ("providers.*.models[]", "providers.claude.models=[x-*]"),
    ("providers.*.weight", "providers.claude.weight=2"),
    ("providers.*.priority", "providers.claude.priority=2"),
    ("providers.*.timeouts.connect", "providers.claude.timeouts.connect=1s"),
    ("providers.*.timeouts.first_byte", "providers.claude.timeouts.first_byte=1s"),
    ("providers.*.timeouts.idle", "providers.claude.timeouts.idle=1s"),
    ("providers.*.timeouts.total", "providers.claude.timeouts.total=30s"),
    ("providers.*.profile", "providers.local.profile=ollama"),
    ("providers.*.model_traits[].models[]", "providers.local.model_traits.0.models=[b]"),
    ("providers.*.model_traits[].max_output", "providers.local.model_traits.0.max_output=5"),
    ("providers.*.model_traits[].images", "providers.local.model_traits.0.images=true"),
    ("providers.*.model_traits[].files", "providers.local.model_traits.0.files=true"),
    ("providers.*.model_traits[].file_urls", "providers.local.model_traits.0.file_urls=true"),
    ("providers.*.model_traits[].audio", "providers.local.model_traits.0.audio=true"),
    ("providers.*.model_traits[].media_output", "providers.local.model_traits.0.media_output=true"),
    ("providers.*.model_traits[].tools", "providers.local.model_traits.0.tools=true"),
    ("providers.*.model_traits[].structured_output", "providers.local.model_traits.0.structured_output=true"),
    ("providers.*.model_traits[].choices", "providers.local.model_traits.0.choices=true"),
    ("providers.*.model_traits[].logprobs", "providers.local.model_traits.0.logprobs=true"),
    ("providers.*.model_traits[].server_state", "providers.local.model_traits.0.server_state=true"),
    ("providers.*.model_traits[].embeddings", "providers.local.model_traits.0.embeddings=true"),
    ("providers.*.model_traits[].token_arrays", "providers.local.model_traits.0.token_arrays=true"),
    ("providers.*.model_traits[].token_counts", "providers.local.model_traits.0.token_counts=true"),
    ("providers.*.model_traits[].thinking", "providers.local.model_traits.0.thinking=budget"),
    ("providers.*.model_traits[].efforts[]", "providers.local.model_traits.0.efforts=[high]"),
    ("providers.*.model_traits[].thinking_optional", "providers.local.model_traits.0.thinking_optional=true"),
    ("providers.*.model_traits[].sampling", "providers.local.model_traits.0.sampling=true"),
    ("providers.*.model_traits[].system_anywhere", "providers.local.model_traits.0.system_anywhere=true"),
    ("providers.*.model_traits[].prefill", "providers.local.model_traits.0.prefill=true"),
    (
        "providers.*.model_traits[].forced_tools_while_thinking",
        "providers.local.model_traits.0.forced_tools_while_thinking=true",
    ),
    (
        "providers.*.model_traits[].tools_need_responses",
        "providers.local.model_traits.0.tools_need_responses=true",
    ),
    ("providers.*.cooldown.enabled", "providers.claude.cooldown.enabled=false"),
    ("providers.*.cooldown.default_duration", "providers.claude.cooldown.default_duration=1s"),
    ("providers.*.cooldown.rate_limit_duration", "providers.claude.cooldown.rate_limit_duration=1s"),
    ("providers.*.cooldown.error_duration", "providers.claude.cooldown.error_duration=1s"),
    ("providers.*.health_check.enabled", "providers.claude.health_check.enabled=false"),
    ("providers.*.health_check.endpoint", "providers.claude.health_check.endpoint=https://example.com/up"),
    ("providers.*.health_check.method", "providers.claude.health_check.method=HEAD"),
    ("providers.*.quota.limit", "providers.claude.quota.limit=6"),
    ("providers.*.quota.unit", "providers.claude.quota.unit=requests"),
    ("providers.*.quota.reset", "providers.claude.quota.reset=daily"),
    ("providers.*.quota.reset_day", "providers.claude.quota.reset_day=15"),
    ("providers.*.quota.timezone", "providers.claude.quota.timezone=Europe/Berlin"),
    ("providers.*.quota.on_loss", "providers.claude.quota.on_loss=optimistic"),
    ("providers.*.quota.policy", "providers.claude.quota.policy=finish"),
    ("providers.*.quota.reserve_output", "providers.claude.quota.reserve_output=1"),
    ("providers.*.cost_per_1k_tokens.input", "providers.claude.cost_per_1k_tokens.input=0.004"),
    ("providers.*.cost_per_1k_tokens.output", "providers.claude.cost_per_1k_tokens.output=0"),
    ("providers.*.cost_per_1k_tokens.cached_input", "providers.claude.cost_per_1k_tokens.cached_input=0.001"),
    ("providers.*.cost_per_1k_tokens.cache_write", "providers.claude.cost_per_1k_tokens.cache_write=0.001"),
    ("providers.*.cost_per_1k_tokens.reasoning", "providers.claude.cost_per_1k_tokens.reasoning=0.001"),
    ("providers.*.prices[].models[]", "providers.claude.prices.0.models=[claude-2]"),
    ("providers.*.prices[].input", "providers.claude.prices.0.input=0.001"),
    ("providers.*.prices[].output", "providers.claude.prices.0.output=0.001"),
    ("providers.*.prices[].cached_input", "providers.claude.prices.0.cached_input=0.001"),
    ("providers.*.prices[].cache_write", "providers.claude.prices.0.cache_write=0.001"),
    ("providers.*.prices[].reasoning", "providers.claude.prices.0.reasoning=0.001"),
    ("profiles.*.extends", "profiles.mine.extends=groq"),
    ("profiles.*.auth_header", "profiles.mine.auth_header=x-key"),
    ("profiles.*.auth_prefix", "profiles.mine.auth_prefix=Token"),
    ("profiles.*.headers.*", "profiles.mine.headers.x-title=us"),
    ("profiles.*.paths.chat", "profiles.mine.paths.chat=/c"),
    ("profiles.*.paths.embeddings", "profiles.mine.paths.embeddings=/e"),
    ("profiles.*.query.*", "profiles.mine.query.api-version=1"),
    ("profiles.*.max_tokens", "profiles.mine.max_tokens=max_completion_tokens"),
    ("profiles.*.stream_usage", "profiles.mine.stream_usage=false"),
    ("profiles.*.reasoning_field", "profiles.mine.reasoning_field=thoughts"),
    ("profiles.*.developer_role", "profiles.mine.developer_role=true"),
    ("profiles.*.strict_schemas", "profiles.mine.strict_schemas=false"),
    ("profiles.*.parallel_tool_calls", "profiles.mine.parallel_tool_calls=false"),
    ("profiles.*.max_tool_id", "profiles.mine.max_tool_id=40"),
    ("profiles.*.errors[].status", "profiles.mine.errors.0.status=401"),
    ("profiles.*.errors[].code", "profiles.mine.errors.0.code=c"),
    ("profiles.*.errors[].message", "profiles.mine.errors.0.message=m"),
    ("profiles.*.errors[].class", "profiles.mine.errors.0.class=auth"),
    ("translation.on_loss", "translation.on_loss=refuse"),
    ("translation.unsupported_tools", "translation.unsupported_tools=drop"),
    ("translation.default_max_tokens", "translation.default_max_tokens=5"),
    ("models.*.strategy", "models.smart.strategy=quota_aware"),
    ("models.*.targets[].provider", "models.smart.targets.0.provider=openai"),
    ("models.*.targets[].model", "models.smart.targets.0.model=claude-2"),
    ("models.*.targets[].priority", "models.smart.targets.0.priority=2"),
    ("models.*.targets[].weight", "models.smart.targets.0.weight=2"),
    ("clients[].name", "clients.0.name=other"),
    (
        "clients[].keys[].sha256",
        "clients.0.keys.0.sha256=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ),
    ("clients[].keys[].key", "clients.0.keys.1.key=a-key-that-nobody-has-yet"),
    ("clients[].keys[].expires", "clients.0.keys.0.expires=2099-01-01"),
    ("clients[].models[]", "clients.0.models=[claude-1]"),
    ("clients[].providers[]", "clients.0.providers=[claude]"),
    ("clients[].tags.*", "clients.0.tags.team=ads"),
    ("clients[].rate_limit.requests_per_minute", "clients.0.rate_limit.requests_per_minute=6"),
    ("clients[].rate_limit.tokens_per_minute", "clients.0.rate_limit.tokens_per_minute=6"),
    ("clients[].rate_limit.concurrent_requests", "clients.0.rate_limit.concurrent_requests=6"),
    ("clients[].rate_limit.on_loss", "clients.0.rate_limit.on_loss=strict"),
    ("clients[].budget.limit", "clients.0.budget.limit=6"),
    ("clients[].budget.unit", "clients.0.budget.unit=requests"),
    ("clients[].budget.reset", "clients.0.budget.reset=daily"),
    ("clients[].budget.reset_day", "clients.0.budget.reset_day=15"),
    ("clients[].budget.timezone", "clients.0.budget.timezone=Europe/Berlin"),
    ("clients[].budget.on_loss", "clients.0.budget.on_loss=optimistic"),
    ("clients[].budget.policy", "clients.0.budget.policy=finish"),
    ("clients[].budget.reserve_output", "clients.0.budget.reserve_output=1"),
    ("clients[].budgets[].limit", "clients.1.budgets.0.limit=6"),
    ("clients[].budgets[].unit", "clients.1.budgets.0.unit=requests"),
    ("clients[].budgets[].reset", "clients.1.budgets.0.reset=daily"),
    ("clients[].budgets[].reset_day", "clients.1.budgets.0.reset_day=15"),
    ("clients[].budgets[].timezone", "clients.1.budgets.0.timezone=Europe/Berlin"),
    ("clients[].budgets[].on_loss", "clients.1.budgets.0.on_loss=optimistic"),
    ("clients[].budgets[].policy", "clients.1.budgets.0.policy=finish"),
    ("clients[].budgets[].reserve_output", "clients.1.budgets.0.reserve_output=1"),
    ("clients[].priority", "clients.0.priority=high"),
    ("auths_dir", "auths_dir=src"),
    ("metrics.enabled", "metrics.enabled=true"),
    ("metrics.port", "metrics.port=1"),
    ("metrics.path", "metrics.path=/m"),
    ("logging.level", "logging.level=debug"),
    ("logging.format", "logging.format=text"),
    ("logging.output", "logging.output=stderr"),
];

/// Keys with a single value today: any other is refused, so that none is taken without being obeyed.
const REFUSALS: &[(&str, &str, &str)] = &[(
    "server.operations.admin_tokens[].role",
    "server.operations.admin_tokens.0.role=viewer",
    "not a known role",
)];

fn with(argument: Option<&str>) -> Result<Config, ConfigError> {
    let overrides = argument.map(str::to_owned).into_iter().collect();
    let load = Load { overrides, environment: environment(), ..request() };
    load_text("config.yaml", BASE, &load)
}

#[test]
fn every_key_that_works_changes_something() {
    let base = with(None).unwrap();
    for (path, argument) in CHANGES {
        let changed = with(Some(argument)).unwrap_or_else(|error| panic!("{error}"));
        let changed = Config { warnings: base.warnings.clone(), ..changed };
        assert_ne!(base, changed, "{path} changes nothing");
    }
    for (path, argument, message) in REFUSALS {
        let error = with(Some(argument)).expect_err(path).to_string();
        assert!(error.contains(message), "{path}: {error}");
    }
}

#[test]
fn the_table_tells_which_keys_need_a_restart() {
    let base = with(None).unwrap();
    for (path, argument) in CHANGES {
        let changed = with(Some(argument)).unwrap();
        let state = KEYS.iter().find(|known| known.path == *path).expect("the path is in the table").state;
        let expected = if base.needs_restart(&changed).is_empty() { State::Hot } else { State::Restart };
        assert_eq!(state, expected, "{path}");
    }
}

#[test]
fn every_key_that_works_is_among_the_changes_above() {
    let tried: Vec<&str> =
        CHANGES.iter().map(|change| change.0).chain(REFUSALS.iter().map(|refusal| refusal.0)).collect();
    for known in KEYS.iter().filter(|known| known.state != State::Later) {
        assert_eq!(tried.iter().filter(|path| **path == known.path).count(), 1, "{}", known.path);
    }
    let available = KEYS.iter().filter(|known| known.state != State::Later).count();
    assert_eq!(tried.len(), available);
}
