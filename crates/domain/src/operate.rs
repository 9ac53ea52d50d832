//! What operators ask: of a provider, to let it rest, or to end its rests; of a client, to have other keys. Read and checked
//! here, so that both planes take and refuse the same.

mod body;
mod checked;
mod keys;
mod question;
mod release;
#[cfg(test)]
mod tests;
mod usage;

pub use body::{Body, Given};
pub use keys::{KeyOrder, KeyVerb, KeyWanted, LONGEST_LIFETIME, LONGEST_OVERLAP, Lifetime, USUAL_OVERLAP};
pub use question::{Question, single};
pub use release::ReleaseAsked;
pub use usage::{MOST_LINES, USUAL_SUMS, UsageAsked, UsageFormat};

use crate::{
    cooldown::{CooldownKey, Scope},
    name::{ClientName, CredentialName, ModelName, ProviderName},
    snapshot::{Provider, Snapshot},
};
use std::{fmt, time::Duration};

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The longest rest that an operator may ask for.
pub const LONGEST_REST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long an answer waits for the nodes where the call does not say.
pub const USUAL_WAIT: Duration = Duration::from_secs(2);
/// The longest that an answer may wait for the nodes.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest reason, in bytes.
const MAX_REASON: usize = 1_000;
/// The longest name of a model and of a call, in bytes.
const MAX_NAME: usize = 200;

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `POST …/cooldown`: to rest.
    Cooldown,
    /// `POST …/recover`: to rest no longer.
    Recover,
}

impl Verb {
    /// Names it as the path does.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Cooldown => "cooldown",
            Verb::Recover => "recover",
        }
    }

    /// Lists the fields that its body takes.
    pub fn fields(self) -> &'static [&'static str] {
        const ALL: [&str; 8] =
            ["duration", "reason", "credential", "model", "request_id", "dry_run", "wait", "timeout"];
        match self {
            Verb::Cooldown => &ALL,
            Verb::Recover => &ALL[1..],
        }
    }
}

/// For how many nodes an answer waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// For none.
    #[default]
    None,
    /// For more than half of those that are connected.
    Majority,
    /// For all that are connected.
    All,
}

impl Wait {
    /// All values, each with its word.
    pub const WORDS: [(Wait, &str); 3] =
        [(Wait::None, "none"), (Wait::Majority, "majority"), (Wait::All, "all")];

    /// Tells how many of `total` nodes are enough.
    pub fn enough(self, total: u32) -> u32 {
        match self {
            Wait::None => 0,
            Wait::Majority if total == 0 => 0,
            Wait::Majority => total / 2 + 1,
            Wait::All => total,
        }
    }
}

/// What a caller wants, before it is held against the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How long the rest should be.
    pub duration: Option<Duration>,
    /// Why, in his words.
    pub reason: Option<String>,
    /// Only this credential.
    pub credential: Option<String>,
    /// Only this model, as the provider knows it.
    pub model: Option<String>,
    /// The name of the call: a second one of the same name does nothing.
    pub request_id: Option<String>,
    /// Whether it is only tried out.
    pub dry_run: bool,
    /// For how many nodes the answer waits.
    pub wait: Wait,
    /// For how long at most.
    pub timeout: Option<Duration>,
}

/// What a caller wants, checked and with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is asked.
    pub verb: Verb,
    /// Of what.
    pub key: CooldownKey,
    /// How long the rest should be; zero of a recovery.
    pub duration: Duration,
    /// Why; empty when he gave no reason.
    pub reason: String,
    /// The name of the call.
    pub request_id: Option<String>,
    /// Whether it is only tried out.
    pub dry_run: bool,
    /// For how many nodes the answer waits.
    pub wait: Wait,
    /// For how long at most.
    pub timeout: Duration,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The body is no JSON object.
    #[error("the body is not a JSON object ({0}); send one as {{\"reason\": \"maintenance\"}}, or no body")]
    Body(String),
    /// The body has a field that means nothing.
    #[error("there is no field `{field}` (its value is {value}); {call} takes {known}", known = .known.join(", "))]
    UnknownField {
        /// Its name, cut to what people read.
        field: String,
        /// What it holds.
        value: String,
        /// What was asked.
        call: &'static str,
        /// The fields that it takes.
        known: &'static [&'static str],
    },
    /// A field holds what it may not.
    #[error("{field} is {value}; {remedy}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// A query has a parameter that means nothing.
    #[error("there is no parameter `{name}`; {}", known_parameters(.known))]
    UnknownParameter {
        /// Its name, cut to what people read.
        name: String,
        /// Those there are.
        known: &'static [&'static str],
    },
    /// No such client.
    #[error("there is no client {name:?}; {}", known_clients(known))]
    UnknownClient {
        /// What was asked for, cut to what people read.
        name: String,
        /// Those there are.
        known: Vec<ClientName>,
    },
    /// No such provider.
    #[error("there is no provider {name:?}; {}", known_providers(known))]
    UnknownProvider {
        /// What was asked for, cut to what people read.
        name: String,
        /// Those there are.
        known: Vec<ProviderName>,
    },
}

