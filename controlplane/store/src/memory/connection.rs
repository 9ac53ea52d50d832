//! One process's way to the database: its faults, and the bell that rings there.

use super::faults::Faults;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// What is of one connection alone.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) faults: Faults,
    pub(super) bell: watch::Sender<u64>,
}

/// All connections that are open.
#[derive(Default)]
pub(super) struct Connections(Mutex<Vec<Weak<Connection>>>);

impl Connections {
    pub(super) fn open(&self) -> Arc<Connection> {
        let connection = Arc::new(Connection::default());
        self.0.lock().push(Arc::downgrade(&connection));
        connection
    }

    /// Rings everywhere but where it is not heard.
    pub(super) fn ring(&self) {
        self.0.lock().retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            if !connection.faults.is_deaf() {
                connection.bell.send_modify(|rung| *rung += 1);
            }
            true
        });
    }
}
