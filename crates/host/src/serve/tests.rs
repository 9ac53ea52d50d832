use super::*;
use crate::{Clock as _, Net, SystemClock, SystemNet};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

async fn start(
    options: ServeOptions,
    release: Arc<Notify>,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<usize>) {
    let listener = SystemNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, options, shutdown.clone(), move |_peer| {
        let release = Arc::clone(&release);
        service_fn(move |request: Request<Incoming>| {
            let release = Arc::clone(&release);
            async move {
                if request.uri().path() == "/slow" {
                    release.notified().await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
            }
        })
    }));
    (address, shutdown, task)
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_open_request_is_finished_after_the_shutdown_began() {
    let release = Arc::new(Notify::new());
    let (address, shutdown, task) = start(ServeOptions::default(), Arc::clone(&release)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The request must be in the handler before the shutdown: a second connection's answer orders the two.
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(answer(&mut other).await.ends_with("done"));
    shutdown.cancel();
    release.notify_one();
    assert!(answer(&mut client).await.ends_with("done"));
    assert_eq!(task.await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err(), "the listener must be closed");
}

#[tokio::test]
async fn requests_that_outlast_the_drain_are_cut_and_counted() {
    let options = ServeOptions { drain: Duration::from_millis(50), ..ServeOptions::default() };
    let (address, shutdown, task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    answer(&mut other).await;
    shutdown.cancel();
    assert_eq!(task.await.unwrap(), 1);
    assert_eq!(answer(&mut client).await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431() {
    let options = ServeOptions { max_header_bytes: 8 * 1024, ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "a".repeat(64 * 1024));
    // The server may close before all of it is written.
    let _ = client.write_all(head.as_bytes()).await;
    let mut first = [0; 12];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 431");
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_let_go() {
    let options = ServeOptions { header_timeout: Duration::from_millis(100), ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(10), answer(&mut client)).await;
    assert!(!read.unwrap().contains("200"));
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_let_go() {
    let options = ServeOptions { header_timeout: Duration::from_millis(100), ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    for said in [&b""[..], b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(said).await.unwrap();
        let read = tokio::time::timeout(Duration::from_secs(10), answer(&mut client)).await;
        assert!(read.is_ok(), "{said:?}");
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_let_go_and_a_busy_one_is_not() {
    let short = Duration::from_millis(100);
    let options = ServeOptions { header_timeout: short, http2_idle: short, ..ServeOptions::default() };
    let release = Arc::new(Notify::new());
    let (address, _shutdown, _task) = start(options, Arc::clone(&release)).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://x/slow").body(Full::new(Bytes::new())).unwrap();
    let slow = tokio::spawn(sender.send_request(request));
    // Longer than any silence is allowed: the open request keeps the connection.
    tokio::time::sleep(short * 5).await;
    release.notify_one();
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    tokio::time::timeout(Duration::from_secs(10), connection).await.unwrap().unwrap().ok();
}

/// Reads one answer, of which the connection stays open.
async fn answer_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

/// Waits for the end of a connection and gives how long that took.
async fn end_of(stream: &mut TcpStream) -> Duration {
    let began = SystemClock.now();
    tokio::time::timeout(Duration::from_secs(10), answer(stream)).await.unwrap();
    began.elapsed()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn an_idle_http1_connection_outlasts_the_time_for_a_head_and_is_let_go_in_the_end() {
    let (head, idle) = (Duration::from_millis(100), Duration::from_secs(2));
    let options = ServeOptions { header_timeout: head, http1_idle: idle, ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        assert!(answer_of(&mut client).await.starts_with("HTTP/1.1 200"));
        // A client that comes back within the idle time finds the connection open.
        tokio::time::sleep(head * 3).await;
    }
    let ended = end_of(&mut client).await;
    assert!(ended + head * 3 >= idle, "{ended:?}");
}

#[tokio::test]
async fn a_later_head_that_stays_half_sent_is_let_go_as_soon_as_a_first_one() {
    let (head, idle) = (Duration::from_millis(100), Duration::from_secs(60));
    let options = ServeOptions { header_timeout: head, http1_idle: idle, ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    answer_of(&mut client).await;
    // Longer than a head may take: it counts from the first byte.
    tokio::time::sleep(head * 3).await;
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let ended = end_of(&mut client).await;
    assert!(ended >= head / 2, "{ended:?}");
}

#[tokio::test]
async fn a_head_that_comes_bit_by_bit_has_no_longer_than_any() {
    let (head, idle) = (Duration::from_millis(200), Duration::from_secs(60));
    let options = ServeOptions { header_timeout: head, http1_idle: idle, ..ServeOptions::default() };
    let (address, _shutdown, _task) = start(options, Arc::new(Notify::new())).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    answer_of(&mut client).await;
    let (mut from, mut to) = client.into_split();
    let trickling = tokio::spawn(async move {
        while to.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), from.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "it is still open");
    trickling.await.unwrap();
}

#[tokio::test]
async fn a_connection_is_idle_from_the_end_of_its_answer_on() {
    let (head, idle) = (Duration::from_millis(50), Duration::from_millis(300));
    let options = ServeOptions { header_timeout: head, http1_idle: idle, ..ServeOptions::default() };
    let release = Arc::new(Notify::new());
    let (address, _shutdown, _task) = start(options, Arc::clone(&release)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // An answer that takes longer than any silence, and ends shortly before the next look.
    tokio::time::sleep(head + idle * 2 - Duration::from_millis(30)).await;
    release.notify_one();
    answer_of(&mut client).await;
    let ended = end_of(&mut client).await;
    assert!(ended + Duration::from_millis(5) >= idle, "{ended:?}");
}
