use super::*;
use crate::now;
use std::time::Duration;

#[test]
fn what_was_committed_survives_a_kill_and_the_folder_goes_with_the_cluster() {
    let postgres = Postgres::launch();
    postgres.create_database("one", None);
    postgres.sql("one", "CREATE TABLE t AS SELECT 7 AS x");
    let first = postgres.pid();
    postgres.kill();
    assert!(postgres.try_sql("one", "SELECT 1").is_err());
    postgres.start();
    assert_eq!(postgres.sql("one", "SELECT x FROM t"), "7");
    postgres.stop_immediate();
    postgres.start();
    assert_ne!(postgres.pid(), first);
    assert_eq!(postgres.sql("one", "SELECT x, x FROM t"), "7|7");

    let (data, pid) = (postgres.data(), postgres.pid());
    drop(postgres);
    assert!(!data.exists());
    let deadline = now() + Duration::from_secs(10);
    while cluster::lives(pid) {
        assert!(now() < deadline, "the postmaster outlived its cluster");
        std::thread::yield_now();
    }
}

#[test]
fn a_scratch_database_goes_away_with_whom_it_was_made_for() {
    let postgres = Postgres::shared();
    let database = postgres.scratch_database(None);
    database.sql("CREATE TABLE t (x BIGINT)");
    let name = database.name().to_owned();
    let other = postgres.scratch_database(Some(&name));
    assert_eq!(other.sql("SELECT count(*) FROM t"), "0");
    drop(database);
    let left = postgres.sql(SUPERUSER, &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
    assert_eq!(left, "0");
}

#[test]
fn settings_of_the_caller_win() {
    let postgres = Postgres::launch_with(&[("fsync", "on"), ("max_connections", "7")]);
    assert_eq!(postgres.sql(SUPERUSER, "SHOW fsync"), "on");
    assert_eq!(postgres.sql(SUPERUSER, "SHOW max_connections"), "7");
    assert_ne!(postgres.sql(SUPERUSER, "SELECT current_setting('data_directory')"), "");
}
