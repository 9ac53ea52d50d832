//! Log probabilities: Gemini's `logprobsResult` and the elements of OpenAI's `logprobs.content`.

use super::wire::{Logprob, LogprobsResult};
use crate::json::Object;
use serde_json::{Map, Value, json};

/// Reads them in OpenAI's shape.
pub(super) fn read(result: LogprobsResult) -> Vec<Value> {
    let mut top = result.top_candidates.unwrap_or_default().into_iter();
    let chosen = result.chosen_candidates.unwrap_or_default().into_iter();
    chosen
        .map(|chosen| {
            let alternatives = top.next().and_then(|top| top.candidates).unwrap_or_default();
            let mut element = token(chosen);
            let alternatives = alternatives.into_iter().map(token).map(Value::Object);
            element.insert("top_logprobs".to_owned(), alternatives.collect());
            Value::Object(element)
        })
        .collect()
}

fn token(logprob: Logprob) -> Map<String, Value> {
    let token = logprob.token.unwrap_or_default();
    let bytes = token.as_bytes().to_vec();
    let number = logprob.log_probability.map_or(json!(0), Value::Number);
    Map::from_iter([
        ("token".to_owned(), Value::String(token)),
        ("logprob".to_owned(), number),
        ("bytes".to_owned(), json!(bytes)),
    ])
}

/// Writes the elements of `logprobs.content` as a candidate's `logprobsResult`.
pub(super) fn write(candidate: &mut Object<'_>, content: &[Value]) {
    let mut result = candidate.object("logprobsResult");
    {
        let mut chosen = result.array("chosenCandidates");
        content.iter().for_each(|element| one(&mut chosen.object(), element));
    }
    let alternatives = |element: &Value| element.get("top_logprobs").and_then(Value::as_array).cloned();
    let all: Vec<Vec<Value>> = content.iter().filter_map(alternatives).collect();
    if all.iter().any(|alternatives| !alternatives.is_empty()) {
        let mut top = result.array("topCandidates");
        for alternatives in all {
            let mut step = top.object();
            let mut candidates = step.array("candidates");
            alternatives.iter().for_each(|element| one(&mut candidates.object(), element));
        }
    }
}

fn one(object: &mut Object<'_>, element: &Value) {
    object.maybe("token", element.get("token")).maybe("logProbability", element.get("logprob"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_as_they_went() {
        let wire = json!({
            "chosenCandidates": [{"token": "Os", "logProbability": -0.5}, {"token": "lo", "logProbability": -0.1}],
            "topCandidates": [
                {"candidates": [{"token": "Os", "logProbability": -0.5}, {"token": "é", "logProbability": -2}]},
                {"candidates": []}
            ]
        });
        let content = read(serde_json::from_value(wire.clone()).unwrap());
        assert_eq!(content[0]["top_logprobs"][1]["bytes"], json!([195, 169]));
        let mut out = Vec::new();
        write(&mut Object::new(&mut out), &content);
        let back: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(back["logprobsResult"], wire);
    }
}
