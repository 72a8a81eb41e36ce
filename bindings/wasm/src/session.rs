//! A model with its encoder and decoder, and what their last call gave.

use std::fmt;

use pinhole::format::{Header, Metadata, MetadataKind};
use pinhole::{
    DecodeError, DecodeOptions, Effort, EncodeError, EncodeOptions, FrameFormat, PictureMut,
    PictureRef, Synthesis, Target, Tune,
};
use pinhole_owned::{Model, ModelError, OwnedDecoder, OwnedEncoder};

use crate::format::{CANVAS, drop_opaque, format, native};

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Error {
    Model(ModelError),
    Encode(EncodeError),
    Decode(DecodeError),
    Format(u32),
    Choice(&'static str, u32),
    Memory(u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(e) => e.fmt(f),
            Self::Encode(e) => e.fmt(f),
            Self::Decode(e) => e.fmt(f),
            Self::Format(code) => write!(f, "no pixel format has the number {code}"),
            Self::Choice(what, code) => write!(f, "no {what} has the number {code}"),
            Self::Memory(bytes) => write!(f, "no memory for {bytes} bytes of pixels"),
        }
    }
}

impl From<ModelError> for Error {
    fn from(e: ModelError) -> Self {
        Self::Model(e)
    }
}

impl From<EncodeError> for Error {
    fn from(e: EncodeError) -> Self {
        Self::Encode(e)
    }
}

impl From<DecodeError> for Error {
    fn from(e: DecodeError) -> Self {
        Self::Decode(e)
    }
}

/// What the last call that worked says, as the host reads it: words of 32 bits.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Report {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Code of the stream's own pixel format.
    pub format: u32,
    /// Quality in hundredths.
    pub quality: u32,
    /// Picture rows of a chunk.
    pub chunk_rows: u32,
    /// Chunks that were lost and concealed.
    pub damaged: u32,
    /// Metadata records, to be had from `pinhole_record`.
    pub records: u32,
    /// Where the file or the pixels are.
    pub output: usize,
    /// How many bytes they are.
    pub output_len: usize,
}

/// A piece of metadata with its kind.
pub(crate) type Record = (u8, Vec<u8>);

/// How to encode, as the host says it.
pub(crate) struct EncodeCall {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: u32,
    pub(crate) quality: f32,
    pub(crate) target: Option<u64>,
    pub(crate) chunk_rows: u32,
    /// As `Effort::ALL` counts.
    pub(crate) effort: u32,
    /// As `Tune::ALL` counts.
    pub(crate) tune: u32,
}

/// A model with its encoder and decoder, which are made when first used.
pub struct Session {
    model: Model,
    encoder: Option<OwnedEncoder>,
    decoder: Option<OwnedDecoder>,
    /// For the next encode; after a decode or a look at a header, what the file carried.
    pub(crate) records: Vec<Record>,
    output: Vec<u8>,
    pub(crate) report: Report,
}

impl Session {
    pub(crate) fn new(model: &[u8]) -> Result<Self, Error> {
        Ok(Session {
            model: Model::from_bytes(model)?,
            encoder: None,
            decoder: None,
            records: Vec::new(),
            output: Vec::new(),
            report: Report::default(),
        })
    }

    /// The best synthesis of the model; `Standard` if it has none.
    pub(crate) fn best_synthesis(&self) -> Synthesis {
        let bundle = self.model.bundle();
        let found = Synthesis::ALL.into_iter().find(|s| bundle.section(s.tag()).is_some());
        found.unwrap_or_default()
    }

