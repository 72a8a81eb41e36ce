//! A second look at latents ([`Effort::Best`](crate::Effort::Best)): what their picture lacks once they are coded is added
//! before they are coded for good.
//!
//! An analysis transform does not see what quantisation will do. So the coded latents c are drawn, their picture is
//! analysed to r, and in place of the latents y
//!
//! ```text
//! y + 1/20 · (y − r) + b · (c − r)
//! ```
//!
//! is coded, with b from 5/16 at quality 0 to 5/8 at quality 100. The first term asks for more of what the picture has lost.
//! The second takes back what coding and drawing add of their own: r would be c if they added nothing.

use alloc::vec::Vec;
use core::ops::Range;

use super::EncodeError;
use super::positions::PATCH;
use crate::engine::{Executor, Program, RowMut, RowRef, Size};
use crate::format::QUALITY_MAX;
use crate::parallel;

/// Fractional bits of the terms' weights.
const WEIGHT_BITS: u32 = 8;

/// Weights of the two terms at a quality. The optimum is flat: half or twice of each, or further rounds of the loop, lose
/// some tenths of a percent of the bytes (`docs/models.md`, "Closed loop").
fn weights(quality: u16) -> [i32; 2] {
    [13, 80 + 80 * i32::from(quality.min(QUALITY_MAX)) / i32::from(QUALITY_MAX)]
}

/// The transforms of the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedLoop<'p, 'a> {
    /// Reads RGB.
    pub(super) analysis: &'p Program<'a>,
    pub(super) synthesis: &'p Program<'a>,
    pub(super) channels: usize,
}

/// What a thread runs the loop's transforms on: the analysis, the synthesis.
pub(super) type Looker<'e> = (&'e mut Executor, &'e mut Executor);

impl ClosedLoop<'_, '_> {
    /// Corrects the latents of a whole picture, `size` in positions. `coded` is what its decoder will see of them at the
    /// quality; both `[rows][columns][M]` in 1/512. No row of the picture is kept for longer than the analysis needs it.
    pub(super) fn correct(
        &self,
        lookers: &mut [Looker<'_>],
        quality: u16,
        size: Size,
        coded: &[i16],
        latents: &mut [i16],
    ) -> Result<(), EncodeError> {
        let row_len = size.width * self.channels;
        let units = size.height * PATCH / self.analysis.unit();
        let rows = self.analysis.unit() / PATCH;
        let mut rest = latents;
        let mut jobs = Vec::new();
        for units in parallel::ranges(units, lookers.len()) {
            let (own, later) = rest.split_at_mut((units.len() * rows * row_len).min(rest.len()));
            jobs.push((units, own));
            rest = later;
        }
        parallel::zip(lookers, jobs, |looker, (units, own)| {
            self.band(looker, weights(quality), size, units, coded, own)
        })
    }

    /// Corrects the latents of some units of the analysis, which `own` has.
    fn band(
        &self,
        (analysing, drawing): &mut Looker<'_>,
        [lost, added]: [i32; 2],
        size: Size,
        units: Range<usize>,
        coded: &[i16],
        own: &mut [i16],
    ) -> Result<(), EncodeError> {
        let row_len = size.width * self.channels;
        let first = units.start * self.analysis.unit() / PATCH;
        let pixels = Size { height: size.height * PATCH, width: size.width * PATCH };
        let mut analysing = analysing.start(self.analysis, pixels, units)?;
        let from = analysing.next_input_rows(0).start / PATCH;
        let mut drawing = drawing.start(self.synthesis, size, from..size.height)?;
        // Drawn rows that the analysis has not read yet, from `begin` on.
        let (mut drawn, mut begin) = (Vec::new(), from * PATCH);
        let line_len = pixels.width * 3;
        while !analysing.is_done() {
            let read = (analysing.next_input_rows(0).end - begin) * line_len;
            while drawn.len() < read && !drawing.is_done() {
                let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
                    if let RowMut::I16(row) = row {
                        row.copy_from_slice(&coded[y * row_len..][..row_len]);
                    }
                };
                let mut sink = |_output: usize, _y: usize, row: RowRef<'_>| {
                    if let RowRef::U8(row) = row {
                        drawn.extend_from_slice(row);
                    }
                };
                drawing.step(&mut source, &mut sink)?;
            }
            let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
                if let RowMut::U8(row) = row {
                    row.copy_from_slice(&drawn[(y - begin) * line_len..][..line_len]);
                }
            };
            let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
                if let RowRef::I16(seen) = row {
                    let own = &mut own[(y - first) * row_len..][..row_len];
                    let coded = &coded[y * row_len..][..row_len];
                    for ((own, &coded), &seen) in own.iter_mut().zip(coded).zip(seen) {
                        *own = corrected(*own, coded, seen, lost, added);
                    }
                }
            };
            analysing.step(&mut source, &mut sink)?;
            drawn.drain(..read);
            begin += read / line_len;
        }
        Ok(())
    }
}

