use super::*;
use bytes::Bytes;

fn parse(json: &str) -> Result<Script, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn a_script_survives_the_round_through_json() {
    let rules = vec![
        Rule::new(Behaviour::rate_limit(Hint { retry_after_s: Some(2), ..Hint::default() }))
            .for_model("gpt-*")
            .for_key("first")
            .times(3),
        Rule::new(Behaviour::Reset { at: Point::AfterEvents(2) }).probability(0.25).streamed(true),
        Rule::new(Behaviour::Hang { at: Point::BeforeHeaders }),
        Rule::new(Behaviour::Fixture(Fixture::stream("data: x\n\n", 4))),
        Rule::new(Behaviour::Fixture(Fixture::new(200, "x/y", Bytes::from_static(&[0xff, 0])))),
    ];
    let script = Script { seed: 7, keep_bodies: 2, rules, ..Script::default() };
    let json = serde_json::to_string(&script).unwrap();
    assert_eq!(parse(&json).unwrap(), script, "{json}");
}

#[test]
fn the_short_spellings_of_the_reference_parse() {
    for json in [
        r#"{"rules":[{"do":"answer","latency":{"per_token_ms":5}}]}"#,
        r#"{"rules":[{"do":{"error":{"kind":"overloaded"}},"times":1}]}"#,
        r#"{"rules":[{"do":{"reset":{"at":"before_headers"}}}]}"#,
        r#"{"rules":[{"do":{"hang":{"at":{"after_events":0}}}}]}"#,
        r#"{"rules":[{"do":{"fixture":{"chunks":[{"data":"a","pause_ms":2},{"data":{"base64":"/w=="}}]}}}]}"#,
    ] {
        parse(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    }
}

#[test]
fn misspelt_fields_are_refused() {
    for json in [
        r#"{"rule":[]}"#,
        r#"{"rules":[{"modle":"x"}]}"#,
        r#"{"rules":[{"do":{"error":{"kind":"overloaded","retry_after":1}}}]}"#,
        r#"{"rules":[{"latency":{"ttft":1}}]}"#,
        r#"{"rules":[{"do":{"truncate":{"after_events":1,"of":2}}}]}"#,
    ] {
        assert!(parse(json).is_err(), "{json} was taken");
    }
}

#[test]
fn a_key_does_not_show_itself() {
    let key = Key { name: "first".into(), key: "sk-secret".into() };
    assert!(!format!("{key:?}").contains("secret"));
}

#[test]
fn the_examples_of_the_reference_parse() {
    let reference = include_str!("../../../../docs/reference/mock-provider.md");
    let mut examples = 0;
    for block in reference.split("```json\n").skip(1) {
        let json = block.split("```").next().unwrap();
        let script = parse(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        crate::rules::Rules::new(script).unwrap();
        examples += 1;
    }
    assert_eq!(examples, 2);
}
