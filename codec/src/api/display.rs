//! Decoded rows into a caller's buffer.

use alloc::vec;
use alloc::vec::Vec;

use super::EncodeError;
use super::frame::{FrameFormat, check_size};
use super::yuv::{FromRgb, YuvSpace};

/// One plane to be written: row y starts at byte `y · stride`. Bytes between rows are left alone.
#[derive(Debug, Default)]
pub struct PlaneMut<'a> {
    /// The rows; the last one need not be followed by its gap.
    pub data: &'a mut [u8],
    /// Bytes from the start of one row to that of the next; at least [`FrameFormat::row_bytes`].
    pub stride: usize,
}

impl<'a> PlaneMut<'a> {
    /// A plane of rows that start `stride` bytes apart.
    pub fn new(data: &'a mut [u8], stride: usize) -> Self {
        PlaneMut { data, stride }
    }
}

/// A borrowed picture to decode into; see [`Decoder::decode_into`](super::Decoder::decode_into).
#[derive(Debug)]
pub struct PictureMut<'a> {
    width: u32,
    height: u32,
    format: FrameFormat,
    planes: [PlaneMut<'a>; 3],
}

impl<'a> PictureMut<'a> {
    /// A picture of `width × height` pixels, each side 1..=65535, in as many planes as the format has.
    ///
    /// # Errors
    /// As [`PictureRef::new`](super::PictureRef::new).
    pub fn new<const N: usize>(
        width: u32,
        height: u32,
        format: FrameFormat,
        planes: [PlaneMut<'a>; N],
    ) -> Result<Self, EncodeError> {
        format.check(width, height, planes.iter().map(|p| (p.stride, p.data.len())))?;
        let mut own: [PlaneMut<'a>; 3] = Default::default();
        own.iter_mut().zip(planes).for_each(|(to, from)| *to = from);
        Ok(PictureMut { width, height, format, planes: own })
    }

    /// A picture whose rows and planes follow each other in `data` without gaps.
    ///
    /// # Errors
    /// As [`PictureRef::new`](super::PictureRef::new); `data` must have [`FrameFormat::buffer_len`] bytes at least.
    pub fn contiguous(
        width: u32,
        height: u32,
        format: FrameFormat,
        data: &'a mut [u8],
    ) -> Result<Self, EncodeError> {
        check_size(width, height)?;
        let mut planes: [PlaneMut<'a>; 3] = Default::default();
        let mut rest = data;
        for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
            let stride = format.row_bytes(index, width);
            let len = stride.saturating_mul(format.plane_rows(index, height)).min(rest.len());
            let (own, later) = rest.split_at_mut(len);
            (*plane, rest) = (PlaneMut::new(own, stride), later);
        }
        let used = planes.iter().take(format.planes());
        format.check(width, height, used.map(|p| (p.stride, p.data.len())))?;
        Ok(PictureMut { width, height, format, planes })
    }

    /// Pixels per row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// How the samples lie.
    pub fn format(&self) -> FrameFormat {
        self.format
    }

    /// The same picture for a shorter time.
    pub(super) fn reborrow(&mut self) -> PictureMut<'_> {
        let PictureMut { width, height, format, .. } = *self;
        let planes = self.planes.each_mut().map(|p| PlaneMut::new(p.data, p.stride));
        PictureMut { width, height, format, planes }
    }

    /// Its first rows, an even number or all, and the rest, which may be empty.
    pub(super) fn split(self, rows: usize) -> (Self, Self) {
        let PictureMut { width, height, format, planes } = self;
        let rows = (rows as u32).min(height);
        let mut lower: [PlaneMut<'a>; 3] = Default::default();
        let mut upper: [PlaneMut<'a>; 3] = Default::default();
        for (index, plane) in planes.into_iter().enumerate() {
            let stride = plane.stride;
            let at = stride.saturating_mul(format.plane_rows(index, rows)).min(plane.data.len());
            let (a, b) = plane.data.split_at_mut(at);
            (upper[index], lower[index]) = (PlaneMut::new(a, stride), PlaneMut::new(b, stride));
        }
        let part = |height, planes| PictureMut { width, height, format, planes };
        (part(rows, upper), part(height - rows, lower))
    }

    /// The samples of a plane's row; empty if there is none.
    fn row(&mut self, plane: usize, y: usize) -> &mut [u8] {
        let len = self.format.row_bytes(plane, self.width);
        let PlaneMut { data, stride } = &mut self.planes[plane];
        let start = stride.saturating_mul(y);
        data.get_mut(start..start.saturating_add(len)).unwrap_or_default()
    }

    /// Sets the alpha samples of row `y`.
    pub(super) fn set_alpha(&mut self, y: usize, alpha: &[u8]) {
        if self.format.has_alpha() {
            let bytes = self.format.pixel_bytes();
            let pixels = self.row(0, y).chunks_exact_mut(bytes);
            pixels.zip(alpha).for_each(|(pixel, &alpha)| pixel[bytes - 1] = alpha);
        }
    }
}

/// Writes RGB rows, from the top, in a picture's format. Alpha becomes opaque.
#[derive(Debug)]
pub(super) struct RowWriter<'a> {
    picture: PictureMut<'a>,
    /// Whether the stream is grey.
    gray: bool,
    /// A grey row as RGB.
    scratch: Vec<u8>,
    /// Sums of two rows' RGB, for chroma.
    sums: Vec<u16>,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(picture: PictureMut<'a>, gray: bool) -> Self {
        let width = picture.width as usize;
        let scratch = if gray && !picture.format.is_gray() { vec![0; width * 3] } else { vec![] };
        let sums = if picture.format.is_subsampled() { vec![0; width * 3] } else { vec![] };
        RowWriter { picture, gray, scratch, sums }
    }

    /// Writes row `y`: RGB of every pixel at least. Rows below the picture are ignored.
    pub(super) fn write(&mut self, y: usize, rgb: &[u8]) {
        let width = self.picture.width as usize;
        let Some(rgb) = rgb.get(..width * 3).filter(|_| y < self.picture.height as usize) else {
            return;
        };
        let format = self.picture.format;
        if format.is_gray() {
            let luma = YuvSpace::default().of_rgb();
            let gray = self.gray;
            let value = |p: [u8; 3]| if gray { mean(p) } else { luma.luma(p) };
            let out = self.picture.row(0, y);
            return match format {
                FrameFormat::Gray16 { bits } => {
                    let max = (1_u32 << bits) - 1;
                    each(rgb, out, |p, to: &mut [u8; 2]| {
                        let deep = (u32::from(value(p)) * max + 127) / 255;
                        *to = (deep as u16).to_le_bytes();
                    });
                }
                FrameFormat::GrayA8 => each(rgb, out, |p, to| *to = [value(p), 255]),
                _ => each(rgb, out, |p, to| *to = [value(p)]),
            };
        }
        let mut scratch = core::mem::take(&mut self.scratch);
        if self.gray {
            each(rgb, &mut scratch, |p, to| *to = [mean(p); 3]);
            self.colour(y, &scratch);
        } else {
            self.colour(y, rgb);
        }
        self.scratch = scratch;
    }

    fn colour(&mut self, y: usize, rgb: &[u8]) {
        let format = self.picture.format;
        let out = self.picture.row(0, y);
        match format {
            FrameFormat::Rgba8 => each(rgb, out, |[r, g, b], to| *to = [r, g, b, 255]),
            FrameFormat::Bgra8 => each(rgb, out, |[r, g, b], to| *to = [b, g, r, 255]),
            FrameFormat::Nv12(space) | FrameFormat::Nv21(space) | FrameFormat::I420(space) => {
                let k = space.of_rgb();
                each(rgb, out, |p, to| *to = [k.luma(p)]);
                self.chroma(&k, y, rgb);
            }
            _ => each(rgb, out, |p, to| *to = p),
        }
    }

    /// Chroma of two rows at a time; an odd last row counts twice.
    fn chroma(&mut self, k: &FromRgb, y: usize, rgb: &[u8]) {
        let last = y + 1 == self.picture.height as usize;
        let rows = rgb.iter().map(|&v| u16::from(v)).zip(&mut self.sums);
        if y.is_multiple_of(2) {
            let times = if last { 2 } else { 1 };
            rows.for_each(|(v, sum)| *sum = v * times);
            if !last {
                return;
            }
        } else {
            rows.for_each(|(v, sum)| *sum += v);
        }
        // An odd last column counts twice, too.
        let sums = self.sums.chunks(6).map(|two| {
            let right = two.len() - 3;
            k.chroma(core::array::from_fn(|c| i32::from(two[c]) + i32::from(two[right + c])))
        });
        let (format, y) = (self.picture.format, y / 2);
        match format {
            FrameFormat::I420(_) => {
                let [_, u, v] = &mut self.picture.planes;
                let u = u.data.get_mut(u.stride * y..).unwrap_or_default();
                let v = v.data.get_mut(v.stride * y..).unwrap_or_default();
                sums.zip(u.iter_mut().zip(v)).for_each(|(sum, to)| (*to.0, *to.1) = sum);
            }
            _ => {
                let swap = matches!(format, FrameFormat::Nv21(_));
                let pairs = sums.zip(self.picture.row(1, y).chunks_exact_mut(2));
                pairs.for_each(|((u, v), to)| {
                    to.copy_from_slice(&if swap { [v, u] } else { [u, v] });
                });
            }
        }
    }
}

/// The grey of a decoded grey picture's pixel.
fn mean([r, g, b]: [u8; 3]) -> u8 {
    ((u16::from(r) + 2 * u16::from(g) + u16::from(b) + 2) / 4) as u8
}

/// Each RGB pixel to N bytes.
#[inline(always)]
fn each<const N: usize>(rgb: &[u8], out: &mut [u8], mut put: impl FnMut([u8; 3], &mut [u8; N])) {
    let (pixels, _) = rgb.as_chunks::<3>();
    let (out, _) = out.as_chunks_mut::<N>();
    pixels.iter().zip(out).for_each(|(&pixel, to)| put(pixel, to));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::frame::PictureRef;
    use crate::api::lines::Lines;
    use std::time::Instant;

    #[test]
    #[ignore = "measures speed"]
    fn conversion_speed() {
        let (width, height) = (4000, 512);
        let space = YuvSpace::default();
        let rgb: Vec<u8> = (0..width * 3).map(|i| (i % 251) as u8).collect();
        for format in [
            FrameFormat::Gray8,
            FrameFormat::Rgb8,
            FrameFormat::Bgra8,
            FrameFormat::Nv12(space),
            FrameFormat::I420(space),
        ] {
            let mut data = vec![0; format.buffer_len(width, height) as usize];
            let mut best = [f64::MAX; 3];
            for _ in 0..20 {
                let picture = PictureMut::contiguous(width, height, format, &mut data).unwrap();
                let mut writer = RowWriter::new(picture, false);
                let start = Instant::now();
                (0..height as usize).for_each(|y| writer.write(y, &rgb));
                best[0] = best[0].min(start.elapsed().as_secs_f64());
                let picture = PictureRef::contiguous(width, height, format, &data).unwrap();
                for (lines, best) in [Lines::of(format), Lines::Rgb].into_iter().zip(&mut best[1..])
                {
                    let mut line = vec![0; lines.line_len(width)];
                    let start = Instant::now();
                    let count = height as usize / lines.side();
                    (0..count).for_each(|y| lines.fill(&picture, y, &mut line));
                    *best = best.min(start.elapsed().as_secs_f64());
                }
            }
            let [write, fill, rgb] = best.map(|s| s * 1e9 / f64::from(width * height));
            println!("{format:?}: written {write:.2}, read {fill:.2}, as RGB {rgb:.2} ns a pixel");
        }
    }
}
