//! Writes bundles; used where models are packed.

use alloc::vec::Vec;

use super::{ALIGN, ENTRY, HEAD, SIGNATURE, Tag, VERSION};
use crate::format::crc32c;

/// Collects sections and writes the bundle.
#[derive(Clone, Debug, Default)]
pub struct BundleBuilder {
    sections: Vec<(Tag, Vec<u8>)>,
}

impl BundleBuilder {
    /// An empty bundle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a section; one with the same tag is replaced.
    pub fn section(&mut self, tag: Tag, bytes: Vec<u8>) -> &mut Self {
        self.sections.retain(|s| s.0 != tag);
        self.sections.push((tag, bytes));
        self
    }

    /// The bundle's bytes. [`Bundle::parse`](super::Bundle::parse) tells whether they make a working bundle.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(SIGNATURE);
        out.extend(VERSION.to_le_bytes());
        out.extend((self.sections.len() as u32).to_le_bytes());
        // Signature, version and count, the entries, their checksum.
        let mut at = (HEAD + self.sections.len() * ENTRY + 4).next_multiple_of(ALIGN);
        for (tag, bytes) in &self.sections {
            out.extend(tag.0);
            out.extend((at as u32).to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
            out.extend(crc32c(bytes).to_le_bytes());
            at = (at + bytes.len()).next_multiple_of(ALIGN);
        }
        out.extend(crc32c(&out).to_le_bytes());
        for (_, bytes) in &self.sections {
            out.resize(out.len().next_multiple_of(ALIGN), 0);
            out.extend(bytes);
        }
        out
    }
}
