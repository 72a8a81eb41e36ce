//! A real repository: signed bundles, changes by others, a full disk.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pinhole::PixelFormat;
use pinhole_repository::{Repository, SigningKey, Stage, Trust, keys, signature};
use serde_json::json;

use crate::bundles::{good, named, samples, stream};
use crate::server::{Server, code};

/// A repository with one signed version of `toy` in production.
async fn repository(folder: &Path, key: &SigningKey) -> Repository {
    let repository = Repository::open(folder.to_str().unwrap(), Trust::Anyone).unwrap();
    push(&repository, &good(), Some(key)).await;
    repository.promote("toy", 1).await.unwrap();
    repository
}

async fn push(repository: &Repository, bundle: &[u8], key: Option<&SigningKey>) -> u64 {
    let bundle = match key {
        Some(key) => signature::sign(bundle, key).unwrap(),
        None => bundle.to_vec(),
    };
    repository.push(Some("toy"), bundle.into(), None).await.unwrap().1
}

/// A server on a repository at `models`, trusting `key`.
fn server(models: &Path, key: &SigningKey) -> Server {
    let pem = models.parent().unwrap().join("key.pem");
    std::fs::write(&pem, keys::public_pem(&key.verifying_key()).unwrap()).unwrap();
    let settings = format!("trusted_keys = \"{}\"", pem.display());
    Server::on(models, &settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_versions_serve_and_changes_are_durable() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let (key, other) = (keys::generate().unwrap(), keys::generate().unwrap());
    let repository = repository(&models, &key).await;
    let server = server(&models, &key);
    let stream = stream(1, 48, PixelFormat::Rgb8);
    assert_eq!(server.raw(&stream).await.bytes().await.unwrap(), samples(&stream));

    // Not signed, signed by somebody else, changed after signing: none of them serves.
    push(&repository, &named("unsigned"), None).await;
    push(&repository, &named("foreign"), Some(&other)).await;
    push(&repository, &named("damaged"), Some(&key)).await;
    let file = models.join("toy/4/model.pinm");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for version in 2..5 {
        let path = "/v1/models/toy/promote";
        let answer = server.post(path, json!({"version": version}).to_string()).await;
        assert_eq!(code(answer).await, (422, "invalid".into()), "{version}");
    }
    assert_eq!(repository.state("toy").await.unwrap().production(), Some(1));

    // A promotion that was acknowledged is in the repository.
    let version = push(&repository, &named("two"), Some(&key)).await;
    let answer = server.post("/v1/models/toy/promote", json!({"version": version}).to_string());
    assert_eq!(answer.await.status(), 200);
    assert_eq!(repository.state("toy").await.unwrap().production(), Some(version));
    let answer = server.post("/v1/models/toy/rollback", r#"{"reason": "test"}"#).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(repository.state("toy").await.unwrap().production(), Some(1));
    let archived = repository.state("toy").await.unwrap().versions[&version].stage;
    assert_eq!(archived, Stage::Archived);

    // A change by somebody else is taken over, without a failed request.
    repository.promote("toy", version).await.unwrap();
    let start = Instant::now();
    loop {
        let answer = server.raw(&stream).await;
        assert_eq!(answer.status(), 200);
        if answer.headers()["x-pinhole-version"] == version.to_string().as_str() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // A repository that points to a bundle which cannot serve: the champion stays.
    repository.promote("toy", 2).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let answer = server.raw(&stream).await;
    assert_eq!(answer.headers()["x-pinhole-version"], version.to_string().as_str());
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(!text.contains("pinhole_reload_failures_total 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_changes_and_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk.to_str().unwrap()])
        .output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: no file system may be mounted here");
        return;
    }
    let models = disk.join("models");
    std::fs::create_dir(&models).unwrap();
    let key = keys::generate().unwrap();
    let repository = repository(&models, &key).await;
    push(&repository, &named("two"), Some(&key)).await;
    let server = server(&models, &key);
    // Everything that is left of it.
    let filled = std::fs::write(models.join("filler"), vec![0; 4 << 20]);
    assert!(filled.is_err());
    let answer = server.post("/v1/models/toy/promote", r#"{"version": 2}"#).await;
    let refused = code(answer).await;
    let stream = stream(1, 48, PixelFormat::Rgb8);
    let answer = server.raw(&stream).await;
    let version = answer.headers()["x-pinhole-version"].clone();
    let production = repository.state("toy").await.unwrap().production();
    std::fs::remove_file(models.join("filler")).unwrap();
    let after = server.post("/v1/models/toy/promote", r#"{"version": 2}"#).await.status();
    drop((server, repository));
    let _ = Command::new("umount").arg(&disk).status();
    assert_eq!(refused, (503, "repository".into()));
    assert_eq!((version.to_str().unwrap(), production), ("1", Some(1)));
    assert_eq!(after, 200);
}
