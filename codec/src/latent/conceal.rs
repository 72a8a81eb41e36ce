//! Stand-ins for latents whose chunk was lost.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Columns on each side whose mean stands for a lost column: averages keep the smooth part of the picture and cancel
/// detail, whose signs are random.
const REACH: usize = 3;

/// Fills the lost latent rows of `latents` (`[rows][columns][channels]`): a blend of the smoothed rows above and below
/// by distance, one of them if the other does not exist, zeros (mid grey) if nothing was received.
///
/// `lost` lists disjoint ranges of rows in order.
pub(crate) fn conceal(latents: &mut [i16], columns: usize, channels: usize, lost: &[Range<usize>]) {
    let row = columns * channels;
    let rows = latents.len() / row.max(1);
    let mut at = 0;
    while at < lost.len() {
        // Neighbouring lost chunks are one gap.
        let mut gap = lost[at].clone();
        at += 1;
        while at < lost.len() && lost[at].start == gap.end {
            gap.end = lost[at].end;
            at += 1;
        }
        let above =
            (gap.start > 0).then(|| smooth(&latents[(gap.start - 1) * row..][..row], channels));
        let below = (gap.end < rows).then(|| smooth(&latents[gap.end * row..][..row], channels));
        let zeros = vec![0; row];
        let (a, b) = match (&above, &below) {
            (Some(a), Some(b)) => (a, b),
            (Some(one), None) | (None, Some(one)) => (one, one),
            (None, None) => (&zeros, &zeros),
        };
        let steps = gap.len() as i32 + 1;
        for y in gap.clone() {
            let near = (y - gap.start) as i32 + 1;
            let out = &mut latents[y * row..][..row];
            for ((&a, &b), out) in a.iter().zip(b).zip(out) {
                *out = ((i32::from(a) * (steps - near) + i32::from(b) * near) / steps) as i16;
            }
        }
    }
}

/// Moving average along a row.
fn smooth(row: &[i16], channels: usize) -> Vec<i16> {
    let columns = row.len() / channels;
    let mut out = vec![0; row.len()];
    for x in 0..columns {
        let window = x.saturating_sub(REACH)..(x + REACH + 1).min(columns);
        for c in 0..channels {
            let sum: i32 = window.clone().map(|at| i32::from(row[at * channels + c])).sum();
            out[x * channels + c] = (sum / window.len() as i32) as i16;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_between_equal_rows_gets_their_value() {
        let mut latents = vec![8; 4 * 2 * 3];
        latents[6..18].fill(99);
        conceal(&mut latents, 2, 3, &[1..2, 2..3]);
        assert!(latents.iter().all(|&v| v == 8));
    }

    #[test]
    fn nothing_received_is_grey() {
        let mut latents = vec![5; 2 * 2];
        conceal(&mut latents, 2, 1, core::slice::from_ref(&(0..2)));
        assert_eq!(latents, [0; 4]);
    }
}
