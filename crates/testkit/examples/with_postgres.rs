//! Runs a command with a scratch Postgres cluster that all its tests share, and removes the cluster afterwards:
//! `cargo run -p cliproxy-testkit --example with_postgres -- cargo nextest run`.
#![expect(clippy::print_stderr, reason = "it is a program")]

use cliproxy_testkit::{Postgres, postgres::SHARED};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("with_postgres: name the command to run");
        return ExitCode::FAILURE;
    };
    let postgres = Postgres::launch();
    match Command::new(&program).args(arguments).env(SHARED, postgres.url("postgres")).status() {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("with_postgres: {} could not be run: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
