//! Statistics of one frame.

use super::Expected;

/// Borders between the bins of normalised values, in standard deviations.
pub const EDGES: [f64; 6] = [-2.0, -1.0, -0.25, 0.25, 1.0, 2.0];
/// Bins of normalised values of a channel.
pub const BINS: usize = EDGES.len() + 1;

/// What there is to know about a decoded frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Latents in the transform's units as the codec gives them, position by position.
    pub latents: &'a [i16],
    /// From the transform's units to symbols, for each channel, at the frame's quality.
    pub to_symbols: &'a [f32],
    /// Bytes of the stream.
    pub bytes: usize,
    /// Pixels of the picture.
    pub pixels: u64,
    /// Symbols that the entropy decoder read, and how many of them were escapes.
    pub symbols: Option<(u64, u64)>,
}

/// Sums over the latents of a frame, or of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameStatistics {
    /// Frames in the sums.
    pub frames: u64,
    /// Values of each channel.
    pub count: u64,
    /// Sum of each channel's symbols.
    pub sum: Vec<f64>,
    /// Sum of their squares.
    pub squares: Vec<f64>,
    /// Sum of normalised values of each channel, zero without a reference.
    pub normal_sum: Vec<f64>,
    /// Sum of their squares.
    pub normal_squares: Vec<f64>,
    /// Counts of normalised values, [`BINS`] a channel.
    pub bins: Vec<u64>,
    /// Bits of the streams.
    pub bits: f64,
    /// Bits that the reference expects of them.
    pub expected_bits: f64,
    /// Pixels of the pictures.
    pub pixels: f64,
    /// Symbols read.
    pub symbols: u64,
    /// Escapes among them.
    pub escapes: u64,
}

impl FrameStatistics {
    /// The sums of one frame; empty if the latents are no whole number of positions.
    pub fn of(frame: &Frame<'_>, expected: Option<&Expected>) -> Self {
        let m = frame.to_symbols.len();
        let mut own = Self::default();
        if m == 0 || !frame.latents.len().is_multiple_of(m) {
            return own;
        }
        // Integers first: exact, and quick enough to do for every frame.
        let mut sums = vec![(0i64, 0i64); m];
        for position in frame.latents.chunks_exact(m) {
            for ((sum, squares), &value) in sums.iter_mut().zip(position) {
                let value = i64::from(value);
                *sum += value;
                *squares += value * value;
            }
        }
        own.frames = 1;
        own.count = (frame.latents.len() / m) as u64;
        let scale = |c: usize| f64::from(frame.to_symbols[c]);
        own.sum = (0..m).map(|c| sums[c].0 as f64 * scale(c)).collect();
        own.squares = (0..m).map(|c| sums[c].1 as f64 * scale(c) * scale(c)).collect();
        own.bits = 8.0 * frame.bytes as f64;
        own.pixels = frame.pixels as f64;
        (own.symbols, own.escapes) = frame.symbols.unwrap_or_default();
        if let Some(expected) = expected.filter(|e| e.mean.len() == m) {
            own.normalise(frame, expected);
        }
        own
    }

    fn normalise(&mut self, frame: &Frame<'_>, expected: &Expected) {
        let m = frame.to_symbols.len();
        let n = self.count as f64;
        let per_channel = self.sum.iter().zip(&self.squares).zip(&expected.mean);
        (self.normal_sum, self.normal_squares) = per_channel
            .zip(&expected.deviation)
            .map(|(((sum, squares), mean), deviation)| {
                let central = squares - 2.0 * mean * sum + n * mean * mean;
                ((sum - n * mean) / deviation, central / (deviation * deviation))
            })
            .unzip();
        // The borders in latents, so that a value costs comparisons of integers alone.
        let borders: Vec<[i32; BINS - 1]> = (0..m)
            .map(|c| {
                EDGES.map(|z| {
                    let symbol = expected.mean[c] + z * expected.deviation[c];
                    (symbol / f64::from(frame.to_symbols[c])).ceil() as i32
                })
            })
            .collect();
        let mut bins = vec![0u32; m * BINS];
        for position in frame.latents.chunks_exact(m) {
            for ((bins, borders), &value) in bins.chunks_exact_mut(BINS).zip(&borders).zip(position)
            {
                let bin = borders.iter().filter(|&&b| i32::from(value) >= b).count();
                bins[bin] += 1;
            }
        }
        self.bins = bins.into_iter().map(u64::from).collect();
        self.expected_bits = expected.bpp.unwrap_or(0.0) * self.pixels;
    }

