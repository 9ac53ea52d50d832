//! What is to be embedded.

use crate::{
    form::{EmbedInput, EmbedRequest, Refused, VectorFormat},
    json::{Array, Fields, Object},
    translate::{Notes, Target},
};
use cliproxy_domain::{Dialect, Need};
use serde_json::Value;
use std::collections::BTreeSet;

/// Reads a client's request; `verb` is that of Gemini's path.
pub(crate) fn decode(
    dialect: Dialect,
    verb: &str,
    fields: Fields,
    model: &str,
) -> Result<EmbedRequest, Refused> {
    let request = EmbedRequest {
        from: dialect,
        model: model.to_owned(),
        input: Vec::new(),
        dimensions: None,
        format: VectorFormat::Float,
        single: verb == "embedContent",
        task: None,
        unknown: Vec::new(),
    };
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => decode_openai(request, fields),
        Dialect::Gemini if request.single => decode_single(request, fields),
        Dialect::Gemini => decode_batch(request, fields),
        Dialect::Anthropic => Err(Refused::lacking(Need::Embeddings, "model")),
    }
}

fn decode_openai(mut request: EmbedRequest, mut fields: Fields) -> Result<EmbedRequest, Refused> {
    // The model that counts is the one that routing read.
    fields.take("model");
    let input = fields.take("input").ok_or_else(|| fields.missing("input"))?;
    request.input = openai_input(input).ok_or_else(|| {
        fields.wrong("input", "a string, an array of strings, or one or several arrays of token numbers")
    })?;
    request.dimensions = fields.count("dimensions")?;
    request.format = match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => VectorFormat::Float,
        Some("base64") => VectorFormat::Base64,
        Some(_) => return Err(fields.wrong("encoding_format", "float or base64")),
    };
    request.unknown = left(fields, request.from, "");
    Ok(request)
}

fn openai_input(input: Value) -> Option<Vec<EmbedInput>> {
    let list = match input {
        Value::String(text) => return Some(vec![EmbedInput::Text(text)]),
        Value::Array(list) if !list.is_empty() => list,
        _ => return None,
    };
    if list.iter().all(Value::is_number) {
        return tokens(&list).map(|tokens| vec![tokens]);
    }
    let one = |value: Value| match value {
        Value::String(text) => Some(EmbedInput::Text(text)),
        Value::Array(list) => tokens(&list),
        _ => None,
    };
    list.into_iter().map(one).collect()
}

fn tokens(list: &[Value]) -> Option<EmbedInput> {
    list.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>().map(EmbedInput::Tokens)
}

fn decode_single(mut request: EmbedRequest, fields: Fields) -> Result<EmbedRequest, Refused> {
    let one = GeminiOne::read(fields, "")?;
    request.input.push(EmbedInput::Text(one.text));
    (request.dimensions, request.task, request.unknown) = (one.dimensions, one.task, one.unknown);
    Ok(request)
}

/// Reads a list of requests, which must want the same: other dialects have one wish for all.
fn decode_batch(mut request: EmbedRequest, mut fields: Fields) -> Result<EmbedRequest, Refused> {
    let list = fields.objects("requests")?;
    if list.is_empty() {
        return Err(fields.wrong("requests", "an array of at least one request"));
    }
    let mut unknown = BTreeSet::new();
    for (at, fields) in list.into_iter().enumerate() {
        let path = fields.here().to_owned();
        let one = GeminiOne::read(fields, "requests.")?;
        if at == 0 {
            (request.dimensions, request.task) = (one.dimensions, one.task);
        } else if one.dimensions != request.dimensions {
            return Err(differs(&path, "outputDimensionality"));
        } else if one.task != request.task {
            return Err(differs(&path, "taskType"));
        }
        request.input.push(EmbedInput::Text(one.text));
        unknown.extend(one.unknown);
    }
    request.unknown.extend(unknown);
    request.unknown.extend(left(fields, Dialect::Gemini, ""));
    Ok(request)
}

fn differs(path: &str, field: &str) -> Refused {
    let path = format!("{path}.{field}");
    let message = format!(
        "`{path}` differs from that of the first request, and this provider has one for all: send the requests one by one"
    );
    Refused::new(path, message)
}

/// One of Gemini's requests.
struct GeminiOne {
    text: String,
    dimensions: Option<u64>,
    task: Option<String>,
    unknown: Vec<String>,
}

impl GeminiOne {
    fn read(mut fields: Fields, prefix: &str) -> Result<Self, Refused> {
        fields.take("model");
        let mut content = fields.required_object("content")?;
        // Of no meaning for embeddings.
        content.take("role");
        let mut texts = Vec::new();
        for mut part in content.objects("parts")? {
            texts.push(part.required_text("text")?);
            if let Some(other) = left(part, Dialect::Gemini, "").first() {
                let path = content.path("parts");
                let other: String = other.chars().take(60).collect();
                let message = format!("`{path}` may hold texts alone for this provider: leave out `{other}`");
                return Err(Refused::new(path, message));
            }
        }
        if texts.is_empty() {
            return Err(content.wrong("parts", "an array of at least one text"));
        }
        let dimensions = match fields.count("outputDimensionality")? {
            None => fields.count("output_dimensionality")?,
            given => given,
        };
        let task = match fields.text("taskType")? {
            None => fields.text("task_type")?,
            given => given,
        };
        let mut unknown = left(content, Dialect::Gemini, &format!("{prefix}content."));
        unknown.extend(left(fields, Dialect::Gemini, prefix));
        Ok(Self { text: texts.join("\n"), dimensions, task, unknown })
    }
}

/// Names the fields that nobody took.
fn left(fields: Fields, dialect: Dialect, prefix: &str) -> Vec<String> {
    fields.rest(dialect).of(dialect).map(|(name, _)| format!("{prefix}{name}")).collect()
}

/// Writes a request; for Gemini always `batchEmbedContents`.
pub(crate) fn encode(
    request: &EmbedRequest,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    for name in &request.unknown {
        notes.losses.dropped(name.clone())?;
    }
    let mut out = Vec::with_capacity(256);
    match target.dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => encode_openai(request, target, notes, &mut out)?,
        Dialect::Gemini => encode_gemini(request, target, &mut out)?,
        Dialect::Anthropic => return Err(Refused::lacking(Need::Embeddings, "model")),
    }
    Ok(out)
}

fn encode_openai(
    request: &EmbedRequest,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    if request.task.is_some() {
        notes.losses.dropped("taskType")?;
    }
    let mut body = Object::new(out);
    body.field("model", target.model);
    write_input(&mut body.array("input"), &request.input);
    body.maybe("dimensions", request.dimensions);
    // Compatible servers know this one, if they know any.
    body.field("encoding_format", "float");
    Ok(())
}

fn write_input(list: &mut Array<'_>, input: &[EmbedInput]) {
    for one in input {
        match one {
            EmbedInput::Text(text) => list.element(text),
            EmbedInput::Tokens(tokens) => list.element(tokens),
        };
    }
}

fn encode_gemini(request: &EmbedRequest, target: &Target<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    let model =
        if target.model.contains('/') { target.model.to_owned() } else { format!("models/{}", target.model) };
    let mut body = Object::new(out);
    let mut list = body.array("requests");
    for one in &request.input {
        let EmbedInput::Text(text) = one else {
            return Err(Refused::lacking(Need::TokenArrays, "input"));
        };
        let mut each = list.object();
        each.field("model", &model);
        each.object("content").array("parts").object().field("text", text);
        each.maybe("taskType", request.task.as_deref());
        each.maybe("outputDimensionality", request.dimensions);
    }
    Ok(())
}
