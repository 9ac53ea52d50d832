//! Where the database is, as people may read it.

use cliproxy_store::StoreError;
use sqlx::postgres::PgConnectOptions;
use std::{fmt, str::FromStr as _};

/// Host, port and name of a database; no user, no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn of(options: &PgConnectOptions) -> Self {
        let name = options.get_database().unwrap_or(options.get_username());
        Self(match options.get_socket() {
            Some(socket) => format!("Postgres at {}, database {name}", socket.display()),
            None => format!("Postgres at {}:{}, database {name}", options.get_host(), options.get_port()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the address of a database.
///
/// # Errors
/// [`StoreError::Unavailable`] when it is none; the text has nothing of it, as it may hold a password.
pub(crate) fn read_url(url: &str) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url).map_err(|_| {
        StoreError::Unavailable(
            "the address of the database cannot be read; write it as \
             `postgres://user:${PASSWORD}@host:5432/name?sslmode=verify-full`"
                .into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_user_and_no_password() {
        let options = read_url("postgres://ada:secret@db.example:6432/gateway?sslmode=require").unwrap();
        assert_eq!(Place::of(&options).to_string(), "Postgres at db.example:6432, database gateway");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        for url in ["postgres://ada:secret@host:port/name", "postgres://ada:secret@host/name?sslmode=secret"]
        {
            let error = read_url(url).unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains("postgres://user"), "{error}");
        }
    }
}