impl OrderError {
    /// Names a provider that `snapshot` does not have.
    pub fn unknown_provider(name: &str, snapshot: &Snapshot) -> Self {
        Self::UnknownProvider { name: cut(name), known: snapshot.providers.keys().cloned().collect() }
    }

    fn field(field: &'static str, value: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self::Field { field, value: value.to_string(), remedy: remedy.into() }
    }
}

fn known_parameters(known: &[&str]) -> String {
    if known.is_empty() {
        return "this takes none".to_owned();
    }
    format!("known are {}", known.join(", "))
}

fn known_clients(known: &[ClientName]) -> String {
    if known.is_empty() {
        return "none is configured; add it to clients first".to_owned();
    }
    let names: Vec<_> = known.iter().map(ClientName::as_str).collect();
    format!("the configured ones are {}; add it to clients first", names.join(", "))
}

fn known_providers(known: &[ProviderName]) -> String {
    if known.is_empty() {
        return "none is configured".to_owned();
    }
    let names: Vec<_> = known.iter().map(ProviderName::as_str).collect();
    format!("the known ones are {}", names.join(", "))
}

impl Wanted {
    /// Holds what a caller wants against the configuration.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn order(self, verb: Verb, provider: &str, snapshot: &Snapshot) -> Result<Order, OrderError> {
        let found = snapshot
            .providers
            .get(provider)
            .ok_or_else(|| OrderError::unknown_provider(provider, snapshot))?;
        let scope = self.scope(found)?;
        let duration = self.duration.unwrap_or(found.cooldown.default);
        if verb == Verb::Cooldown && (duration.is_zero() || duration > LONGEST_REST) {
            let remedy = "give a time above zero and of at most 30 days, as \"10m\", \"1h30m\" or \"90s\"";
            return Err(OrderError::field("duration", Shown(duration), remedy));
        }
        let timeout = checked::timeout(self.timeout)?;
        let reason = checked::reason(self.reason)?;
        let request_id = checked::request_id(self.request_id)?;
        Ok(Order {
            verb,
            key: CooldownKey { provider: found.name.clone(), scope },
            duration: if verb == Verb::Cooldown { duration } else { Duration::ZERO },
            reason,
            request_id,
            dry_run: self.dry_run,
            wait: self.wait,
            timeout,
        })
    }

    /// Gives how much of the provider is meant.
    fn scope(&self, provider: &Provider) -> Result<Scope, OrderError> {
        let Some(credential) = &self.credential else {
            let Some(model) = &self.model else { return Ok(Scope::Provider) };
            let remedy = "give the credential as well: a model rests for one credential";
            return Err(OrderError::field("model", format_args!("{:?}", cut(model)), remedy));
        };
        if !provider.credentials.iter().any(|known| known.name.as_str() == credential) {
            let known: Vec<_> = provider.credentials.iter().map(|known| known.name.as_str()).collect();
            let remedy = match known.as_slice() {
                [] => format!("{} has no credential; leave the field out", provider.name),
                known => format!(
                    "{} has {}; give one of these or leave the field out",
                    provider.name,
                    known.join(", ")
                ),
            };
            return Err(OrderError::field("credential", format_args!("{:?}", cut(credential)), remedy));
        }
        let credential = CredentialName::from(credential.as_str());
        let Some(model) = &self.model else { return Ok(Scope::Credential(credential)) };
        if model.is_empty() || model.len() > MAX_NAME {
            let remedy = "give the name that the provider knows it by, of 1 to 200 bytes";
            return Err(OrderError::field("model", format_args!("{:?}", cut(model)), remedy));
        }
        Ok(Scope::Model { credential, model: ModelName::from(model.as_str()) })
    }
}

impl Order {
    /// Tells in one line what is asked, so that two calls of one name can be told apart. What does not change the
    /// outcome is not in it.
    pub fn call(&self) -> String {
        format!("{} {} {}ms {:?}", self.verb.as_str(), self.key, self.duration.as_millis(), self.reason)
    }
}

/// A duration as a caller writes it.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "\"{duration:#}\""),
            Err(_) => write!(f, "{} seconds", self.0.as_secs()),
        }
    }
}

/// Cuts a text to what people read.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}
