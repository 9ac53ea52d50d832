//! A failure after the first content event: no other provider can take over, so the client is told in its own
//! dialect, and the stream is ended properly.

use super::{gateway, smart};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, Event, Samples,
    mock::{Behaviour, ErrorKind, Point, Reply, Rule},
    provider,
};

/// Events after which every API's stream is in its content.
const IN_CONTENT: u64 = 8;

/// The ways in which a stream breaks, and the words for them.
fn faults() -> [(Behaviour, &'static str); 5] {
    let after_events = IN_CONTENT;
    [
        (Behaviour::Reset { at: Point::AfterEvents(after_events) }, "stream_broken"),
        (Behaviour::Close { at: Point::AfterEvents(after_events) }, "stream_broken"),
        (Behaviour::Truncate { after_events }, "stream_broken"),
        (Behaviour::Hang { at: Point::AfterEvents(after_events) }, "timeout"),
        (Behaviour::StreamError { after_events, kind: ErrorKind::Overloaded }, "overloaded"),
    ]
}

fn breaking(fault: &Behaviour) -> Rule {
    Rule::new(fault.clone()).reply(Reply { tokens: Some(20), ..Reply::default() })
}

/// Holds the end of a broken stream against §12.7 of the wire formats.
fn is_told(api: Api, events: &[Event]) {
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().filter(|event| event.is_dispatched()).count() > 2, "{api:?}: {events:?}");
    // Everything before it can be read, and none of it is an end or an error.
    for event in before {
        let data = event.json();
        assert!(data.get("error").is_none_or(serde_json::Value::is_null), "{api:?}: {event:?}");
        assert!(data["choices"][0]["finish_reason"].is_null(), "{event:?}");
        assert!(data["candidates"][0]["finishReason"].is_null(), "{event:?}");
        assert!(!matches!(
            event.name.as_deref(),
            Some("message_delta" | "message_stop" | "response.completed")
        ));
    }
    let data = last.json();
    match api {
        Api::Responses => {
            assert_eq!(last.name.as_deref(), Some("response.failed"), "{last:?}");
            assert_eq!(data["type"], "response.failed");
            assert_eq!(data["response"]["status"], "failed");
            assert_eq!(data["response"]["id"], before[0].json()["response"]["id"]);
            let error = &data["response"]["error"];
            assert!(error["code"].is_string() && error["message"].is_string(), "{last:?}");
        }
        Api::Messages => {
            assert_eq!(last.name.as_deref(), Some("error"), "{last:?}");
            api.error(&data);
        }
        Api::Chat | Api::Gemini => {
            assert_eq!(last.name, None, "{last:?}");
            assert!(last.data.starts_with("{\"error\""), "{last:?}");
            api.error(&data);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_after_the_first_content_is_told_in_the_clients_dialect() {
    for (fault, outcome) in faults() {
        let (up, idle) = (provider("up", breaking(&fault)), provider("idle", Behaviour::Answer));
        let config = Config::new().timeout("idle", "500ms");
        let (gateway, client) = gateway(&[("up", &up), ("idle", &idle)], config).await;
        // Each API's own provider is named, so that it is this one that breaks.
        for api in Api::ALL {
            let (path, body) = api.request(&format!("{}-up/m", api.kind()), true);
            let mut stream = client.post_stream(&path, body).await;
            assert_eq!(stream.status, 200, "{api:?} {fault:?}");
            let mut events = Vec::new();
            // A body that is not ended properly fails here.
            while let Some(event) = stream
                .event()
                .await
                .unwrap_or_else(|error| panic!("{api:?} {fault:?}: {error:#} after {events:?}"))
            {
                events.push(event);
            }
            // A provider that tells of its error itself may end its stream as it always does.
            if matches!(fault, Behaviour::StreamError { .. }) {
                events.pop_if(|event| event.data == "[DONE]");
            }
            is_told(api, &events);
        }
        assert_eq!(idle.totals().requests, 0);
        let metrics = Samples::parse(client.get("/metrics").await.text());
        assert_eq!(metrics.sum("cliproxy_attempts_total", &[("outcome", outcome)]), 4.0, "{fault:?}");
        assert_eq!(metrics.sum("cliproxy_errors_total", &[("error_type", outcome)]), 4.0, "{fault:?}");
        assert_eq!(metrics.sum("cliproxy_requests_total", &[("status", "error")]), 4.0, "{fault:?}");
        drop(gateway);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_json_array_ends_with_the_error_as_its_last_element() {
    for (fault, _) in faults() {
        let up = provider("up", breaking(&fault));
        let (gateway, client) = gateway(&[("up", &up)], Config::new().timeout("idle", "500ms")).await;
        let (_, body) = Api::Gemini.request(&smart(Api::Gemini), true);
        let answer = client.post("/v1beta/models/smart-gemini:streamGenerateContent", body).await;
        let elements = answer.json();
        let elements = elements.as_array().unwrap();
        assert!(elements.len() > 2, "{fault:?}: {}", answer.text());
        let (last, before) = elements.split_last().unwrap();
        Api::Gemini.error(last);
        assert!(before.iter().all(|element| element["candidates"][0]["finishReason"].is_null()));
        drop(gateway);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_json_after_the_first_content_ends_in_an_error_event_too() {
    let fault = Behaviour::Malformed { after_events: IN_CONTENT };
    let up = provider("up", breaking(&fault));
    let (_gateway, client) = gateway(&[("up", &up)], Config::new()).await;
    for api in Api::ALL {
        let (path, body) = api.request(&smart(api), true);
        let answer = client.post(&path, body).await;
        let mut events = answer.events();
        let parses = |event: &Event| serde_json::from_str::<serde_json::Value>(&event.data).is_ok();
        // A content event passes unread, so the broken one may stand before the error; nothing follows it.
        let broken = events.iter().position(|event| !parses(event));
        if let Some(broken) = broken {
            assert_eq!(broken + 2, events.len(), "{api:?}: {events:?}");
            events.remove(broken);
        }
        is_told(api, &events);
    }
    let metrics = Samples::parse(client.get("/metrics").await.text());
    assert_eq!(metrics.sum("cliproxy_requests_total", &[("status", "error")]), 4.0);
    assert_eq!(metrics.sum("cliproxy_attempts_total", &[("outcome", "success")]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_that_breaks_is_had_elsewhere() {
    // An answer that is not streamed has its two halves as events.
    let fault = Behaviour::Reset { at: Point::AfterEvents(1) };
    let (bad, good) = (provider("bad", fault), provider("good", Behaviour::Answer));
    let (_gateway, client) = gateway(&[("bad", &bad), ("good", &good)], Config::new()).await;
    for turn in 0..4 {
        for api in Api::ALL {
            let (path, body) = api.request(&smart(api), false);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?} {turn}: {}", answer.text());
            assert_eq!(answer.header("x-cliproxy-provider"), format!("{}-good", api.kind()));
        }
    }
    assert!(bad.totals().broken > 0);
}
