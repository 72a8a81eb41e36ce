//! Bytes that begin at a multiple of 64, as weights that are read in place must.

const LINE: usize = 64;

pub(crate) enum Bytes {
    Static(&'static [u8]),
    /// `data[start..]`
    Owned {
        data: Vec<u8>,
        start: usize,
    },
}

impl Bytes {
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        let mut data: Vec<u8> = Vec::with_capacity(bytes.len() + LINE);
        let start = data.as_ptr().align_offset(LINE).min(LINE);
        data.resize(start, 0);
        data.extend_from_slice(bytes);
        Bytes::Owned { data, start }
    }

    pub(crate) fn lasting(bytes: &'static [u8]) -> Self {
        if bytes.as_ptr().align_offset(LINE) == 0 {
            Bytes::Static(bytes)
        } else {
            Self::copied(bytes)
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Owned { data, start } => &data[*start..],
        }
    }
}
