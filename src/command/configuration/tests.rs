//! Texts that come by hand and over the API, on a store in memory.

mod shared;

use super::*;
use cliproxy_config::{Environment, Purpose};
use cliproxy_controlplane::{ControlPlane, Settings};
use cliproxy_domain::{HistoryId, WallTime};
use cliproxy_host::{SystemClock, SystemNet};
use cliproxy_observe::metrics::Metrics;
use cliproxy_store::{MemoryStore, Store as _};
use std::fs;
use tempfile::TempDir;

struct Story {
    folder: TempDir,
    store: MemoryStore,
    configuration: Arc<Configuration>,
}

/// A configuration with one provider, which has so many attempts.
fn text(attempts: u32) -> String {
    format!(
        "providers: {{openai: {{api_key: sk-very-secret}}}}\nserver: {{retries: {{max_attempts: {attempts}}}}}\n"
    )
}

impl Story {
    /// Starts on a file with [`text`] of 1.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, text(1)).unwrap();
        let request = Load {
            file: Some(file),
            overrides: vec!["server.retries.budget_percent=33".to_owned()],
            data_dir: folder.path().join("data"),
            environment: Environment::fixed([("ATTEMPTS", "9")]),
            wall: || WallTime(0),
            purpose: Purpose::Any,
        };
        let (config, text) = cliproxy_config::load_with_text(&request).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let store = MemoryStore::new(HistoryId("one".into()));
        let metrics = Metrics::new();
        let plane = ControlPlane::build(
            Settings::new(any, any, "cp-1"),
            Arc::new(store.clone()),
            Arc::new(SystemClock),
            Arc::new(SystemNet),
            &metrics,
        );
        let handle = plane.await.unwrap().handle();
        let configuration = Configuration::start(request, Loaded { config, text }, handle).await.unwrap();
        Self { folder, store, configuration }
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("config.yaml"), text).unwrap();
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.path().join("config.yaml")).unwrap()
    }

    async fn put(&self, text: &str, expected: Option<u64>) -> Result<Replaced, Refused> {
        let author = Author { name: "ops".into(), ..Author::default() };
        let expected = expected.map(ConfigId);
        self.configuration.replace(NewText { name: "body".into(), text: text.into(), author, expected }).await
    }

    /// The numbers and authors of all configurations, the newest first.
    async fn history(&self) -> Vec<(u64, String)> {
        let configs = self.store.configs(10).await.unwrap();
        configs.into_iter().map(|config| (config.id.0, config.author)).collect()
    }

    async fn policy(&self) -> (u32, u32) {
        let retries = &self.configuration.in_force.lock().await.snapshot.policy.retries;
        (retries.max_attempts, retries.budget_percent)
    }
}

fn of(history: &[(u64, &str)]) -> Vec<(u64, String)> {
    history.iter().map(|(id, author)| (*id, (*author).to_owned())).collect()
}

#[tokio::test]
async fn a_text_is_read_as_at_the_start_with_variables_and_overrides() {
    let story = Story::start().await;
    assert_eq!(story.policy().await, (1, 33));
    let new = text(0).replace("max_attempts: 0", "max_attempts: '${ATTEMPTS}'");
    let replaced = story.put(&new, Some(1)).await.unwrap();
    assert_eq!(replaced.applied.config, ConfigId(2));
    assert_eq!(story.policy().await, (9, 33));
    assert_eq!(story.file(), new);
    assert_eq!(story.configuration.kept_text(ConfigId(2)).await, Some(new), "as it was written");
}

#[tokio::test]
async fn the_file_of_a_change_is_not_taken_for_another() {
    let story = Story::start().await;
    story.put(&text(2), None).await.unwrap();
    let mut watcher = Arc::clone(&story.configuration);
    watcher.load_again("a file changed").await;
    assert_eq!(story.history().await, of(&[(2, "ops"), (1, "file")]));
}

