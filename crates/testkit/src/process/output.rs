//! What a process writes, read by threads so that it never waits for us.

use crate::{poll::PATIENCE, poll_until};
use std::{
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The lines that are kept of each output; later ones are read and forgotten.
const KEPT: usize = 200_000;

type Lines = Arc<Mutex<Vec<String>>>;

/// Both outputs of a process.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Lines,
    stderr: Lines,
    open: Arc<AtomicUsize>,
}

impl Output {
    /// Begins to read what `child` writes.
    pub(super) fn read(child: &mut Child) -> Self {
        let output = Self { stdout: Lines::default(), stderr: Lines::default(), open: Arc::default() };
        if let Some(stdout) = child.stdout.take() {
            output.follow(stdout, &output.stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            output.follow(stderr, &output.stderr);
        }
        output
    }

    fn follow(&self, source: impl Read + Send + 'static, lines: &Lines) {
        let (lines, open) = (Arc::clone(lines), Arc::clone(&self.open));
        open.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() < KEPT {
                    lines.push(line);
                }
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Waits until both outputs are read to their end.
    pub(super) async fn drained(&self) {
        let open = &self.open;
        let attempt = || async { (open.load(Ordering::SeqCst) == 0).then_some(()) };
        poll_until("end of the process's output", PATIENCE, attempt).await;
    }

    pub(super) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
