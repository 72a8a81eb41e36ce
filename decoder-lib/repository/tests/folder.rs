//! A repository on a real folder.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use pinhole_repository::{Error, Repository, Stage, Trust, keys, signature};

const MODEL: &[u8] = include_bytes!("../../../models/zoo/photo/photo.pinm");

fn open(folder: &Path, trust: Trust) -> Repository {
    Repository::open(folder.to_str().unwrap(), trust).unwrap()
}

fn model() -> Bytes {
    Bytes::from_static(MODEL)
}

#[tokio::test]
async fn a_version_from_push_to_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let repository = open(folder.path(), Trust::Anyone);
    assert!(repository.models().await.unwrap().is_empty());
    let (name, first, _) = repository.push(None, model(), Some("v1")).await.unwrap();
    assert_eq!((&*name, first), ("photo", 1));
    let (_, second, state) = repository.push(Some("photo"), model(), None).await.unwrap();
    assert_eq!((second, state.generation), (2, 2));
    assert!(folder.path().join("photo/2/model.pinm").is_file());
    let about = &state.versions[&2];
    assert!(about.stage == Stage::Candidate && about.lineage.is_object() && about.signer.is_none());

    repository.promote("photo", 1).await.unwrap();
    let state = repository.promote("photo", 2).await.unwrap();
    assert_eq!(state.versions[&1].stage, Stage::Archived);
    let state = repository.roll_back("photo").await.unwrap();
    assert_eq!(state.production(), Some(1));
    assert!(matches!(repository.roll_back("photo").await, Err(Error::NoPredecessor)));

    // Another process sees the same, and the history.
    let other = open(folder.path(), Trust::Anyone);
    assert_eq!(other.models().await.unwrap(), ["photo"]);
    assert_eq!(other.state("photo").await.unwrap(), state);
    assert_eq!(other.state_at("photo", 1).await.unwrap().change, "tag 1 v1");
    assert_eq!(other.fetch("photo", 2).await.unwrap().bytes, model());
    assert!(matches!(other.tag("photo", 2, "v1").await, Err(Error::TagTaken { .. })));
    let refused = other.push(Some("photo"), model(), Some("v1")).await;
    assert!(matches!(refused, Err(Error::TagTaken { .. })));
    assert_eq!(other.state("photo").await.unwrap().versions.len(), 2);
}

#[tokio::test]
async fn only_signed_and_unchanged_bundles_are_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let key = keys::generate().unwrap();
    let trust = Trust::Keys(vec![key.verifying_key()]);
    let repository = open(folder.path(), trust);
    assert!(matches!(repository.push(None, model(), None).await, Err(Error::Untrusted { .. })));
    let stranger = signature::sign(MODEL, &keys::generate().unwrap()).unwrap();
    let refused = repository.push(None, stranger.clone().into(), None).await;
    assert!(matches!(refused, Err(Error::Untrusted { .. })));
    assert!(repository.models().await.unwrap().is_empty());

    let signed = signature::sign(MODEL, &key).unwrap();
    repository.push(None, signed.clone().into(), None).await.unwrap();
    let fetched = repository.fetch("photo", 1).await.unwrap();
    assert_eq!(fetched.bytes, signed);
    assert_eq!(fetched.about.signer, Some(signature::name(&key.verifying_key())));

    // Someone with access to the store, but not to the key.
    let file = folder.path().join("photo/1/model.pinm");
    fs::write(&file, &stranger).unwrap();
    assert!(matches!(repository.fetch("photo", 1).await, Err(Error::Untrusted { .. })));
    fs::write(&file, &signed[..1000]).unwrap();
    assert!(matches!(repository.fetch("photo", 1).await, Err(Error::Untrusted { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(repository.fetch("photo", 1).await, Err(Error::NotFound(_))));
    // Even with the hash made to fit.
    let open_to_all = open(folder.path(), Trust::Anyone);
    let (_, number, _) = open_to_all.push(None, stranger.into(), None).await.unwrap();
    assert!(matches!(repository.fetch("photo", number).await, Err(Error::Untrusted { .. })));
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let repository = open(folder.path(), Trust::Anyone);
    assert!(matches!(repository.state("photo").await, Err(Error::NotFound(_))));
    assert!(matches!(repository.promote("photo", 1).await, Err(Error::NotFound(_))));
    for name in ["", "../up", "a/b", ".hidden", "stages", "a b"] {
        let refused = repository.push(Some(name), model(), None).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{name}");
    }
    let garbage = repository.push(Some("photo"), Bytes::from_static(b"garbage"), None).await;
    assert!(matches!(garbage, Err(Error::Bundle { .. })));
    repository.push(None, model(), None).await.unwrap();
    assert!(matches!(repository.fetch("photo", 7).await, Err(Error::NotFound(_))));
    fs::write(folder.path().join("photo/stages/0000000002.json"), "{").unwrap();
    assert!(matches!(repository.state("photo").await, Err(Error::Damaged { .. })));
    let nowhere = Repository::open("/nowhere/at/all", Trust::Anyone);
    assert!(matches!(nowhere, Err(Error::Store(_))));
    assert!(matches!(Repository::open("ftp://x/y", Trust::Anyone), Err(Error::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_the_same_time_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let repository = open(folder.path(), Trust::Anyone);
    let tasks: Vec<_> = (0..8)
        .map(|i| {
            let repository = open(folder.path(), Trust::Anyone);
            tokio::spawn(async move {
                repository.push(Some("m"), model(), Some(&format!("t{i}"))).await.unwrap().1
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    let state = repository.state("m").await.unwrap();
    assert_eq!((state.versions.len(), state.tags.len(), state.generation), (8, 8, 8));
}

#[tokio::test]
async fn a_watcher_sees_changes_and_survives_a_store_that_disappears() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("models");
    fs::create_dir(&root).unwrap();
    let repository = open(&root, Trust::Anyone);
    let mut watcher = repository.watch(Duration::from_millis(5));
    assert!(watcher.changed().await.unwrap().is_empty());
    repository.push(None, model(), None).await.unwrap();
    let seen = watcher.changed().await.unwrap();
    assert_eq!(seen["photo"].versions.len(), 1);
    repository.promote("photo", 1).await.unwrap();
    assert_eq!(watcher.changed().await.unwrap()["photo"].production(), Some(1));
    // Nothing changes: nothing is told.
    let quiet = tokio::time::timeout(Duration::from_millis(50), watcher.changed()).await;
    assert!(quiet.is_err());
    fs::write(root.join("photo/stages/0000000003.json"), "{").unwrap();
    assert!(watcher.changed().await.is_err());
    fs::remove_file(root.join("photo/stages/0000000003.json")).unwrap();
    repository.roll_back("photo").await.unwrap_err();
    repository.set_stage("photo", 1, Stage::Archived).await.unwrap();
    assert_eq!(watcher.changed().await.unwrap()["photo"].production(), None);
}
