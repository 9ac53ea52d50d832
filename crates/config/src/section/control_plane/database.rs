//! `control_plane.database`.

use crate::field::Field;
use cliproxy_domain::Secret;
use std::path::PathBuf;
use url::Url;

/// A database that the control plane can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file, for one control plane.
    Sqlite {
        /// The file; relative paths start at the working directory.
        path: PathBuf,
    },
    /// A Postgres server, for any number of control planes.
    Postgres {
        /// Its address, which may hold a password.
        url: Secret,
    },
}

/// Reads the database's address. It is never shown: such addresses hold passwords.
pub fn read(field: &Field<'_>) -> Option<Database> {
    let text = field.text()?;
    let url = text.value.as_str();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return read_postgres(field, url, text.is_plain);
    }
    let path = url.strip_prefix("sqlite://").unwrap_or_default();
    if path.is_empty() || path.contains(['?', '#']) || path.starts_with(':') || path.ends_with('/') {
        field.refuse(
            "this is not the address of a database; write `sqlite://` and the path of a file, such as \
             `sqlite://./data/cliproxy.db`, or the address of a Postgres server, as `postgres://user@host/database`",
        );
        return None;
    }
    Some(Database::Sqlite { path: PathBuf::from(path) })
}

/// How an address of a Postgres database is written.
const FORM: &str = "write `postgres://user:${PASSWORD}@host/database`, with special characters of the password \
     percent-encoded, as `%40` for `@`, `%2F` for `/`, `%3A` for `:`, `%23` for `#`, `%3F` for `?` and `%25` for `%`";

/// The parameters that the driver knows. It ignores others, and logs what they say, which may be a password.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Reads the address of a Postgres server. What its parameters mean is the driver's business; where it is, is ours:
/// without a host the driver would look for a socket of this machine, without a database for one of the user's name.
fn read_postgres(field: &Field<'_>, url: &str, is_plain: bool) -> Option<Database> {
    let Ok(parsed) = Url::parse(url) else {
        field.refuse(format!("this is not the address of a Postgres database; {FORM}"));
        return None;
    };
    if is_cut_apart(url) {
        field.refuse(format!(
            "where the password ends and the host begins is in doubt, as `@`, `/`, `?` or `#` stands where it must \
             not; {FORM}"
        ));
        return None;
    }
    let given = |name: &str| parsed.query_pairs().any(|(key, value)| key == name && !value.is_empty());
    // A socket's folder is given as a parameter, since a host cannot hold a slash.
    if parsed.host_str().unwrap_or_default().is_empty() && !given("host") {
        field.refuse("no host is named; write `postgres://user:${PASSWORD}@host/database`");
        return None;
    }
    if parsed.path().trim_matches('/').is_empty() && !given("dbname") {
        field.refuse("no database is named; write `postgres://user:${PASSWORD}@host/database`");
        return None;
    }
    if parsed.query_pairs().any(|(key, _)| !PARAMETERS.contains(&&*key) && !key.starts_with("options[")) {
        field.refuse(
            "a parameter after `?` is not known; the known ones are `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, \
             `host`, `hostaddr`, `port`, `dbname`, `user`, `password`, `application_name`, `options` and \
             `statement-cache-capacity`",
        );
        return None;
    }
    if is_plain && (parsed.password().is_some() || given("password")) {
        field.refuse(
            "the text of a configuration is kept in this database, where its password has no place; write \
             `${DATABASE_URL}`, or `postgres://user:${PASSWORD}@host/database`, and set the variable",
        );
        return None;
    }
    Some(Database::Postgres { url: Secret::new(url) })
}

/// Tells whether a user or password may reach into what is taken for the host, the database or a parameter, which are
/// shown: one `@` stands before the first `/`, `?` and `#`, or none at all; the path names one database.
fn is_cut_apart(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, rest) =
        after_scheme.split_at(after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len()));
    let path = rest.split('?').next().unwrap_or_default();
    authority.matches('@').count() > 1 || rest.contains(['@', '#']) || path.matches('/').count() > 1
}
