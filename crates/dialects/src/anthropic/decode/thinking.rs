//! How much the client wants the model to think.

use crate::{
    effort::from_budget,
    form::{Bag, Reasoning, Refused},
    json::Fields,
};
use cliproxy_domain::{Dialect, Effort};
use serde_json::{Map, Value};

/// Reads `thinking` and `output_config.effort`. Gives them as they were spelled: that adaptive thinking without an
/// effort means a high one, or an effort without thinking, is said in this dialect alone.
pub(super) fn read(
    fields: &mut Fields,
    output: Option<&mut Fields>,
    reasoning: &mut Reasoning,
) -> Result<Bag, Refused> {
    let mut said = Map::new();
    if let Some(output) = output
        && let Some(effort) = output.peek_text("effort").and_then(Effort::parse)
    {
        reasoning.effort = Some(effort);
        said.extend(output.take("effort").map(|effort| ("effort".to_owned(), effort)));
    }
    // A form that nobody here knows, as `between_tools`, stays where it is: elsewhere it is a loss.
    let form = fields.peek("thinking").and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    if !matches!(form, Some("adaptive" | "enabled" | "disabled")) {
        return Ok(Bag::new(Dialect::Anthropic, said));
    }
    said.extend(fields.peek("thinking").map(|thinking| ("thinking".to_owned(), thinking.clone())));
    let mut thinking = fields.required_object("thinking")?;
    match thinking.text("type")?.as_deref() {
        Some("disabled") => reasoning.effort = Some(Effort::None),
        Some("enabled") => {
            let budget = thinking.count("budget_tokens")?.ok_or_else(|| thinking.missing("budget_tokens"))?;
            reasoning.budget = Some(budget);
            reasoning.effort = reasoning.effort.or(Some(from_budget(budget)));
        }
        _ => reasoning.effort = reasoning.effort.or(Some(Effort::High)),
    }
    reasoning.shown = thinking.text("display")?.map(|display| display != "omitted");
    Ok(Bag::new(Dialect::Anthropic, said))
}
