//! Signatures of bundles: `docs/format.md`, "Signatures".

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use pinhole::Bundle;
use pinhole::bundle::{BundleBuilder, Tag};
use sha2::{Digest, Sha512};

use crate::Error;

/// First bytes of what is signed, so that a signature of something else is never one of a bundle.
const CONTEXT: &[u8] = b"Pinhole bundle signature 1\0";
const KEY: usize = 32;

/// Whose bundles are good.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those signed by one of these keys. With no keys, none are.
    Keys(Vec<VerifyingKey>),
    /// All: for a repository that only the reader can write to.
    Anyone,
}

impl Trust {
    /// Whether a bundle is good; the key that signed it, if any.
    ///
    /// # Errors
    /// [`Error::Untrusted`], with `what` as the bundle's name. A signature that does not fit is refused even where
    /// anyone is trusted.
    pub fn check(&self, bundle: &Bundle<'_>, what: &str) -> Result<Option<VerifyingKey>, Error> {
        let untrusted =
            |reason: &str| Error::Untrusted { what: what.to_owned(), reason: reason.to_owned() };
        let signer = verify(bundle).map_err(untrusted)?;
        match (self, &signer) {
            (Trust::Anyone, _) => Ok(signer),
            (Trust::Keys(_), None) => Err(untrusted("it is not signed")),
            (Trust::Keys(keys), Some(signer)) if keys.contains(signer) => Ok(Some(*signer)),
            (Trust::Keys(_), Some(_)) => Err(untrusted("the key that signed it is not trusted")),
        }
    }
}

/// What is signed: the tags, lengths and bytes of all sections but the signature, hashed in their order.
fn message(bundle: &Bundle<'_>) -> Vec<u8> {
    let mut hash = Sha512::new();
    for (tag, bytes) in bundle.sections().iter().filter(|s| s.0 != Tag::SIGNATURE) {
        hash.update(tag.0);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    [CONTEXT, &hash.finalize()].concat()
}

/// The same bundle with a signature, in place of any it has.
///
/// # Errors
/// [`Error::Bundle`]
pub fn sign(bundle: &[u8], key: &SigningKey) -> Result<Vec<u8>, Error> {
    let what = "bundle";
    let parse = |bytes| {
        Bundle::parse(bytes).map_err(|reason| Error::Bundle { what: what.to_owned(), reason })
    };
    let parsed = parse(bundle)?;
    let mut builder = BundleBuilder::new();
    for (tag, bytes) in parsed.sections() {
        builder.section(*tag, bytes.to_vec());
    }
    let signature = key.sign(&message(&parsed)).to_bytes();
    builder.section(Tag::SIGNATURE, [&key.verifying_key().to_bytes()[..], &signature].concat());
    let signed = builder.to_bytes();
    // A bundle that has two sections of one name would lose one.
    Trust::Keys(vec![key.verifying_key()]).check(&parse(&signed)?, what)?;
    Ok(signed)
}

/// The key that signed a bundle, `None` if it is not signed.
///
/// # Errors
/// Why the signature is none.
fn verify(bundle: &Bundle<'_>) -> Result<Option<VerifyingKey>, &'static str> {
    let Some(section) = bundle.section(Tag::SIGNATURE) else { return Ok(None) };
    let (key, signature) = section.split_at_checked(KEY).ok_or("the signature is too short")?;
    let key = key.try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
    let key = key.ok_or("the signature names no key")?;
    let signature = Signature::from_slice(signature).map_err(|_| "the signature is malformed")?;
    let good = key.verify_strict(&message(bundle), &signature);
    good.map_err(|_| "the signature does not fit: the bundle was changed")?;
    Ok(Some(key))
}

/// A key as text: its 32 bytes in hexadecimal.
pub fn name(key: &VerifyingKey) -> String {
    key.to_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    const MODEL: &[u8] = include_bytes!("../../../models/zoo/photo/photo.pinm");

    fn check(bytes: &[u8], trust: &Trust) -> Result<Option<VerifyingKey>, Error> {
        trust.check(&Bundle::parse(bytes).unwrap(), "it")
    }

    #[test]
    fn signed_bundles_are_the_same_models() {
        let key = keys::generate().unwrap();
        let signed = sign(MODEL, &key).unwrap();
        let (before, after) = (Bundle::parse(MODEL).unwrap(), Bundle::parse(&signed).unwrap());
        assert_eq!(before.latent_space(), after.latent_space());
        assert_eq!(before.sections(), &after.sections()[..before.sections().len()]);
        let trust = Trust::Keys(vec![key.verifying_key()]);
        assert_eq!(check(&signed, &trust).unwrap(), Some(key.verifying_key()));
        // Signing again replaces the signature.
        let other = keys::generate().unwrap();
        let again = sign(&signed, &other).unwrap();
        assert_eq!(again.len(), signed.len());
        assert!(check(&again, &trust).is_err());
    }

    #[test]
    fn what_was_changed_or_is_not_signed_is_refused() {
        let key = keys::generate().unwrap();
        let trust = Trust::Keys(vec![key.verifying_key()]);
        assert!(matches!(check(MODEL, &trust), Err(Error::Untrusted { .. })));
        assert_eq!(check(MODEL, &Trust::Anyone).unwrap(), None);
        let signed = sign(MODEL, &key).unwrap();
        assert!(check(&signed, &Trust::Keys(Vec::new())).is_err());
        // The same signature over other sections, checksums and all in order.
        let parsed = Bundle::parse(&signed).unwrap();
        for changed in [Tag::MANIFEST, Tag::SIGNATURE] {
            let mut builder = BundleBuilder::new();
            for (tag, bytes) in parsed.sections() {
                let mut bytes = bytes.to_vec();
                if *tag == changed {
                    let last = bytes.last_mut().unwrap();
                    *last = if changed == Tag::MANIFEST { b' ' } else { *last ^ 1 };
                }
                builder.section(*tag, bytes);
            }
            let forged = builder.to_bytes();
            for trust in [&trust, &Trust::Anyone] {
                assert!(matches!(check(&forged, trust), Err(Error::Untrusted { .. })));
            }
        }
    }
}
