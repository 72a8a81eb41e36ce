//! Pictures to streams, a band of rows at a time.

use alloc::vec::Vec;
use core::borrow::BorrowMut;
use core::marker::PhantomData;
use core::ops::Range;

use super::encoder::{Encoder, Reads};
use super::frame::PictureRef;
use super::positions::{PATCH, band_geometry, positions};
use super::{EncodeError, FrameFormat};
use crate::bundle::Bundle;
use crate::engine::{Executor, Program, Progress, RowMut, RowRef};
use crate::entropy::encode_plane;
use crate::format::{Chunk, ChunkKind, ChunkWriter, Header};
use crate::latent::{ChunkEncoder, Gains, Tune, scale_row};

/// Encodes one picture that arrives in bands of rows; see [`Encoder::stream`] and [`Encoder::into_stream`].
///
/// Bands may have any height, and all formats but 4:2:0 any parity; the bytes are those of [`Encoder::encode`] whatever
/// the bands. It holds at most the rows of one step of the analysis transform (16), the rings of that transform, and the
/// latents and alpha of one chunk; with [`Effort::Best`](crate::Effort::Best) those of all chunks, which are coded after the last row.
#[derive(Debug)]
pub struct EncodeStream<'a, E = Encoder<'a>> {
    encoder: E,
    state: State,
    bundle: PhantomData<&'a Bundle<'a>>,
}

/// What a stream knows between two bands.
#[derive(Debug)]
struct State {
    header: Header,
    format: FrameFormat,
    reads: Reads,
    tune: Tune,
    /// Header and metadata until they are given out.
    head: Vec<u8>,
    writer: ChunkWriter,
    progress: Progress,
    gains: Gains,
    /// Latents of a picture row of positions.
    row_len: usize,
    /// Rows given so far, and those of them that the transform has taken.
    pushed: u32,
    held: Held,
    /// Latents and alpha that wait for their chunk to be whole, or the picture.
    latents: Vec<i16>,
    alpha: Vec<u8>,
    /// An earlier push failed half-way.
    broken: bool,
}

/// Lines that were given and not yet taken, as the program reads them.
#[derive(Debug, Default)]
struct Held {
    lines: Range<usize>,
    bytes: Vec<u8>,
}

impl Held {
    fn line(&self, y: usize, len: usize) -> Option<&[u8]> {
        let index = y.checked_sub(self.lines.start).filter(|_| y < self.lines.end)?;
        self.bytes.get(index * len..(index + 1) * len)
    }
}

/// What a stream needs from its encoder.
pub(super) struct Parts<'e, 'a> {
    pub(super) bundle: &'a Bundle<'a>,
    pub(super) analysis: &'e Program<'a>,
    pub(super) executor: &'e mut Executor,
    pub(super) coder: &'e mut ChunkEncoder<'a>,
}

impl<'a, E: BorrowMut<Encoder<'a>>> EncodeStream<'a, E> {
    /// A stream with everything but its rows; `head` is the file's beginning.
    pub(super) fn new(
        mut encoder: E,
        header: Header,
        format: FrameFormat,
        reads: Reads,
        tune: Tune,
        head: Vec<u8>,
    ) -> Result<Self, EncodeError> {
        let Parts { bundle, analysis, executor, .. } = encoder.borrow_mut().parts(reads)?;
        let lines = reads.lines;
        let size = lines.size(header.width, header.height);
        let progress = executor.start(analysis, size, 0..size.height / analysis.unit())?.progress();
        let m = bundle.settings().latent_channels;
        let whole = positions(header.width, header.height);
        let row_len = whole.width * m;
        // Exact, because doubling would waste half of the largest buffer. A step makes a unit of latent rows.
        let (_, chunk) = band_geometry(&header, 0);
        let waiting = if reads.waits() { whole.height } else { chunk.rows };
        let rows = waiting + lines.side() * analysis.unit() / PATCH;
        let mut latents = Vec::new();
        // Without the memory now, it may still be there when it is needed.
        let _ = latents.try_reserve_exact(rows.saturating_sub(1).saturating_mul(row_len));
        let state = State {
            header,
            format,
            reads,
            tune,
            head,
            writer: ChunkWriter::new(&header),
            progress,
            gains: Gains::new(bundle.settings(), header.quality),
            row_len,
            pushed: 0,
            held: Held::default(),
            latents,
            alpha: Vec::new(),
            broken: false,
        };
        Ok(EncodeStream { encoder, state, bundle: PhantomData })
    }

    /// Rows pushed so far.
    pub fn rows_pushed(&self) -> u32 {
        self.state.pushed
    }

    /// Takes the next rows, a picture of the stream's width and format and of any height (even for 4:2:0, but for the
    /// last rows of the picture), and appends to `out` what is ready: header and metadata at first, then whole
    /// chunks. After the last row the file is complete.
    ///
    /// # Errors
    /// [`EncodeError::OtherRows`], [`EncodeError::TooManyRows`] and [`EncodeError::OddRows`] change nothing: the call
    /// may be repeated with other rows. After any other error the stream is lost.
    pub fn push_rows<'p>(
        &mut self,
        rows: impl Into<PictureRef<'p>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let rows = rows.into();
        let state = &mut self.state;
        let height = state.header.height;
        if rows.width() != state.header.width || rows.format() != state.format {
            return Err(EncodeError::OtherRows);
        }
        let end = u64::from(state.pushed) + u64::from(rows.height());
        if end > u64::from(height) {
            return Err(EncodeError::TooManyRows { height, pushed: end });
        }
        let last = end == u64::from(height);
        if state.format.is_subsampled() && rows.height() % 2 == 1 && !last {
            return Err(EncodeError::OddRows(rows.height()));
        }
        if state.broken {
            return Err(EncodeError::Broken);
        }
        state.broken = true;
        out.append(&mut state.head);
        state.head = Vec::new();
        let first = state.pushed;
        state.pushed = end as u32;
        let encoder = self.encoder.borrow_mut();
        state.advance(encoder.parts(state.reads)?, &rows, first, last, out)?;
        if last && state.reads.waits() {
            encoder.correct(&state.header, state.tune, &mut state.latents)?;
            state.code(encoder.parts(state.reads)?.coder, out)?;
        }
        state.broken = false;
        Ok(())
    }

    /// Checks that the whole picture was pushed; gives the encoder back.
    ///
    /// # Errors
    /// As [`check_complete`](Self::check_complete).
    pub fn finish(self) -> Result<E, EncodeError> {
        self.check_complete()?;
        Ok(self.encoder)
    }

    /// Checks that the whole picture was pushed, for those who cannot give the stream away.
    ///
    /// # Errors
    /// [`EncodeError::MissingRows`], or [`EncodeError::Broken`] after an error.
    pub fn check_complete(&self) -> Result<(), EncodeError> {
        let State { broken, pushed, header: Header { height, .. }, .. } = self.state;
        match (broken, pushed) {
            (true, _) => Err(EncodeError::Broken),
            (_, pushed) if pushed < height => Err(EncodeError::MissingRows { height, pushed }),
            _ => Ok(()),
        }
    }
}

