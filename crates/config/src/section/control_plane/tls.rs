//! `control_plane.tls`: who this process is to the other plane, and whom it believes.

use crate::{field::Field, permission};
use std::{fs::File, path::PathBuf};

/// PEM files, read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificates of those that sign for the other side.
    pub ca: PathBuf,
    /// This process's certificate, with what is between it and the signer.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Reads the section: all three files, or none.
pub fn read(section: &Field<'_>) -> Option<Tls> {
    let [ca, cert, key] = ["ca", "cert", "key"].map(|name| {
        let file = section.child(name);
        if file.is_none() {
            section.refuse_key(format!(
                "`{name}` is missing; `ca`, `cert` and `key` go together, remove all three to do without TLS"
            ));
        }
        file.and_then(|field| read_file(&field))
    });
    if let (Some(path), Some(field)) = (&key, section.child("key"))
        && permission::is_world_readable(path)
    {
        let path = path.display();
        field.warn(format!("other users of this machine can read this key; run `chmod 600 {path}`"));
    }
    Some(Tls { ca: ca?, cert: cert?, key: key? })
}

/// Reads the path of a file that can be read now: a slip in it is better told here than at the first connection.
fn read_file(field: &Field<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(field.text()?.value);
    let opened = File::open(&path).and_then(|file| file.metadata());
    let why = match opened {
        Ok(metadata) if metadata.is_file() => return Some(path),
        Ok(_) => "it is not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    field.refuse(format!(
        "{} cannot be read: {why}; write the path of a PEM file that this process may read",
        field.shown()
    ));
    None
}
