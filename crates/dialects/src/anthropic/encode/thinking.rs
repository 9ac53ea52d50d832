//! How much to think, and how many tokens there are for it (§9.2 of the wire formats).

use super::tools::Tools;
use crate::{
    effort,
    form::{Refused, Request},
    json::Object,
    translate::{Notes, Target},
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Effort, Thinking};
use serde_json::Value;

/// The least budget that Anthropic takes.
const LEAST: u64 = 1024;

/// What is said of thinking.
#[derive(Debug)]
pub(super) struct Plan<'r> {
    /// Tokens of the answer at most, thinking included.
    pub(super) max_tokens: u64,
    mode: Mode<'r>,
    /// `output_config.effort`.
    effort: Option<&'r str>,
    shown: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode<'r> {
    /// Nothing is said.
    Unsaid,
    Off,
    Adaptive,
    Budget(u64),
    /// As a client of this dialect said it.
    Own(&'r Value),
}

impl Mode<'_> {
    fn thinks(self) -> bool {
        match self {
            Mode::Unsaid | Mode::Off => false,
            Mode::Adaptive | Mode::Budget(_) => true,
            Mode::Own(thinking) => thinking.get("type").and_then(Value::as_str) != Some("disabled"),
        }
    }

    fn is_manual(self) -> bool {
        match self {
            Mode::Budget(_) => true,
            Mode::Own(thinking) => thinking.get("type").and_then(Value::as_str) == Some("enabled"),
            Mode::Unsaid | Mode::Off | Mode::Adaptive => false,
        }
    }
}

/// How well the calls of the current tool loop are covered by thinking that the provider knows again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cover {
    /// Thinking of a turn with calls was lost, and none is left in it.
    pub(super) lost: bool,
    /// The loop does not begin with thinking, which manual thinking asks for.
    pub(super) bare: bool,
}

/// Decides on thinking, and on the choice of a tool where that depends on it.
pub(super) fn plan<'r>(
    request: &'r Request,
    target: &Target<'_>,
    cover: Cover,
    tools: &mut Tools<'_>,
    notes: &mut Notes,
) -> Result<Plan<'r>, Refused> {
    let known = target.traits.max_output.unwrap_or(target.policy.default_max_tokens);
    let max_tokens = request.max_output.unwrap_or(known.min(target.policy.default_max_tokens)).max(1);
    let mut plan = Plan { max_tokens, mode: Mode::Unsaid, effort: None, shown: request.reasoning.shown };
    if request.from == Dialect::Anthropic {
        plan.effort = request.quiet.get("effort").and_then(Value::as_str);
        plan.mode = request.quiet.get("thinking").map_or(Mode::Unsaid, Mode::Own);
    } else {
        plan.choose(request, target, notes)?;
    }
    let told = word(Word::Effort, request);
    if plan.mode.thinks() && (cover.lost || (cover.bare && plan.mode.is_manual())) {
        plan.switch_off(target);
        notes.losses.changed(told, "disabled")?;
    }
    // A client of this dialect knows what its model takes.
    let forces = request.from != Dialect::Anthropic && tools.is_forced();
    if forces && !target.traits.forced_tools_while_thinking && target.traits.thinking != Thinking::Never {
        if !target.traits.thinking_optional {
            tools.relax();
            notes.losses.changed("tool_choice", "relaxed")?;
        } else if plan.mode.thinks() {
            plan.switch_off(target);
            notes.losses.changed(told, "disabled")?;
        }
    }
    Ok(plan)
}

impl Plan<'_> {
    /// Tells whether the model is given a budget to think with.
    pub(super) fn is_manual(&self) -> bool {
        self.mode.is_manual()
    }

    /// Tells whether the model is asked to think.
    pub(super) fn thinks(&self) -> bool {
        self.mode.thinks()
    }

    /// Translates the effort or the budget of another dialect. What was not said stays unsaid.
    fn choose(&mut self, request: &Request, target: &Target<'_>, notes: &mut Notes) -> Result<(), Refused> {
        let reasoning = &request.reasoning;
        let Some(asked) = reasoning.effort.or(reasoning.budget.map(effort::from_budget)) else {
            return Ok(());
        };
        let told = word(Word::Effort, request);
        let traits = target.traits;
        if traits.thinking == Thinking::Never {
            return if asked == Effort::None { Ok(()) } else { notes.losses.dropped(told) };
        }
        if asked == Effort::None && traits.thinking_optional {
            self.mode = Mode::Off;
            return Ok(());
        }
        let mut given = effort::nearest(asked, &traits.efforts);
        if given == Effort::None {
            // The model cannot be kept from thinking, or has no effort but none.
            let cannot = asked == Effort::None;
            given = if cannot { least(&traits.efforts) } else { Effort::None };
        }
        // Two efforts may be one word.
        let same = effort::anthropic(given) == effort::anthropic(asked);
        if let Some(how) = effort::change(asked, given).filter(|_| !same) {
            notes.losses.changed(told, how)?;
        }
        match (effort::anthropic(given), traits.thinking) {
            (None, _) => self.mode = Mode::Off,
            (Some(_), Thinking::Budget) => {
                let budget = if given == asked { reasoning.budget } else { None };
                self.fit_budget(budget.unwrap_or(effort::budget(given)), request, target, notes)?;
            }
            (Some(word), _) => {
                self.mode = Mode::Adaptive;
                self.effort = Some(word);
            }
        }
        Ok(())
    }

    /// Fits a budget between the least that is taken and the limit of the answer.
    fn fit_budget(
        &mut self,
        budget: u64,
        request: &Request,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        let told = word(Word::Effort, request);
        if self.max_tokens <= LEAST && request.max_output.is_none() {
            let raised = budget.max(LEAST).saturating_add(LEAST);
            self.max_tokens = target.traits.max_output.map_or(raised, |most| raised.min(most));
        }
        if self.max_tokens <= LEAST {
            self.switch_off(target);
            return notes.losses.changed(told, "disabled");
        }
        let fitted = budget.clamp(LEAST, self.max_tokens.saturating_sub(1));
        if fitted != budget {
            notes.losses.changed(told, if fitted > budget { "raised" } else { "lowered" })?;
        }
        self.mode = Mode::Budget(fitted);
        Ok(())
    }

    /// Switches thinking off where the model allows that; elsewhere nothing is said of it.
    fn switch_off(&mut self, target: &Target<'_>) {
        self.mode = if target.traits.thinking_optional { Mode::Off } else { Mode::Unsaid };
        self.effort = None;
    }

    /// Writes `thinking`.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        match self.mode {
            Mode::Unsaid => {}
            Mode::Off => {
                object.object("thinking").field("type", "disabled");
            }
            Mode::Own(thinking) => {
                object.field("thinking", thinking);
            }
            Mode::Adaptive => self.show(object.object("thinking").field("type", "adaptive")),
            Mode::Budget(budget) => {
                self.show(object.object("thinking").field("type", "enabled").field("budget_tokens", &budget));
            }
        }
    }

    fn show(&self, thinking: &mut Object<'_>) {
        thinking.maybe("display", self.shown.map(|shown| if shown { "summarized" } else { "omitted" }));
    }

    /// Gives `output_config.effort`.
    pub(super) fn effort(&self) -> Option<&str> {
        self.effort
    }
}

fn least(efforts: &[Effort]) -> Effort {
    efforts.iter().copied().filter(|effort| *effort != Effort::None).min().unwrap_or(Effort::Low)
}
