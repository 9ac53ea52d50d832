//! Replaces a file in one step.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, fchown},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file that was written, and what it was before.
pub struct Written {
    path: PathBuf,
    before: Option<String>,
}

impl Written {
    /// Writes `text` beside the file and puts it in its place, so that nobody ever reads half of it. The file keeps its
    /// mode and its owner; a new one only its owner can read. A link goes on leading to the file.
    ///
    /// # Errors
    /// Fails when the folder or the file cannot be written; the file is as it was.
    pub fn replace(path: &Path, text: &str) -> io::Result<Self> {
        // What the link leads to is to change, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = match fs::read_to_string(&path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // One that nobody could read cannot be put back.
            Err(error) => return Err(error),
        };
        put(&path, text)?;
        Ok(Self { path, before })
    }

    /// Puts back what was there before.
    ///
    /// # Errors
    /// Fails when that cannot be written; the file holds the new text.
    pub fn undo(self) -> io::Result<()> {
        match self.before {
            Some(before) => put(&self.path, &before),
            None => fs::remove_file(&self.path),
        }
    }
}

/// Puts a text in the place of a file, and returns once a loss of power cannot undo it.
pub fn put(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // For its owner alone, until it is known whose it is.
    let mut new = NamedTempFile::with_prefix_in(".cliproxy-config-", folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(path) {
        // Only the superuser can give files away; whoever else writes has the right to, and owns it from here on.
        let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_its_owners_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        Written::replace(&file, "one").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("one", 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        Written::replace(&file, "two").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("two", 0o640));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_was_there_can_be_put_back_even_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        Written::replace(&file, "one").unwrap().undo().unwrap();
        assert!(!file.exists());
        Written::replace(&file, "one").unwrap();
        Written::replace(&file, "two").unwrap().undo().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
    }

    #[test]
    fn a_link_goes_on_leading_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.yaml"), folder.path().join("config.yaml"));
        fs::write(&file, "one").unwrap();
        symlink(&file, &link).unwrap();
        Written::replace(&link, "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gone/config.yaml");
        assert!(Written::replace(&file, "one").is_err());
        assert!(!file.exists());
    }
}
