//! Frames to samples.

use alloc::vec::Vec;

use super::frame::{FrameHead, MARKER, RawFrame};
use super::header::SensorHeader;
use super::learned::Learned;
use super::window::{MarkCoder, Plain, Window};
use super::{SensorError, SensorModel};
use crate::entropy::RansDecoder;
use crate::entropy::binary::BitDecoder;
use crate::format::FormatError;

/// The samples of one frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecodedFrame {
    /// What the frame says in the clear.
    pub head: FrameHead,
    /// One for each sample time, in streams with times.
    pub times: Vec<i64>,
    /// `[time][channel]`; NaN where a sample is missing. Exact for all sample types.
    pub values: Vec<f64>,
}

/// Decodes one stream, whose bytes may come in pieces of any size.
///
/// Memory is bounded by the header: that of one frame. Check [`header`](Self::header) against what you expect.
#[derive(Debug, Default)]
pub struct SensorDecoder<'m> {
    model: Option<&'m SensorModel<'m>>,
    /// Bytes that are not decoded yet, from `start` on.
    bytes: Vec<u8>,
    start: usize,
    stream: Option<Stream<'m>>,
    conceal: bool,
    finished: bool,
    failed: bool,
}

#[derive(Debug)]
struct Stream<'m> {
    header: SensorHeader,
    learned: Option<Learned<'m>>,
    marks: MarkCoder,
    plain: Plain,
    window: Window,
    /// Number of the next frame, and samples before it; after a loss, until the next key frame, none.
    next: Option<(u32, u64)>,
}

impl<'m> SensorDecoder<'m> {
    /// A decoder without bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for streams that need this model, and for those that need none.
    #[must_use]
    pub fn with_model(model: &'m SensorModel<'m>) -> Self {
        Self { model: Some(model), ..Self::default() }
    }

    /// Whether damage is passed over: decoding goes on with the next undamaged key frame, and the numbers of samples in
    /// frame heads tell what is missing. Without it damage is an error.
    pub fn set_conceal(&mut self, conceal: bool) {
        self.conceal = conceal;
    }

    /// Appends bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..core::mem::take(&mut self.start));
        self.bytes.extend_from_slice(bytes);
    }

    /// The header, once it was read.
    #[must_use]
    pub fn header(&self) -> Option<&SensorHeader> {
        self.stream.as_ref().map(|s| &s.header)
    }

    /// Reads the header if all of it is there.
    ///
    /// # Errors
    /// It is damaged, or not that of a sensor stream.
    pub fn read_header(&mut self) -> Result<Option<&SensorHeader>, SensorError> {
        if self.stream.is_none() {
            let (header, length) = match SensorHeader::parse(&self.bytes[self.start..]) {
                Ok(parsed) => parsed,
                Err(SensorError::Format(FormatError::Truncated { .. })) => return Ok(None),
                Err(error) => return Err(error),
            };
            let learned = match self.model {
                _ if !header.needs_model() => None,
                None => return Err(SensorError::NoModel(header.latent_space)),
                Some(model) if model.latent_space() != header.latent_space => {
                    let (stream, model) = (header.latent_space, model.latent_space());
                    return Err(SensorError::WrongModel { stream, model });
                }
                Some(model) => Some(Learned::new(model, &header)?),
            };
            self.start += length;
            let (marks, plain) = (MarkCoder::new(&header), Plain::new(&header));
            let (window, next) = (Window::default(), Some((0, 0)));
            self.stream = Some(Stream { header, learned, marks, plain, window, next });
        }
        Ok(self.header())
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// The stream is damaged; with [`set_conceal`](Self::set_conceal) only a damaged header is an error.
    pub fn next_frame(&mut self) -> Result<Option<DecodedFrame>, SensorError> {
        if self.failed {
            return Err(SensorError::Broken);
        }
        let result = self.advance();
        self.failed = result.is_err();
        result
    }

    fn advance(&mut self) -> Result<Option<DecodedFrame>, SensorError> {
        self.read_header()?;
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            let bytes = &self.bytes[self.start..];
            if self.finished {
                let count = bytes.len();
                return match count == 0 || self.conceal {
                    true => Ok(None),
                    false => Err(FormatError::TrailingBytes { count }.into()),
                };
            }
            let error = match RawFrame::parse(bytes, &stream.header) {
                Err(SensorError::Format(FormatError::Truncated { .. })) => return Ok(None),
                Err(error) => {
                    // Go on where the next frame may start.
                    let rest = bytes.get(1..).unwrap_or(&[]);
                    let skip = rest.windows(2).position(|w| w == MARKER).unwrap_or(rest.len());
                    if self.conceal {
                        self.start += 1 + skip;
                    }
                    error
                }
                Ok(raw) => {
                    let length = raw.length;
                    match stream.decode(&raw) {
                        Ok(frame) => {
                            self.start += length;
                            self.finished = frame.head.last;
                            return Ok(Some(frame));
                        }
                        Err(error) => {
                            self.start += length;
                            error
                        }
                    }
                }
            };
            if !self.conceal {
                return Err(error);
            }
            stream.next = None;
            if self.start >= self.bytes.len() {
                return Ok(None);
            }
        }
    }

    /// Checks that the stream was complete.
    ///
    /// # Errors
    /// The last frame has not come.
    pub fn finish(&self) -> Result<(), SensorError> {
        if self.finished || self.conceal { Ok(()) } else { Err(SensorError::Unfinished) }
    }
}

