//! Bodies, headers and connections that mean no good.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use pinhole::PixelFormat;

use crate::bundles::{samples, stream};
use crate::server::{Server, code};

#[tokio::test]
async fn bodies_that_are_no_streams_get_a_clear_status() {
    let server = Server::start("limits.max_body_bytes = 100000\nlimits.max_pixels = 5000");
    let good = stream(1, 64, PixelFormat::Rgb8);
    let ask = |body: Vec<u8>| {
        let server = &server;
        async move { code(server.post("/v1/decode", body).await).await }
    };
    assert_eq!(ask(Vec::new()).await, (422, "invalid".into()));
    assert_eq!(ask(b"GIF89a".to_vec()).await, (422, "invalid".into()));
    assert_eq!(ask(good[..good.len() / 2].to_vec()).await, (422, "invalid".into()));
    assert_eq!(ask(vec![0; 100_001]).await, (413, "too_large".into()));
    assert_eq!(ask(stream(1, 80, PixelFormat::Rgb8)).await, (413, "too_many_pixels".into()));
    let mut other = good.clone();
    other[8] ^= 1; // latent space; the checksum fails first
    assert_eq!(ask(other).await, (422, "invalid".into()));
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x55;
        let status = server.raw(&flipped).await.status().as_u16();
        assert!(matches!(status, 413 | 422), "byte {at}: {status}");
    }
    let frozen = include_bytes!("../../../models/zoo/photo/photo.pinm");
    let photo = pinhole::Bundle::parse(frozen).unwrap();
    let picture = crate::bundles::picture(1, 32, PixelFormat::Rgb8);
    let mut encoder = pinhole::Encoder::new(&photo, 1).unwrap();
    let other = encoder.encode(&picture, &Default::default()).unwrap();
    assert_eq!(ask(other).await, (422, "wrong_model".into()));
    for path in ["/v1/decode?scale=3", "/v1/decode?decoder=best", "/v1/decode?decoder=gan"] {
        assert_eq!(code(server.post(path, good.clone()).await).await.0, 400, "{path}");
    }
    assert_eq!(code(server.post("/v1/decode?model=x", good.clone()).await).await.0, 404);
    assert_eq!(code(server.post("/v1/decode?version=7", good.clone()).await).await.0, 404);
    assert_eq!(server.raw(&good).await.bytes().await.unwrap(), samples(&good));
}

fn head(length: &str) -> String {
    format!(
        "POST /v1/decode HTTP/1.1\r\nhost: x\r\naccept: application/octet-stream\r\n{length}\r\n"
    )
}

fn answer(mut connection: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = connection.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_half_closed_clients_disturb_nobody() {
    let server = Server::start("limits.body_timeout_ms = 700\nlimits.header_timeout_ms = 700");
    let address = server.address().to_owned();
    let good = stream(1, 64, PixelFormat::Rgb8);
    // Forty that send a part of a head, forty that send a part of a body, and nothing more.
    let mut slow: Vec<TcpStream> = Vec::new();
    for i in 0..80 {
        let mut connection = TcpStream::connect(&address).unwrap();
        let text =
            if i % 2 == 0 { "POST /v1/dec".to_owned() } else { head("content-length: 50\r\n") };
        connection.write_all(text.as_bytes()).unwrap();
        slow.push(connection);
    }
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.raw(&good).await.status(), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    tokio::task::spawn_blocking(move || {
        let answers: Vec<String> = slow.into_iter().map(answer).collect();
        let timeouts = answers.iter().filter(|a| a.contains("408 Request Timeout")).count();
        assert_eq!(timeouts, 40, "{answers:?}");
    })
    .await
    .unwrap();
    // One that closes its side after the request still gets its answer.
    let (length, expected) = (format!("content-length: {}\r\n", good.len()), samples(&good));
    tokio::task::spawn_blocking(move || {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.write_all(head(&length).as_bytes()).unwrap();
        connection.write_all(&good).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
        assert!(bytes.ends_with(&expected));
        // One that breaks off in the middle of its body, and one that talks nonsense.
        for text in [head("content-length: 50\r\n") + "abc", "\x16\x03\x01 nonsense\r\n\r\n".into()]
        {
            let mut connection = TcpStream::connect(&address).unwrap();
            connection.write_all(text.as_bytes()).unwrap();
            connection.shutdown(Shutdown::Write).unwrap();
            assert!(answer(connection).starts_with("HTTP/1.1 400"), "{text}");
        }
        // Chunks without end.
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.write_all(head("transfer-encoding: chunked\r\n").as_bytes()).unwrap();
        let chunk = [b"10000\r\n".to_vec(), vec![0; 0x10000], b"\r\n".to_vec()].concat();
        let sent = (0..2000).take_while(|_| connection.write_all(&chunk).is_ok()).count();
        assert!(sent < 1000, "{sent} chunks taken");
    })
    .await
    .unwrap();
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told() {
    let server = Server::start("limits.connections = 4");
    let address = server.address().to_owned();
    tokio::task::spawn_blocking(move || {
        let idle: Vec<_> = (0..4).map(|_| TcpStream::connect(&address).unwrap()).collect();
        std::thread::sleep(Duration::from_millis(100));
        let text = answer(TcpStream::connect(&address).unwrap());
        assert!(text.starts_with("HTTP/1.1 503") && text.contains("too many connections"));
        drop(idle);
        std::thread::sleep(Duration::from_millis(200));
        let mut next = TcpStream::connect(&address).unwrap();
        next.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        assert!(answer(next).starts_with("HTTP/1.1 200"));
    })
    .await
    .unwrap();
}
