//! A repository on an S3-compatible server: one that runs already, or nothing is tested.
//!
//! ```text
//! pip install 'moto[server]' && moto_server -p 5555 &
//! AWS_ENDPOINT=http://127.0.0.1:5555 AWS_ALLOW_HTTP=true AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_REGION=us-east-1 \
//!     PINHOLE_TEST_S3=s3://models/pinhole cargo test -p pinhole-repository --features s3 --test s3
//! ```
//! The bucket must exist (`curl -X PUT http://127.0.0.1:5555/models`).
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use pinhole_repository::{Error, Repository, Trust};

const MODEL: &[u8] = include_bytes!("../../../models/zoo/photo/photo.pinm");

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bucket_is_as_good_as_a_folder() {
    let Ok(address) = std::env::var("PINHOLE_TEST_S3") else { return };
    let repository = Repository::open(&address, Trust::Anyone).unwrap();
    // A name of this run's own: the server may keep what it is given.
    let name = format!("m{}", std::process::id());
    let pushes = (0..4).map(|i| {
        let (repository, name) = (repository.clone(), name.clone());
        tokio::spawn(async move {
            let (model, tag) = (Bytes::from_static(MODEL), format!("t{i}"));
            repository.push(Some(&name), model, Some(&tag)).await.unwrap().1
        })
    });
    let mut numbers = Vec::new();
    for push in pushes.collect::<Vec<_>>() {
        numbers.push(push.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    repository.promote(&name, 1).await.unwrap();
    repository.promote(&name, 4).await.unwrap();
    assert_eq!(repository.roll_back(&name).await.unwrap().production(), Some(1));
    assert!(repository.models().await.unwrap().contains(&name));
    assert_eq!(repository.fetch(&name, 4).await.unwrap().bytes, MODEL);
    assert!(matches!(repository.fetch(&name, 9).await, Err(Error::NotFound(_))));
    assert!(matches!(repository.tag(&name, 1, "t3").await, Err(Error::TagTaken { .. })));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_told_soon() {
    if std::env::var_os("PINHOLE_TEST_S3").is_none() {
        return;
    }
    let store = object_store::aws::AmazonS3Builder::from_env()
        .with_bucket_name("models")
        .with_endpoint("http://127.0.0.1:9")
        .with_retry(object_store::RetryConfig { max_retries: 1, ..Default::default() })
        .build()
        .unwrap();
    let repository = Repository::on(std::sync::Arc::new(store), Trust::Anyone);
    assert!(matches!(repository.models().await, Err(Error::Store(_))));
}
