//! `generationConfig` (§9.1 and §9.7 of the wire formats).

use super::{super::fields::within, thinking};
use crate::{
    form::{OutputFormat, Refused, Request},
    json::Object,
    schema,
    translate::{Notes, Target},
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Need};

/// Stop texts at most [D].
const MAX_STOPS: usize = 5;

/// Writes the whole of it; `{}` when there is nothing to say.
pub(super) fn config(request: &Request, target: &Target<'_>, notes: &mut Notes) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::with_capacity(128);
    let mut config = Object::new(&mut out);
    config.maybe("maxOutputTokens", request.max_output);
    config.maybe("candidateCount", request.choices);
    sampling(&mut config, request, target, notes)?;
    stop(&mut config, request)?;
    thinking::write(&mut config, request, target, notes)?;
    format(&mut config, request, target)?;
    config.maybe("responseModalities", request.bag.spelling(Dialect::Gemini, "responseModalities"));
    config.bag(within(&request.bag, "generationConfig"));
    drop(config);
    Ok(out)
}

fn sampling(
    config: &mut Object<'_>,
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let own = request.from == Dialect::Gemini;
    let sampling = &request.sampling;
    let drawn = [
        ("temperature", Word::Temperature, &sampling.temperature),
        ("topP", Word::TopP, &sampling.top_p),
        ("topK", Word::TopK, &sampling.top_k),
    ];
    for (name, said, value) in drawn {
        match value {
            Some(_) if !own && !target.traits.sampling => notes.losses.dropped(word(said, request))?,
            value => drop(config.maybe(name, value.as_ref())),
        }
    }
    config.maybe("presencePenalty", sampling.presence_penalty.as_ref());
    config.maybe("frequencyPenalty", sampling.frequency_penalty.as_ref());
    match &sampling.seed {
        // The API's seed has 32 bits; OpenAI's has 64.
        Some(seed) if !own && seed.as_i64().is_none_or(|seed| i32::try_from(seed).is_err()) => {
            notes.losses.dropped(word(Word::Seed, request))?;
        }
        seed => drop(config.maybe("seed", seed.as_ref())),
    }
    let alternatives = sampling.top_logprobs.filter(|top| own || *top > 0);
    let wanted = sampling.logprobs.or((alternatives.is_some() && !own).then_some(true));
    config.maybe("responseLogprobs", wanted.filter(|wanted| own || *wanted));
    config.maybe("logprobs", alternatives.filter(|_| own || wanted == Some(true)));
    Ok(())
}

fn stop(config: &mut Object<'_>, request: &Request) -> Result<(), Refused> {
    if request.stop.is_empty() {
        return Ok(());
    }
    if request.stop.len() > MAX_STOPS && request.from != Dialect::Gemini {
        let field = word(Word::Stop, request);
        return Err(Refused::new(
            field,
            format!(
                "`{field}` has {} texts and this provider takes {MAX_STOPS}: send fewer",
                request.stop.len()
            ),
        ));
    }
    config.field("stopSequences", &request.stop);
    Ok(())
}

fn format(config: &mut Object<'_>, request: &Request, target: &Target<'_>) -> Result<(), Refused> {
    const JSON: &str = "application/json";
    if request.from == Dialect::Gemini {
        for name in ["responseMimeType", "responseSchema", "responseJsonSchema"] {
            config.maybe(name, request.bag.spelling(Dialect::Gemini, name));
        }
        return Ok(());
    }
    match &request.format {
        None | Some(OutputFormat::Text) => {}
        Some(OutputFormat::Json) => drop(config.field("responseMimeType", JSON)),
        // The schema is that of the emulated tool instead.
        Some(OutputFormat::Schema { .. }) if super::tools::emulates_schema(request, target) => {}
        Some(OutputFormat::Schema { schema, .. }) => {
            let path = request.field_of(Need::StructuredOutput);
            let schema = schema::for_gemini(schema, &path)?;
            config.field("responseMimeType", JSON).field("responseJsonSchema", &schema);
        }
    }
    Ok(())
}
