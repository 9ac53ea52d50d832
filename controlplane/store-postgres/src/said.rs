//! What goes wrong with Postgres, as people may read it.

use sqlx::Error;

/// Says an error. Of what the server said, only that: the driver adds a line of the server's own source.
pub(crate) fn said(error: &Error) -> String {
    match error {
        Error::Database(said) => said.message().to_owned(),
        other => other.to_string(),
    }
}

/// Says an error that came while connecting for the first time, and what helps against it.
pub(crate) fn with_remedy(error: &Error) -> String {
    let code = error.as_database_error().and_then(|said| said.code());
    let remedy = match code.as_deref() {
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        Some("28P01") => {
            "correct the user and the password in control_plane.database.url, with special characters \
             percent-encoded, as `%40` for `@`"
        }
        Some("28000") => {
            "make the role by `CREATE ROLE … LOGIN PASSWORD …`, let pg_hba.conf admit it, or correct the user in \
             control_plane.database.url"
        }
        Some("3D000") => {
            "make the database by `CREATE DATABASE`, or correct its name in control_plane.database.url"
        }
        Some("42501") => "make the user its owner by `ALTER DATABASE … OWNER TO …`",
        _ => return said(error),
    };
    format!("{}; {remedy}", said(error))
}