    /// Encodes pixels, which may be rearranged; uses up the records.
    pub(crate) fn encode(&mut self, pixels: &mut [u8], call: &EncodeCall) -> Result<(), Error> {
        let records = std::mem::take(&mut self.records);
        let mut options = EncodeOptions::default();
        options.quality = call.quality;
        options.target = call.target.map(Target::Bytes);
        options.chunk_rows = call.chunk_rows;
        let effort = Effort::ALL.get(call.effort as usize);
        options.effort = *effort.ok_or(Error::Choice("effort", call.effort))?;
        let tune = Tune::ALL.get(call.tune as usize);
        options.tune = *tune.ok_or(Error::Choice("tune", call.tune))?;
        for (kind, data) in &records {
            let pushed = options.metadata.push(kind_of(*kind), data);
            pushed.map_err(EncodeError::Format)?;
        }
        let (format, pixels): (_, &[u8]) = match call.format {
            CANVAS => match drop_opaque(pixels) {
                Some(len) => (FrameFormat::Rgb8, pixels.get(..len).unwrap_or_default()),
                None => (FrameFormat::Rgba8, pixels),
            },
            code => (format(code).ok_or(Error::Format(code))?, pixels),
        };
        let picture = PictureRef::contiguous(call.width, call.height, format, pixels)?;
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(OwnedEncoder::new(&self.model, 1)?),
        };
        let file = encoder.with(|encoder| encoder.encode(picture, &options))?;
        self.describe(&file, 0)?;
        self.give(file);
        Ok(())
    }

    /// Decodes a file to pixels of a format, or of its own.
    pub(crate) fn decode(
        &mut self,
        file: &[u8],
        wanted: Option<u32>,
        options: &DecodeOptions,
    ) -> Result<(), Error> {
        self.records.clear();
        let header = Header::parse(file).map_err(DecodeError::Format)?.header;
        if header.pixels() > options.max_pixels {
            let (pixels, limit) = (header.pixels(), options.max_pixels);
            return Err(DecodeError::TooManyPixels { pixels, limit }.into());
        }
        let format = match wanted {
            Some(code) => format(code).ok_or(Error::Format(code))?,
            None => native(is_gray(&header), header.alpha).1,
        };
        // The old picture goes before the new one comes.
        self.output = Vec::new();
        let len = format.buffer_len(header.width, header.height);
        let mut pixels = Vec::new();
        let bytes = usize::try_from(len).map_err(|_| Error::Memory(len))?;
        pixels.try_reserve_exact(bytes).map_err(|_| Error::Memory(len))?;
        pixels.resize(bytes, 0);
        let picture = PictureMut::contiguous(header.width, header.height, format, &mut pixels)?;
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(OwnedDecoder::new(&self.model, 1)?),
        };
        let (records, damaged) = decoder.with(|decoder| {
            let decoded = decoder.decode_into(file, options, picture)?;
            Ok::<_, DecodeError>((owned(&decoded.metadata), decoded.damaged.len()))
        })?;
        self.records = records;
        self.describe(file, damaged)?;
        self.give(pixels);
        Ok(())
    }

    /// Reads header and metadata; a damaged metadata section counts as none.
    pub(crate) fn inspect(&mut self, file: &[u8]) -> Result<(), Error> {
        let parsed = Header::parse(file).map_err(DecodeError::Format)?;
        self.records = parsed.metadata(file).map_or(Vec::new(), |metadata| owned(&metadata));
        self.give(Vec::new());
        self.describe(file, 0)
    }

    /// Fills in what the header says.
    fn describe(&mut self, file: &[u8], damaged: usize) -> Result<(), Error> {
        let header = Header::parse(file).map_err(DecodeError::Format)?.header;
        self.report = Report {
            width: header.width,
            height: header.height,
            format: native(is_gray(&header), header.alpha).0,
            quality: header.quality.into(),
            chunk_rows: header.rows_per_chunk(),
            damaged: damaged as u32,
            records: self.records.len() as u32,
            ..self.report
        };
        Ok(())
    }

    fn give(&mut self, output: Vec<u8>) {
        self.output = output;
        self.report.output = self.output.as_ptr() as usize;
        self.report.output_len = self.output.len();
    }
}

fn is_gray(header: &Header) -> bool {
    header.colour == pinhole::format::Colour::Gray8
}

fn kind_of(code: u8) -> MetadataKind {
    match code {
        1 => MetadataKind::Icc,
        2 => MetadataKind::Exif,
        3 => MetadataKind::Xmp,
        other => MetadataKind::Other(other),
    }
}

fn owned(metadata: &Metadata<'_>) -> Vec<Record> {
    metadata.records().iter().map(|r| (r.kind.code(), r.data.to_vec())).collect()
}
