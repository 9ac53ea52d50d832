//! Every key there is, in one table: those that work, and those whose feature comes later.
//!
//! `*` stands for a name that the user chooses, `[]` for the items of a list. A key that is not here is unknown.
//! Nothing is accepted and ignored: what is `Later` is refused, and a test proves of every other key that it
//! changes something.

mod check;

pub(crate) use check::check;

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its path, as in `providers.*.credentials[].name`.
    pub path: &'static str,
    /// What it can do today.
    pub state: State,
}

/// What a key can do today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Works, and a change is taken over while running.
    Hot,
    /// Works, and a change needs a restart.
    Restart,
    /// Is refused, since its feature is not built yet.
    Later,
}

const fn hot(path: &'static str) -> Known {
    Known { path, state: State::Hot }
}

const fn restart(path: &'static str) -> Known {
    Known { path, state: State::Restart }
}

const fn later(path: &'static str) -> Known {
    Known { path, state: State::Later }
}

/// The keys of the configuration file.
pub const KEYS: &[Known] = &[
    restart("server.listen"),
    restart("server.allow_anonymous"),
    restart("server.drain_timeout"),
    hot("server.timeouts.connect"),
    hot("server.timeouts.first_byte"),
    hot("server.timeouts.idle"),
    hot("server.timeouts.total"),
    hot("server.retries.max_attempts"),
    later("server.retries.budget_percent"),
    later("server.retries.hedge"),
    later("server.retries.hedge.enabled"),
    restart("server.limits.max_body"),
    restart("server.limits.max_connections"),
    restart("server.limits.max_header_bytes"),
    restart("server.limits.client_header_timeout"),
    restart("server.limits.client_body_timeout"),
    restart("server.operations.admin_tokens[].name"),
    restart("server.operations.admin_tokens[].role"),
    restart("server.operations.admin_tokens[].sha256"),
    hot("server.operations.load_balancing.strategy"),
    later("server.operations.load_balancing.latency_window"),
    later("server.operations.cooldown"),
    later("server.operations.cooldown.enabled"),
    later("server.operations.cooldown.detection_window"),
    later("server.operations.cooldown.error_threshold"),
    later("server.operations.cooldown.honor_retry_after"),
    later("server.operations.cooldown.max_hint"),
    later("server.operations.health_check"),
    later("server.operations.health_check.enabled"),
    later("server.operations.health_check.interval"),
    later("server.operations.health_check.timeout"),
    later("server.operations.health_check.unhealthy_threshold"),
    later("server.operations.health_check.healthy_threshold"),
    later("server.operations.self_healing"),
    later("server.operations.self_healing.enabled"),
    later("server.operations.self_healing.check_interval"),
    later("server.operations.self_healing.max_attempts"),
    later("server.operations.self_healing.backoff_duration"),
    later("server.operations.connection_pool"),
    later("server.operations.connection_pool.max_idle_conns"),
    later("server.operations.connection_pool.max_idle_conns_per_host"),
    later("server.operations.connection_pool.idle_conn_timeout"),
    later("server.operations.batch_processing"),
    later("server.operations.batch_processing.enabled"),
    later("server.operations.batch_processing.max_batch_size"),
    later("server.operations.batch_processing.timeout"),
    later("server.operations.cache"),
    later("server.operations.cache.enabled"),
    later("server.operations.cache.size"),
    later("server.operations.cache.max_bytes"),
    later("server.operations.cache.ttl"),
    later("server.operations.cache.stale_if_error"),
    later("server.operations.cache.include_sampled"),
    later("server.failover"),
    later("server.failover.enabled"),
    later("server.failover.mode"),
    later("server.failover.health_check_interval"),
    later("server.failover.failover_timeout"),
    later("server.failover.backup_url"),
    later("server.failover.load_balancing"),
    later("server.failover.peers[]"),
    restart("control_plane.listen"),
    restart("control_plane.nodes_listen"),
    restart("control_plane.endpoints[]"),
    restart("control_plane.database.url"),
    later("control_plane.tls"),
    hot("providers.*.kind"),
    hot("providers.*.base_url"),
    hot("providers.*.api_key"),
    hot("providers.*.credentials[].name"),
    hot("providers.*.credentials[].api_key"),
    hot("providers.*.credentials[].weight"),
    hot("providers.*.models[]"),
    hot("providers.*.weight"),
    hot("providers.*.priority"),
    hot("providers.*.timeouts.connect"),
    hot("providers.*.timeouts.first_byte"),
    hot("providers.*.timeouts.idle"),
    hot("providers.*.timeouts.total"),
    later("providers.*.cooldown"),
    later("providers.*.cooldown.enabled"),
    later("providers.*.cooldown.default_duration"),
    later("providers.*.cooldown.rate_limit_duration"),
    later("providers.*.cooldown.error_duration"),
    later("providers.*.quota"),
    later("providers.*.quota.limit"),
    later("providers.*.quota.unit"),
    later("providers.*.quota.reset"),
    later("providers.*.quota.reset_day"),
    later("providers.*.quota.timezone"),
    later("providers.*.quota.on_loss"),
    later("providers.*.health_check"),
    later("providers.*.health_check.enabled"),
    later("providers.*.health_check.endpoint"),
    later("providers.*.health_check.method"),
    later("providers.*.cost_per_1k_tokens"),
    later("providers.*.cost_per_1k_tokens.input"),
    later("providers.*.cost_per_1k_tokens.output"),
    hot("models.*.strategy"),
    hot("models.*.targets[].provider"),
    hot("models.*.targets[].model"),
    hot("models.*.targets[].priority"),
    hot("models.*.targets[].weight"),
    later("clients"),
    later("clients[].name"),
    later("clients[].keys[].sha256"),
    later("clients[].models[]"),
    later("clients[].rate_limit.requests_per_minute"),
    later("clients[].budget.limit"),
    later("clients[].budget.unit"),
    later("clients[].budget.reset"),
    hot("auths_dir"),
    restart("metrics.enabled"),
    restart("metrics.port"),
    restart("metrics.path"),
    restart("logging.level"),
    restart("logging.format"),
    restart("logging.output"),
    later("logging.rotation"),
    later("logging.rotation.enabled"),
    later("logging.rotation.max_size"),
    later("logging.rotation.max_age"),
    later("logging.rotation.max_backups"),
    later("tracing"),
    later("tracing.enabled"),
    later("tracing.exporter"),
    later("tracing.endpoint"),
    later("tracing.service_name"),
    later("tracing.sample_rate"),
    later("alerts"),
    later("alerts.enabled"),
    later("alerts.rules[].name"),
    later("alerts.rules[].condition"),
    later("alerts.rules[].duration"),
    later("alerts.rules[].severity"),
    later("alerts.rules[].notifications[]"),
    later("notifications"),
    later("notifications.slack.enabled"),
    later("notifications.slack.webhook_url"),
    later("notifications.slack.channel"),
    later("notifications.email.enabled"),
    later("notifications.email.smtp_server"),
    later("notifications.email.from"),
    later("notifications.email.to[]"),
    later("notifications.pagerduty.enabled"),
    later("notifications.pagerduty.api_key"),
    later("notifications.pagerduty.service_key"),
];

/// The keys of one file in `auths_dir`.
pub const CREDENTIAL_FILE_KEYS: &[Known] = &[hot("provider"), hot("name"), hot("api_key"), hot("weight")];
