//! The texts of earlier configurations, each in a file of its own, for their owner alone.

use super::file;
use cliproxy_config::MAX_TEXT;
use cliproxy_domain::ConfigId;
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
};

/// How many are kept, the newest.
const MOST: usize = 50;
/// The file that says which store the numbers are of.
const HISTORY: &str = "history";

/// The folder of texts. Clones are the same.
#[derive(Clone)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Opens the folder. Where the store is another than the one that its numbers are of, they mean something else now,
    /// and the texts are removed. What fails is told in the log: only rollbacks need the folder.
    pub fn open(folder: PathBuf, history: &str) -> Self {
        let kept = Self { folder };
        if let Err(error) = kept.prepare(history) {
            tracing::warn!(
                %error, folder = %kept.folder.display(),
                "the texts of configurations cannot be kept; none can be rolled back to"
            );
        }
        kept
    }

    fn prepare(&self, history: &str) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let marker = self.folder.join(HISTORY);
        match fs::read_to_string(&marker) {
            Ok(of) if of == history => return Ok(()),
            Ok(_) => {
                for id in self.numbers() {
                    fs::remove_file(self.file(id))?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        file::put(&marker, history)
    }

    /// Keeps a text under a number, in the place of the one that may be there, and forgets the oldest beyond the number
    /// that is kept.
    ///
    /// # Errors
    /// Fails when the folder cannot be written.
    pub fn keep(&self, id: ConfigId, text: &str) -> io::Result<()> {
        file::put(&self.file(id), text)?;
        let numbers = self.numbers();
        for old in numbers.iter().take(numbers.len().saturating_sub(MOST)) {
            fs::remove_file(self.file(*old))?;
        }
        Ok(())
    }

    /// Gives the numbers of the texts that are kept; none when the folder cannot be read.
    pub fn numbers(&self) -> BTreeSet<ConfigId> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return BTreeSet::new() };
        let number = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".yaml")?.parse().ok().map(ConfigId)
        };
        entries.filter_map(number).collect()
    }

    /// Gives a text; `None` when it is not kept, cannot be read, or is longer than a configuration may be.
    pub fn text(&self, id: ConfigId) -> Option<String> {
        let file = fs::File::open(self.file(id)).ok()?;
        let mut text = String::new();
        file.take(MAX_TEXT as u64 + 1).read_to_string(&mut text).ok()?;
        (text.len() <= MAX_TEXT).then_some(text)
    }

    fn file(&self, id: ConfigId) -> PathBuf {
        self.folder.join(format!("{id}.yaml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_newest_texts_are_kept_for_their_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("configs");
        let kept = Kept::open(folder.clone(), "one");
        for number in 1..=60 {
            kept.keep(ConfigId(number), &format!("text {number}")).unwrap();
        }
        assert_eq!(kept.numbers(), (11..=60).map(ConfigId).collect());
        assert_eq!((kept.text(ConfigId(60)), kept.text(ConfigId(10))), (Some("text 60".to_owned()), None));
        for path in [folder.join("60.yaml"), folder] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
    }

    #[test]
    fn texts_of_the_same_store_outlive_a_restart_and_those_of_another_do_not() {
        let data = tempfile::tempdir().unwrap();
        Kept::open(data.path().into(), "one").keep(ConfigId(3), "text").unwrap();
        assert_eq!(Kept::open(data.path().into(), "one").text(ConfigId(3)).as_deref(), Some("text"));
        assert!(Kept::open(data.path().into(), "two").numbers().is_empty());
    }

    #[test]
    fn other_files_of_the_folder_are_no_texts() {
        let data = tempfile::tempdir().unwrap();
        let kept = Kept::open(data.path().into(), "one");
        fs::write(data.path().join("notes.yaml"), "x").unwrap();
        fs::write(data.path().join("7.yaml.bak"), "x").unwrap();
        assert!(kept.numbers().is_empty());
    }
}