    /// Adds another's sums; of another number of channels it replaces what is there.
    pub fn add(&mut self, other: &FrameStatistics) {
        if other.frames == 0 {
            return;
        }
        if self.sum.len() != other.sum.len() || self.bins.len() != other.bins.len() {
            *self = other.clone();
            return;
        }
        let add = |own: &mut [f64], other: &[f64]| {
            own.iter_mut().zip(other).for_each(|(a, b)| *a += b);
        };
        self.frames += other.frames;
        self.count += other.count;
        add(&mut self.sum, &other.sum);
        add(&mut self.squares, &other.squares);
        add(&mut self.normal_sum, &other.normal_sum);
        add(&mut self.normal_squares, &other.normal_squares);
        self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| *a += b);
        self.bits += other.bits;
        self.expected_bits += other.expected_bits;
        self.pixels += other.pixels;
        self.symbols += other.symbols;
        self.escapes += other.escapes;
    }

    /// Mean and variance of a channel, in symbols.
    pub fn moments(&self, channel: usize) -> (f64, f64) {
        moments(self.count, self.sum.get(channel), self.squares.get(channel))
    }

    /// Mean and variance of a channel's normalised values: 0 and 1 where nothing drifts.
    pub fn normal_moments(&self, channel: usize) -> Option<(f64, f64)> {
        let (sum, squares) = (self.normal_sum.get(channel)?, self.normal_squares.get(channel)?);
        Some(moments(self.count, Some(sum), Some(squares)))
    }
}

fn moments(count: u64, sum: Option<&f64>, squares: Option<&f64>) -> (f64, f64) {
    let n = count.max(1) as f64;
    let mean = sum.copied().unwrap_or(0.0) / n;
    (mean, (squares.copied().unwrap_or(0.0) / n - mean * mean).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            mean: vec![0.0, 1.0],
            deviation: vec![1.0, 2.0],
            bpp: Some(0.5),
            bpp_deviation: None,
            escape_rate: None,
        }
    }

    #[test]
    fn sums_of_two_channels() {
        // Channel 0 in eighths of a symbol: −2, 0, 2, 0. Channel 1 in halves: 1 throughout.
        let latents = [-16, 2, 0, 2, 16, 2, 0, 2];
        let frame = Frame {
            latents: &latents,
            to_symbols: &[0.125, 0.5],
            bytes: 8,
            pixels: 256,
            symbols: Some((7, 1)),
        };
        let own = FrameStatistics::of(&frame, Some(&expected()));
        assert_eq!(own.moments(0), (0.0, 2.0));
        assert_eq!(own.moments(1), (1.0, 0.0));
        assert_eq!(own.normal_moments(1), Some((0.0, 0.0)));
        // −2 lies on the first border and belongs above it, as 2 does on the last.
        assert_eq!(own.bins[..BINS], [0, 1, 0, 2, 0, 0, 1]);
        assert_eq!(own.bins[BINS..], [0, 0, 0, 4, 0, 0, 0]);
        assert_eq!((own.bits, own.expected_bits), (64.0, 128.0));
        let mut twice = own.clone();
        twice.add(&own);
        assert_eq!(twice.frames, 2);
        assert_eq!(twice.moments(0), own.moments(0));
        assert_eq!((twice.symbols, twice.escapes), (14, 2));
    }

    #[test]
    fn latents_that_do_not_fit_are_no_frame() {
        let frame = Frame {
            latents: &[1, 2, 3],
            to_symbols: &[1.0; 2],
            bytes: 1,
            pixels: 1,
            symbols: None,
        };
        assert_eq!(FrameStatistics::of(&frame, None), FrameStatistics::default());
    }
}
