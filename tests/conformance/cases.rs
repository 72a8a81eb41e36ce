// What the conformance set consists of, and how one line of it is made. This file is compiled into the tests of the
// codec and into the harness for processors that cannot run those.

use pinhole::{
    Bundle, DecodeOptions, Decoder, EncodeOptions, Encoder, FrameFormat, PictureMut, PictureRef,
    YuvMatrix, YuvRange, YuvSpace,
};

/// One picture and how it is encoded.
#[derive(Clone, Copy)]
pub struct Case {
    pub format: &'static str,
    pub width: u32,
    pub height: u32,
    pub quality: u8,
    pub chunk_rows: u32,
}

const JPEG: YuvSpace = YuvSpace { matrix: YuvMatrix::Bt601, range: YuvRange::Full };
const VIDEO: YuvSpace = YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited };

/// Every input format. A new one is added here (and `PINHOLE_BLESS=1` writes its lines): first those that owned
/// pictures have, which decode to these, then those of cameras, which are decoded into buffers of their own kind.
const FORMATS: [(&str, FrameFormat); 9] = [
    ("gray8", FrameFormat::Gray8),
    ("graya8", FrameFormat::GrayA8),
    ("rgb8", FrameFormat::Rgb8),
    ("rgba8", FrameFormat::Rgba8),
    ("bgra8", FrameFormat::Bgra8),
    ("gray16", FrameFormat::Gray16 { bits: 16 }),
    ("nv12-jpeg", FrameFormat::Nv12(JPEG)),
    ("nv21-video", FrameFormat::Nv21(VIDEO)),
    ("i420-video", FrameFormat::I420(VIDEO)),
];
/// Formats of owned pictures.
const OWNED: usize = 4;

/// Around multiples of the patch, the latent grids and the chunk, and pictures of one row or column.
const SIZES: [(u32, u32); 18] = [
    (1, 1),
    (1, 7),
    (1, 130),
    (9, 1),
    (200, 1),
    (2, 3),
    (15, 16),
    (16, 15),
    (16, 16),
    (17, 17),
    (63, 64),
    (64, 63),
    (64, 64),
    (65, 65),
    (31, 129),
    (128, 64),
    (257, 129),
    (129, 257),
];
const QUALITIES: [u8; 6] = [0, 20, 40, 60, 85, 100];
const CHUNKS: [u32; 3] = [64, 128, 512];

/// The cases of the toy model, which is quick: every size in every format, and every quality with every chunk height.
pub fn toy() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (width, height)) in SIZES.into_iter().enumerate() {
        for (j, (format, _)) in FORMATS.into_iter().take(OWNED).enumerate() {
            let (quality, chunk_rows) = (QUALITIES[(i + j) % 6], CHUNKS[(i + j) % 3]);
            cases.push(Case { format, width, height, quality, chunk_rows });
        }
    }
    for (i, quality) in QUALITIES.into_iter().enumerate() {
        for (j, chunk_rows) in CHUNKS.into_iter().enumerate() {
            let format = FORMATS[(i + j) % OWNED].0;
            cases.push(Case { format, width: 100, height: 200, quality, chunk_rows });
        }
    }
    for (i, (format, _)) in FORMATS.into_iter().skip(OWNED).enumerate() {
        for (j, (width, height)) in [(1, 1), (17, 17), (64, 63), (31, 129)].into_iter().enumerate()
        {
            let (quality, chunk_rows) = (QUALITIES[(i + j) % 6], CHUNKS[(i + j) % 3]);
            cases.push(Case { format, width, height, quality, chunk_rows });
        }
    }
    cases
}

/// The cases of a full-sized model: every format, the qualities, sizes on both sides of the grids.
pub fn photo() -> Vec<Case> {
    let list = [
        ("rgb8", 1, 1, 50, 512),
        ("gray8", 1, 33, 90, 512),
        ("rgb8", 17, 15, 0, 512),
        ("rgba8", 64, 65, 30, 64),
        ("graya8", 65, 63, 70, 64),
        ("rgb8", 96, 64, 100, 512),
        ("gray8", 80, 130, 10, 128),
        ("rgb8", 257, 129, 50, 512),
        ("rgb8", 129, 200, 80, 64),
        ("nv12-jpeg", 97, 83, 70, 64),
        ("i420-video", 64, 70, 95, 512),
    ];
    list.map(|(format, width, height, quality, chunk_rows)| Case {
        format,
        width,
        height,
        quality,
        chunk_rows,
    })
    .to_vec()
}

