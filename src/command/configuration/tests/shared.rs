//! Texts that several control planes have in common.

use super::*;
use cliproxy_controlplane::ControlPlane;

/// One control plane of several, with a file and variables of its own.
struct Replica {
    folder: TempDir,
    configuration: Arc<Configuration>,
    handle: Handle,
    _plane: ControlPlane,
}

const CONTROL: &str = "control_plane: {database: {url: '${DATABASE_URL}'}}\n";

/// A configuration of a cluster with one provider, which has so many attempts.
fn text(attempts: u32) -> String {
    format!(
        "providers: {{openai: {{api_key: '${{KEY}}'}}}}\nserver: {{retries: {{max_attempts: {attempts}}}}}\n{CONTROL}"
    )
}

fn shared() -> MemoryStore {
    MemoryStore::new(HistoryId("one".into()))
}

impl Replica {
    async fn start(store: &MemoryStore, text: &str, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, text).unwrap();
        let request = Load {
            file: Some(file),
            overrides: Vec::new(),
            data_dir: folder.path().join("data"),
            environment: Environment::fixed([
                ("KEY", key),
                ("DATABASE_URL", "postgres://cliproxy@db/cliproxy"),
            ]),
            wall: || WallTime(0),
            purpose: Purpose::Any,
        };
        let (config, text) = cliproxy_config::load_with_text(&request).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let metrics = Metrics::new();
        let plane = ControlPlane::build(
            Settings::new(any, any, "cp"),
            Arc::new(store.connect()),
            Arc::new(SystemClock),
            Arc::new(SystemNet),
            &metrics,
        );
        let plane = plane.await.unwrap();
        let handle = plane.handle();
        let configuration =
            Configuration::start(request, Loaded { config, text }, handle.clone()).await.unwrap();
        Self { folder, configuration, handle, _plane: plane }
    }

    async fn put(&self, text: &str, expected: Option<u64>) -> Result<Replaced, Refused> {
        let author = Author { name: "ops".into(), ..Author::default() };
        let expected = expected.map(ConfigId);
        self.configuration.replace(NewText { name: "body".into(), text: text.into(), author, expected }).await
    }

    async fn attempts(&self) -> u32 {
        self.configuration.in_force.lock().await.snapshot.policy.retries.max_attempts
    }

    async fn reads_file_again(&self, text: &str) {
        fs::write(self.folder.path().join("config.yaml"), text).unwrap();
        Arc::clone(&self.configuration).load_again("a file changed").await;
    }
}

#[tokio::test]
async fn a_text_that_one_takes_is_read_by_the_other_and_stands_in_no_file() {
    let store = shared();
    let (a, b) = (Replica::start(&store, &text(1), "k").await, Replica::start(&store, &text(1), "k").await);
    assert_eq!((a.handle.in_force(), b.handle.in_force()), (ConfigId(1), ConfigId(1)));
    assert_eq!(a.put(&text(2), Some(1)).await.unwrap().applied.config, ConfigId(2));
    b.configuration.take_up().await;
    assert_eq!((b.handle.in_force(), b.attempts().await), (ConfigId(2), 2));
    let shown = b.configuration.shown().await;
    assert_eq!((shown.text, shown.file), (text(2), None));
    assert_eq!(fs::read_to_string(a.folder.path().join("config.yaml")).unwrap(), text(1));
    assert_eq!(b.configuration.kept_text(ConfigId(1)).await, Some(text(1)), "any can roll back");
    assert_eq!(b.configuration.kept().await, [ConfigId(1), ConfigId(2)].into());
}