impl Stream<'_> {
    fn decode(&mut self, raw: &RawFrame<'_>) -> Result<DecodedFrame, SensorError> {
        let head = &raw.head;
        let number = head.number;
        let bad = |reason| SensorError::Frame { number, reason };
        match self.next {
            Some((expected, _)) if expected != number => {
                return Err(SensorError::MissingFrame { expected, found: number });
            }
            Some((_, samples)) if samples != head.first_sample => {
                return Err(bad("its first sample is not the one after the last"));
            }
            None if !head.key => {
                return Err(SensorError::MissingFrame { expected: number, found: number });
            }
            _ => {}
        }
        if number == 0 && !head.key {
            return Err(bad("the first frame is no key frame"));
        }
        if head.key {
            if let Some(learned) = &mut self.learned {
                learned.reset();
            }
            self.marks.reset();
            self.plain.reset();
        }
        let channels = self.header.channels.len();
        let mut frame = DecodedFrame { head: head.clone(), ..DecodedFrame::default() };
        let mut coder = BitDecoder::new(raw.bits);
        let mut symbols = RansDecoder::new(raw.symbols)?;
        let mut last_time = head.time.wrapping_sub(self.header.interval as i64);
        let mut left = head.samples;
        while left > 0 {
            let len = left.min(self.header.window);
            left -= len;
            self.window.resize(len, &self.header);
            self.marks.code_times(&mut coder, last_time, &mut self.window.times);
            if !self.marks.code_marks(&mut coder, &mut self.window) {
                return Err(bad("an unknown mark of a sample"));
            }
            let whole = len == self.header.window;
            match self.learned.as_mut().filter(|_| whole) {
                Some(learned) if self.marks.code_network(&mut coder, false) => {
                    learned.decode(&self.header, &mut symbols, &mut self.window)?;
                }
                _ => {
                    self.plain.code(&mut coder, &mut self.window);
                }
            }
            last_time = self.window.times.last().copied().unwrap_or(last_time);
            frame.times.extend(&self.window.times);
            frame.values.extend(&self.window.values[..len * channels]);
            // What ends early decodes as zeros for ever: stop when that shows.
            if coder.length() > raw.bits.len() + 8 {
                return Err(bad("its coded samples end early"));
            }
        }
        if self.learned.is_some() {
            symbols.finish()?;
        } else if !raw.symbols.is_empty() {
            return Err(bad("symbols of a network where there is none"));
        }
        if coder.length() != raw.bits.len() {
            return Err(bad("its coded samples are of another length"));
        }
        self.next =
            Some((number.wrapping_add(1), head.first_sample.saturating_add(head.samples as u64)));
        Ok(frame)
    }
}