impl Case {
    /// Format, size, quality and chunk height, as they begin the case's line.
    pub fn name(&self) -> String {
        let Case { format, width, height, quality, chunk_rows } = self;
        format!("{format} {width}x{height} q{quality} c{chunk_rows}")
    }

    fn format(&self) -> Result<FrameFormat, String> {
        Ok(FORMATS.iter().find(|f| f.0 == self.format).ok_or("no such format")?.1)
    }

    /// The picture, rows and planes without gaps: waves, a hard edge, flat areas and noise, in integers only.
    fn picture(&self) -> Result<Vec<u8>, String> {
        let format = self.format()?;
        let mut noise = self.width * 31 + self.height;
        let mut data = Vec::new();
        for plane in 0..format.planes() {
            // Bytes of a pixel, or one where there are several planes.
            let row = format.row_bytes(plane, self.width) as u32;
            let channels = if format.planes() == 1 { row / self.width } else { 1 };
            for y in 0..format.plane_rows(plane, self.height) as u32 {
                for x in 0..row {
                    let (x, c) = (x / channels, x % channels + plane as u32);
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let wave = (x * (3 + c) + y * 2) / 3 % 256;
                    let wave = if wave < 128 { wave } else { 255 - wave };
                    let value = match (x / 32 + y / 48) % 4 {
                        0 => 40 + 50 * c,
                        1 => 60 + wave,
                        2 => wave + (noise >> 25),
                        _ if (x + 2 * y) % 50 < 20 => 230,
                        _ => 12 * c,
                    };
                    data.push(value as u8);
                }
            }
        }
        Ok(data)
    }

    /// The encoded file.
    pub fn encode(&self, bundle: &Bundle<'_>) -> Result<Vec<u8>, String> {
        let mut options = EncodeOptions::default();
        options.quality = self.quality.into();
        options.chunk_rows = self.chunk_rows;
        let mut encoder = Encoder::new(bundle, 2).map_err(|e| e.to_string())?;
        let data = self.picture()?;
        let picture = PictureRef::contiguous(self.width, self.height, self.format()?, &data);
        encoder.encode(picture.map_err(|e| e.to_string())?, &options).map_err(|e| e.to_string())
    }

    /// The line: name, length of the file, hash of the file, hash of the decoded pixels.
    fn line(&self, bundle: &Bundle<'_>) -> Result<String, String> {
        let file = self.encode(bundle)?;
        let owned = FORMATS[..OWNED].iter().any(|f| f.0 == self.format);
        let pixels =
            if owned { decoded(bundle, &file)? } else { self.decoded_into(bundle, &file)? };
        Ok(format!("{} {} {:016x} {pixels:016x}\n", self.name(), file.len(), hash(&file)))
    }

    /// The hash of the pixels in the case's own format.
    fn decoded_into(&self, bundle: &Bundle<'_>, file: &[u8]) -> Result<u64, String> {
        let format = self.format()?;
        let mut data = vec![0; format.buffer_len(self.width, self.height) as usize];
        let picture = PictureMut::contiguous(self.width, self.height, format, &mut data);
        let picture = picture.map_err(|e| e.to_string())?;
        let mut decoder = Decoder::new(bundle, 2).map_err(|e| e.to_string())?;
        decoder.decode_into(file, &Default::default(), picture).map_err(|e| e.to_string())?;
        Ok(hash(&data))
    }
}

/// The hash of a file's decoded pixels.
pub fn decoded(bundle: &Bundle<'_>, file: &[u8]) -> Result<u64, String> {
    let mut decoder = Decoder::new(bundle, 2).map_err(|e| e.to_string())?;
    let decoded = decoder.decode(file, &DecodeOptions::default()).map_err(|e| e.to_string())?;
    Ok(hash(decoded.picture.data()))
}

/// The lines of some cases.
pub fn lines(model: &[u8], cases: &[Case]) -> Result<String, String> {
    let bundle = Bundle::parse(model).map_err(|e| e.to_string())?;
    cases.iter().map(|c| c.line(&bundle).map_err(|e| format!("{}: {e}", c.name()))).collect()
}

/// Every line that differs from what is expected, as text; empty if none does.
pub fn differences(expected: &str, found: &str) -> String {
    let expected: Vec<&str> = expected.lines().filter(|l| !l.starts_with('#')).collect();
    let found: Vec<&str> = found.lines().collect();
    let mut text = String::new();
    for i in 0..expected.len().max(found.len()) {
        let (e, f) = (expected.get(i).unwrap_or(&"nothing"), found.get(i).unwrap_or(&"nothing"));
        if e != f {
            text += &format!("expected {e}\nfound    {f}\n");
        }
    }
    text
}

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
