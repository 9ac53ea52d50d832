//! What a request is written for, and what its writing leaves behind.

use crate::{
    envelope::Sealer,
    form::{Losses, Opaque, Refused, State, Tool, ToolKind},
    tool_names::ToolNames,
};
use cliproxy_domain::{Dialect, ModelTraits, Profile, TranslationPolicy, UnsupportedTools};
use std::{borrow::Cow, collections::BTreeSet};

/// What a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The provider's dialect.
    pub dialect: Dialect,
    /// The model as the provider names it.
    pub model: &'t str,
    /// What is known of the model.
    pub traits: &'t ModelTraits,
    /// How the server differs from OpenAI; of no meaning in other dialects than chat.
    pub profile: &'t Profile,
    /// What may be lost.
    pub policy: TranslationPolicy,
    /// Opens envelopes that this provider made.
    pub sealer: &'t Sealer,
    /// The credential that will be used: encrypted reasoning of OpenAI works with that one alone.
    pub credential: &'t str,
}

impl Target<'_> {
    /// Gives the state that may go to this provider: its own, out of an envelope or as it is. All other state is
    /// none of its business, and is dropped without a word (§8.3 of the wire formats).
    pub(crate) fn state(&self, opaque: &Opaque) -> Option<State> {
        let state = match opaque {
            Opaque::Native(state) => state.clone(),
            Opaque::Sealed(envelope) => self.sealer.open(envelope)?,
        };
        let own_credential =
            state.credential.as_deref().is_none_or(|credential| credential == self.credential);
        (state.dialect == self.dialect && own_credential).then_some(state)
    }
}

/// What must be known of a request, as it was sent, to read its answer.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What was lost.
    pub losses: Losses,
    /// Tools that the target knows by other names.
    pub names: ToolNames,
    /// Free-form tools that the target knows as functions, by the client's names.
    pub free_tools: BTreeSet<String>,
    /// The schema of the answer was sent as a forced call of [`STRUCTURED_TOOL`], whose arguments are the answer.
    pub structured_tool: bool,
    /// Texts that end the answer and that the target cannot be told: the gateway watches for them.
    pub stop: Vec<String>,
    /// The `anthropic-version` that the body was written for.
    pub anthropic_version: Option<&'static str>,
}

/// The tool that stands in for an answer of a schema.
pub(crate) const STRUCTURED_TOOL: &str = "structured_output";

impl Notes {
    /// Starts with nothing.
    pub(crate) fn new(policy: TranslationPolicy) -> Self {
        Self { losses: Losses::new(policy.on_loss), ..Self::default() }
    }

    /// Gives the name of a tool as the target takes it.
    pub(crate) fn tool_name<'n>(&mut self, name: &'n str, target: &Target<'_>) -> Cow<'n, str> {
        self.names.fitted(name, target.dialect)
    }

    /// Decides on a tool that only another vendor's servers can run.
    ///
    /// # Errors
    /// When such tools are rejected; the field names the tool.
    pub(crate) fn vendor_tool(&mut self, tool: &Tool, at: usize, target: &Target<'_>) -> Result<(), Refused> {
        let ToolKind::Vendor { name, .. } = &tool.kind else { return Ok(()) };
        match target.policy.unsupported_tools {
            UnsupportedTools::Drop => {
                self.losses.tell(format!("tools[{at}].{name}"), "dropped");
                Ok(())
            }
            UnsupportedTools::Reject => Err(Refused::new(
                format!("tools[{at}]"),
                format!(
                    "`tools[{at}]` ({}) runs at its own vendor alone: leave it out, use a model of that vendor, or set translation.unsupported_tools to drop",
                    name.chars().take(60).collect::<String>()
                ),
            )),
        }
    }
}
