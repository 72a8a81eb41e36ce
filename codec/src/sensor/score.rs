//! How odd windows are.

use alloc::vec;
use alloc::vec::Vec;

/// Score bytes are sixteenths; from this on a window differs by five mean deviations from those before.
pub(crate) const RUNNING_THRESHOLD: u8 = 80;

/// Windows before scores mean anything.
const WARM_UP: u32 = 16;

/// Scores windows by the bits of a value against those of the windows before: a stream without a model has no other
/// reference. Means and mean deviations forget exponentially.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningScore {
    mean: f32,
    deviation: f32,
    windows: u32,
}

impl RunningScore {
    /// The score of the next window: sixteenths of mean deviations above the mean, 0 to 255.
    pub(crate) fn next(&mut self, bits_per_value: f32) -> u8 {
        let above = bits_per_value - self.mean;
        // Differences of a twentieth of a bit are nothing.
        let score = above / (self.deviation + 0.05);
        let byte = if self.windows < WARM_UP { 0 } else { (score * 16.0).clamp(0.0, 255.0) as u8 };
        self.windows = self.windows.saturating_add(1);
        let rate = 1.0 / self.windows.min(64) as f32;
        // What is odd teaches little: a disturbance must not become the rule while it lasts.
        let limit = 2.0 * (self.deviation + 0.05);
        let above = if self.windows <= WARM_UP { above } else { above.clamp(-limit, limit) };
        let distance = if above < 0.0 { -above } else { above };
        self.mean += above * rate;
        self.deviation += (distance - self.deviation) * rate;
        byte
    }
}

/// Score bytes of calibrated windows are odd from three times the edge of what is normal on.
pub(crate) const CALIBRATED_THRESHOLD: u8 = 48;

/// Fewest windows that say what is normal.
pub(crate) const MIN_CALIBRATION: u32 = 8;
/// Most of them: their means are kept until they are over.
pub(crate) const MAX_CALIBRATION: u32 = 1024;

/// Samples farther from the slow mean than this many standard deviations count as that far: one wild sample must not
/// outweigh a window.
const CLIP: f64 = 3.0;
/// A channel whose window is farther than this many deviations from the slow mean is odd, and teaches that mean nothing.
const GATE: f64 = 3.0;
/// Deviations of window means that are nothing, in standard deviations of the samples.
const LEAST: f64 = 0.02;
/// No standard deviation falls below this share of the model's, as in training (`data.py`).
const FLOOR: f64 = 0.02;

/// Scores windows by their means against the first windows of the stream, which are known to be normal.
///
/// Plants drift: temperatures rise all day. So each channel has a slow mean that follows its windows, and what counts is
/// how far a window is from it, in units of what that distance was in the first windows. A sudden change is far away and
/// stays so, because the slow mean does not follow what is odd.
#[derive(Debug, Clone)]
pub(crate) struct CalibratedScore {
    /// Windows that are known to be normal.
    normal: u32,
    /// Windows so far, up to `normal`.
    seen: u32,
    channels: Vec<Judged>,
    /// Means of the first windows relative to each channel's first sample, `[window][channel]`; NaN where there are none.
    means: Vec<f32>,
}

/// What is known of a channel.
#[derive(Debug, Clone, Default)]
struct Judged {
    /// The first sample, from which the others are counted, so that sums of squares lose nothing.
    first: Option<f64>,
    count: f64,
    sum: f64,
    squares: f64,
    /// Least standard deviation; before the calibration is over.
    floor: f64,
    centre: f64,
    /// Standard deviation; 0 if the channel cannot be judged.
    spread: f64,
    /// Usual distance of window means from the slow mean.
    deviation: f64,
    slow: f64,
}

impl CalibratedScore {
    /// A score of so many channels whose first `normal` windows are known to be normal. `spread` are the model's spreads,
    /// if there is a model.
    pub(crate) fn new(channels: usize, normal: u32, spread: &[f32]) -> Self {
        let mut judged = vec![Judged::default(); channels];
        judged.iter_mut().zip(spread).for_each(|(j, &s)| j.floor = FLOOR * f64::from(s));
        Self {
            normal,
            seen: 0,
            channels: judged,
            means: Vec::with_capacity(channels * normal as usize),
        }
    }

