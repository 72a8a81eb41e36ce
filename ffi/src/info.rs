//! What a stream says without being decoded.

use pinhole::PixelFormat;
use pinhole::format::{Colour, Header};

use crate::border::{bytes, call, put};
use crate::decoder::format_code;
use crate::sized::{self, Growing};
use crate::status::{PinholeError, PinholeStatus};

/// What the header of a stream says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeInfo {
    /// sizeof(PinholeInfo).
    pub size: usize,
    /// Pixels of a row, 1 to 65535.
    pub width: u32,
    /// Rows, 1 to 65535.
    pub height: u32,
    /// The PinholeFormat that pinhole_decode gives: GRAY8, GRAY_A8, RGB8 or RGBA8.
    pub format: u32,
    /// 0 to 100.
    pub quality: f32,
    /// Picture rows of a chunk.
    pub chunk_rows: u32,
    /// Bands of rows; each has a chunk of colours and, with alpha, one of alpha.
    pub bands: u32,
    /// Names the models that decode it: pinhole_model_latent_space.
    pub latent_space: [u8; 8],
    /// Where the first chunk begins: bytes of header and metadata.
    pub chunks_start: usize,
}

// SAFETY: numbers, the first of them the size.
unsafe impl Growing for PinholeInfo {
    const FIRST: usize = size_of::<Self>();

    fn defaults() -> Self {
        PinholeInfo {
            size: size_of::<Self>(),
            width: 0,
            height: 0,
            format: 0,
            quality: 0.0,
            chunk_rows: 0,
            bands: 0,
            latent_space: [0; 8],
            chunks_start: 0,
        }
    }
}

/// Reads the header of a stream: `len` bytes at `data`, of which the first 32 are enough. `size` is
/// sizeof(PinholeInfo). A picture may have up to 65535 * 65535 pixels: check that before you allocate.
///
/// Fails with NOT_A_STREAM, UNSUPPORTED, DAMAGED, or TRUNCATED if more bytes are needed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_info(
    data: *const u8,
    len: usize,
    info: *mut PinholeInfo,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that they may be read.
        let parsed = Header::parse(unsafe { bytes(data, len, "data") }?)?;
        let header = parsed.header;
        let format = match (header.colour, header.alpha) {
            (Colour::Gray8, false) => PixelFormat::Gray8,
            (Colour::Gray8, true) => PixelFormat::GrayA8,
            (_, false) => PixelFormat::Rgb8,
            (_, true) => PixelFormat::Rgba8,
        };
        let value = PinholeInfo {
            width: header.width,
            height: header.height,
            format: format_code(format)? as u32,
            quality: f32::from(header.quality) / 100.0,
            chunk_rows: header.rows_per_chunk(),
            bands: header.bands().into(),
            latent_space: header.latent_space,
            chunks_start: parsed.chunks_start(),
            ..Growing::defaults()
        };
        // SAFETY: the caller says that it has `size` bytes.
        unsafe { sized::write(info, size, value, "info") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Finds a metadata record in a stream: `len` bytes at `data`, up to the first chunk at least. `record` points into
/// them, so it lives as long as they do; it is null, and `record_len` 0, if the stream has none. `kind` is a
/// PinholeMetadataKind or another number up to 255, of which the first record is given.
///
/// Fails as pinhole_info, with DAMAGED also if a metadata record is damaged. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_metadata(
    data: *const u8,
    len: usize,
    kind: u32,
    record: *mut *const u8,
    record_len: *mut usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that both may be written.
        unsafe {
            put(record, std::ptr::null(), "record")?;
            put(record_len, 0, "record_len")?;
        }
        // SAFETY: the caller says that they may be read.
        let file = unsafe { bytes(data, len, "data") }?;
        let metadata = Header::parse(file)?.metadata(file)?;
        let found = metadata.records().iter().find(|r| u32::from(r.kind.code()) == kind);
        if let Some(found) = found {
            // SAFETY: as above.
            unsafe {
                put(record, found.data.as_ptr(), "record")?;
                put(record_len, found.data.len(), "record_len")?;
            }
        }
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}
