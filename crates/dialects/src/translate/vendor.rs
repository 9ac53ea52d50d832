//! What only one vendor understands and a request still holds: traces of the vendor's own tools in the history, and
//! the choice of such a tool (§9.6 and §11 of the wire formats).

use super::{Notes, Target};
use crate::{
    form::{Part, PartKind, Refused, Request, Role, ToolChoice, ToolKind},
    places,
};
use cliproxy_domain::{Dialect, Need, UnsupportedTools};
use std::borrow::Cow;

/// Gives the request without what the target's dialect cannot be told, where the configuration allows that to go.
///
/// # Errors
/// Where it does not, and for parts that a user or a tool said: these must not get lost.
pub(super) fn settled<'r>(
    request: &'r Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Cow<'r, Request>, Refused> {
    let to = target.dialect;
    if request.from == to {
        return Ok(Cow::Borrowed(request));
    }
    let mut request = Cow::Borrowed(request);
    if holds_foreign(&request, to) {
        leave_out_parts(request.to_mut(), target, notes)?;
    }
    if chooses_foreign(&request, to) {
        if target.policy.unsupported_tools == UnsupportedTools::Reject {
            return Err(Refused::new(
                "tool_choice",
                "`tool_choice` names a tool that runs at its own vendor alone: choose another, use a model of that vendor, or set translation.unsupported_tools to drop",
            ));
        }
        notes.losses.tell("tool_choice", "dropped");
        request.to_mut().tool_choice = None;
    }
    Ok(request)
}

fn is_foreign(part: &Part, to: Dialect) -> bool {
    matches!(&part.kind, PartKind::Foreign { dialect, .. } if *dialect != to)
}

fn holds_foreign(request: &Request, to: Dialect) -> bool {
    request.turns.iter().flat_map(|turn| &turn.parts).any(|part| match &part.kind {
        PartKind::ToolResult(result) => result.content.iter().any(|part| is_foreign(part, to)),
        _ => is_foreign(part, to),
    })
}

fn leave_out_parts(request: &mut Request, target: &Target<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let drops = target.policy.unsupported_tools == UnsupportedTools::Drop;
    for (at, turn) in request.turns.iter().enumerate() {
        for part in &turn.parts {
            match &part.kind {
                PartKind::Foreign { dialect, name, .. } if *dialect != target.dialect => {
                    if name == "item_reference" {
                        return Err(Refused::lacking(Need::ServerState, places::turn_of(request, at)));
                    }
                    if !drops || turn.role != Role::Assistant {
                        return Err(unknown(name, request, at));
                    }
                    notes.losses.tell(format!("{}.{name}", places::list(request.from)), "dropped");
                }
                PartKind::ToolResult(result) => {
                    for part in &result.content {
                        if let PartKind::Foreign { dialect, name, .. } = &part.kind
                            && *dialect != target.dialect
                        {
                            return Err(unknown(name, request, at));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    for turn in &mut request.turns {
        turn.parts.retain(|part| !is_foreign(part, target.dialect));
    }
    // A turn of nothing else has said nothing.
    request.turns.retain(|turn| turn.role != Role::Assistant || !turn.parts.is_empty());
    Ok(())
}

fn unknown(name: &str, request: &Request, at: usize) -> Refused {
    let place = places::turn_of(request, at);
    let name: String = name.chars().take(60).collect();
    let message = format!(
        "`{place}` has a part of type {name}, which only its own API understands: leave it out, or use a model of that vendor"
    );
    Refused::new(place, message)
}

/// Tells whether the choice is of a tool that runs at another vendor.
fn chooses_foreign(request: &Request, to: Dialect) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Vendor { dialect, .. }) => *dialect != to,
        Some(ToolChoice::One(name)) => request.tools.iter().any(|tool| {
            tool.name == *name && matches!(&tool.kind, ToolKind::Vendor { dialect, .. } if *dialect != to)
        }),
        _ => false,
    }
}
