use super::*;
use crate::v1;
use cliproxy_domain::{
    AuditQuery, Dialect, Operation, WallTime,
    operate::{Question, Wait, Wanted},
};
use std::time::Duration;

fn key() -> Option<v1::OrderKey> {
    let text = |text: &str| Some(text.to_owned());
    Some(v1::OrderKey { provider: "claude".into(), credential: text("main"), model: text("m") })
}

#[test]
fn a_forced_cooldown_is_read_field_by_field() {
    let wire = v1::ForceCooldownRequest {
        key: key(),
        duration_ms: Some(600_000),
        reason: "maintenance".into(),
        request_id: Some("r-1".into()),
        dry_run: true,
        wait: "ALL".into(),
        timeout_ms: Some(500),
    };
    let wanted = Wanted {
        duration: Some(Duration::from_secs(600)),
        reason: Some("maintenance".into()),
        credential: Some("main".into()),
        model: Some("m".into()),
        request_id: Some("r-1".into()),
        dry_run: true,
        wait: Wait::All,
        timeout: Some(Duration::from_millis(500)),
    };
    assert_eq!(force_from_wire(wire), Ok(("claude".to_owned(), wanted)));
}

#[test]
fn a_recovery_without_fields_is_of_no_provider_and_waits_for_nobody() {
    let read = recover_from_wire(v1::RecoverRequest::default());
    let wanted = Wanted { reason: Some(String::new()), ..Wanted::default() };
    assert_eq!(read, Ok((String::new(), wanted)));
}

#[test]
fn a_word_for_waiting_that_is_none_is_refused_with_those_there_are() {
    let wire = v1::RecoverRequest { key: key(), wait: "most".into(), ..Default::default() };
    let refused = recover_from_wire(wire).unwrap_err().to_string();
    assert_eq!(refused, "wait is \"most\"; give none, majority or all, or leave it out");
}

#[test]
fn a_question_without_words_is_that_of_a_chat_client() {
    let wire = v1::ExplainRouteRequest { model: "smart".into(), ..Default::default() };
    assert_eq!(question_from_wire(wire), Question::about("smart"));
    let wire = v1::ExplainRouteRequest {
        model: "smart".into(),
        api: "gemini".into(),
        stream: true,
        session: Some("s".into()),
        operation: "count_tokens".into(),
        client: Some("ci".into()),
    };
    let expected = Question {
        model: "smart".into(),
        api: Dialect::Gemini,
        stream: true,
        session: Some("s".into()),
        operation: Operation::CountTokens,
        client: Some("ci".into()),
    };
    assert_eq!(question_from_wire(wire), Ok(expected));
    assert!(question_from_wire(v1::ExplainRouteRequest::default()).is_err());
}

#[test]
fn the_audit_log_is_asked_for_a_hundred_entries_unless_it_is_said() {
    assert_eq!(audit_query_from_wire(v1::ListAuditRequest::default()), AuditQuery::default());
    let wire = v1::ListAuditRequest {
        provider: Some("claude".into()),
        action: Some("recovered".into()),
        before_ms: Some(5),
        limit: Some(7),
    };
    let expected = AuditQuery {
        provider: Some("claude".into()),
        action: Some("recovered".into()),
        before: Some(WallTime(5)),
        limit: 7,
    };
    assert_eq!(audit_query_from_wire(wire), expected);
}