    /// The score of the next window, `[time][channel]`, missing samples NaN: 16 is the edge of what is normal (the 95 %
    /// quantile of independent channels). 0 while it is calibrated.
    pub(crate) fn next(&mut self, values: &[f64]) -> u8 {
        if self.seen < self.normal {
            self.learn(values);
            self.seen += 1;
            if self.seen == self.normal {
                self.judge();
            }
            return 0;
        }
        let rate = 1.0 / f64::from(self.normal);
        let count = self.channels.len();
        let (mut squares, mut judged) = (0.0, 0.0);
        for (c, channel) in self.channels.iter_mut().enumerate().filter(|(_, j)| j.spread > 0.0) {
            let (mut sum, mut samples) = (0.0, 0.0);
            for &x in values.iter().skip(c).step_by(count).filter(|x| !x.is_nan()) {
                let distance = (x - channel.centre) / channel.spread - channel.slow;
                sum += distance.clamp(-CLIP, CLIP);
                samples += 1.0;
            }
            if samples == 0.0 {
                continue;
            }
            let distance = sum / samples;
            let odd = distance / channel.deviation;
            if (-GATE..=GATE).contains(&odd) {
                channel.slow += rate * distance;
            }
            squares += odd * odd;
            judged += 1.0;
        }
        if judged == 0.0 {
            return 0;
        }
        // The root of a chi-square variable is nearly normal: mean sqrt(n - 1/2), variance 1/2.
        let score = (root(squares) - root(judged - 0.5)) / (1.645 * root(0.5));
        (score * 16.0).clamp(0.0, 255.0) as u8
    }

    fn learn(&mut self, values: &[f64]) {
        let count = self.channels.len();
        for (c, channel) in self.channels.iter_mut().enumerate() {
            let (mut sum, mut samples) = (0.0, 0.0);
            for &x in values.iter().skip(c).step_by(count).filter(|x| x.is_finite()) {
                let x = x - *channel.first.get_or_insert(x);
                sum += x;
                samples += 1.0;
                channel.squares += x * x;
            }
            channel.sum += sum;
            channel.count += samples;
            self.means.push((sum / samples) as f32);
        }
    }

    /// Ends the calibration.
    fn judge(&mut self) {
        let count = self.channels.len();
        let rate = 1.0 / f64::from(self.normal);
        // The slow mean starts at the centre; until it has come near, distances mean nothing.
        let skipped = self.normal as usize / 8;
        for (c, channel) in self.channels.iter_mut().enumerate() {
            let origin = channel.first.unwrap_or(0.0);
            let centre = channel.sum / channel.count;
            let variance = channel.squares / channel.count - centre * centre;
            // A channel that never changed: any other value will be odd.
            let least = channel.floor.max(1e-9 * magnitude(origin + centre)).max(f64::MIN_POSITIVE);
            let spread = root(variance.max(0.0)).max(least);
            let (mut squares, mut windows) = (0.0, 0.0);
            for (w, &mean) in self.means.iter().skip(c).step_by(count).enumerate() {
                let distance = (f64::from(mean) - centre) / spread - channel.slow;
                // Windows without samples have no mean.
                if !distance.is_finite() {
                    continue;
                }
                channel.slow += rate * distance;
                if w >= skipped {
                    squares += distance * distance;
                    windows += 1.0;
                }
            }
            channel.centre = origin + centre;
            channel.deviation = root(squares / windows) + LEAST;
            // With samples in fewer than half of the windows, or numbers beyond reach, nothing is known.
            let known = 2.0 * windows >= f64::from(self.normal) - skipped as f64
                && variance.is_finite()
                && channel.deviation.is_finite()
                && channel.centre.is_finite();
            channel.spread = if known { spread } else { 0.0 };
        }
        self.means = Vec::new();
    }
}

fn magnitude(x: f64) -> f64 {
    if x < 0.0 { -x } else { x }
}

