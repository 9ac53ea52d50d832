//! Cache marks: Anthropic takes four of them in a request.

use super::tools::{Declared, Tools};
use crate::{
    form::{CacheMark, Part, PartKind, Request},
    json::Object,
    turns::Conversation,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Marks in a request at most.
const MOST: usize = 4;

/// Decides which marks are written: the last four, for each of them covers all that is before it.
#[derive(Debug)]
pub(super) struct Marks {
    skip: usize,
    /// Whether the client's time to live means something here.
    own: bool,
}

impl Marks {
    /// Counts the marks of a request.
    pub(super) fn of(request: &Request, tools: &Tools<'_>, conversation: &Conversation<'_>) -> Self {
        let tools = tools.declared.iter().filter(|declared| match declared {
            Declared::Client { tool, .. } => tool.cache.is_some(),
            Declared::Vendor(json) => json.get("cache_control").is_some_and(|mark| !mark.is_null()),
            Declared::Called(_) | Declared::Structured(_) => false,
        });
        let system = conversation.system.iter();
        let parts = system.chain(conversation.turns.iter().flat_map(|turn| &turn.parts));
        let all = usize::from(request.cache.is_some())
            .saturating_add(tools.count())
            .saturating_add(parts.map(|part| count(part)).sum());
        Self { skip: all.saturating_sub(MOST), own: request.from == Dialect::Anthropic }
    }

    /// Writes a part's mark, unless too many follow it.
    pub(super) fn write(&mut self, mark: Option<&CacheMark>, object: &mut Object<'_>) {
        let Some(mark) = mark else { return };
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let mut control = object.object("cache_control");
        control.field("type", "ephemeral");
        control.maybe("ttl", mark.ttl.as_deref().filter(|_| self.own));
    }

    /// Gives a vendor's tool as it is, without its mark where too many follow it.
    pub(super) fn vendor(&mut self, json: &Value) -> Value {
        let mut json = json.clone();
        if self.skip > 0
            && let Some(object) = json.as_object_mut()
            && object.shift_remove("cache_control").is_some()
        {
            self.skip -= 1;
        }
        json
    }
}

fn count(part: &Part) -> usize {
    let inner = match &part.kind {
        PartKind::ToolResult(result) => result.content.iter().filter(|part| part.cache.is_some()).count(),
        _ => 0,
    };
    inner.saturating_add(usize::from(part.cache.is_some()))
}