/// One latent, rounded and saturated.
fn corrected(latent: i16, coded: i16, seen: i16, lost: i32, added: i32) -> i16 {
    let [y, c, r] = [latent, coded, seen].map(i32::from);
    // At most 2 · 2¹⁶ · 2⁷: far inside 32 bits.
    let change = (lost * (y - r) + added * (c - r) + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS;
    (y + change).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::requant::Bounds;
    use crate::engine::testing::Rng;
    use crate::engine::{ConvSpec, DType, DepthwiseSpec, ProgramBuilder, Tensor, TensorData};

    const M: usize = 4;

    /// Random 3×3 and 1×1 convolutions, and the change of scale before or after them.
    fn transform(seed: u64, analysis: bool) -> Vec<u8> {
        let mut rng = Rng(seed);
        let mut builder = ProgramBuilder::new();
        let (x, within, out) = if analysis {
            let x = builder.input(DType::U8, 3, 0).unwrap();
            let x = builder.space_to_depth(x, 8).unwrap();
            let x = builder.space_to_depth(x, 2).unwrap();
            (x, 768, (DType::I16, M))
        } else {
            (builder.input(DType::I16, M, 0).unwrap(), M, (DType::U8, 768))
        };
        let whole = |dtype: DType| {
            let (lo, hi) = dtype.range();
            Bounds { offset: if dtype == DType::U8 { 128 } else { 0 }, lo, hi }
        };
        let (weights, bias, scale) =
            (rng.weights(9 * within), vec![0; within], vec![0.002; within]);
        let spec = DepthwiseSpec {
            k: 3,
            dtype: DType::I16,
            zero_point: 0,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &scale,
            bounds: whole(DType::I16),
        };
        let x = builder.depthwise(x, spec).unwrap();
        let (dtype, channels) = out;
        let (weights, bias) = (rng.weights(within * channels), vec![0; channels]);
        let scale = vec![0.02; channels];
        let spec = ConvSpec {
            dtype,
            zero_point: 0,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &scale,
            bounds: whole(dtype),
        };
        let mut x = builder.conv1x1(x, spec).unwrap();
        if !analysis {
            x = builder.depth_to_space(x, 2).unwrap();
            x = builder.depth_to_space(x, 8).unwrap();
        }
        builder.finish(&[x]).unwrap()
    }

    /// Whole tensors, one after the other, say what rows on demand, in any number of bands, must give.
    #[test]
    fn bands_give_what_whole_pictures_give() {
        let (analysis, synthesis) = (transform(1, true), transform(2, false));
        let (analysis, synthesis) =
            (Program::parse(&analysis).unwrap(), Program::parse(&synthesis).unwrap());
        let closed = ClosedLoop { analysis: &analysis, synthesis: &synthesis, channels: M };
        let mut rng = Rng(3);
        for (height, width) in [(1, 1), (2, 5), (7, 3), (16, 2)] {
            let size = Size { height, width };
            let latents = rng.words(height * width * M).into_iter().map(|y| y % 5000);
            let latents: Vec<i16> = latents.collect();
            let coded: Vec<i16> = latents.iter().map(|&y| y + 300 - y % 50).collect();

            let tensor = Tensor { size, channels: M, data: TensorData::I16(coded.clone()) };
            let drawn = Executor::new().run_tensors(&synthesis, &[tensor]).unwrap();
            let seen = Executor::new().run_tensors(&analysis, &drawn).unwrap();
            let TensorData::I16(seen) = &seen[0].data else { panic!("latents are I16") };
            let [lost, added] = weights(3000);
            let each = latents.iter().zip(&coded).zip(seen);
            let expected: Vec<i16> =
                each.map(|((&y, &c), &r)| corrected(y, c, r, lost, added)).collect();
            assert!(expected != latents);

            for bands in [1, 2, 3, 20] {
                let mut executors: Vec<[Executor; 2]> =
                    (0..bands).map(|_| Default::default()).collect();
                let mut lookers: Vec<Looker<'_>> =
                    executors.iter_mut().map(|[a, b]| (a, b)).collect();
                let mut own = latents.clone();
                closed.correct(&mut lookers, 3000, size, &coded, &mut own).unwrap();
                assert!(own == expected, "{height} by {width} in {bands} bands");
            }
        }
    }

    #[test]
    fn corrections_are_rounded_and_saturate() {
        // 13/256 of what was lost, half of what was added.
        assert_eq!(corrected(1000, 900, 488, 13, 0), 1000 + 26);
        assert_eq!(corrected(1000, 900, 700, 0, 128), 1100);
        assert_eq!(corrected(1000, 700, 900, 0, 128), 900);
        assert_eq!(corrected(0, 1, 0, 0, 127), 0);
        assert_eq!(corrected(0, 1, 0, 0, 128), 1);
        assert_eq!(corrected(i16::MAX, i16::MAX, i16::MIN, 13, 160), i16::MAX);
        assert_eq!(corrected(i16::MIN, i16::MIN, i16::MAX, 13, 160), i16::MIN);
        assert_eq!((weights(0), weights(10_000)), ([13, 80], [13, 160]));
    }
}
