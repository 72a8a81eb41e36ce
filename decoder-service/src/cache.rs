//! Results that were asked for before.

use std::future::Future;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// Names one answer: what was asked, and by which version it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The hash of a stream's hash and all that decides what its decode looks like.
    pub fn new(stream: &[u8; 32], model: &str, version: u64, how: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(stream);
        hash.update(version.to_le_bytes());
        hash.update((model.len() as u64).to_le_bytes());
        hash.update(model);
        hash.update(how);
        CacheKey(hash.finalize().into())
    }

    /// As an entity tag, quotes included.
    pub fn etag(&self) -> String {
        let digits: String = self.0.iter().take(16).map(|b| format!("{b:02x}")).collect();
        format!("\"{digits}\"")
    }
}

/// A finished answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body.
    pub body: Bytes,
    /// Width, height, channels of the picture.
    pub shape: (u32, u32, u8),
    /// Anomaly score of the stream.
    pub anomaly: Option<f64>,
    /// Chunks that were concealed.
    pub damaged: usize,
}

#[derive(Clone)]
struct Weight;

impl Weighter<CacheKey, Answer> for Weight {
    fn weight(&self, _: &CacheKey, answer: &Answer) -> u64 {
        // Keys and counters weigh, too: tiny answers must not be free.
        answer.body.len() as u64 + 256
    }
}

/// Answers by key, the least useful leave first.
pub struct ResultCache(Option<Cache<CacheKey, Answer, Weight>>);

impl ResultCache {
    /// A cache of so many bytes; none for 0.
    pub fn new(bytes: u64) -> Self {
        // An estimate for the size of the index alone.
        let items = usize::try_from(bytes / (64 << 10)).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        ResultCache((bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight)))
    }

    /// The answer of this key, made if it is not there; whether it was. Whoever asks while it is being made waits for it
    /// instead of making it again. Errors are not kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn get_or_make<E>(
        &self,
        key: &CacheKey,
        make: impl Future<Output = Result<Answer, E>>,
    ) -> Result<(Answer, bool), E> {
        let Some(cache) = &self.0 else { return Ok((make.await?, false)) };
        match cache.get_value_or_guard_async(key).await {
            Ok(answer) => Ok((answer, true)),
            Err(guard) => {
                let answer = make.await?;
                // Fails only if the cache was cleared meanwhile: then it is simply not kept.
                let _ = guard.insert(answer.clone());
                Ok((answer, false))
            }
        }
    }

    /// Bytes kept.
    pub fn weight(&self) -> u64 {
        self.0.as_ref().map_or(0, Cache::weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn answer(bytes: usize) -> Answer {
        Answer { body: Bytes::from(vec![0; bytes]), shape: (1, 1, 3), anomaly: None, damaged: 0 }
    }

    async fn ask(cache: &ResultCache, key: CacheKey, bytes: usize) -> bool {
        let make = async { Ok::<_, Infallible>(answer(bytes)) };
        let Ok((_, hit)) = cache.get_or_make(&key, make).await;
        hit
    }

    #[tokio::test]
    async fn equal_questions_are_answered_once() {
        let cache = ResultCache::new(1 << 20);
        let key = CacheKey::new(&[1; 32], "photo", 1, "png");
        assert!(!ask(&cache, key, 10).await);
        assert!(ask(&cache, key, 10).await);
        for other in [
            CacheKey::new(&[2; 32], "photo", 1, "png"),
            CacheKey::new(&[1; 32], "photo", 2, "png"),
            CacheKey::new(&[1; 32], "photo", 1, "webp"),
        ] {
            assert!(!ask(&cache, other, 10).await);
        }
        assert!(key.etag().len() == 34);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_errors_are_not_kept() {
        let cache = ResultCache::new(1 << 20);
        for i in 0..100 {
            ask(&cache, CacheKey::new(&[i; 32], "photo", 1, "png"), 100_000).await;
        }
        assert!(cache.weight() <= 1 << 20);
        let key = CacheKey::new(&[0xff; 32], "photo", 1, "png");
        let failed = cache.get_or_make(&key, async { Err("no") }).await;
        assert_eq!(failed.unwrap_err(), "no");
        assert!(!ask(&cache, key, 10).await);
        let none = ResultCache::new(0);
        assert!(!ask(&none, key, 10).await && !ask(&none, key, 10).await);
    }
}
