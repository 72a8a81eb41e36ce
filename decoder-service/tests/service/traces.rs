//! Traces, as a collector gets them; and logs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use pinhole::PixelFormat;

use crate::bundles::stream;
use crate::server::Server;

/// A collector that takes everything and keeps its text.
fn collector() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(String::new()));
    let keep = kept.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let head = text.windows(4).position(|w| w == b"\r\n\r\n");
                let text_so_far = String::from_utf8_lossy(&text).to_ascii_lowercase();
                let length = text_so_far.split("content-length: ").nth(1);
                let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
                if let (Some(head), Some(length)) = (head, length)
                    && text.len() >= head + 4 + usize::min(length, 1 << 20)
                {
                    break;
                }
                match connection.read(&mut buffer) {
                    Ok(n) if n > 0 => text.extend_from_slice(&buffer[..n]),
                    _ => break,
                }
            }
            keep.lock().unwrap().push_str(&String::from_utf8_lossy(&text));
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                          connection: close\r\ncontent-length: 2\r\n\r\n{}";
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    (url, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_name_model_and_version_and_follow_the_caller() {
    let (url, kept) = collector();
    let settings = format!("[telemetry]\njson = true\notlp_endpoint = \"{url}\"");
    let mut server = Server::start(&settings);
    let request = server.client.post(format!("{}/v1/decode", server.url));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let answer = request.body(stream(1, 48, PixelFormat::Rgb8)).send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 200);
    server.signal("-TERM");
    let (server, success) = tokio::task::spawn_blocking(move || {
        let success = server.child.wait().unwrap().success();
        (server, success)
    })
    .await
    .unwrap();
    assert!(success);
    let text = kept.lock().unwrap().clone();
    for part in [trace, "pinhole-serve", "\"decode\"", "POST /v1/decode", "\"toy\"", "standard"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // Every line of the log is an object; the request's has its identifier.
    let log = server.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!(line["span"]["id"], id.as_str(), "{line}");
    assert_eq!(line["span"]["version"], 1, "{line}");
}
