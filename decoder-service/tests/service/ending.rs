//! The end of a server, wanted or not; and TLS.

use std::process::Command;
use std::time::Duration;

use pinhole::PixelFormat;

use crate::bundles::{good, samples, slow, stream};
use crate::server::{Server, put};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_answered_before_the_end() {
    // Nothing may be refused here, however slow the machine is.
    let settings = "threads = 1\ncache_bytes = 0\nlimits.deadline_ms = 60000\n\
        limits.max_wait_ms = 60000";
    let mut server = Server::with(settings, |models| put(models, 1, &slow()));
    let stream = stream(1, 256, PixelFormat::Rgb8);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let request = server.client.post(format!("{}/v1/decode", server.url));
            let request = request.header("accept", "application/octet-stream");
            let request = request.body(stream.clone());
            tokio::spawn(async move {
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.bytes().await.unwrap().len())
            })
        })
        .collect();
    // All are in: the first answer is there, or the queue shows them.
    loop {
        let info = server.json("/v1/info").await;
        let load = &info["load"];
        let seen = load["waiting"].as_u64().unwrap() + load["busy"].as_u64().unwrap();
        if seen >= 7 || tasks.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.signal("-TERM");
    for task in tasks {
        assert_eq!(task.await.unwrap(), (200, 256 * 256 * 3));
    }
    let status = tokio::task::spawn_blocking(move || {
        let status = server.child.wait().unwrap();
        (status.success(), server.log())
    });
    let (success, log) = status.await.unwrap();
    assert!(success && log.contains("stopped"), "{log}");
}

#[tokio::test]
async fn a_killed_server_starts_again() {
    let mut server = Server::start("");
    let stream = stream(1, 48, PixelFormat::Rgb8);
    assert_eq!(server.raw(&stream).await.status(), 200);
    server.signal("-KILL");
    server.child.wait().unwrap();
    let gone = server.client.get(format!("{}/healthz", server.url)).send().await;
    assert!(gone.is_err());
    let again = Server::start("");
    assert_eq!(again.raw(&stream).await.bytes().await.unwrap(), samples(&stream));
}

#[tokio::test]
async fn wrong_settings_end_it_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_pinhole-serve")).arg(&path).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run("listne = 1").contains("listne"));
    assert!(run("listen = \"0.0.0.0:0\"").contains("allow_anonymous"));
    assert!(run("repository = \"/nowhere\"").contains("/nowhere"));
    std::fs::write(folder.path().join("toy.pinm"), good()).unwrap();
    let models = format!("repository = \"{}\"\n", folder.path().display());
    assert!(run(&(models + "[tls]\ncertificate = \"/no\"\nkey = \"/no\"")).contains("/no"));
}

#[tokio::test]
async fn tls_is_spoken() {
    // A certificate of the moment; without openssl there is none to test with.
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "1", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"])
        .args(["-keyout", key.to_str().unwrap(), "-out", cert.to_str().unwrap()])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no openssl");
        return;
    }
    let settings =
        format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"", cert.display(), key.display());
    let server = Server::with(&settings, |models| put(models, 1, &good()));
    assert!(server.url.starts_with("https://"));
    let pem = std::fs::read(&cert).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    let answer = client.get(format!("{}/healthz", server.url)).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok\n");
    // Plain HTTP to the same port is no request.
    let plain = server.client.get(server.url.replace("https", "http")).send().await;
    assert!(plain.is_err());
}
