//! Writing a request for a provider (§9 and §11 of the wire formats).

mod format;
mod messages;
mod parameters;
mod parts;
mod tools;

use super::{CHAT, nested};
use crate::{
    form::{Refused, Request},
    json::Object,
    places,
    translate::{Notes, Target},
    words::{Word, word},
};
use cliproxy_domain::{Need, Profile};
use std::borrow::Cow;

/// Writes a request.
///
/// A request of this dialect comes out as it came in, but for a content of one part of text, which becomes a string,
/// and for older names, which become their successors.
pub(crate) fn encode_request(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let scope = Scope::new(request, target);
    scope.refuse_what_is_of_another_provider()?;
    let mut out = Vec::with_capacity(1024);
    let mut body = Object::new(&mut out);
    body.field("model", target.model);
    let instruction = format::instruction(&scope);
    messages::write(&mut body, &scope, notes, instruction)?;
    parameters::write(&mut body, &scope, notes)?;
    format::write(&mut body, &scope, notes)?;
    tools::write(&mut body, &scope, notes)?;
    scope.write_stream(&mut body, notes)?;
    scope.write_rest(&mut body, notes)?;
    drop(body);
    Ok(out)
}

/// What every part of the writing looks at.
struct Scope<'s> {
    request: &'s Request,
    target: &'s Target<'s>,
    /// The request is of this dialect: its own words are given back.
    own: bool,
    /// The server is not OpenAI's, and knows only what everybody knows.
    compatible: bool,
}

impl<'s> Scope<'s> {
    fn new(request: &'s Request, target: &'s Target<'s>) -> Self {
        let compatible = *target.profile != Profile::default();
        Self { request, target, own: request.from == CHAT, compatible }
    }

    /// Tells whether the request is of another dialect and goes to a server that knows little.
    fn plain(&self) -> bool {
        self.compatible && !self.own
    }

    /// Gives the name of a field in the client's words.
    fn word(&self, field: Word) -> &'static str {
        word(field, self.request)
    }

    /// Names the list of messages in the client's words.
    fn list(&self) -> &'static str {
        places::list(self.request.from)
    }

    /// Names the message of turn number `at` in the client's words, as closely as that is known.
    fn message(&self, at: usize) -> Cow<'static, str> {
        places::turn(self.request.from, at)
    }

    fn refuse_what_is_of_another_provider(&self) -> Result<(), Refused> {
        if self.own {
            return Ok(());
        }
        if let Some(field) = self.request.server_state.first() {
            return Err(Refused::lacking(Need::ServerState, *field));
        }
        if self.request.media_output {
            let field = self.request.field_of(Need::MediaOutput);
            return Err(Refused::lacking(Need::MediaOutput, field));
        }
        Ok(())
    }

    fn write_stream(&self, body: &mut Object<'_>, notes: &mut Notes) -> Result<(), Refused> {
        if !self.request.stream {
            return Ok(());
        }
        body.field("stream", &true);
        if self.target.profile.stream_usage {
            let mut options = body.object("stream_options");
            options.field("include_usage", &true);
            nested::write_inner(&mut options, &self.request.quiet, "stream_options");
        } else if self.own && self.request.stream_usage {
            notes.losses.dropped("stream_options.include_usage")?;
        }
        Ok(())
    }

    /// Writes the fields that this dialect has alone, and takes note of those that another has.
    fn write_rest(&self, body: &mut Object<'_>, notes: &mut Notes) -> Result<(), Refused> {
        for name in self.request.bag.foreign_to(CHAT) {
            notes.losses.dropped(name.to_owned())?;
        }
        nested::write_outer(body, &self.request.bag, &[]);
        nested::write_outer(body, &self.request.quiet, &["stream_options"]);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
