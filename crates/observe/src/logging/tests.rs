use super::*;
use parking_lot::Mutex;
use std::{io::Write, sync::Arc};
use tracing::{debug, error, info, warn};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `body` with a log of its own and gives its text.
fn logged(level: Level, format: Format, body: impl FnOnce()) -> String {
    let memory = Memory::default();
    let sink = Sink::start(memory.clone()).unwrap();
    let layer = EventLayer::new(sink.clone(), format, Box::new(|| 1_771_542_000_000));
    tracing::subscriber::with_default(subscriber(level, layer), body);
    sink.close();
    String::from_utf8(memory.0.lock().clone()).unwrap()
}

#[test]
fn json_shows_the_message_first_and_then_the_fields_as_recorded() {
    let text = logged(Level::Info, Format::Json, || {
        info!(zulu = 1, alpha = "two", ok = true, ratio = 0.5, minus = -3, "snapshot applied");
    });
    assert_eq!(
        text,
        "{\"timestamp\":\"2026-02-19T23:00:00.000Z\",\"level\":\"info\",\"msg\":\"snapshot applied\",\
         \"zulu\":1,\"alpha\":\"two\",\"ok\":true,\"ratio\":0.5,\"minus\":-3}\n"
    );
}

#[test]
fn text_is_logfmt_that_greps_by_level() {
    let text = logged(Level::Info, Format::Text, || {
        let (node, attempt) = ("n 1", 3);
        error!(node, attempt, "control plane {} is gone", "a");
    });
    assert_eq!(
        text,
        "time=2026-02-19T23:00:00.000Z level=error msg=\"control plane a is gone\" node=\"n 1\" attempt=3\n"
    );
}

#[test]
fn other_crates_are_heard_from_warnings_on_and_named() {
    let text = logged(Level::Info, Format::Text, || {
        info!(target: "h2::codec", "frame");
        warn!(target: "hyper::client", "odd");
        debug!("ours, too fine");
        info!("ours");
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("msg=odd target=hyper::client"));
    assert!(text.contains("msg=ours\n"));
}

#[test]
fn debug_shows_everything_and_error_only_errors() {
    let all = || {
        debug!(target: "h2::codec", "theirs");
        debug!("fine");
        warn!("coarse");
        warn!(target: "h2::codec", "coarse theirs");
        error!("broken");
    };
    assert_eq!(logged(Level::Debug, Format::Text, all).lines().count(), 5);
    assert_eq!(logged(Level::Error, Format::Text, all).lines().count(), 1);
}

#[test]
fn errors_are_shown_with_their_causes_and_without_keys() {
    let text = logged(Level::Info, Format::Json, || {
        let error =
            LogError::Open { path: "x.log".to_owned(), source: io::Error::other("GET /m?key=AIza9 failed") };
        error!(error = &error as &(dyn std::error::Error + 'static), "cannot log");
    });
    assert!(text.contains("GET /m?key=[hidden] failed"), "{text}");
    assert!(!text.contains("AIza9"));
}

#[test]
fn a_field_named_like_ours_does_not_come_twice() {
    let text = logged(Level::Info, Format::Json, || info!(level = "x", msg = "y", timestamp = 1, "z"));
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&parsed["level"], &parsed["event_level"]), (&"info".into(), &"x".into()));
    assert_eq!((&parsed["msg"], &parsed["event_msg"]), (&"z".into(), &"y".into()));
    assert_eq!(parsed["event_time"], 1);
}

#[test]
fn a_value_that_logs_while_it_is_shown_does_not_disturb_its_line() {
    struct Chatty;
    impl fmt::Display for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("from inside");
            f.write_str("shown")
        }
    }
    let text = logged(Level::Info, Format::Text, || info!(value = %Chatty, "outer"));
    assert!(text.lines().any(|line| line.ends_with("msg=outer value=shown")), "{text}");
}

#[test]
fn an_endless_value_is_cut_while_it_is_rendered() {
    struct Endless;
    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("é and so on ")?;
            }
        }
    }
    let text = logged(Level::Info, Format::Json, || info!(value = ?Endless, "outer"));
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(parsed["value"].as_str().unwrap().ends_with('…'));
}

#[test]
fn a_log_file_is_appended_to_and_its_folder_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/deep/cliproxy.log");
    for line in ["one\n", "two\n"] {
        open(&path).unwrap().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[cfg(unix)]
#[test]
fn a_new_log_file_is_closed_to_strangers() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cliproxy.log");
    open(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    // The process's mask may take more away, never give more.
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn a_log_that_cannot_be_opened_says_which_key_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let error = open(&blocked.join("cliproxy.log")).unwrap_err().to_string();
    assert!(error.starts_with("logging.output: folder "), "{error}");
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("cannot be opened for appending"), "{error}");
}

#[test]
fn init_logs_to_the_file_and_refuses_a_second_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cliproxy.log");
    let settings =
        LogSettings { output: Output::File(path.clone()), format: Format::Text, ..Default::default() };
    let guard = init(settings.clone(), || 0).unwrap();
    info!("started");
    guard.access_log().write(&crate::AccessEntry {
        at_ms: 0,
        outcome: crate::Outcome::Success,
        provider: "p",
        model: "m",
        request_id: "r",
        latency: std::time::Duration::ZERO,
        input_tokens: 0,
        output_tokens: 0,
        served_by: None,
    });
    assert!(matches!(init(settings, || 0), Err(LogError::AlreadyInstalled)));
    assert_eq!(guard.lost_lines(), 0);
    drop(guard);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("level=info msg=started\n"), "{text}");
    assert!(text.contains("msg=request_success provider=p"), "{text}");
}
