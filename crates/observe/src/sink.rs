//! Takes finished lines and writes them from a thread of its own, many with one system call.
//!
//! A request pays for a copy under a short lock. The thread is woken by the first line of a batch and waits a
//! moment for more, so that ten thousand requests a second cost a hundred wake-ups and not ten thousand.

use parking_lot::{Condvar, Mutex};
use std::{
    fmt,
    io::{self, ErrorKind, Write},
    sync::Arc,
    thread,
    time::Duration,
};

/// What may wait to be written. A writer that finds no room waits for it.
const CAPACITY_BYTES: usize = 4 * 1024 * 1024;
/// How much makes a batch before its time.
const BATCH_BYTES: usize = 64 * 1024;
/// How long a batch waits for more lines.
const BATCH_WAIT: Duration = Duration::from_millis(10);
/// How long after a refused write (a full disk, a closed pipe) the next is tried.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the last lines to be written.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// The place where lines go. Clones share it.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to write, or the sink closes.
    filled: Condvar,
    /// There is room again, or no hope for it.
    emptied: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The last write was refused; lines without room are then dropped, as requests must not wait for a disk.
    refused: bool,
    closing: bool,
    ended: bool,
    lost_lines: u64,
}

impl Sink {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub(crate) fn start(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            ended: Condvar::new(),
        });
        let for_thread = shared.clone();
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || for_thread.run(writer))?;
        Ok(Self(shared))
    }

    /// Queues whole lines. Waits while the queue is full and its writer is merely slow.
    pub(crate) fn write(&self, lines: &[u8]) {
        let shared = &*self.0;
        let mut state = shared.state.lock();
        while state.waiting.len() + lines.len() > CAPACITY_BYTES && !state.waiting.is_empty() {
            if state.refused || state.closing {
                break;
            }
            shared.emptied.wait(&mut state);
        }
        let full = state.waiting.len() + lines.len() > CAPACITY_BYTES && !state.waiting.is_empty();
        if full || state.ended {
            state.lost_lines += count_lines(lines);
            return;
        }
        let before = state.waiting.len();
        state.waiting.extend_from_slice(lines);
        let fills_batch = before < BATCH_BYTES && state.waiting.len() >= BATCH_BYTES;
        drop(state);
        if before == 0 || fills_batch {
            shared.filled.notify_one();
        }
    }

    /// Counts the lines that could not be written.
    pub(crate) fn lost_lines(&self) -> u64 {
        self.0.state.lock().lost_lines
    }

    /// Writes what waits and ends the thread; gives up after two seconds.
    pub(crate) fn close(&self) {
        let mut state = self.0.state.lock();
        state.closing = true;
        self.0.filled.notify_one();
        self.0.emptied.notify_all();
        if !state.ended {
            self.0.ended.wait_while_for(&mut state, |state| !state.ended, CLOSE_WAIT);
        }
    }
}

impl Shared {
    fn run(&self, mut writer: impl Write) {
        let mut batch = Vec::new();
        while self.next_batch(&mut batch) {
            self.write_out(&mut writer, &batch);
            batch.clear();
        }
        let mut state = self.state.lock();
        state.ended = true;
        self.ended.notify_all();
        self.emptied.notify_all();
    }

    /// Swaps the waiting lines into the empty `batch`; false when there will be no more.
    fn next_batch(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closing {
                return false;
            }
            self.filled.wait(&mut state);
        }
        if !state.closing && state.waiting.len() < BATCH_BYTES {
            self.filled.wait_for(&mut state, BATCH_WAIT);
        }
        std::mem::swap(&mut state.waiting, batch);
        self.emptied.notify_all();
        true
    }

    /// Writes all of `batch`, going on after a refusal exactly where it stopped, so that no line is torn. Only
    /// the end of the process makes it give up.
    fn write_out(&self, writer: &mut impl Write, batch: &[u8]) {
        let mut rest = batch;
        while !rest.is_empty() {
            match writer.write(rest) {
                Ok(written) if written > 0 => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    let mut state = self.state.lock();
                    state.refused = true;
                    self.emptied.notify_all();
                    if state.closing {
                        state.lost_lines += count_lines(rest);
                        return;
                    }
                    self.filled.wait_for(&mut state, RETRY_AFTER);
                }
            }
        }
        // What cannot be flushed cannot be reported either: this is the log.
        let _ = writer.flush();
        self.state.lock().refused = false;
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("lost_lines", &self.lost_lines()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
