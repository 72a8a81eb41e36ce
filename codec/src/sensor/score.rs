//! How odd windows are.

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
}
