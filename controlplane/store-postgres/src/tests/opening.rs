//! Databases that are opened, and such that must not be.

use super::*;

#[tokio::test]
async fn replicas_that_start_at_once_on_an_empty_database_agree() {
    let database = Postgres::shared().scratch_database(None);
    let mut opening = Vec::new();
    for _ in 0..4 {
        let url = database.url();
        opening.push(tokio::spawn(async move { PostgresStore::open(&url).await.unwrap() }));
    }
    let mut histories = Vec::new();
    for opened in opening {
        histories.push(opened.await.unwrap().history().await.unwrap());
    }
    histories.dedup();
    assert_eq!(histories.len(), 1, "{histories:?}");
}

#[tokio::test]
async fn an_owner_without_any_privilege_beside_will_do() {
    let database = Postgres::shared().scratch_database(None);
    let name = database.name();
    database
        .sql(&format!("CREATE ROLE {name} LOGIN PASSWORD 'plain'; ALTER DATABASE {name} OWNER TO {name}"));
    database.sql(&format!("GRANT ALL ON SCHEMA public TO {name}"));
    let (_, place) = database.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let store = PostgresStore::open(&format!("postgres://{name}:plain@{place}")).await.unwrap();
    store.ping().await.unwrap();
    store.apply_batches(report("a", &[1], 1), NOW).await.unwrap();
    assert_ne!(database.sql("SELECT server FROM cp_meta"), "", "the timeline is known");
    store.close().await;
    database.sql(&format!("REASSIGN OWNED BY {name} TO CURRENT_USER"));
    database.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_with_a_remedy() {
    let opened = Opened::new().await;
    opened.database.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (999, 'future', TRUE, '\\x00', 0)",
    );
    let error = refusal(&opened.database.url()).await;
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("step 999") && text.contains("run a newer cliproxy"), "{text}");
}

#[tokio::test]
async fn a_database_with_an_edited_migration_is_refused() {
    let opened = Opened::new().await;
    opened.database.sql("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2");
    let error = refusal(&opened.database.url()).await;
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("schema step 2")), "{error:?}");
}

#[tokio::test]
async fn a_server_that_refuses_is_told_with_its_place_and_without_the_password() {
    let database = Postgres::shared().scratch_database(None);
    let (before, place) = database.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let host = place.split_once('/').map(|(host, _)| host.to_owned()).unwrap();
    let password = before.rsplit_once(':').map(|(_, password)| password.to_owned()).unwrap();
    let cases = [
        (format!("postgres://postgres:wrong-one@{place}"), "correct the user and the password"),
        (format!("{before}@{host}/missing"), "does not exist; make the database by `CREATE DATABASE`"),
        (format!("{before}@127.0.0.1:1/gateway"), "control_plane.database.url"),
        (format!("{before}@{place}?sslmode=require"), "does not support TLS"),
    ];
    for (url, reason) in cases {
        let error = refusal(&url).await;
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains("Postgres at 127.0.0.1:"), "{text}");
        assert!(!text.contains(&password) && !text.contains("wrong-one"), "{text}");
        assert!(!text.contains("at line"), "a line of the server's own source: {text}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_in_utf_8_is_refused_with_a_remedy() {
    let postgres = Postgres::shared();
    let own = postgres.scratch_database(None);
    let name = format!("{}_ascii", own.name());
    own.sql(&format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0"));
    let error = refusal(&postgres.url(&name)).await.to_string();
    own.sql(&format!("DROP DATABASE {name}"));
    assert!(error.contains("SQL_ASCII") && error.contains("CREATE DATABASE"), "{error}");
}

#[tokio::test]
async fn a_server_that_comes_up_late_is_waited_for() {
    let postgres = Postgres::launch();
    let url = postgres.create_database("gateway", None);
    postgres.stop_immediate();
    let opening = tokio::spawn(async move { PostgresStore::open(&url).await });
    let starting = tokio::task::spawn_blocking(move || {
        postgres.start();
        postgres
    });
    opening.await.unwrap().unwrap().ping().await.unwrap();
    drop(starting.await.unwrap());
}

#[tokio::test]
async fn connections_are_made_again_after_the_server_was_restarted() {
    let postgres = Postgres::launch();
    let store = PostgresStore::open(&postgres.create_database("gateway", None)).await.unwrap();
    store.change(resting("main")).await.unwrap();
    postgres.stop_immediate();
    let error = store.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    postgres.start();
    store.ping().await.unwrap();
    assert_eq!(store.hints().await.unwrap().1.len(), 1);
}