#[tokio::test]
async fn what_was_written_by_hand_before_is_numbered_and_kept() {
    let story = Story::start().await;
    story.write(&text(2));
    let late = story.put(&text(3), Some(1)).await.unwrap_err();
    assert!(matches!(late, Refused::Superseded { in_force: ConfigId(2), .. }), "{late}");
    story.put(&text(3), Some(2)).await.unwrap();
    assert_eq!(story.history().await, of(&[(3, "ops"), (2, "file"), (1, "file")]));
    assert_eq!(story.configuration.kept_text(ConfigId(2)).await, Some(text(2)));
}

#[tokio::test]
async fn a_file_with_a_mistake_goes_unheard_until_a_change_mends_it() {
    let story = Story::start().await;
    story.write("provders: {}\n");
    Arc::clone(&story.configuration).load_again("a file changed").await;
    let shown = story.configuration.shown().await;
    assert!(shown.text.contains("max_attempts: 1") && !shown.text.contains("very-secret"), "{}", shown.text);
    story.put(&text(2), Some(1)).await.unwrap();
    assert_eq!(story.file(), text(2));
}

#[tokio::test]
async fn a_wrong_text_leaves_the_file_alone_and_is_told_with_its_place() {
    let story = Story::start().await;
    let wrong = text(1).replace("retries", "retires");
    let Err(Refused::Wrong { report, mistakes }) = story.put(&wrong, None).await else { panic!("taken") };
    for part in ["body:2:10: unknown key `server.retires`", "did you mean `retries`", "^^^^^^^"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let mistake = &mistakes[0];
    assert_eq!((mistake.line, mistake.column), (Some(2), Some(10)));
    assert!(mistake.excerpt.as_deref().unwrap().contains("retires"));
    assert_eq!(story.file(), text(1));
    let checked = story.configuration.check(wrong).await.unwrap_err();
    assert!(matches!(checked, Refused::Wrong { mistakes: again, .. } if again == mistakes));
}

#[tokio::test]
async fn where_the_store_does_not_take_it_the_file_is_as_before() {
    let story = Story::start().await;
    story.store.faults().set_unavailable(true);
    let refused = story.put(&text(2), None).await.unwrap_err();
    assert!(matches!(refused, Refused::Apply(ApplyError::Store(_))), "{refused}");
    story.store.faults().heal();
    assert_eq!((story.file(), story.policy().await.0), (text(1), 1));
}

#[tokio::test]
async fn where_the_file_cannot_be_written_nothing_is_changed() {
    let story = Story::start().await;
    fs::rename(story.folder.path().join("config.yaml"), story.folder.path().join("kept")).unwrap();
    fs::create_dir(story.folder.path().join("config.yaml")).unwrap();
    let refused = story.put(&text(2), None).await.unwrap_err();
    assert!(matches!(&refused, Refused::File(message) if message.contains("cannot be written")), "{refused}");
    assert_eq!(story.history().await, of(&[(1, "file")]));
    assert_eq!(story.policy().await.0, 1);
}

#[tokio::test]
async fn of_two_changes_at_once_one_comes_after_the_other() {
    let story = Story::start().await;
    let (two, three) = (text(2), text(3));
    let (a, b) = tokio::join!(story.put(&two, Some(1)), story.put(&three, Some(1)));
    assert!(a.is_ok() != b.is_ok(), "both were meant to replace the first");
    let won = if a.is_ok() { 2 } else { 3 };
    assert_eq!((story.file(), story.policy().await.0), (text(won), won));
}

#[tokio::test]
async fn keys_of_the_process_wait_for_its_next_start() {
    let story = Story::start().await;
    let new = format!("{}metrics: {{enabled: true, port: 9}}\n", text(1));
    let checked = story.configuration.check(new.clone()).await.unwrap();
    assert_eq!(checked.needs_restart, ["metrics"]);
    let replaced = story.put(&new, None).await.unwrap();
    assert_eq!(replaced.needs_restart, ["metrics"]);
    // Nodes are sent nothing, and the number stays; the text that is kept under it is the newest.
    assert_eq!((replaced.applied.config, replaced.applied.before), (ConfigId(1), ConfigId(1)));
    assert_eq!(story.configuration.shown().await.needs_restart, ["metrics"]);
    assert_eq!(story.configuration.kept_text(ConfigId(1)).await, Some(new));
}
