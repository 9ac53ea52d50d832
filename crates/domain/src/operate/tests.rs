use super::*;
use crate::{
    api::ProviderKind,
    balancing::{CooldownDurations, HealthCheck},
    secret::Secret,
    snapshot::{Credential, Timeouts},
};

fn snapshot() -> Snapshot {
    let credential = |name: &str| Credential::new(name, Secret::new("sk"));
    let claude = Provider {
        name: "claude".into(),
        kind: ProviderKind::Anthropic,
        base_url: "https://api.example".to_owned(),
        credentials: vec![credential("main"), credential("spare")],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    };
    Snapshot { providers: [(claude.name.clone(), claude)].into(), ..Snapshot::default() }
}

fn order(verb: Verb, json: &str) -> Result<Order, OrderError> {
    let body: Body = serde_json::from_str(json).map_err(|error| OrderError::Body(error.to_string()))?;
    Wanted::read(verb, body)?.order(verb, "claude", &snapshot())
}

fn refused(json: &str) -> String {
    order(Verb::Cooldown, json).unwrap_err().to_string()
}

#[test]
fn the_guides_body_asks_for_ten_minutes() {
    let order = order(Verb::Cooldown, r#"{"duration": "10m", "reason": "manual"}"#).unwrap();
    assert_eq!((order.duration, order.reason.as_str()), (Duration::from_secs(600), "manual"));
    assert_eq!(order.key, CooldownKey::provider("claude".into()));
}

#[test]
fn without_any_field_the_whole_provider_rests_for_its_usual_time() {
    let order = order(Verb::Cooldown, "{}").unwrap();
    assert_eq!((order.duration, order.timeout), (Duration::from_secs(300), USUAL_WAIT));
    assert_eq!((order.wait, order.dry_run, order.reason.as_str()), (Wait::None, false, ""));
}

#[test]
fn every_field_is_read() {
    let json = r#"{"duration": "1h30m", "reason": "why", "credential": "spare", "model": "m", "request_id": "r-1",
        "dry_run": true, "wait": "majority", "timeout": "500ms"}"#;
    let expected = Order {
        verb: Verb::Cooldown,
        key: CooldownKey::model("claude".into(), "spare".into(), "m".into()),
        duration: Duration::from_secs(5_400),
        reason: "why".to_owned(),
        request_id: Some("r-1".to_owned()),
        dry_run: true,
        wait: Wait::Majority,
        timeout: Duration::from_millis(500),
    };
    assert_eq!(order(Verb::Cooldown, json), Ok(expected));
}

#[test]
fn a_refusal_names_the_field_the_value_and_the_remedy() {
    let time = "give a time above zero in quotes, as \"10m\", \"1h30m\" or \"90s\", or leave the field out";
    let range = "give a time above zero and of at most 30 days, as \"10m\", \"1h30m\" or \"90s\"";
    let cases = [
        (r#"{"duration": "soon"}"#, format!("duration is \"soon\"; {time}")),
        (r#"{"duration": "-10m"}"#, format!("duration is \"-10m\"; {time}")),
        (r#"{"duration": 600}"#, format!("duration is 600; {time}")),
        (r#"{"duration": null}"#, format!("duration is null; {time}")),
        (r#"{"duration": "0s"}"#, format!("duration is \"0s\"; {range}")),
        (r#"{"duration": "721h"}"#, format!("duration is \"721h\"; {range}")),
        (r#"{"reason": ["a"]}"#, "reason is a list; give a text in quotes or leave the field out".to_owned()),
        (r#"{"dry_run": "yes"}"#, "dry_run is \"yes\"; give true or false or leave the field out".to_owned()),
        (r#"{"wait": "most"}"#, "wait is \"most\"; give none, majority or all, or leave it out".to_owned()),
        (
            r#"{"timeout": "31s"}"#,
            "timeout is \"31s\"; give a time above zero and of at most 30 seconds, as \"2s\"".to_owned(),
        ),
        (
            r#"{"credential": "other"}"#,
            "credential is \"other\"; claude has main, spare; give one of these or leave the field out".to_owned(),
        ),
        (
            r#"{"model": "m"}"#,
            "model is \"m\"; give the credential as well: a model rests for one credential".to_owned(),
        ),
        (
            r#"{"request_id": "a b"}"#,
            "request_id is \"a b\"; give 1 to 200 printable characters without blanks, new for each call"
                .to_owned(),
        ),
        (
            r#"{"durration": {"a": 1}}"#,
            "there is no field `durration` (its value is an object); cooldown takes duration, reason, credential, \
             model, request_id, dry_run, wait, timeout"
                .to_owned(),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(refused(json), expected, "{json}");
    }
}

#[test]
fn what_is_no_object_and_what_is_there_twice_is_refused() {
    for json in ["[]", "5", "\"10m\"", "{", r#"{"reason": "a", "reason": "b"}"#] {
        assert!(refused(json).starts_with("the body is not a JSON object ("), "{json}");
    }
}

#[test]
fn a_recovery_takes_no_duration() {
    let refused = order(Verb::Recover, r#"{"duration": "10m"}"#).unwrap_err().to_string();
    assert!(
        refused.starts_with("there is no field `duration` (its value is \"10m\"); recover takes"),
        "{refused}"
    );
    assert_eq!(order(Verb::Recover, "{}").unwrap().duration, Duration::ZERO);
}

#[test]
fn an_unknown_provider_is_answered_with_the_known_ones() {
    let refused = Wanted::default().order(Verb::Recover, "cluade", &snapshot()).unwrap_err();
    assert_eq!(refused.to_string(), "there is no provider \"cluade\"; the known ones are claude");
    let refused = Wanted::default().order(Verb::Recover, "claude", &Snapshot::default()).unwrap_err();
    assert_eq!(refused.to_string(), "there is no provider \"claude\"; none is configured");
}

#[test]
fn a_majority_is_more_than_half_and_of_nobody_nobody() {
    let enough = |total| (Wait::None.enough(total), Wait::Majority.enough(total), Wait::All.enough(total));
    assert_eq!([enough(0), enough(1), enough(2), enough(5)], [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 5)]);
}

#[test]
fn calls_that_ask_for_the_same_are_told_alike() {
    let call = |json| order(Verb::Cooldown, json).unwrap().call();
    assert_eq!(call(r#"{"duration": "60s"}"#), call(r#"{"duration": "1m", "wait": "all"}"#));
    assert_ne!(call(r#"{"duration": "60s"}"#), call(r#"{"duration": "61s"}"#));
    assert_ne!(call("{}"), call(r#"{"credential": "main"}"#));
}
