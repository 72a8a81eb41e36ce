//! Tokens, rates, origins.

use pinhole::PixelFormat;

use crate::bundles::stream;
use crate::server::{Server, code};

/// SHA-256 of "secret" and of "admin".
const TOKENS: &str = r#"
[[tokens]]
name = "camera"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
scopes = ["decode"]
[[tokens]]
name = "ops"
sha256 = "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918"
scopes = ["read", "admin"]
"#;

#[tokio::test]
async fn tokens_open_what_their_scopes_say() {
    let server = Server::start(TOKENS);
    let stream = stream(1, 40, PixelFormat::Rgb8);
    let ask = |path: &str, token: &str| {
        let request = server.client.post(format!("{}{path}", server.url)).body(stream.clone());
        request.bearer_auth(token).send()
    };
    assert_eq!(ask("/v1/decode", "secret").await.unwrap().status(), 200);
    let wrong = ask("/v1/decode", "wrong").await.unwrap();
    assert_eq!(wrong.headers()["www-authenticate"], "Bearer");
    assert_eq!(code(wrong).await, (401, "unauthorized".into()));
    assert_eq!(code(ask("/v1/decode", "admin").await.unwrap()).await, (403, "forbidden".into()));
    let promote = ask("/v1/models/toy/promote", "secret").await.unwrap();
    assert_eq!(code(promote).await, (403, "forbidden".into()));
    assert_eq!(code(server.get("/v1/models").await).await, (401, "unauthorized".into()));
    // Probes need none.
    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.get("/metrics").await.status(), 200);
    assert!(!server.log().contains("secret"));
}

#[tokio::test]
async fn rates_are_kept() {
    let server = Server::start("limits.rate_per_second = 1\nlimits.rate_burst = 3");
    let stream = stream(1, 40, PixelFormat::Rgb8);
    for _ in 0..3 {
        assert_eq!(server.raw(&stream).await.status(), 200);
    }
    let refused = server.raw(&stream).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(code(refused).await, (429, "rate_limited".into()));
}

#[tokio::test]
async fn other_origins_are_let_in_by_name_only() {
    let server = Server::start("cors_origins = [\"https://example.org\"]");
    let ask = |origin: &'static str| {
        let request = server.client.get(format!("{}/healthz", server.url));
        request.header("origin", origin).send()
    };
    let named = ask("https://example.org").await.unwrap();
    assert_eq!(named.headers()["access-control-allow-origin"], "https://example.org");
    let other = ask("https://example.com").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    let none = Server::start("");
    let answer = none.client.get(format!("{}/healthz", none.url)).header("origin", "https://a.b");
    let answer = answer.send().await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}
