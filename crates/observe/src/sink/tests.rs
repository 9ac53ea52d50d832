use super::*;
use std::sync::mpsc;

/// A writer whose system calls the test answers one by one.
struct Scripted {
    calls: mpsc::Sender<Vec<u8>>,
    answers: mpsc::Receiver<io::Result<usize>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.calls.send(bytes.to_vec());
        self.answers.recv().unwrap_or(Ok(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Script {
    sink: Sink,
    calls: mpsc::Receiver<Vec<u8>>,
    answers: mpsc::Sender<io::Result<usize>>,
}

fn scripted() -> Script {
    let (calls_in, calls) = mpsc::channel();
    let (answers, answers_out) = mpsc::channel();
    let sink = Sink::start(Scripted { calls: calls_in, answers: answers_out }).unwrap();
    Script { sink, calls, answers }
}

const SOON: Duration = Duration::from_secs(20);

/// Fills the queue behind a write that is under way, and gives the number of lines in the queue.
fn fill(script: &Script) -> usize {
    script.sink.write(b"first\n");
    script.calls.recv_timeout(SOON).unwrap();
    let line = [b'x'; 1023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
    let lines = CAPACITY_BYTES / line.len();
    (0..lines).for_each(|_| script.sink.write(&line));
    lines
}

#[test]
fn lines_of_many_threads_arrive_whole_and_in_each_threads_order() {
    let (calls_in, calls) = mpsc::channel();
    let (_, answers) = mpsc::channel();
    let sink = Sink::start(Scripted { calls: calls_in, answers }).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let sink = sink.clone();
            thread::spawn(move || {
                (0..5_000).for_each(|line| sink.write(format!("{thread} {line}\n").as_bytes()))
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    sink.close();
    let written: Vec<u8> = calls.try_iter().flatten().collect();
    let text = String::from_utf8(written).unwrap();
    for thread in 0..4 {
        let own: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("{thread} "))).collect();
        let expected: Vec<String> = (0..5_000).map(|line| format!("{thread} {line}")).collect();
        assert_eq!(own, expected);
    }
    assert_eq!(sink.lost_lines(), 0);
}

#[test]
fn a_partial_write_is_continued_where_it_stopped() {
    let script = scripted();
    script.sink.write(b"one line\n");
    assert_eq!(script.calls.recv_timeout(SOON).unwrap(), b"one line\n");
    script.answers.send(Ok(4)).unwrap();
    assert_eq!(script.calls.recv_timeout(SOON).unwrap(), b"line\n");
    drop(script.answers);
    script.sink.close();
}

#[test]
fn a_full_queue_makes_the_caller_wait_and_loses_nothing() {
    let script = scripted();
    let lines = fill(&script);
    let (sink, (done_in, done)) = (script.sink.clone(), mpsc::channel());
    let waiter = thread::spawn(move || {
        sink.write(b"late\n");
        done_in.send(()).unwrap();
    });
    assert!(done.try_recv().is_err());
    drop(script.answers);
    done.recv_timeout(SOON).unwrap();
    waiter.join().unwrap();
    script.sink.close();
    let written: Vec<u8> = script.calls.try_iter().flatten().collect();
    assert_eq!(count_lines(&written), lines as u64 + 1);
    assert!(written.ends_with(b"late\n"));
    assert_eq!(script.sink.lost_lines(), 0);
}

#[test]
fn a_refusing_disk_costs_lines_but_never_holds_a_request() {
    let script = scripted();
    fill(&script);
    script.answers.send(Err(ErrorKind::StorageFull.into())).unwrap();
    script.sink.write(b"no room for this\n");
    assert_eq!(script.sink.lost_lines(), 1);
    drop(script.answers);
    script.sink.close();
    assert_eq!(script.sink.lost_lines(), 1);
}

#[test]
fn the_retry_after_a_refusal_writes_the_same_bytes() {
    let script = scripted();
    script.sink.write(b"kept\n");
    script.calls.recv_timeout(SOON).unwrap();
    script.answers.send(Err(ErrorKind::StorageFull.into())).unwrap();
    assert_eq!(script.calls.recv_timeout(SOON).unwrap(), b"kept\n");
    drop(script.answers);
    script.sink.close();
    assert_eq!(script.sink.lost_lines(), 0);
}

#[test]
fn what_comes_after_the_end_is_counted_as_lost() {
    let script = scripted();
    drop(script.answers);
    script.sink.close();
    script.sink.write(b"too late\n");
    assert_eq!(script.sink.lost_lines(), 1);
}
