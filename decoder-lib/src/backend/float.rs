//! What float decoders have in common, whatever runs them: latents to float planes, planes to pictures.

use std::fmt;
use std::sync::Arc;

use pinhole::format::Colour;
use pinhole::{DecodeError, Latents, Picture, PixelFormat, Scale};

use super::{Backend, Style};
use crate::{DecoderKind, Error};

/// Integer latents of 1 in the graph's unit.
const LATENT_STEP: f32 = 1.0 / 512.0;
/// Pixels of a latent, along each axis.
const PATCH: usize = 16;

/// Shape of a batch in latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Shape {
    /// Of the graph's input, `[n][M][rows][columns]`.
    #[cfg(any(feature = "tract", feature = "ort"))]
    pub(crate) fn input(self) -> [usize; 4] {
        [self.batch, self.channels, self.rows, self.columns]
    }

    /// Of the graph's output, `[n][3][height][width]`.
    pub(crate) fn output(self) -> [usize; 4] {
        [self.batch, 3, PATCH * self.rows, PATCH * self.columns]
    }
}

/// A decoder graph, loaded into a runtime.
pub(crate) trait Graph: fmt::Debug + Send + Sync {
    /// As [`Backend::name`].
    fn name(&self) -> &str;

    /// As [`Backend::largest_batch`].
    fn largest_batch(&self) -> usize;

    /// Runs the graph on `latents`, of [`Shape::input`]; the result is of [`Shape::output`].
    fn run(&self, shape: Shape, latents: Vec<f32>) -> Result<Vec<f32>, Error>;

    /// Gets ready for a shape.
    fn warm_up(&self, shape: Shape) -> Result<(), Error>;
}

/// Draws with one graph, or with a blend of two.
#[derive(Debug)]
pub(crate) struct Float {
    kind: DecoderKind,
    graph: Arc<dyn Graph>,
    /// `hq` and `gan`, if this is part of a blend.
    blend: Option<[Arc<dyn Graph>; 2]>,
    /// Pixels of a batch, so that memory is bounded.
    max_pixels: u64,
    /// Channels of the latents.
    channels: usize,
}

impl Float {
    pub(crate) fn new(
        kind: DecoderKind,
        graph: Arc<dyn Graph>,
        channels: usize,
        max_pixels: u64,
    ) -> Self {
        Float { kind, graph, blend: None, max_pixels, channels }
    }

    /// The decoder `kind` of a blend of the graphs of `hq` and `gan`.
    pub(crate) fn blended(
        kind: DecoderKind,
        graphs: [Arc<dyn Graph>; 2],
        channels: usize,
        max_pixels: u64,
    ) -> Self {
        let graph = graphs[usize::from(kind == DecoderKind::Gan)].clone();
        Float { kind, graph, blend: Some(graphs), max_pixels, channels }
    }

    /// Runs what a share of `gan` needs: both graphs only if both count.
    fn run(
        &self,
        shape: Shape,
        latents: Vec<f32>,
        realism: Option<f32>,
    ) -> Result<Vec<f32>, Error> {
        let Some(share) = realism else { return self.graph.run(shape, latents) };
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::Unsupported(format!("realism {share} is not within 0 and 1")));
        }
        let Some([hq, gan]) = &self.blend else {
            let kind = self.kind;
            return Err(Error::Unsupported(format!("realism: {kind} alone cannot be blended")));
        };
        if share == 0.0 {
            return hq.run(shape, latents);
        }
        if share == 1.0 {
            return gan.run(shape, latents);
        }
        let mut picture = hq.run(shape, latents.clone())?;
        let other = gan.run(shape, latents)?;
        picture.iter_mut().zip(other).for_each(|(a, b)| *a += (b - *a) * share);
        Ok(picture)
    }
}

impl Backend for Float {
    fn name(&self) -> &str {
        self.graph.name()
    }

    fn largest_batch(&self) -> usize {
        self.graph.largest_batch()
    }

    fn draw(&self, batch: &[Arc<Latents>], style: Style) -> Result<Vec<Picture>, Error> {
        let mut pictures = Vec::with_capacity(batch.len());
        let Some(first) = batch.first() else { return Ok(pictures) };
        let shape = Shape {
            batch: 1,
            channels: first.channels(),
            rows: first.rows(),
            columns: first.columns(),
        };
        let pixels = (shape.rows * shape.columns * PATCH * PATCH) as u64;
        if pixels > self.max_pixels {
            return Err(DecodeError::TooManyPixels { pixels, limit: self.max_pixels }.into());
        }
        let together = usize::try_from(self.max_pixels / pixels.max(1)).unwrap_or(usize::MAX);
        for part in batch.chunks(together.min(self.largest_batch()).max(1)) {
            let shape = Shape { batch: part.len(), ..shape };
            let planes = self.run(shape, planar(shape, part)?, style.realism)?;
            let each = planes.len() / part.len();
            if planes.len() != shape.output().iter().product::<usize>() {
                let (backend, output) = (self.name().to_owned(), shape.output());
                let reason = format!("{} values where {output:?} are due", planes.len());
                return Err(Error::Backend { backend, reason });
            }
            for (latents, planes) in part.iter().zip(planes.chunks_exact(each)) {
                pictures.push(picture(latents, planes, style.scale)?);
            }
        }
        Ok(pictures)
    }

