//! Picture rows as the lines that analysis programs read, one at a time: no pass over the picture.

use alloc::vec;
use alloc::vec::Vec;

use super::FrameFormat;
use super::frame::PictureRef;
use super::positions::PATCH;
use super::yuv::YuvSpace;
use crate::engine::{Cells, Program, Size};

/// What the lines of an analysis program's input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// A picture row of red, green, blue.
    Rgb,
    /// A picture row of grey.
    Gray,
    /// Two picture rows: four luma samples, Cb and Cr of each 2×2 pixels.
    Yuv(YuvSpace),
}

impl Lines {
    /// What suits a format best.
    pub(super) fn of(format: FrameFormat) -> Self {
        match format {
            FrameFormat::Nv12(space) | FrameFormat::Nv21(space) | FrameFormat::I420(space) => {
                Lines::Yuv(space)
            }
            _ if format.is_gray() => Lines::Gray,
            _ => Lines::Rgb,
        }
    }

    /// Picture rows of a line, and pixels of a position.
    pub(super) fn side(self) -> usize {
        if matches!(self, Lines::Yuv(_)) { 2 } else { 1 }
    }

    fn samples(self) -> usize {
        match self {
            Lines::Rgb => 3,
            Lines::Gray => 1,
            Lines::Yuv(_) => 6,
        }
    }

    /// The size of the program's input for a picture padded to whole patches.
    pub(super) fn size(self, width: u32, height: u32) -> Size {
        let cover = |side: u32| (side as usize).next_multiple_of(PATCH) / self.side();
        Size { height: cover(height), width: cover(width) }
    }

    /// Bytes of a line of a padded picture.
    pub(super) fn line_len(self, width: u32) -> usize {
        self.size(width, 1).width * self.samples()
    }

    /// The analysis program that reads these lines, if the RGB one can be turned into it.
    pub(super) fn program<'a>(self, rgb: &Program<'a>) -> Option<Program<'a>> {
        match self {
            Lines::Rgb => Some(rgb.clone()),
            Lines::Gray => rgb.fold(&Cells { side: 1, matrix: vec![1 << 16; 3], offset: [0; 3] }),
            Lines::Yuv(space) => {
                let k = space.to_rgb();
                let mut matrix = Vec::with_capacity(4 * 3 * 6);
                for pixel in 0..4 {
                    for colour in 0..3 {
                        let luma = |p| if p == pixel { k.y } else { 0 };
                        matrix.extend((0..4).map(luma));
                        matrix.extend([k.u[colour], k.v[colour]]);
                    }
                }
                let offset = |c: usize| -k.black * k.y - 128 * (k.u[c] + k.v[c]);
                rgb.fold(&Cells { side: 2, matrix, offset: [offset(0), offset(1), offset(2)] })
            }
        }
    }

    /// Line `line` of a picture of the format that these lines suit (any for RGB), edges repeated.
    pub(super) fn fill(self, picture: &PictureRef<'_>, line: usize, out: &mut [u8]) {
        match self {
            Lines::Rgb => picture.rgb_row(line, out),
            Lines::Gray => picture.gray_row(line, out),
            Lines::Yuv(_) => picture.cell_row(line, out),
        }
    }
}

