use super::*;

#[tokio::test]
async fn a_gate_lets_through_whom_it_is_not_closed_to() {
    let gate = Gate::start(echo().await).await;
    let says = async |stream: &mut TcpStream| {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    };
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    assert_eq!(says(&mut stream).await.unwrap(), b'x');
    gate.close_to(std::process::id());
    assert!(says(&mut stream).await.is_err(), "what was open is broken");
    let mut refused = TcpStream::connect(gate.address).await.unwrap();
    assert!(says(&mut refused).await.is_err());
    gate.open_to(std::process::id());
    let mut again = TcpStream::connect(gate.address).await.unwrap();
    assert_eq!(says(&mut again).await.unwrap(), b'x');
}

async fn echo() -> SocketAddr {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = echo.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

#[tokio::test]
async fn a_silent_gate_keeps_connections_and_what_was_said_until_it_speaks_again() {
    let gate = Gate::start(echo().await).await;
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    for flow in [Flow::Neither, Flow::OnlyThere, Flow::OnlyBack] {
        gate.let_pass(flow);
        stream.write_all(b"x").await.unwrap();
        let silence = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
        assert!(silence.is_err(), "{flow:?}: {silence:?}");
        gate.let_pass(Flow::Both);
        assert_eq!(stream.read_u8().await.unwrap(), b'x', "{flow:?}");
    }
    gate.break_all();
    assert!(stream.read_u8().await.is_err(), "what was open is broken");
}

#[tokio::test]
async fn who_came_before_the_server_was_known_is_let_through_then() {
    let gate = Gate::reserve(Ipv4Addr::LOCALHOST).await;
    let mut stream = TcpStream::connect(gate.address()).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    gate.lead_to(echo().await);
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn a_slow_server_answers_late() {
    let gate = Gate::start(echo().await).await;
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    gate.delay(Duration::from_millis(100));
    let began = crate::now();
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
}
