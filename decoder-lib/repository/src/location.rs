//! Addresses of repositories.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, prefix::PrefixStore};

use crate::Error;

/// Opens a folder, or `s3://BUCKET/PREFIX`.
pub(crate) fn open(address: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    match address.strip_prefix("s3://") {
        Some(rest) => {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = Path::parse(prefix).map_err(|e| Error::Invalid(e.to_string()))?;
            Ok(Arc::new(PrefixStore::new(bucket_store(bucket)?, prefix)))
        }
        None if address.contains("://") => {
            Err(Error::Invalid(format!("{address}: neither a folder nor s3://BUCKET/PREFIX")))
        }
        None => {
            // Every change is on the disk when it is acknowledged.
            let store = LocalFileSystem::new_with_prefix(FilePath::new(address))?;
            Ok(Arc::new(store.with_fsync(true)))
        }
    }
}

/// A bucket; credentials, region and endpoint come from the usual `AWS_` variables.
#[cfg(feature = "s3")]
fn bucket_store(bucket: &str) -> Result<Box<dyn ObjectStore>, Error> {
    use object_store::RetryConfig;
    use object_store::aws::AmazonS3Builder;

    // Someone else may have chosen a provider already, which then serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A store that is gone is to be told in seconds, not minutes.
    let retry = RetryConfig {
        max_retries: 3,
        retry_timeout: std::time::Duration::from_secs(10),
        ..RetryConfig::default()
    };
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).build()?;
    Ok(Box::new(store))
}

#[cfg(not(feature = "s3"))]
fn bucket_store(_bucket: &str) -> Result<Box<dyn ObjectStore>, Error> {
    Err(Error::Invalid("this program was built without S3: build it with `--features s3`".into()))
}