    fn warm_up(&self, rows: usize, columns: usize) -> Result<(), Error> {
        let shape = Shape { batch: 1, channels: self.channels, rows, columns };
        match &self.blend {
            Some(graphs) => graphs.iter().try_for_each(|graph| graph.warm_up(shape)),
            None => self.graph.warm_up(shape),
        }
    }
}

/// Latents `[rows][columns][M]` of each picture as one tensor `[n][M][rows][columns]`.
fn planar(shape: Shape, batch: &[Arc<Latents>]) -> Result<Vec<f32>, Error> {
    let positions = shape.rows * shape.columns;
    let mut out = vec![0.0; batch.len() * positions * shape.channels];
    let each = (positions * shape.channels).max(1);
    for (latents, out) in batch.iter().zip(out.chunks_exact_mut(each)) {
        let own = (latents.channels(), latents.rows(), latents.columns());
        if own != (shape.channels, shape.rows, shape.columns) {
            return Err(Error::Unsupported("a batch of different shapes".to_owned()));
        }
        for (position, values) in latents.values().chunks_exact(shape.channels).enumerate() {
            for (channel, &value) in values.iter().enumerate() {
                out[channel * positions + position] = f32::from(value) * LATENT_STEP;
            }
        }
    }
    Ok(out)
}

/// Planes of grey levels `[3][16 · rows][16 · columns]` as a picture of the stream's size and kind.
fn picture(latents: &Latents, planes: &[f32], scale: Scale) -> Result<Picture, Error> {
    let header = latents.header();
    let (width, height) = (header.width as usize, header.height as usize);
    let stride = PATCH * latents.columns();
    let plane = stride * PATCH * latents.rows();
    let factor = scale.factor() as usize;
    let gray = header.colour == Colour::Gray8;
    let format = match (gray, header.alpha) {
        (true, false) => PixelFormat::Gray8,
        (true, true) => PixelFormat::GrayA8,
        (false, false) => PixelFormat::Rgb8,
        (false, true) => PixelFormat::Rgba8,
    };
    let out_size = (scale.side(header.width), scale.side(header.height));
    let mut data =
        Vec::with_capacity(out_size.0 as usize * out_size.1 as usize * format.channels());
    if (factor, format) == (1, PixelFormat::Rgb8) {
        // Nearly all pictures: rows at a time.
        for y in 0..height {
            let row = |colour: usize| &planes[colour * plane + y * stride..][..width];
            let pixels = row(0).iter().zip(row(1)).zip(row(2));
            data.extend(pixels.flat_map(|((&r, &g), &b)| [r, g, b].map(grey_level)));
        }
        return finished(out_size, format, data);
    }
    for y in (0..height).step_by(factor) {
        for x in (0..width).step_by(factor) {
            let (columns, rows) = (x..(x + factor).min(width), y..(y + factor).min(height));
            let level = |colour: usize| {
                if factor == 1 {
                    return grey_level(planes[colour * plane + y * stride + x]);
                }
                let row = |y: usize| &planes[colour * plane + y * stride..][columns.clone()];
                let sum: f32 = rows.clone().flat_map(row).sum();
                grey_level(sum / (rows.len() * columns.len()) as f32)
            };
            let [r, g, b] = [level(0), level(1), level(2)];
            if gray {
                // As in `docs/format.md`, "Latents", step 7.
                data.push(((u16::from(r) + 2 * u16::from(g) + u16::from(b) + 2) / 4) as u8);
            } else {
                data.extend([r, g, b]);
            }
            if let Some(alpha) = latents.alpha() {
                let row = |y: usize| &alpha[y * width..][columns.clone()];
                let sum: u32 = rows.clone().flat_map(row).map(|&a| u32::from(a)).sum();
                let count = (rows.len() * columns.len()) as u32;
                data.push(((sum + count / 2) / count.max(1)) as u8);
            }
        }
    }
    finished(out_size, format, data)
}

fn finished(
    (width, height): (u32, u32),
    format: PixelFormat,
    data: Vec<u8>,
) -> Result<Picture, Error> {
    Picture::new(width, height, format, data)
        .map_err(|error| Error::Backend { backend: "float".to_owned(), reason: error.to_string() })
}

/// The nearest of 256 levels; 0 for what is no number.
fn grey_level(value: f32) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}