impl PictureRef<'_> {
    /// Row `y` as RGB into `out` (a whole number of pixels), rows and columns beyond the edges repeating the last.
    fn rgb_row(&self, y: usize, out: &mut [u8]) {
        let width = self.width() as usize;
        let (inside, beyond) = out.split_at_mut((width * 3).min(out.len()));
        let row = self.row(0, y);
        match self.format() {
            FrameFormat::Rgb8 => inside.copy_from_slice(row),
            FrameFormat::Rgba8 => each(row, 4, inside, |p| [p[0], p[1], p[2]]),
            FrameFormat::Bgra8 => each(row, 4, inside, |p| [p[2], p[1], p[0]]),
            FrameFormat::Gray8 => each(row, 1, inside, |p| [p[0]; 3]),
            FrameFormat::GrayA8 => each(row, 2, inside, |p| [p[0]; 3]),
            FrameFormat::Gray16 { bits } => each(row, 2, inside, |p| [gray16(p, bits); 3]),
            FrameFormat::Nv12(space) => {
                let chroma = self.row(1, y / 2).chunks_exact(2).map(|c| (c[0], c[1]));
                yuv_row(space, row, chroma, inside);
            }
            FrameFormat::Nv21(space) => {
                let chroma = self.row(1, y / 2).chunks_exact(2).map(|c| (c[1], c[0]));
                yuv_row(space, row, chroma, inside);
            }
            FrameFormat::I420(space) => {
                let (u, v) = (self.row(1, y / 2), self.row(2, y / 2));
                yuv_row(space, row, u.iter().copied().zip(v.iter().copied()), inside);
            }
        }
        if let Some(&last) = inside.last_chunk::<3>() {
            beyond.chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&last));
        }
    }

    /// Row `y` of a grey picture into `out`, edges repeated.
    fn gray_row(&self, y: usize, out: &mut [u8]) {
        let width = self.width() as usize;
        let (inside, beyond) = out.split_at_mut(width.min(out.len()));
        let row = self.row(0, y);
        match self.format() {
            FrameFormat::Gray16 { bits } => {
                let pairs = inside.iter_mut().zip(row.chunks_exact(2));
                pairs.for_each(|(to, p)| *to = gray16(p, bits));
            }
            FrameFormat::GrayA8 => {
                inside.iter_mut().zip(row.chunks_exact(2)).for_each(|(to, p)| *to = p[0]);
            }
            _ => inside.copy_from_slice(row),
        }
        beyond.fill(inside.last().copied().unwrap_or(0));
    }

    /// Rows `2 · y` and `2 · y + 1` of a 4:2:0 picture as cells of 2×2 pixels into `out`, edges repeated.
    fn cell_row(&self, y: usize, out: &mut [u8]) {
        let luma = (self.row(0, 2 * y), self.row(0, 2 * y + 1));
        let (cells, _) = out.as_chunks_mut::<6>();
        let chroma = self.row(1, y);
        let pairs = chroma.chunks_exact(2);
        match self.format() {
            FrameFormat::I420(_) => {
                let chroma = chroma.iter().copied().zip(self.row(2, y).iter().copied());
                cell_line(luma, chroma, cells);
            }
            FrameFormat::Nv21(_) => cell_line(luma, pairs.map(|c| (c[1], c[0])), cells),
            _ => cell_line(luma, pairs.map(|c| (c[0], c[1])), cells),
        }
        let columns = (self.width() as usize).div_ceil(2).min(cells.len());
        let (inside, beyond) = cells.split_at_mut(columns);
        if let Some(&[_, a, _, b, u, v]) = inside.last() {
            beyond.fill([a, a, b, b, u, v]);
        }
    }

    /// Appends the alpha samples of row `y`; none if the format has none.
    pub(super) fn alpha_row(&self, y: usize, out: &mut Vec<u8>) {
        if self.format().has_alpha() {
            let bytes = self.format().pixel_bytes();
            out.extend(self.row(0, y).chunks_exact(bytes).map(|p| p[bytes - 1]));
        }
    }
}

/// One RGB pixel from every `bytes` bytes.
#[inline(always)]
fn each(row: &[u8], bytes: usize, out: &mut [u8], pixel: impl Fn(&[u8]) -> [u8; 3]) {
    for (from, to) in row.chunks_exact(bytes).zip(out.chunks_exact_mut(3)) {
        to.copy_from_slice(&pixel(from));
    }
}

