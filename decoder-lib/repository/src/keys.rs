//! Ed25519 keys, in the files that other tools use: PKCS #8 and SubjectPublicKeyInfo in PEM (RFC 8410).

use std::path::Path;

pub use ed25519_dalek::{SigningKey, VerifyingKey};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};

use crate::Error;

/// A new key, from the system's source of randomness.
///
/// # Errors
/// [`Error::Key`] if that fails.
pub fn generate() -> Result<SigningKey, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Key(e.to_string()))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// A private key's file: who has it signs models.
///
/// # Errors
/// [`Error::Key`]
pub fn private_pem(key: &SigningKey) -> Result<String, Error> {
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| Error::Key(e.to_string()))?;
    Ok(pem.to_string())
}

/// A public key's file: who has it verifies models.
///
/// # Errors
/// [`Error::Key`]
pub fn public_pem(key: &VerifyingKey) -> Result<String, Error> {
    key.to_public_key_pem(LineEnding::LF).map_err(|e| Error::Key(e.to_string()))
}

/// Reads a private key.
///
/// # Errors
/// [`Error::Key`]
pub fn read_private(path: &Path) -> Result<SigningKey, Error> {
    SigningKey::from_pkcs8_pem(&read(path)?).map_err(|e| unusable(path, &e.to_string()))
}

/// Reads a public key.
///
/// # Errors
/// [`Error::Key`]
pub fn read_public(path: &Path) -> Result<VerifyingKey, Error> {
    VerifyingKey::from_public_key_pem(&read(path)?).map_err(|e| unusable(path, &e.to_string()))
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| unusable(path, &e.to_string()))
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Key(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = (folder.path().join("key"), folder.path().join("key.pub"));
        let key = generate().unwrap();
        std::fs::write(&private, private_pem(&key).unwrap()).unwrap();
        std::fs::write(&public, public_pem(&key.verifying_key()).unwrap()).unwrap();
        assert_eq!(read_private(&private).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(read_public(&public).unwrap(), key.verifying_key());
        assert!(read_private(&public).is_err() && read_public(&private).is_err());
        assert_ne!(generate().unwrap().to_bytes(), key.to_bytes());
    }
}
