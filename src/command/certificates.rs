//! `cliproxy ctl certificates`: a CA and what it signs, for the connections between the planes.

mod authority;
mod folder;
mod snippets;

use crate::{cli::Certificates, terminal};
use anyhow::{Context as _, bail};
use authority::Authority;
use cliproxy_domain::WallTime;
use cliproxy_host::{
    Clock as _, Disk as _, MemoryDisk, SystemClock, Tls,
    tls::{Identity, Paths, Role},
};
use folder::Folder;
use rustls::pki_types::ServerName;
use std::{sync::Arc, time::Duration};

/// The trust domain of a CA whose maker names none.
const TRUST_DOMAIN: &str = "cliproxy";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A process that is signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    role: Role,
    name: String,
    /// What it is reached by.
    hosts: Vec<String>,
}

/// A certificate and its key, in PEM.
struct Signed {
    certificate: String,
    key: String,
}

/// Makes the certificates and says how to use them.
pub fn run(arguments: &Certificates) -> anyhow::Result<()> {
    let subjects = subjects(arguments)?;
    let folder = Folder::new(&arguments.dir);
    let taken: Vec<_> =
        subjects.iter().map(|subject| folder.certificate(subject)).filter(|path| path.exists()).collect();
    if let (Some(first), false) = (taken.first(), arguments.renew) {
        let beside = match taken.len() {
            1 => String::new(),
            all => format!(", and so are {} more of those named", all - 1),
        };
        bail!(
            "{} is there already{beside}; add --renew to replace what is there, or leave it out",
            first.display()
        );
    }
    let now = SystemClock.wall();
    let authority = match folder.read_authority()? {
        Some(pem) => open(pem, arguments.trust_domain.as_deref())?,
        None => make(&folder, arguments, now)?,
    };
    if authority.not_after() <= now {
        bail!(
            "the CA of {} has expired, and what it signs with it; make a new one in another folder, and have all \
             processes believe both until each has a certificate of the new one",
            arguments.dir.display()
        );
    }
    let signed = subjects.iter().map(|subject| {
        let signed = authority.sign(subject, now, DAY * arguments.days)?;
        check(&authority, subject, &signed)?;
        Ok((subject, signed))
    });
    // All are signed before the first is written.
    for (subject, signed) in signed.collect::<anyhow::Result<Vec<_>>>()? {
        folder.write(subject, &signed)?;
    }
    terminal::say(&snippets::text(&folder, &subjects, arguments.days));
    Ok(())
}

fn open(signed: Signed, wanted: Option<&str>) -> anyhow::Result<Authority> {
    let authority = Authority::open(signed)?;
    match wanted {
        Some(wanted) if wanted != authority.trust_domain() => bail!(
            "the CA of this folder is of the trust domain {}, not of {wanted}; use another folder",
            authority.trust_domain()
        ),
        _ => Ok(authority),
    }
}

fn make(folder: &Folder, arguments: &Certificates, now: WallTime) -> anyhow::Result<Authority> {
    let trust_domain = arguments.trust_domain.as_deref().unwrap_or(TRUST_DOMAIN);
    let authority = Authority::make(trust_domain, now, DAY * arguments.ca_days)?;
    folder.write_authority(&authority.signed)?;
    Ok(authority)
}

/// Reads who is to be signed for.
fn subjects(arguments: &Certificates) -> anyhow::Result<Vec<Subject>> {
    let planes = arguments.control_plane.iter().map(|text| {
        let mut parts = text.split(',').map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        Subject { role: Role::ControlPlane, name, hosts: parts.collect() }
    });
    let nodes =
        arguments.node.iter().map(|name| Subject { role: Role::Node, name: name.clone(), hosts: Vec::new() });
    let subjects: Vec<Subject> = planes.chain(nodes).collect();
    if subjects.is_empty() {
        bail!("nobody is named; add --control-plane NAME or --node NAME");
    }
    let trust_domain = arguments.trust_domain.as_deref().unwrap_or(TRUST_DOMAIN);
    for (place, subject) in subjects.iter().enumerate() {
        Identity::new(trust_domain, subject.role, &subject.name)?;
        if subjects[..place].iter().any(|before| (before.role, &before.name) == (subject.role, &subject.name))
        {
            bail!("{} {} is named twice", subject.role, subject.name);
        }
        for host in &subject.hosts {
            ServerName::try_from(host.as_str())
                .with_context(|| format!("{host:?} is neither the name of a host nor an IP address"))?;
        }
    }
    Ok(subjects)
}

/// Checks what was signed as the process that gets it will.
fn check(authority: &Authority, subject: &Subject, signed: &Signed) -> anyhow::Result<()> {
    let disk = MemoryDisk::default();
    for (name, text) in [
        ("ca.crt", &authority.signed.certificate),
        ("certificate", &signed.certificate),
        ("key", &signed.key),
    ] {
        disk.write(name, text.as_bytes())?;
    }
    let paths = Paths { ca: "ca.crt".into(), cert: "certificate".into(), key: "key".into() };
    Tls::load(Arc::new(disk), paths, subject.role, Arc::new(SystemClock)).context(
        "ca.crt and ca.key do not sign for each other; restore them, or begin with an empty folder",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
