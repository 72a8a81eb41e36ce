//! Models that change under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pinhole::PixelFormat;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::bundles::{good, named, samples, slow, stream, wrong};
use crate::server::{Server, code, put};

/// Requests that go on until told to stop; every answer must be right.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// `exact`: the pictures must be the codec's.
    fn start(server: &Server, clients: u32, exact: bool) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = |client: u32| {
            let (http, url) = (server.client.clone(), format!("{}/v1/decode", server.url));
            let (stop, done) = (stop.clone(), done.clone());
            let streams: Vec<Vec<u8>> =
                (0..25).map(|i| stream(100 * client + i, 48, PixelFormat::Rgb8)).collect();
            let expected: Vec<Vec<u8>> = streams.iter().map(|s| samples(s)).collect();
            tokio::spawn(async move {
                let mut failures = Vec::new();
                let mut i = 0;
                while !stop.load(Ordering::Relaxed) {
                    let request = http.post(&url).body(streams[i % 25].clone());
                    let request = request.header("accept", "application/octet-stream");
                    match request.send().await {
                        Ok(answer) if answer.status() == 200 => {
                            let version = answer.headers()["x-pinhole-version"].clone();
                            let body = answer.bytes().await.unwrap_or_default();
                            if exact && body != expected[i % 25] {
                                failures.push(format!("another picture by {version:?}"));
                            }
                        }
                        Ok(answer) => failures.push(answer.status().to_string()),
                        Err(error) => failures.push(error.to_string()),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                    i += 1;
                }
                failures
            })
        };
        let tasks = (0..clients).map(task).collect();
        Load { tasks, stop, done }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            let failures = task.await.unwrap();
            assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
        }
        self.done.load(Ordering::Relaxed)
    }
}

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let answer = server.post(&format!("/v1/models/toy/{path}"), body.to_string()).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_under_load_fail_no_request() {
    // Without a cache every request is decoded.
    let server = Server::with("cache_bytes = 0", |models| {
        put(models, 1, &good());
        put(models, 2, &named("two"));
        put(models, 3, &named("three"));
    });
    let load = Load::start(&server, 3, true);
    for i in 0..100u64 {
        let (status, answer) = match i % 4 {
            0 => post(&server, "promote", json!({"version": 2})).await,
            1 => post(&server, "rollout", json!({"version": 3, "share": 0.5})).await,
            2 => post(&server, "promote", json!({"version": 3})).await,
            _ => post(&server, "rollback", json!({"reason": "test"})).await,
        };
        assert_eq!(status, 200, "change {i}: {answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let done = load.end().await;
    assert!(done > 100, "{done}");
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("pinhole_promotions_total{model=\"toy\"} 50"), "{text}");
    let failed = |line: &str| line.starts_with("pinhole_decodes") && !line.contains("\"ok\"");
    assert!(!text.lines().any(failed), "{text}");
}

/// Starts a trial under load and waits for its end; the report.
async fn trial(candidate: &[u8], plan: Value, exact: bool) -> (Server, Value) {
    let server = Server::with("cache_bytes = 0", |models| {
        put(models, 1, &good());
        put(models, 2, candidate);
    });
    let load = Load::start(&server, 2, exact);
    let (status, report) = post(&server, "rollout", plan).await;
    assert_eq!((status, report["phase"].as_str()), (200, Some("running")), "{report}");
    let start = Instant::now();
    let report = loop {
        let report = server.json("/v1/models/toy/report").await[0].clone();
        if report["phase"] != "running" {
            break report;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "still running: {report}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    load.end().await;
    // The traffic is safe first, the repository is told next.
    let mut model = server.json("/v1/models/toy").await;
    while model["repository"]["versions"][1]["stage"] == "staging" {
        assert!(start.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
        model = server.json("/v1/models/toy").await;
    }
    assert_eq!(model["champion"]["version"], 1);
    assert_eq!(model["challenger"], Value::Null);
    assert_eq!(model["repository"]["versions"][1]["stage"], "archived");
    (server, report)
}

fn objectives(report: &Value) -> Vec<&str> {
    let breaches = report["breaches"].as_array().unwrap();
    breaches.iter().map(|breach| breach["objective"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_decodes_wrongly_is_rolled_back_with_reasons() {
    let plan = json!({"version": 2, "share": 0.5, "slo": {"p95_ratio": 1000.0}});
    let (server, report) = trial(&wrong(), plan, false).await;
    assert_eq!(report["phase"], "rolled_back");
    assert!(objectives(&report).contains(&"psnr"), "{report}");
    assert!(report["reason"].as_str().unwrap().contains("dB against the champion"));
    assert!(report["after_seconds"].as_f64().unwrap() < 30.0);
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("pinhole_rollbacks_total{model=\"toy\",cause=\"automatic\"} 1"));
    assert!(server.log().contains("challenger rolled back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_decodes_wrongly_answers_nobody() {
    let plan = json!({"version": 2, "mode": "shadow", "share": 1.0,
        "slo": {"p95_ratio": 1000.0}});
    // Every answer is the champion's: exactly the codec's picture.
    let (_, report) = trial(&wrong(), plan, true).await;
    assert!(objectives(&report).contains(&"psnr"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_slow_is_rolled_back() {
    let plan = json!({"version": 2, "share": 0.5, "slo": {"psnr": 0.0, "ssimulacra2": -1e9}});
    let (_, report) = trial(&slow(), plan, false).await;
    assert_eq!(objectives(&report), ["latency"], "{report}");
}

#[tokio::test]
async fn what_cannot_serve_is_refused_and_changes_nothing() {
    let other = include_bytes!("../../../models/zoo/photo/photo.pinm");
    let server = Server::with("", |models| {
        put(models, 1, &good());
        put(models, 2, b"no bundle");
        put(models, 3, other);
    });
    let stream = stream(1, 48, PixelFormat::Rgb8);
    let ask = |path: &'static str, body: Value| {
        let server = &server;
        async move { code(server.post(&format!("/v1/models/toy/{path}"), body.to_string()).await).await }
    };
    assert_eq!(ask("promote", json!({"version": 2})).await, (422, "invalid".into()));
    assert_eq!(ask("promote", json!({"version": 9})).await, (404, "not_found".into()));
    assert_eq!(ask("promote", json!({"versoin": 1})).await, (400, "bad_request".into()));
    assert_eq!(ask("rollback", json!({})).await, (409, "conflict".into()));
    assert_eq!(ask("rollout", json!({"version": 1})).await, (409, "conflict".into()));
    // Another latent space cannot decode the champion's streams.
    assert_eq!(ask("rollout", json!({"version": 3})).await, (422, "invalid".into()));
    assert_eq!(ask("rollout", json!({"version": 3, "share": 7})).await.0, 400);
    // A repository that disappears: what is loaded serves on, changes are refused.
    std::fs::rename(server.models(), server.folder.path().join("gone")).unwrap();
    assert_eq!(ask("promote", json!({"version": 2})).await, (503, "repository".into()));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(server.raw(&stream).await.bytes().await.unwrap(), samples(&stream));
    assert_eq!(server.get("/readyz").await.status(), 200);
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("pinhole_repository_up 0"), "{text}");
    std::fs::rename(server.folder.path().join("gone"), server.models()).unwrap();
    put(&server.models(), 4, &named("four"));
    let promote = server.post("/v1/models/toy/promote", r#"{"version": 4}"#).await;
    assert_eq!(promote.status(), 200);
    assert_eq!(server.raw(&stream).await.headers()["x-pinhole-version"], "4");
}

#[tokio::test]
async fn the_share_of_a_canary_is_stable() {
    let server = Server::with("", |models| {
        put(models, 1, &good());
        put(models, 2, &named("two"));
    });
    post(&server, "rollout", json!({"version": 2, "share": 0.3})).await;
    let stream = stream(1, 32, PixelFormat::Gray8);
    let version = |key: u32| {
        let request = server.client.post(format!("{}/v1/decode", server.url));
        let request = request.header("x-pinhole-key", key.to_string()).body(stream.clone());
        async move {
            let answer = request.send().await.unwrap();
            answer.headers()["x-pinhole-version"].to_str().unwrap().to_owned()
        }
    };
    let mut seconds = 0;
    for key in 0..200 {
        let first = version(key).await;
        seconds += u32::from(first == "2");
        assert_eq!(version(key).await, first);
    }
    assert!((35..90).contains(&seconds), "{seconds} of 200");
}
