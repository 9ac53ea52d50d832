//! `thinkingConfig` (§9.2 of the wire formats): a level or a budget, never both.

use crate::{
    effort,
    form::{Refused, Request},
    json::Object,
    translate::{Notes, Target},
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Effort, Thinking};

/// Writes how much to think, if the client said so.
pub(super) fn write(
    config: &mut Object<'_>,
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if let Some(spelled) = request.bag.spelling(Dialect::Gemini, "thinkingConfig") {
        config.field("thinkingConfig", spelled);
        return Ok(());
    }
    let shown = request.wants_thoughts();
    let amount = amount(request, target, notes)?;
    if target.traits.thinking == Thinking::Never || (!shown && amount.is_none()) {
        return Ok(());
    }
    let mut thinking = config.object("thinkingConfig");
    match amount {
        Some(Amount::Level(level)) => thinking.field("thinkingLevel", level),
        Some(Amount::Budget(tokens)) => thinking.field("thinkingBudget", &tokens),
        None => &mut thinking,
    };
    if shown {
        thinking.field("includeThoughts", &true);
    }
    Ok(())
}

enum Amount {
    Level(&'static str),
    Budget(u64),
}

fn amount(request: &Request, target: &Target<'_>, notes: &mut Notes) -> Result<Option<Amount>, Refused> {
    let Some(asked) = request.reasoning.effort else { return Ok(None) };
    let field = word(Word::Effort, request);
    let traits = target.traits;
    if traits.thinking == Thinking::Never {
        if asked != Effort::None {
            notes.losses.dropped(field)?;
        }
        return Ok(None);
    }
    if asked == Effort::None && traits.thinking == Thinking::Budget && traits.thinking_optional {
        return Ok(Some(Amount::Budget(0)));
    }
    let known: Vec<Effort> = traits.efforts.iter().copied().filter(|known| *known != Effort::None).collect();
    // No level means none: the lowest is what comes nearest.
    let wanted = asked.max(Effort::Minimal);
    let given = effort::nearest(wanted, &known);
    // Two efforts may be one level.
    let same =
        traits.thinking == Thinking::Effort && effort::gemini_level(given) == effort::gemini_level(asked);
    if let Some(how) = effort::change(asked, given).filter(|_| !same) {
        notes.losses.changed(field, how)?;
    }
    Ok(match traits.thinking {
        Thinking::Effort => effort::gemini_level(given).map(Amount::Level),
        Thinking::Budget => {
            let own = request.reasoning.budget.filter(|tokens| *tokens > 0 && given == asked);
            Some(Amount::Budget(own.unwrap_or_else(|| effort::budget(given))))
        }
        Thinking::Never => None,
    })
}
