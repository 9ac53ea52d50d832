//! The node's own small files: identity, and the last known good configuration.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Keeps small named files. Calls block for the time of a small write and its `fsync`: call them from
/// `spawn_blocking`, never on the request path.
pub trait Disk: Send + Sync + 'static {
    /// Reads a whole file; `None` when it does not exist.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Replaces a file, durably and as a whole: after a crash it has the old content or the new. Readable by its
    /// owner alone, as it may hold keys.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Removes a file; no error when it does not exist.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Lists the files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file to overwrite parts of it in place; it is made, or emptied when it is there.
    fn pages(&self, name: &str) -> io::Result<Box<dyn Pages>>;

    /// Names the run of the machine. What was written in place is whole after the process has died, but not after the
    /// machine has: it may be trusted as long as this name is the same. `None` when that cannot be told.
    fn boot(&self) -> Option<String>;

    /// Tells whether calls wait for a device. What is in memory is called in place, so that a simulation needs no other
    /// thread.
    fn blocks(&self) -> bool {
        true
    }
}

/// A file that is overwritten in place. A write is in the file when the call returns, also if the process is killed
/// then; nothing waits for a device, and nothing is promised of a machine that fails.
pub trait Pages: Send + Sync + 'static {
    /// Overwrites `bytes` at `offset`, or adds them at the end.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A folder on the machine's disk, made when first written to.
#[derive(Clone, Debug)]
pub struct SystemDisk {
    folder: PathBuf,
}

impl SystemDisk {
    /// Keeps files in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Disk for SystemDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.folder.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
        fs::create_dir_all(&self.folder)?;
        let temporary = self.folder.join(format!("{name}.new"));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(name))?;
        // The rename is durable only when the folder is.
        fs::File::open(&self.folder)?.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string())
                && !name.ends_with(".new")
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn pages(&self, name: &str) -> io::Result<Box<dyn Pages>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(name);
        Ok(Box::new(fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?))
    }

    fn boot(&self) -> Option<String> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
    }
}

impl Pages for fs::File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }
}

/// Files in memory, for tests and simulation. Clones share them, as a restarted process shares its disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    full: Arc<AtomicBool>,
}

impl MemoryDisk {
    /// Refuses what is written from now on, as a full disk does, or takes it again.
    pub fn fill(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // A panic elsewhere leaves the map whole: each call makes one change.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files().get(name).cloned())
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files().insert(name.to_owned(), content.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn pages(&self, name: &str) -> io::Result<Box<dyn Pages>> {
        self.write(name, &[])?;
        Ok(Box::new(MemoryPages { disk: self.clone(), name: name.to_owned() }))
    }

    fn boot(&self) -> Option<String> {
        Some("memory".to_owned())
    }

    fn blocks(&self) -> bool {
        false
    }
}

struct MemoryPages {
    disk: MemoryDisk,
    name: String,
}

/// A full disk takes what overwrites, and nothing that makes the file longer. A file that was removed is written to
/// without anybody seeing it.
impl Pages for MemoryPages {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = start.checked_add(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut files = self.disk.files();
        let Some(file) = files.get_mut(&self.name) else { return Ok(()) };
        if end > file.len() {
            if self.disk.full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.resize(end, 0);
        }
        file[start..end].copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_files(disk: &dyn Disk) {
        assert_eq!(disk.read("a").unwrap(), None);
        assert!(disk.list().unwrap().is_empty());
        disk.write("b", b"2").unwrap();
        disk.write("a", b"1").unwrap();
        disk.write("a", b"one").unwrap();
        assert_eq!(disk.list().unwrap(), ["a", "b"]);
        assert_eq!(disk.read("a").unwrap().unwrap(), b"one");
        let pages = disk.pages("b").unwrap();
        pages.write_at(2, b"cd").unwrap();
        pages.write_at(0, b"ab").unwrap();
        pages.write_at(1, b"x").unwrap();
        assert_eq!(disk.read("b").unwrap().unwrap(), b"axcd", "what was there before is gone");
        assert_eq!(disk.boot(), disk.boot());
        disk.remove("a").unwrap();
        disk.remove("a").unwrap();
        assert_eq!(disk.read("a").unwrap(), None);
    }

    #[test]
    fn a_folder_keeps_files() {
        let folder = tempfile::tempdir().unwrap();
        keeps_files(&SystemDisk::new(folder.path().join("made/when/needed")));
    }

    #[test]
    fn memory_keeps_files() {
        keeps_files(&MemoryDisk::default());
    }

    #[test]
    fn a_full_disk_takes_what_overwrites_and_nothing_longer() {
        let disk = MemoryDisk::default();
        let pages = disk.pages("a").unwrap();
        pages.write_at(0, b"1").unwrap();
        disk.fill(true);
        pages.write_at(0, b"2").unwrap();
        assert_eq!(pages.write_at(1, b"3").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.read("a").unwrap().unwrap(), b"2");
    }

    #[test]
    fn files_are_readable_by_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        SystemDisk::new(folder.path()).write("secret", b"x").unwrap();
        let mode = fs::metadata(folder.path().join("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
