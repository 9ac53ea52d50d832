//! `generationConfig`.

use super::super::fields::{Kept, Spelled};
use crate::{
    effort,
    form::{OutputFormat, Reasoning, Refused, Request},
    schema,
};
use serde_json::Value;

/// Reads `config` into `request`. What was spelled otherwise than the form says it is kept in the client's spelling
/// too, so that it goes to Gemini as it came.
pub(super) fn read(mut config: Spelled, request: &mut Request, kept: &mut Kept) -> Result<(), Refused> {
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature")?;
    sampling.top_p = config.number("topP")?;
    sampling.top_k = config.number("topK")?;
    sampling.presence_penalty = config.number("presencePenalty")?;
    sampling.frequency_penalty = config.number("frequencyPenalty")?;
    sampling.seed = config.number("seed")?;
    sampling.logprobs = config.flag("responseLogprobs")?;
    sampling.top_logprobs = config.count("logprobs")?;
    request.choices = config.count("candidateCount")?;
    request.max_output = config.count("maxOutputTokens")?;
    request.stop = config.texts("stopSequences")?;
    request.reasoning = thinking(&mut config, kept)?;
    request.format = format(&mut config, kept)?;
    request.media_output = modalities(&mut config, kept)?;
    kept.rest("generationConfig", config);
    Ok(())
}

fn thinking(config: &mut Spelled, kept: &mut Kept) -> Result<Reasoning, Refused> {
    if let Some(spelled) = config.peek("thinkingConfig") {
        kept.spelling("thinkingConfig", spelled.clone());
    }
    let Some(mut thinking) = config.object("thinkingConfig")? else { return Ok(Reasoning::default()) };
    let mut reasoning = Reasoning { shown: thinking.flag("includeThoughts")?, ..Reasoning::default() };
    if thinking.has("thinkingLevel") && thinking.has("thinkingBudget") {
        let path = thinking.here().to_owned();
        return Err(Refused::new(
            path.clone(),
            format!("`{path}` has both a level and a budget: send one of them"),
        ));
    }
    if let Some(level) = thinking.text("thinkingLevel")?
        && level != "THINKING_LEVEL_UNSPECIFIED"
    {
        let effort = effort::from_gemini_level(&level)
            .ok_or_else(|| thinking.wrong("thinkingLevel", "one of MINIMAL, LOW, MEDIUM, HIGH and XHIGH"))?;
        reasoning.effort = Some(effort);
    }
    // A budget of −1 leaves the decision to the model, as saying nothing does.
    if thinking.peek("thinkingBudget").and_then(Value::as_i64) == Some(-1) {
        let _ = thinking.take("thinkingBudget");
    } else if let Some(tokens) = thinking.count("thinkingBudget")? {
        reasoning.effort = Some(effort::from_budget(tokens));
        reasoning.budget = Some(tokens);
    }
    kept.rest("generationConfig.thinkingConfig", thinking);
    Ok(reasoning)
}

fn format(config: &mut Spelled, kept: &mut Kept) -> Result<Option<OutputFormat>, Refused> {
    const FIELDS: [&str; 3] = ["responseMimeType", "responseSchema", "responseJsonSchema"];
    let spelled = FIELDS.map(|name| config.peek(name).cloned());
    let mime = config.text("responseMimeType")?;
    let openapi = config.take("responseSchema");
    let schema = config.take("responseJsonSchema").or_else(|| openapi.map(schema::from_openapi));
    let format = match (mime.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            Some(OutputFormat::Schema { name: None, description: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(OutputFormat::Json),
        (Some("text/plain"), None) => Some(OutputFormat::Text),
        (None, None) => None,
        // One word of an enumeration (`text/x.enum`), and what may come: Gemini alone knows them.
        (Some(_), _) => {
            let values = FIELDS.into_iter().zip(spelled);
            values.for_each(|(name, value)| {
                if let Some(value) = value {
                    kept.field(&format!("generationConfig.{name}"), value);
                }
            });
            return Ok(None);
        }
    };
    for (name, value) in FIELDS.into_iter().zip(spelled) {
        if let Some(value) = value {
            kept.spelling(name, value);
        }
    }
    Ok(format)
}

/// Tells whether anything but text is wanted.
fn modalities(config: &mut Spelled, kept: &mut Kept) -> Result<bool, Refused> {
    let Some(spelled) = config.peek("responseModalities").cloned() else { return Ok(false) };
    let wanted = config.texts("responseModalities")?;
    let media = wanted.iter().any(|name| !name.eq_ignore_ascii_case("text"));
    if media {
        kept.field("generationConfig.responseModalities", spelled);
    } else {
        kept.spelling("responseModalities", spelled);
    }
    Ok(media)
}
