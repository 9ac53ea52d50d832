use super::*;
use parking_lot::Mutex;
use std::{sync::Arc, time::Instant};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const GUIDE: AccessEntry<'static> = AccessEntry {
    at_ms: 1_771_542_000_000,
    outcome: Outcome::Success,
    provider: "claude",
    model: "claude-3-5-sonnet",
    request_id: "req-123",
    latency: Duration::from_millis(450),
    input_tokens: 100,
    output_tokens: 50,
    served_by: None,
};

fn failed(error_type: &'static str) -> AccessEntry<'static> {
    let (code, client, key) = (None, None, None);
    AccessEntry {
        outcome: Outcome::Failed { error_type, code, status: 429, client, key, is_clients: false },
        ..GUIDE
    }
}

fn written(format: Format, level: Level, entries: &[AccessEntry<'_>]) -> String {
    let memory = Memory::default();
    let (log, guard) = AccessLog::to_writer(memory.clone(), format, level).unwrap();
    entries.iter().for_each(|entry| log.write(entry));
    drop(guard);
    String::from_utf8(memory.0.lock().clone()).unwrap()
}

#[test]
fn a_request_that_another_node_answered_says_so() {
    let forwarded = AccessEntry { provider: "", served_by: Some("backup"), ..GUIDE };
    let line = written(Format::Text, Level::Info, &[forwarded]);
    assert!(line.ends_with("tokens.output=50 served_by=backup\n"), "{line}");
}

#[test]
fn a_success_has_exactly_the_guides_fields_in_its_order() {
    assert_eq!(
        written(Format::Json, Level::Info, &[GUIDE]),
        "{\"timestamp\":\"2026-02-19T23:00:00.000Z\",\"level\":\"info\",\"msg\":\"request_success\",\
         \"provider\":\"claude\",\"model\":\"claude-3-5-sonnet\",\"request_id\":\"req-123\",\"latency_ms\":450,\
         \"tokens\":{\"input\":100,\"output\":50}}\n"
    );
}

#[test]
fn a_failure_also_says_its_type_and_is_found_by_its_level() {
    let failed = failed("rate_limit");
    let json = written(Format::Json, Level::Info, &[failed]);
    assert!(json.contains("\"level\":\"error\",\"msg\":\"request_failed\""));
    assert!(json.ends_with(
        "\"tokens\":{\"input\":100,\"output\":50},\"error_type\":\"rate_limit\",\"status\":429}\n"
    ));
    assert_eq!(
        written(Format::Text, Level::Info, &[failed]),
        "time=2026-02-19T23:00:00.000Z level=error msg=request_failed provider=claude model=claude-3-5-sonnet \
         request_id=req-123 latency_ms=450 tokens.input=100 tokens.output=50 error_type=rate_limit status=429\n"
    );
}

#[test]
fn what_a_client_has_to_mend_says_whose_it_is_and_is_no_error() {
    let outcome = Outcome::Failed {
        error_type: "forbidden",
        code: Some("model_not_allowed"),
        status: 403,
        client: Some("ci"),
        key: Some("d6eb0a1b2c3d"),
        is_clients: true,
    };
    let line = written(Format::Text, Level::Info, &[AccessEntry { outcome, ..GUIDE }]);
    assert!(line.contains("level=warn msg=request_failed"), "{line}");
    let who = "error_type=forbidden status=403 code=model_not_allowed client=ci key=d6eb0a1b2c3d\n";
    assert!(line.ends_with(who), "{line}");
}

#[test]
fn a_log_of_errors_leaves_successes_out() {
    let failed = failed("timeout");
    let text = written(Format::Text, Level::Error, &[GUIDE, failed, GUIDE]);
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("msg=request_failed"));
}

#[test]
fn a_model_name_cannot_forge_a_line_or_a_field() {
    let forged = AccessEntry { model: "x\",\"level\":\"error\n{}", ..GUIDE };
    let json = written(Format::Json, Level::Info, &[forged]);
    assert_eq!(json.lines().count(), 1);
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["model"], forged.model);
    assert_eq!(parsed["level"], "info");
}

#[test]
fn a_discarding_log_takes_entries() {
    AccessLog::discarding().write(&GUIDE);
}

/// Prints what an entry costs: `cargo test --release -p cliproxy-observe -- --ignored --nocapture cost`.
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn cost_of_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("access.log")).unwrap();
    let (log, guard) = AccessLog::to_writer(file, Format::Json, Level::Info).unwrap();
    let rounds = 200_000u32;
    let started = Instant::now();
    (0..rounds).for_each(|_| log.write(std::hint::black_box(&GUIDE)));
    let with_queue = started.elapsed();
    drop(guard);
    let mut buffer = Vec::new();
    let started = Instant::now();
    for _ in 0..rounds {
        buffer.clear();
        std::hint::black_box(&GUIDE).render(Format::Json, Level::Info, &mut buffer);
    }
    let rendering = started.elapsed();
    eprintln!("an entry: {:?} in all, of which rendering {:?}", with_queue / rounds, rendering / rounds);
}
