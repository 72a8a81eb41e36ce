//! CRC-32C (Castagnoli), as in iSCSI (RFC 3720): reflected polynomial `0x82F63B78`, initial value
//! and final exclusive or `0xFFFFFFFF`. Eight bytes a step ("slicing by 8": M. Kounavis and
//! F. Berry, *Novel table lookup-based algorithms for high-performance CRC generation*, 2008).

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[k][b]` is the remainder of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = before >> 8 ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// The checksum of bytes that come in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crc32c {
    /// The register, before the final exclusive or.
    state: u32,
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

impl Crc32c {
    /// The checksum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: !0 }
    }

    /// Appends bytes.
    #[must_use]
    pub fn update(self, bytes: &[u8]) -> Self {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if let Some(state) = crate::engine::kernels::crc32c(self.state, bytes) {
            return Self { state };
        }
        let (groups, rest) = bytes.as_chunks::<8>();
        let state = groups.iter().fold(self.state, |state, group| {
            let [a, b, c, d] = state.to_le_bytes();
            let [e, f, g, h, tail @ ..] = *group;
            // The byte that comes first is followed by seven others.
            let head = [a ^ e, b ^ f, c ^ g, d ^ h];
            let head = head.iter().zip(TABLES[4..].iter().rev());
            let tail = tail.iter().zip(TABLES[..4].iter().rev());
            head.chain(tail).fold(0, |crc, (&byte, table)| crc ^ table[usize::from(byte)])
        });
        let state = rest
            .iter()
            .fold(state, |state, &byte| state >> 8 ^ TABLES[0][usize::from(state as u8 ^ byte)]);
        Self { state }
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub const fn finish(self) -> u32 {
        !self.state
    }
}

/// The checksum of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    Crc32c::new().update(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn rfc_3720_vectors() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[255; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(&(0..32).rev().collect::<Vec<u8>>()), 0x113f_db5c);
        let mut read = [0; 48];
        read[..2].copy_from_slice(&[1, 0xc0]);
        read[16] = 0x14;
        read[22] = 0x04;
        read[27] = 0x14;
        read[31] = 0x18;
        read[32] = 0x28;
        read[40] = 0x02;
        assert_eq!(crc32c(&read), 0xd996_3a56);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    #[ignore = "measures speed"]
    fn crc_speed() {
        let bytes = vec![123; 1 << 24];
        let clock = std::time::Instant::now();
        std::hint::black_box(crc32c(&bytes));
        let seconds = clock.elapsed().as_secs_f64();
        std::println!("crc32c: {:.2} GB/s", bytes.len() as f64 / seconds / 1e9);
    }

    proptest! {
        #[test]
        fn pieces_and_bits_agree(bytes in proptest::collection::vec(any::<u8>(), 0..100),
                                 split in 0usize..100) {
            let slow = bytes.iter().fold(!0u32, |crc, &b| {
                (0..8).fold(crc ^ u32::from(b), |c, _| {
                    c >> 1 ^ if c & 1 == 1 { POLYNOMIAL } else { 0 }
                })
            });
            let (a, b) = bytes.split_at(split.min(bytes.len()));
            prop_assert_eq!(Crc32c::new().update(a).update(b).finish(), !slow);
            prop_assert_eq!(crc32c(&bytes), !slow);
        }
    }
}