/// The square root, by Newton's steps, as `core` has none; of what is not above 0 it is 0.
fn root(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return if x.is_nan() { x } else { 0.0 };
    }
    if x == f64::INFINITY {
        return x;
    }
    // Half the exponent is within 6 % of the root.
    let mut root = f64::from_bits((x.to_bits() >> 1) + (1023 << 51));
    for _ in 0..4 {
        root = 0.5 * (root + x / root);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_odd_window_stands_out() {
        let mut score = RunningScore::default();
        for i in 0..200 {
            let usual = 2.0 + 0.1 * (i % 5) as f32;
            assert!(score.next(usual) < RUNNING_THRESHOLD, "window {i}");
        }
        assert!(score.next(4.0) >= RUNNING_THRESHOLD);
        assert!(score.next(2.2) < RUNNING_THRESHOLD);
    }

    #[test]
    fn roots_are_roots() {
        for x in [1e-300, 1e-9, 0.25, 0.5, 1.0, 2.0, 3.0, 7.5, 1e6, 1e300] {
            assert!((root(x) / x.sqrt() - 1.0).abs() < 1e-12, "{x}: {}", root(x));
        }
        assert_eq!((root(0.0), root(-1.0), root(f64::INFINITY)), (0.0, 0.0, f64::INFINITY));
    }

    /// Noise that is the same everywhere, of unit size.
    fn noise(i: u32) -> f64 {
        f64::from(i.wrapping_mul(2_654_435_761) >> 8 & 0xffff) / 32768.0 - 1.0
    }

    /// Windows of 16 samples of three channels: a noisy one, one that drifts, one that never changes.
    fn window(w: u32, change: impl Fn(&mut [f64; 3])) -> Vec<f64> {
        let sample = |t: u32| {
            let drift = f64::from(w * 16 + t) * 0.002;
            let mut x =
                [5.0 + noise(w * 16 + t), 60.0 + drift + 0.1 * noise(7 * (w * 16 + t)), 3.0];
            change(&mut x);
            x
        };
        (0..16).flat_map(sample).collect()
    }

    #[test]
    fn sudden_changes_stay_odd_and_drift_does_not() {
        let mut score = CalibratedScore::new(3, 25, &[]);
        for w in 0..25 {
            assert_eq!(score.next(&window(w, |_| {})), 0, "window {w}");
        }
        for w in 25..200 {
            let byte = score.next(&window(w, |_| {}));
            assert!(byte < CALIBRATED_THRESHOLD, "window {w}: {byte}");
        }
        // A shift by less than the noise, as long as the normal part was; then back.
        for w in 200..225 {
            let byte = score.next(&window(w, |x| x[0] -= 1.0));
            assert!(byte >= CALIBRATED_THRESHOLD, "window {w}: {byte}");
        }
        for w in 225..240 {
            let byte = score.next(&window(w, |_| {}));
            assert!(byte < CALIBRATED_THRESHOLD, "window {w}: {byte}");
        }
        assert!(score.next(&window(240, |x| x[2] = 3.5)) >= CALIBRATED_THRESHOLD);
    }

    #[test]
    fn a_channel_is_judged_however_far_it_has_drifted() {
        let window = |w: u32, change: f64| -> Vec<f64> {
            let times = w * 16..w * 16 + 16;
            times.map(|t| 60.0 + 5e-5 * f64::from(t) + 0.1 * noise(t) + change).collect()
        };
        let mut score = CalibratedScore::new(1, 25, &[]);
        // In the end a dozen standard deviations from where it began.
        for w in 0..1000 {
            let byte = score.next(&window(w, 0.0));
            assert!(byte < CALIBRATED_THRESHOLD, "window {w}: {byte}");
        }
        for change in [-0.4, 0.4] {
            assert!(score.next(&window(1000, change)) >= CALIBRATED_THRESHOLD, "{change}");
        }
        assert!(score.next(&window(1001, 0.0)) < CALIBRATED_THRESHOLD);
    }

    #[test]
    fn a_floor_keeps_quiet_channels_from_crying_wolf() {
        let score = |spread: &[f32]| {
            let mut score = CalibratedScore::new(3, 25, spread);
            (0..25).for_each(|w| assert_eq!(score.next(&window(w, |_| {})), 0));
            score.next(&window(25, |x| x[2] = 3.001))
        };
        assert!(score(&[]) >= CALIBRATED_THRESHOLD);
        assert!(score(&[1.0, 1.0, 10.0]) < CALIBRATED_THRESHOLD);
    }

    #[test]
    fn missing_and_wild_samples_are_no_trouble() {
        let mut score = CalibratedScore::new(3, 8, &[1.0, 1.0, 1.0]);
        for w in 0..8 {
            let byte = score.next(&window(w, |x| {
                x[1] = f64::NAN;
                if w == 3 {
                    x[2] = f64::MAX;
                }
            }));
            assert_eq!(byte, 0);
        }
        // Of the other two nothing is known.
        assert!(score.next(&window(8, |x| (x[1], x[2]) = (1e9, -1e9))) < CALIBRATED_THRESHOLD);
        assert!(score.next(&window(9, |x| x[0] = f64::NEG_INFINITY)) >= CALIBRATED_THRESHOLD);
        assert_eq!(score.next(&window(10, |x| *x = [f64::NAN; 3])), 0);
        assert_eq!(score.next(&[]), 0);
        assert_eq!(CalibratedScore::new(0, 8, &[]).next(&[]), 0);
    }
}
