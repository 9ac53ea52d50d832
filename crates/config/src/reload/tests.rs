//! Files really change here, and the system's own notifications are waited for, with a deadline.

use super::{Wanted, Watcher};
use notify_debouncer_full::notify::{
    Event, EventKind,
    event::{AccessKind, CreateKind, ModifyKind},
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

/// Far longer than any notification takes.
const DEADLINE: Duration = Duration::from_secs(20);

async fn expect_change(watcher: &mut Watcher) {
    tokio::time::timeout(DEADLINE, watcher.changed()).await.expect("the change is told");
}

fn setup() -> (TempDir, Watcher) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("config.yaml"), "metrics: {}\n").unwrap();
    let watcher = Watcher::new(Some(&dir.path().join("config.yaml")), &dir.path().join("auths")).unwrap();
    (dir, watcher)
}

#[tokio::test]
async fn a_file_written_in_place_is_told() {
    let (dir, mut watcher) = setup();
    fs::write(dir.path().join("config.yaml"), "logging: {}\n").unwrap();
    expect_change(&mut watcher).await;
}

#[tokio::test]
async fn a_file_renamed_over_it_is_told_each_time() {
    let (dir, mut watcher) = setup();
    for round in 0..2 {
        fs::write(dir.path().join("new"), format!("# {round}\n")).unwrap();
        fs::rename(dir.path().join("new"), dir.path().join("config.yaml")).unwrap();
        expect_change(&mut watcher).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_mounted_volume_that_swaps_its_link_is_told() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().unwrap();
    let at = |path: &str| dir.path().join(path);
    for (folder, text) in [("v1", "metrics: {}\n"), ("v2", "logging: {}\n")] {
        fs::create_dir(at(folder)).unwrap();
        fs::write(at(folder).join("config.yaml"), text).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/config.yaml", at("config.yaml")).unwrap();
    let mut watcher = Watcher::new(Some(&at("config.yaml")), &at("auths")).unwrap();
    symlink("v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    expect_change(&mut watcher).await;
    assert_eq!(fs::read_to_string(at("config.yaml")).unwrap(), "logging: {}\n");
}

#[tokio::test]
async fn a_folder_of_credentials_that_appears_later_is_watched() {
    let (dir, mut watcher) = setup();
    fs::create_dir(dir.path().join("auths")).unwrap();
    expect_change(&mut watcher).await;
    fs::write(dir.path().join("auths/a.yaml"), "provider: claude\n").unwrap();
    expect_change(&mut watcher).await;
    fs::remove_file(dir.path().join("auths/a.yaml")).unwrap();
    expect_change(&mut watcher).await;
}

#[tokio::test]
async fn a_folder_of_credentials_that_is_replaced_is_watched_again() {
    let (dir, mut watcher) = setup();
    let auths = dir.path().join("auths");
    fs::create_dir(&auths).unwrap();
    expect_change(&mut watcher).await;
    fs::remove_dir(&auths).unwrap();
    fs::create_dir(&auths).unwrap();
    expect_change(&mut watcher).await;
    fs::write(auths.join("a.yaml"), "provider: claude\n").unwrap();
    expect_change(&mut watcher).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_cannot_be_watched() {
    let error = Watcher::new(Some(Path::new("/no/such/config.yaml")), Path::new("/no/auths")).err().unwrap();
    assert!(error.to_string().starts_with("cannot watch /no/such for changes: "), "{error}");
}

#[test]
fn only_what_may_change_the_configuration_concerns_us() {
    let wanted = Wanted::new(Some(Path::new("/c/config.yaml")), Path::new("/c/auths"));
    let event = |kind: EventKind, path: &str| Event::new(kind).add_path(path.into());
    let modify = EventKind::Modify(ModifyKind::Any);
    assert!(wanted.concerns(&event(modify, "/c/config.yaml")));
    assert!(wanted.concerns(&event(EventKind::Create(CreateKind::File), "/c/auths/a.yaml")));
    assert!(wanted.concerns(&event(modify, "/c/..data")));
    // Loading reads the file; that must not make it load again.
    assert!(!wanted.concerns(&event(EventKind::Access(AccessKind::Any), "/c/config.yaml")));
    // A log or a database beside the file is written all the time.
    assert!(!wanted.concerns(&event(modify, "/c/cliproxy.log")));
}

#[tokio::test]
async fn profiles_and_translation_are_told_of_and_taken_over_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    let text = |profile: &str, on_loss: &str| {
        format!(
            "translation: {{on_loss: {on_loss}}}\nprofiles: {{p: {profile}}}\nproviders:\n  \
             local: {{kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x, profile: p}}\n"
        )
    };
    let load = || {
        let request = crate::Load {
            file: Some(file.clone()),
            overrides: Vec::new(),
            data_dir: dir.path().to_owned(),
            environment: crate::Environment::fixed::<&str, &str>([]),
            wall: || cliproxy_domain::WallTime(0),
            purpose: crate::Purpose::Any,
        };
        crate::load(&request).unwrap()
    };
    fs::write(&file, text("{}", "warn")).unwrap();
    let mut watcher = Watcher::new(Some(&file), &dir.path().join("auths")).unwrap();
    let before = load();
    for (profile, on_loss) in [("{stream_usage: false}", "warn"), ("{stream_usage: false}", "refuse")] {
        fs::write(&file, text(profile, on_loss)).unwrap();
        expect_change(&mut watcher).await;
    }
    let after = load();
    assert!(before.needs_restart(&after).is_empty());
    let stream_usage = |config: &crate::Config| {
        config.snapshot.providers["local"].profile.as_ref().map(|profile| profile.stream_usage)
    };
    assert_eq!((stream_usage(&before), stream_usage(&after)), (Some(true), Some(false)));
    assert_ne!(before.snapshot.policy.translation, after.snapshot.policy.translation);
}
