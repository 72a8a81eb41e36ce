//! Decoded samples.

use pinhole::sensor::DecodedFrame;

use crate::border::{call, free, handle, shared_by_threads};
use crate::sized::{self, Growing};
use crate::status::{PinholeError, PinholeStatus};

/// One frame of a stream, decoded. All pointers live until the frame is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeSensorFrameInfo {
    /// sizeof(PinholeSensorFrameInfo).
    pub size: usize,
    /// Samples of each channel in the stream before this frame. If it is more than were decoded, the ones between were
    /// lost.
    pub first_sample: u64,
    /// Samples of each channel.
    pub samples: usize,
    /// Channels.
    pub channels: usize,
    /// `samples * channels` values, those of one time next to each other; NaN where a sample is missing.
    pub values: *const f64,
    /// A time for each sample; null if the stream has none.
    pub times: *const i64,
    /// Windows.
    pub windows: usize,
    /// A score for each window in sixteenths; null if the stream has none.
    pub scores: *const u8,
    /// Windows whose score is this or more are odd; 0 if the stream has no scores.
    pub threshold: u32,
    /// Whether this is the stream's last frame.
    pub last: u32,
}

// SAFETY: numbers and raw pointers, the first of them the size.
unsafe impl Growing for PinholeSensorFrameInfo {
    const FIRST: usize = size_of::<Self>();

    fn defaults() -> Self {
        PinholeSensorFrameInfo {
            size: size_of::<Self>(),
            first_sample: 0,
            samples: 0,
            channels: 0,
            values: std::ptr::null(),
            times: std::ptr::null(),
            windows: 0,
            scores: std::ptr::null(),
            threshold: 0,
            last: 0,
        }
    }
}

/// A decoded frame. It never changes: any number of threads may read it.
pub struct PinholeSensorFrame {
    pub(super) frame: DecodedFrame,
    pub(super) channels: usize,
    pub(super) threshold: u8,
}
const _: () = shared_by_threads::<PinholeSensorFrame>();

/// Fills `info` with what a frame holds. `size` is sizeof(PinholeSensorFrameInfo).
///
/// Fails with INVALID_ARGUMENT for a size that no version has. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_frame_info(
    frame: *const PinholeSensorFrame,
    info: *mut PinholeSensorFrameInfo,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a frame.
        let PinholeSensorFrame { frame, channels, threshold } = unsafe { handle(frame, "frame") }?;
        let pointer = |some: bool, p: *const u8| if some { p } else { std::ptr::null() };
        let filled = PinholeSensorFrameInfo {
            size,
            first_sample: frame.head.first_sample,
            samples: frame.head.samples,
            channels: *channels,
            values: frame.values.as_ptr(),
            times: if frame.times.is_empty() { std::ptr::null() } else { frame.times.as_ptr() },
            windows: frame.head.scores.len(),
            scores: pointer(!frame.head.scores.is_empty(), frame.head.scores.as_ptr()),
            threshold: u32::from(*threshold),
            last: u32::from(frame.head.last),
        };
        // SAFETY: the caller says that as many bytes may be written.
        unsafe { sized::write(info, size, filled, "info") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a frame; null is allowed. Nobody may be reading it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_frame_free(frame: *mut PinholeSensorFrame) {
    // SAFETY: the caller says that it is a frame that nobody uses.
    unsafe { free(frame) }
}