impl State {
    /// Runs the transform as far as the rows suffice, codes the chunks that are whole, and keeps the remaining rows.
    fn advance(
        &mut self,
        parts: Parts<'_, '_>,
        rows: &PictureRef<'_>,
        first: u32,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Parts { analysis, executor, coder, .. } = parts;
        let mut run = executor.resume(analysis, self.progress);
        let lines = self.reads.lines;
        // Lines of the band: bands of 4:2:0 start with even rows. Formats with alpha have a line for each row.
        let first = first as usize / lines.side();
        let end = first + (rows.height() as usize).div_ceil(lines.side());
        // Below the picture its last line repeats.
        let available = if last { usize::MAX } else { end };
        let mut taken = first;
        while !run.is_done() && run.next_input_rows(0).end <= available {
            let (held, alpha) = (&self.held, &mut self.alpha);
            let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
                let RowMut::U8(row) = row else { return };
                match held.line(y, row.len()) {
                    Some(line) => row.copy_from_slice(line),
                    None => {
                        lines.fill(rows, y.saturating_sub(first), row);
                        if y < end {
                            rows.alpha_row(y.saturating_sub(first), alpha);
                            taken = y + 1;
                        }
                    }
                }
            };
            let latents = &mut self.latents;
            let mut sink = |_output: usize, _y: usize, row: RowRef<'_>| {
                if let RowRef::I16(row) = row {
                    latents.extend_from_slice(row);
                }
            };
            run.step(&mut source, &mut sink)?;
            if !self.reads.waits() {
                self.code(coder, out)?;
            }
        }
        self.progress = run.progress();
        if last {
            return Ok(());
        }
        if taken > first || self.held.lines.is_empty() {
            // A step takes all that was held.
            self.held.lines = taken..taken;
            self.held.bytes.clear();
        }
        let len = lines.line_len(self.header.width);
        for y in taken..end {
            let start = self.held.bytes.len();
            self.held.bytes.resize(start + len, 0);
            lines.fill(rows, y - first, &mut self.held.bytes[start..]);
            rows.alpha_row(y - first, &mut self.alpha);
            self.held.lines.end = y + 1;
        }
        Ok(())
    }

    /// Codes the chunks whose latents are complete; their alpha is, too.
    fn code(&mut self, coder: &mut ChunkEncoder<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        while let Some(id) = self.writer.next_id() {
            let (_, geometry) = band_geometry(&self.header, id.band);
            let len = geometry.rows.saturating_mul(self.row_len);
            if self.latents.len() < len {
                break;
            }
            let latents = &mut self.latents[..len];
            scale_row(latents, &self.gains.forward);
            let payload = coder.encode(geometry, self.tune, latents)?;
            self.writer.write(Chunk { id, payload: &payload }, out)?;
            self.latents.drain(..len);
            if let Some(id) = self.writer.next_id().filter(|id| id.kind == ChunkKind::Alpha) {
                let width = self.header.width as usize;
                let height = self.header.band_rows(id.band).len();
                let len = (width * height).min(self.alpha.len());
                let payload = encode_plane(&self.alpha[..len], width, height, width)?;
                self.writer.write(Chunk { id, payload: &payload }, out)?;
                self.alpha.drain(..len);
            }
        }
        Ok(())
    }
}
