//! Decodes as the admission counts them.

use std::time::Duration;

use pinhole_decoder::{Decoded, DecoderKind};

use super::job::Job;
use super::running::Running;
use crate::picture::OutputFormat;

/// Latents, drawing, writing the file.
pub(super) const STAGES: usize = 3;

/// What decides how long a pixel takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Work {
    model: String,
    version: u64,
    decoder: Option<DecoderKind>,
    scale: u32,
    format: OutputFormat,
}

impl Work {
    pub(super) fn new(running: &Running, job: &Job) -> Self {
        Work {
            model: running.name().to_owned(),
            version: running.version(),
            decoder: job.decoder,
            scale: job.scale.factor(),
            format: job.format,
        }
    }
}

/// How long a thread was busy with each stage but the last.
pub(super) fn times(decoded: &Decoded) -> [Duration; STAGES - 1] {
    let timing = decoded.timing;
    let batch = u32::try_from(timing.batch).unwrap_or(u32::MAX).max(1);
    [timing.entropy, timing.drawing / batch]
}
