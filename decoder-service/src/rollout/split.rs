//! Who gets the challenger.

use sha2::{Digest, Sha256};

/// A request's place in 0..2⁶⁴ for one model: the same key always has the same place, and places of different models
/// are unrelated.
pub fn key_of(model: &str, key: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update((model.len() as u64).to_le_bytes());
    hash.update(model);
    hash.update(key);
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Whether the request at this place is among the `share` (0..=1) that the challenger answers. Whoever is in a share is
/// in every larger one.
pub fn takes_challenger(place: u64, share: f64) -> bool {
    // 53 bits are what a double holds exactly.
    ((place >> 11) as f64 / (1u64 << 53) as f64) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_and_stable() {
        let places: Vec<u64> = (0..20_000u32).map(|i| key_of("photo", &i.to_le_bytes())).collect();
        let taken = |share| places.iter().filter(|&&p| takes_challenger(p, share)).count();
        assert_eq!(taken(0.0), 0);
        assert_eq!(taken(1.0), places.len());
        let tenth = taken(0.1);
        assert!((1800..2200).contains(&tenth), "{tenth}");
        assert!(places.iter().all(|&p| !takes_challenger(p, 0.1) || takes_challenger(p, 0.2)));
        assert_eq!(key_of("photo", b"key"), key_of("photo", b"key"));
        assert_ne!(key_of("photo", b"key"), key_of("phot", b"okey"));
    }
}
