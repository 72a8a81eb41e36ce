//! The probability model of the lossless plane coder.
//!
//! Rows are cut into blocks of 64 pixels. A flag says whether a block repeats the one above it;
//! flat areas and straight vertical edges cost next to nothing that way. The pixels of other
//! blocks are predicted by the median edge detector of LOCO-I (ITU-T T.87, JPEG-LS) and the
//! residual modulo 256 is coded bit by bit: whether it is 0, its sign, its magnitude in
//! Exp-Golomb form, in contexts made of the local gradients.

use super::binary::{BitCoder, Probability};
use alloc::vec;
use alloc::vec::Vec;

/// Pixels of a block.
const BLOCK: usize = 64;
/// Three gradients of five classes each.
const GRADIENTS: usize = 125;
/// Classes of the sum of the gradients.
const ACTIVITIES: usize = 8;

/// The values already coded around a pixel. Those outside the plane are copies: of `w` in the
/// first row (0 at its start), of `n` elsewhere, `ww` of `w`.
struct Around {
    w: u8,
    n: u8,
    nw: u8,
    ne: u8,
    ww: u8,
    nn: u8,
}

impl Around {
    fn new(row: &[u8], above: &[u8], above2: &[u8], x: usize) -> Self {
        let left = |k: usize| x.checked_sub(k).and_then(|x| row.get(x)).copied();
        let first = above.get(x).copied();
        let w = left(1).or(first).unwrap_or(0);
        let n = first.unwrap_or(w);
        Self {
            w,
            n,
            nw: x.checked_sub(1).and_then(|x| above.get(x)).copied().unwrap_or(n),
            ne: above.get(x + 1).copied().unwrap_or(n),
            ww: left(2).unwrap_or(w),
            nn: above2.get(x).copied().unwrap_or(n),
        }
    }

    /// `w + n − nw` clamped between `w` and `n`, which is the median of the three.
    fn predict(&self) -> u8 {
        let (low, high) = (self.w.min(self.n), self.w.max(self.n));
        let plane = i16::from(self.w) + i16::from(self.n) - i16::from(self.nw);
        plane.clamp(i16::from(low), i16::from(high)) as u8
    }

    /// The class of the gradients, and of the sum of their magnitudes.
    fn classes(&self) -> (usize, usize) {
        let gradients = [(self.ne, self.n), (self.n, self.nw), (self.nw, self.w)]
            .map(|(a, b)| i32::from(a) - i32::from(b));
        let class = gradients.iter().fold(0, |class, &g| {
            class * 5
                + match g {
                    ..=-8 => 0,
                    -7..=-1 => 1,
                    0 => 2,
                    1..=7 => 3,
                    _ => 4,
                }
        });
        let sum: u32 = gradients.iter().map(|g| g.unsigned_abs()).sum();
        (class, (sum + 1).ilog2().min(ACTIVITIES as u32 - 1) as usize)
    }
}

/// All probabilities, and what is remembered of blocks.
pub(super) struct PlaneModel {
    repeats: [Probability; 8],
    zero: Vec<Probability>,
    sign: Vec<Probability>,
    exponent: [[Probability; 8]; ACTIVITIES],
    mantissa: [[Probability; 128]; 8],
    /// Whether each block of the row above repeated the one above it.
    repeated: Vec<bool>,
}

impl PlaneModel {
    pub(super) fn new(width: usize) -> Self {
        Self {
            repeats: [Probability::EVEN; 8],
            zero: vec![Probability::EVEN; GRADIENTS * 8],
            sign: vec![Probability::EVEN; GRADIENTS * 3],
            exponent: [[Probability::EVEN; 8]; ACTIVITIES],
            mantissa: [[Probability::EVEN; 128]; 8],
            repeated: vec![false; width.div_ceil(BLOCK)],
        }
    }

    /// Codes one row; when decoding, `row` receives it. `above` and `above2` are the rows before
    /// (empty where there are none).
    pub(super) fn code_row<C: BitCoder>(
        &mut self,
        coder: &mut C,
        row: &mut [u8],
        above: &[u8],
        above2: &[u8],
    ) {
        let width = row.len();
        let mut left_repeated = false;
        for (index, start) in (0..width).step_by(BLOCK).enumerate() {
            let end = (start + BLOCK).min(width);
            let w = Around::new(row, above, above2, start).w;
            // The block above; in the first row, the left neighbour throughout.
            let mut model = [w; BLOCK];
            let model = &mut model[..end - start];
            if let Some(above) = above.get(start..end) {
                model.copy_from_slice(above);
            }
            let flat = model.iter().all(|&v| v == w);
            let above_repeated = self.repeated[index];
            let context = usize::from(flat) * 4
                + usize::from(left_repeated) * 2
                + usize::from(above_repeated);
            let same = !C::DECODES && row[start..end] == *model;
            let same = coder.bit(&mut self.repeats[context], same);
            if same {
                row[start..end].copy_from_slice(model);
            } else {
                for x in start..end {
                    let around = Around::new(row, above, above2, x);
                    row[x] = self.code_pixel(coder, &around, row[x]);
                }
            }
            left_repeated = same;
            self.repeated[index] = same;
        }
    }

    fn code_pixel<C: BitCoder>(&mut self, coder: &mut C, around: &Around, actual: u8) -> u8 {
        let prediction = around.predict();
        let (class, activity) = around.classes();
        let residual = actual.wrapping_sub(prediction) as i8;
        let texture = usize::from(around.ww == around.w)
            + 2 * usize::from(around.nn == around.n)
            + 4 * usize::from(matches!(around.w, 0 | 255));
        if coder.bit(&mut self.zero[class * 8 + texture], residual == 0) {
            return prediction;
        }
        let end = match prediction {
            0 => 0,
            255 => 2,
            _ => 1,
        };
        let negative = coder.bit(&mut self.sign[class * 3 + end], residual < 0);
        // The magnitude is 1..=128 = 2^exponent + mantissa.
        let magnitude = u32::from(residual.unsigned_abs().max(1));
        let mut exponent = 0;
        while exponent < 7 {
            let more = magnitude.ilog2() as usize > exponent;
            if !coder.bit(&mut self.exponent[activity][exponent], more) {
                break;
            }
            exponent += 1;
        }
        // `node` gathers the mantissa's bits below a leading 1.
        let mut node = 1;
        for position in (0..exponent).rev() {
            let bit = magnitude >> position & 1 == 1;
            let bit = coder.bit(&mut self.mantissa[exponent][node & 127], bit);
            node = node << 1 | usize::from(bit);
        }
        let magnitude = node as u8;
        prediction.wrapping_add(if negative { magnitude.wrapping_neg() } else { magnitude })
    }
}