#[tokio::test]
async fn a_key_in_a_text_is_refused_with_its_place_though_the_text_names_no_database() {
    let store = shared();
    let a = Replica::start(&store, &text(1), "k").await;
    let written_out = "providers: {openai: {api_key: sk-very-secret}}\n";
    let Err(Refused::Wrong { report, .. }) = a.put(written_out, None).await else { panic!("taken") };
    assert!(report.contains("body:1:") && report.contains("write `${NAME}`"), "{report}");
    assert!(!report.contains("very-secret"), "{report}");
    assert!(a.configuration.check(written_out.to_owned()).await.is_err());
    let by_name = "providers: {openai: {api_key: '${KEY}'}}\n";
    a.put(by_name, None).await.unwrap();
    assert_eq!(store.config_text(ConfigId(2)).await.unwrap().as_deref(), Some(by_name));
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_put_in_force_again() {
    let store = shared();
    let a = Replica::start(&store, &text(1), "k").await;
    a.put(&text(2), None).await.unwrap();
    let restarted = Replica::start(&store, &text(1), "k").await;
    assert_eq!((restarted.handle.in_force(), restarted.attempts().await), (ConfigId(2), 2));
    // A file that comes late says nothing new either.
    a.reads_file_again(&format!("{}# touched\n", text(2))).await;
    a.put(&text(3), None).await.unwrap();
    restarted.configuration.take_up().await;
    restarted.reads_file_again(&text(2)).await;
    assert_eq!(restarted.attempts().await, 3);
    assert_eq!(store.configs(10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_that_was_never_numbered_becomes_the_newest() {
    let store = shared();
    let a = Replica::start(&store, &text(1), "k").await;
    let b = Replica::start(&store, &text(4), "k").await;
    assert_eq!(b.handle.in_force(), ConfigId(2));
    a.configuration.take_up().await;
    assert_eq!((a.handle.in_force(), a.attempts().await), (ConfigId(2), 4));
    a.reads_file_again(&text(5)).await;
    assert_eq!((a.handle.in_force(), a.attempts().await), (ConfigId(3), 5));
}

#[tokio::test]
async fn other_keys_than_where_it_was_numbered_make_nothing_and_a_text_sent_here_does() {
    let store = shared();
    let _a = Replica::start(&store, &text(1), "k").await;
    let b = Replica::start(&store, &text(1), "another").await;
    assert_eq!(b.handle.in_force(), ConfigId(0));
    assert!(!b.handle.is_offered(ConfigId(1)));
    b.configuration.take_up().await;
    assert_eq!(store.configs(10).await.unwrap().len(), 1, "its keys are not put in the place of the others");
    let applied = b.put(&text(1), Some(1)).await.unwrap().applied;
    assert_eq!(applied.config, ConfigId(2));
    assert!(b.handle.is_offered(ConfigId(2)));
}

#[tokio::test]
async fn a_change_that_expects_what_another_replica_has_replaced_is_refused() {
    let store = shared();
    let (a, b) = (Replica::start(&store, &text(1), "k").await, Replica::start(&store, &text(1), "k").await);
    a.put(&text(2), Some(1)).await.unwrap();
    let late = b.put(&text(3), Some(1)).await.unwrap_err();
    assert!(matches!(late, Refused::Superseded { in_force: ConfigId(2), .. }), "{late}");
    assert_eq!(b.attempts().await, 2, "it knows by then");
    assert_eq!(b.put(&text(3), None).await.unwrap().applied.before, ConfigId(2));
}

#[tokio::test]
async fn in_another_history_what_is_in_force_is_numbered_anew() {
    let store = shared();
    let a = Replica::start(&store, &text(1), "k").await;
    let savepoint = store.savepoint();
    a.put(&text(2), None).await.unwrap();
    a.put(&text(3), None).await.unwrap();
    store.roll_back(&savepoint, HistoryId("two".into()));
    a.configuration.number_again().await;
    assert_eq!((a.handle.in_force(), a.attempts().await), (ConfigId(4), 3));
    assert_eq!(store.config_text(ConfigId(4)).await.unwrap(), Some(text(3)));
    a.configuration.number_again().await;
    assert_eq!(store.configs(10).await.unwrap().len(), 2, "it is numbered once");
}

#[tokio::test]
async fn in_another_history_a_replica_that_was_away_does_not_bring_back_what_others_replaced() {
    let store = shared();
    let (a, b) = (Replica::start(&store, &text(1), "k").await, Replica::start(&store, &text(1), "k").await);
    a.put(&text(2), None).await.unwrap();
    let savepoint = store.savepoint();
    a.put(&text(3), None).await.unwrap();
    // The third is lost, and the second replica has not heard of the second.
    store.roll_back(&savepoint, HistoryId("two".into()));
    b.configuration.number_again().await;
    assert_eq!((b.handle.in_force(), b.attempts().await), (ConfigId(2), 2));
    a.configuration.number_again().await;
    b.configuration.number_again().await;
    for replica in [&a, &b] {
        assert_eq!((replica.handle.in_force(), replica.attempts().await), (ConfigId(4), 3));
    }
    assert_eq!(store.configs(10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn in_another_history_what_somebody_has_put_in_force_since_stays() {
    let store = shared();
    let (a, b) = (Replica::start(&store, &text(1), "k").await, Replica::start(&store, &text(1), "k").await);
    let savepoint = store.savepoint();
    a.put(&text(2), None).await.unwrap();
    b.configuration.take_up().await;
    store.roll_back(&savepoint, HistoryId("two".into()));
    b.put(&text(4), Some(1)).await.unwrap();
    a.configuration.number_again().await;
    assert_eq!((a.handle.in_force(), a.attempts().await), (ConfigId(3), 4));
    assert_eq!(store.configs(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_what_two_replicas_have_in_force_the_later_one_wins_in_another_history_whoever_is_first() {
    for first in [0, 1] {
        let store = shared();
        let savepoint = store.savepoint();
        let behind = Replica::start(&store, &text(1), "k").await;
        let ahead = Replica::start(&store, &text(1), "k").await;
        behind.put(&text(2), None).await.unwrap();
        ahead.put(&text(3), None).await.unwrap();
        // As a backup of before both.
        store.roll_back(&savepoint, HistoryId("two".into()));
        let replicas = [&behind, &ahead];
        for turn in [first, 1 - first, first] {
            replicas[turn].configuration.number_again().await;
        }
        for replica in replicas {
            assert_eq!((replica.handle.in_force().0, replica.attempts().await), (4, 3), "{first}");
        }
    }
}

#[tokio::test]
async fn other_comments_alone_are_kept_and_shown_everywhere_and_outlast_a_restart() {
    let store = shared();
    let (a, b) = (Replica::start(&store, &text(1), "k").await, Replica::start(&store, &text(1), "k").await);
    let commented = format!("# why\n{}", text(1));
    let replaced = a.put(&commented, Some(1)).await.unwrap();
    assert_eq!((replaced.applied.before, replaced.applied.config), (ConfigId(1), ConfigId(1)));
    assert!(
        replaced.warnings.iter().any(|said| said.contains("the text is replaced")),
        "{:?}",
        replaced.warnings
    );
    assert_eq!(store.config_text(ConfigId(1)).await.unwrap(), Some(commented.clone()));
    let restarted = Replica::start(&store, &text(1), "k").await;
    for replica in [&a, &b, &restarted] {
        assert_eq!(replica.configuration.shown().await.text, commented);
    }
    let again = format!("# why, once more\n{}", text(1));
    b.reads_file_again(&again).await;
    assert_eq!(a.configuration.shown().await.text, again);
    assert_eq!(store.configs(10).await.unwrap().len(), 1);
}
