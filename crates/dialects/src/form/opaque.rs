//! State of a provider that must come back to it unchanged: signatures of thoughts, encrypted reasoning.

use cliproxy_domain::Dialect;

/// State as it stands in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// As its own provider wrote it.
    Native(State),
    /// In an envelope that the gateway made for a client of another dialect (§8.3 of the wire formats), unopened:
    /// only the encoder that may use it has the key.
    Sealed(String),
}

/// State with all that is needed to give it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The dialect of the provider that made it.
    pub dialect: Dialect,
    /// The model that made it, where that is known.
    pub model: Option<String>,
    /// The credential it is bound to; encrypted reasoning works for the organisation that made it alone.
    pub credential: Option<String>,
    /// The id of its item: OpenAI binds encrypted reasoning to it.
    pub item_id: Option<String>,
    /// Which part it belongs to, seen from where it stands.
    pub place: Place,
    /// Which kind of thinking block it signs.
    pub redacted: bool,
    /// The text that it signs, where the pocket that carries it has no room of its own for that.
    pub text: Option<String>,
    /// The signature or the ciphertext itself.
    pub payload: String,
}

impl State {
    /// Makes the state of a part in the dialect of its own provider.
    pub fn native(dialect: Dialect, payload: impl Into<String>) -> Self {
        Self {
            dialect,
            model: None,
            credential: None,
            item_id: None,
            place: Place::Here,
            redacted: false,
            text: None,
            payload: payload.into(),
        }
    }
}

/// Which part a state belongs to. Gemini signs text and calls; in other dialects only reasoning can carry that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    /// The part that it stands on.
    #[default]
    Here,
    /// The part after the reasoning that carries it.
    Next,
    /// The part before the reasoning that carries it.
    Previous,
}
