//! The discrete cosine transform of blocks, in single IEEE-754 operations of one order.

/// The longest block.
pub(crate) const MAX_BLOCK: usize = 128;

/// `1 / (2 cos((i + 1/2) π / n))` for i < n/2 and n = 2, 4 … [`MAX_BLOCK`], those of n from index n/2 − 1 on.
static SECANTS: [f32; MAX_BLOCK - 1] = secants();

const fn secants() -> [f32; MAX_BLOCK - 1] {
    let mut table = [0.0; MAX_BLOCK - 1];
    let mut n = 2;
    while n <= MAX_BLOCK {
        let mut i = 0;
        while i < n / 2 {
            let angle = (i as f64 + 0.5) * core::f64::consts::PI / n as f64;
            table[n / 2 - 1 + i] = (0.5 / cosine(angle)) as f32;
            i += 1;
        }
        n *= 2;
    }
    table
}

/// By its Taylor series, for 0 to π/2.
const fn cosine(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1);
    while n < 14 {
        term *= -x * x / ((2 * n - 1) * (2 * n)) as f64;
        sum += term;
        n += 1;
    }
    sum
}

/// √(2/n) for n = 1, 2, 4 … 128: half the energy of a cosine. Of n = 1 it is not used.
const SCALES: [f32; 8] = [
    core::f32::consts::SQRT_2,
    1.0,
    core::f32::consts::FRAC_1_SQRT_2,
    0.5,
    core::f32::consts::FRAC_1_SQRT_2 / 2.0,
    0.25,
    core::f32::consts::FRAC_1_SQRT_2 / 4.0,
    0.125,
];

/// Lengths of the blocks that a window of `len` samples is cut into: the largest powers of two that fit.
pub(crate) fn blocks(len: usize) -> impl Iterator<Item = usize> {
    let mut left = len;
    core::iter::from_fn(move || {
        let n = if left == 0 { return None } else { (1 << left.ilog2()).min(MAX_BLOCK) };
        left -= n;
        Some(n)
    })
}

/// The orthonormal DCT-II of a block of 1, 2, 4 … 128 values, in place (B. G. Lee, *A new algorithm to compute the
/// discrete cosine transform*, IEEE Trans. ASSP 32, 1984).
pub(crate) fn forward(block: &mut [f32]) {
    let n = block.len();
    let mut scratch = [0.0; MAX_BLOCK];
    forward_pass(block, &mut scratch[..n]);
    if n > 1 {
        let scale = SCALES[n.ilog2() as usize];
        block.iter_mut().for_each(|x| *x *= scale);
        block[0] *= core::f32::consts::FRAC_1_SQRT_2;
    }
}

/// The inverse of [`forward`].
pub(crate) fn inverse(block: &mut [f32]) {
    let n = block.len();
    let mut scratch = [0.0; MAX_BLOCK];
    if n > 1 {
        let scale = SCALES[n.ilog2() as usize];
        block.iter_mut().for_each(|x| *x *= scale);
        block[0] *= core::f32::consts::FRAC_1_SQRT_2;
    }
    inverse_pass(block, &mut scratch[..n]);
}

fn forward_pass(block: &mut [f32], scratch: &mut [f32]) {
    let half = block.len() / 2;
    if half == 0 {
        return;
    }
    let n = block.len();
    let secants = &SECANTS[half - 1..n - 1];
    for i in 0..half {
        let (x, y) = (block[i], block[n - 1 - i]);
        scratch[i] = x + y;
        scratch[i + half] = (x - y) * secants[i];
    }
    let (even, odd) = scratch.split_at_mut(half);
    let (a, b) = block.split_at_mut(half);
    forward_pass(even, a);
    forward_pass(odd, b);
    for i in 0..half {
        block[2 * i] = even[i];
        block[2 * i + 1] = odd[i] + odd.get(i + 1).copied().unwrap_or(0.0);
    }
}

fn inverse_pass(block: &mut [f32], scratch: &mut [f32]) {
    let half = block.len() / 2;
    if half == 0 {
        return;
    }
    let n = block.len();
    let (even, odd) = scratch.split_at_mut(half);
    for i in 0..half {
        even[i] = block[2 * i];
        odd[i] = block[2 * i + 1] + if i > 0 { block[2 * i - 1] } else { 0.0 };
    }
    let (a, b) = block.split_at_mut(half);
    inverse_pass(even, a);
    inverse_pass(odd, b);
    let secants = &SECANTS[half - 1..n - 1];
    for i in 0..half {
        let (x, y) = (even[i], odd[i] * secants[i]);
        block[i] = x + y;
        block[n - 1 - i] = x - y;
    }
}

/// Fills gaps (NaN) between the values around them; all of them with 0 if there are no others.
pub(crate) fn bridge(values: &mut [f32]) {
    let mut before: Option<(usize, f32)> = None;
    for i in 0..values.len() {
        let value = values[i];
        if value.is_nan() {
            continue;
        }
        let first = before.map_or(0, |(at, _)| at + 1);
        for (at, gap) in values.iter_mut().enumerate().take(i).skip(first) {
            *gap = match before {
                Some((start, from)) => {
                    from + (value - from) * ((at - start) as f32 / (i - start) as f32)
                }
                None => value,
            };
        }
        before = Some((i, value));
    }
    let (rest, last) = before.map_or((0, 0.0), |(at, value)| (at + 1, value));
    values[rest..].fill(last);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_transform_is_orthonormal_and_inverts() {
        for n in [1usize, 2, 4, 8, 16, 32, 64, 128] {
            for k in 0..n {
                let mut block = vec![0.0f32; n];
                block[k] = 1.0;
                forward(&mut block);
                let energy: f32 = block.iter().map(|x| x * x).sum();
                assert!((energy - 1.0).abs() < 1e-4, "{n} {k} {energy}");
                let scale = (if k == 0 { 1.0 } else { 2.0f64 } / n as f64).sqrt();
                let mut basis = vec![0.0f32; n];
                basis[k] = 1.0;
                inverse(&mut basis);
                for (i, &x) in basis.iter().enumerate() {
                    let angle = core::f64::consts::PI * (2 * i + 1) as f64 * k as f64;
                    let want = scale * (angle / (2 * n) as f64).cos();
                    assert!((f64::from(x) - want).abs() < 1e-5, "{n} {k} {i}: {x} {want}");
                }
                inverse(&mut block);
                assert!(
                    block
                        .iter()
                        .enumerate()
                        .all(|(i, x)| { (x - if i == k { 1.0 } else { 0.0 }).abs() < 1e-5 })
                );
            }
        }
    }

    #[test]
    fn windows_are_cut_into_powers_of_two() {
        assert!(blocks(300).eq([128, 128, 32, 8, 4]));
        assert!(blocks(1).eq([1]));
        assert!(blocks(0).next().is_none());
    }

    #[test]
    fn gaps_are_bridged() {
        let gap = f32::NAN;
        let mut block = [gap, 1.0, gap, gap, 4.0, gap];
        bridge(&mut block);
        assert_eq!(block, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        let mut empty = [gap; 2];
        bridge(&mut empty);
        assert_eq!(empty, [0.0; 2]);
    }
}
