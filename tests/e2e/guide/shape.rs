//! Answers have what the guide shows.

use cliproxy_domain::WallTime;
use serde_json::{Value, json};

/// Fails unless `answer` has every field that the guide shows, each with a value of the same type of JSON; whole
/// numbers, fractions and times are told apart.
#[track_caller]
pub fn has_what_is_shown(shown: &Value, answer: &Value) {
    if let Err(place) = compare(shown, answer) {
        panic!("{place}\nshown: {shown:#}\nanswer: {answer:#}");
    }
}

fn compare(shown: &Value, answer: &Value) -> Result<(), String> {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => shown.iter().try_for_each(|(field, value)| {
            let given = answer.get(field).ok_or(format!("{field}: it is not there"))?;
            compare(value, given).map_err(|place| format!("{field}: {place}"))
        }),
        (Value::Array(shown), Value::Array(answer)) => {
            let (Some(first), false) = (shown.first(), answer.is_empty()) else {
                return Err("an empty list".to_owned());
            };
            answer.iter().try_for_each(|item| compare(first, item))
        }
        (Value::Bool(_), Value::Bool(_)) => Ok(()),
        (Value::Number(shown), Value::Number(answer)) if shown.is_u64() == answer.is_u64() => Ok(()),
        (Value::String(shown), Value::String(answer)) if is_time(shown) == is_time(answer) => Ok(()),
        _ => Err(format!("{answer} where {shown} is shown")),
    }
}

/// Tells whether a text is a time in UTC, as `2026-02-19T23:00:00Z`.
fn is_time(text: &str) -> bool {
    text.ends_with('Z') && text.parse::<WallTime>().is_ok()
}

/// Reads a time.
#[track_caller]
pub fn time(value: &Value) -> WallTime {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no time"))
}

#[test]
fn what_is_missing_or_of_another_type_is_found() {
    let shown = json!({"a": ["x"], "b": {"at": "2026-02-19T23:00:00Z", "n": 1, "f": 9.5, "is": true}});
    let right = json!({"a": ["y", "z"], "b": {"at": "2027-01-01T00:00:00.5Z", "n": 0, "f": 1.0, "is": false}, "c": 1});
    assert_eq!(compare(&shown, &right), Ok(()));
    for (field, wrong) in
        [("at", json!("now")), ("at", json!(null)), ("n", json!(1.5)), ("f", json!(1)), ("is", json!(0))]
    {
        let mut answer = right.clone();
        answer["b"][field] = wrong;
        assert!(compare(&shown, &answer).is_err(), "{answer}");
    }
    assert!(compare(&shown, &json!({"a": ["x"]})).is_err());
    assert!(compare(&shown["a"], &json!([])).is_err());
}
