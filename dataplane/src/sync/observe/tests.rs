use super::*;
use cliproxy_domain::WallTime;
use cliproxy_host::SystemClock;

fn observer() -> (Observer, SyncMetrics) {
    let metrics = SyncMetrics::default();
    (Observer::new(Arc::new(SystemClock), metrics.clone()), metrics)
}

fn report(provider: &str) -> ProbeReport {
    ProbeReport {
        node: "n".into(),
        provider: provider.into(),
        healthy: true,
        http_status: 200,
        error_type: String::new(),
        took: Duration::from_millis(5),
        age: Duration::ZERO,
    }
}

fn record(id: &str) -> RequestRecord {
    RequestRecord {
        id: id.to_owned(),
        node: "n".into(),
        at: WallTime(0),
        api: "anthropic".to_owned(),
        outcome: "success".to_owned(),
        code: None,
        why: None,
        served_by: None,
        status: 200,
        latency_ms: 1,
        decision: None,
        client: None,
        key: None,
        tags: Default::default(),
        attempts: Vec::new(),
    }
}

/// Gives the names of what a call would carry: providers, then requests.
fn names(request: &ObserveRequest) -> Vec<String> {
    let requests = request.requests.iter().map(|json| {
        let record: RequestRecord = serde_json::from_slice(json).unwrap();
        record.id
    });
    request.probes.iter().map(|probe| probe.provider.clone()).chain(requests).collect()
}

#[tokio::test(start_paused = true)]
async fn observations_wait_a_moment_for_others_and_news_for_nothing() {
    let (observer, _) = observer();
    observer.request(&record("r1"));
    let begun = SystemClock.now();
    observer.gather().await;
    assert_eq!(SystemClock.now() - begun, GATHER);
    observer.probe(report("a"), true);
    observer.gather().await;
    assert_eq!(SystemClock.now() - begun, GATHER);
    let request = observer.take(&"n".into());
    assert_eq!((names(&request), request.node_id.as_str()), (vec!["a".to_owned(), "r1".to_owned()], "n"));
}

#[test]
fn a_call_carries_so_much_and_the_next_the_rest() {
    let (observer, _) = observer();
    for number in 0..MAX_CALL + 3 {
        observer.probe(report(&format!("p{number}")), false);
    }
    let first = observer.take(&"n".into());
    observer.confirmed();
    let second = observer.take(&"n".into());
    assert_eq!((first.probes.len(), second.probes.len()), (MAX_CALL, 3));
    assert_eq!(second.probes[0].provider, format!("p{MAX_CALL}"));
}

#[test]
fn the_oldest_are_dropped_when_too_many_wait_and_that_is_counted() {
    let (observer, metrics) = observer();
    for number in 0..MAX_WAITING + 2 {
        observer.request(&record(&number.to_string()));
    }
    assert_eq!(metrics.observations_dropped.get(), 2);
    assert_eq!(names(&observer.take(&"n".into()))[0], "2");
}

#[test]
fn what_could_not_be_sent_waits_in_its_place_for_the_next_session() {
    let (observer, metrics) = observer();
    for name in ["a", "b"] {
        observer.probe(report(name), false);
    }
    observer.take(&"n".into());
    observer.probe(report("c"), false);
    observer.put_back();
    assert_eq!(names(&observer.take(&"n".into())), ["a", "b", "c"]);
    assert_eq!(metrics.observations_dropped.get(), 0);
}

#[test]
fn a_report_is_as_old_when_it_is_sent_as_it_is() {
    let (observer, _) = observer();
    observer.probe(report("a"), false);
    if let Some(Observation::Probe(_, at)) = observer.waiting.lock().queue.front_mut() {
        *at -= Duration::from_secs(60);
    }
    let request = observer.take(&"n".into());
    assert!((60_000..65_000).contains(&request.probes[0].age_ms), "{}", request.probes[0].age_ms);
}

#[test]
fn a_record_that_the_control_plane_would_not_keep_is_not_sent() {
    let (observer, metrics) = observer();
    observer.request(&RequestRecord { outcome: "x".repeat(MAX_RECORD), ..record("r") });
    assert_eq!(metrics.observations_dropped.get(), 1);
    assert!(observer.waiting.lock().queue.is_empty());
}