/// `round(255 · v / (2^bits − 1))`, halves up; `bits` in 8..=16.
pub(super) fn gray16(sample: &[u8], bits: u8) -> u8 {
    let max = (1_u32 << bits) - 1;
    let v = u32::from(u16::from_le_bytes([sample[0], sample[1]])).min(max);
    // n / (2^b − 1) without dividing: exact while the quotient is below 2^b.
    let n = v * 255 + max / 2 + 1;
    ((n + (n >> bits)) >> bits) as u8
}

/// Cells of two luma rows and a chroma row; the last of an odd number of columns stands for the one beyond.
#[inline(always)]
fn cell_line(
    (upper, lower): (&[u8], &[u8]),
    mut chroma: impl Iterator<Item = (u8, u8)>,
    out: &mut [[u8; 6]],
) {
    let ((upper, left), (lower, below)) = (upper.as_chunks::<2>(), lower.as_chunks::<2>());
    let luma = upper.iter().zip(lower);
    // Luma first: asking it does not use up the chroma of an odd last column.
    for ((to, (a, b)), (u, v)) in out.iter_mut().zip(luma).zip(chroma.by_ref()) {
        *to = [a[0], a[1], b[0], b[1], u, v];
    }
    if let ([a], [b], Some((u, v)), Some(to)) =
        (left, below, chroma.next(), out.get_mut(upper.len()))
    {
        *to = [*a, *a, *b, *b, u, v];
    }
}

/// Pixels of a luma row; each chroma pair serves for two.
#[inline(always)]
fn yuv_row(space: YuvSpace, luma: &[u8], chroma: impl Iterator<Item = (u8, u8)>, out: &mut [u8]) {
    let k = space.to_rgb();
    let mut pairs = luma.chunks_exact(2).zip(out.chunks_exact_mut(6));
    let mut chroma = chroma.map(|(u, v)| k.chroma(u, v));
    // Pairs first: asking them does not use up the chroma of an odd last column.
    for ((y, to), c) in pairs.by_ref().zip(chroma.by_ref()) {
        to[..3].copy_from_slice(&k.pixel(y[0], c));
        to[3..].copy_from_slice(&k.pixel(y[1], c));
    }
    if let ([.., y], true, Some(c)) = (luma, luma.len() % 2 == 1, chroma.next())
        && let Some(to) = out.last_chunk_mut::<3>()
    {
        *to = k.pixel(*y, c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_grey_rounds_as_division_does() {
        for bits in 8..=16_u8 {
            let max = (1_u32 << bits) - 1;
            for v in 0..=65535_u16 {
                let expected = (u32::from(v).min(max) * 255 + max / 2) / max;
                assert_eq!(u32::from(gray16(&v.to_le_bytes(), bits)), expected, "{v} of {bits}");
            }
        }
    }

    #[test]
    fn cells_repeat_the_edges() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 11, 21, 31, 41];
        let space = YuvSpace::default();
        let view = PictureRef::contiguous(3, 3, FrameFormat::Nv21(space), &data).unwrap();
        let mut line = [0; 18];
        view.cell_row(0, &mut line);
        assert_eq!(line, [1, 2, 4, 5, 20, 10, 3, 3, 6, 6, 40, 30, 3, 3, 6, 6, 40, 30]);
        for y in [1, 5] {
            view.cell_row(y, &mut line);
            assert_eq!(line, [7, 8, 7, 8, 21, 11, 9, 9, 9, 9, 41, 31, 9, 9, 9, 9, 41, 31]);
        }
    }

    #[test]
    fn odd_columns_have_chroma_of_their_own() {
        let data = [50, 60, 70, 80, 90, 100, 10, 200, 128, 128];
        let space = YuvSpace::default();
        let view = PictureRef::contiguous(3, 2, FrameFormat::Nv12(space), &data).unwrap();
        let mut row = [0; 15];
        view.rgb_row(1, &mut row);
        let k = space.to_rgb();
        assert_eq!(row[3..6], k.pixel(90, k.chroma(10, 200)));
        assert_eq!(row[6..], [100; 9]);
    }
}
