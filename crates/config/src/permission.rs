//! Who can read a file.

use std::path::Path;

/// Tells whether every user of the machine can read the file. Where that cannot be told, it says no.
#[cfg(unix)]
pub fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Tells whether every user of the machine can read the file. Where that cannot be told, it says no.
#[cfg(not(unix))]
pub fn is_world_readable(_path: &Path) -> bool {
    false
}
