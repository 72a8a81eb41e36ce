//! A repository on an S3-compatible server. `tests/s3.sh` starts one and runs this; without it nothing is tested.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pinhole::PixelFormat;
use pinhole_repository::{Repository, Trust, keys, signature};
use serde_json::json;

use crate::bundles::{good, named, samples, stream};
use crate::server::{Server, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_serves_reloads_and_may_go_away() {
    let Ok(bucket) = std::env::var("PINHOLE_TEST_S3") else { return };
    // A folder of this run's own: the bucket may have others.
    let address = format!("{bucket}/service-{}", std::process::id());
    let repository = Repository::open(&address, Trust::Anyone).unwrap();
    let key = keys::generate().unwrap();
    let push = async |bundle: &[u8]| {
        let bundle = signature::sign(bundle, &key).unwrap();
        repository.push(Some("toy"), bundle.into(), None).await.unwrap().1
    };
    assert_eq!(push(&good()).await, 1);
    assert_eq!(push(&named("two")).await, 2);
    repository.promote("toy", 1).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("key.pem");
    std::fs::write(&pem, keys::public_pem(&key.verifying_key()).unwrap()).unwrap();
    let settings = format!("cache_bytes = 0\ntrusted_keys = \"{}\"", pem.display());
    let server = Server::on(Path::new(&address), &settings);
    let stream = stream(1, 48, PixelFormat::Rgb8);
    let expected = samples(&stream);

    // Requests that go on during all of it.
    let (stop, http) = (Arc::new(AtomicBool::new(false)), server.client.clone());
    let (url, body, stopped) = (format!("{}/v1/decode", server.url), stream.clone(), stop.clone());
    let load = tokio::spawn(async move {
        let mut done = 0;
        while !stopped.load(Ordering::Relaxed) {
            let request = http.post(&url).header("accept", "application/octet-stream");
            let answer = request.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.bytes().await.unwrap(), expected);
            done += 1;
        }
        done
    });

    // Another writer promotes: the service takes it over by itself.
    repository.promote("toy", 2).await.unwrap();
    let start = Instant::now();
    while server.json("/v1/models/toy").await["champion"]["version"] != 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "not taken over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What the service promotes and takes back is in the bucket when it says so.
    let version = push(&named("three")).await;
    let promote = json!({"version": version}).to_string();
    let answer = server.post("/v1/models/toy/promote", promote.clone()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(repository.state("toy").await.unwrap().production(), Some(version));
    let answer = server.post("/v1/models/toy/rollback", r#"{"reason": "test"}"#).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(repository.state("toy").await.unwrap().production(), Some(2));

    // The store goes away: what is loaded serves on, a change is refused and changes nothing.
    if let Ok(pid) = std::env::var("PINHOLE_TEST_S3_PID") {
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        let answer = server.post("/v1/models/toy/promote", promote).await;
        assert_eq!(code(answer).await, (503, "repository".into()));
        assert_eq!(server.raw(&stream).await.headers()["x-pinhole-version"], "2");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 10);
}
