//! Integer features of the context model. `models/train/pinhole_train/sensor/model.py` makes the same ones.

/// Magnitudes that features tell apart.
pub(super) const LEVELS: usize = 4096;
/// Learned features of a latent's place.
pub(super) const PLACES: usize = 8;
/// First latent and distance of each pass.
pub(super) const PASSES: [(usize, usize); 3] = [(0, 4), (2, 4), (1, 2)];
const NEAR: usize = 2;
const OWN: usize = 3;
/// Latents whose features are made, and used, at a time.
pub(super) const BATCH: usize = 8;
/// Zeros before and after the latents of a channel, so that nothing reads beyond them.
pub(super) const MARGIN: usize = 8;
/// Feature 0.
const ZERO: u8 = 128;

/// Features of a model with so many channels.
pub(super) const fn count(channels: usize) -> usize {
    (2 * (channels * (2 * NEAR + 1) + 2 * OWN + 1) + 5 * channels + PLACES + 1 + PASSES.len())
        .next_multiple_of(4)
}

/// Latents with what features need of them, `[channel][MARGIN + T + MARGIN]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    /// Values in sixteenths of a step.
    pub(super) values: alloc::vec::Vec<i16>,
    stride: usize,
}

impl Levels {
    pub(super) fn reset(&mut self, channels: usize, window: usize) {
        self.stride = window + 2 * MARGIN;
        self.values.clear();
        self.values.resize(channels * self.stride, 0);
    }

    pub(super) fn channel(&self, channel: usize) -> &[i16] {
        &self.values[channel * self.stride..][..self.stride]
    }

    pub(super) fn channel_mut(&mut self, channel: usize) -> &mut [i16] {
        &mut self.values[channel * self.stride..][..self.stride]
    }
}

/// The mean of `size` magnitudes from `size / 2` below `at`, rounded down.
fn mean(values: &[i16], at: usize, size: usize) -> usize {
    let sum: u32 =
        values[at - size / 2..at + size / 2].iter().map(|v| u32::from(v.unsigned_abs())).sum();
    sum as usize / size
}

/// What the features of one pass are made of.
pub(super) struct Sources<'s> {
    /// Latents of this window, 0 where not decoded.
    pub(super) now: &'s Levels,
    /// Latents of the window before.
    pub(super) before: &'s Levels,
    /// Feature of each magnitude.
    pub(super) magnitudes: &'s [u8],
    /// Features of the channel's places.
    pub(super) places: &'s [u8],
    /// Feature of the quantiser's step.
    pub(super) step: i8,
}

impl Sources<'_> {
    fn magnitude(&self, level: usize) -> u8 {
        self.magnitudes[level.min(LEVELS - 1)]
    }

    /// Writes the features of `channel`'s latents in a pass from number `start` on, at most [`BATCH`] of them,
    /// `[latent][count]`; returns how many.
    pub(super) fn write(
        &self,
        channels: usize,
        window: usize,
        channel: usize,
        pass: usize,
        start: usize,
        out: &mut [u8],
    ) -> usize {
        let (first, stride) = PASSES[pass];
        let width = count(channels);
        let mut latents = 0;
        let latents_there = (first..window).step_by(stride).skip(start).take(BATCH);
        for (k, out) in latents_there.zip(out.chunks_exact_mut(width)) {
            self.write_one(channels, channel, pass, k, out);
            latents += 1;
        }
        latents
    }

    fn write_one(&self, channels: usize, channel: usize, pass: usize, k: usize, out: &mut [u8]) {
        let at = k + MARGIN;
        let signs = channels * (2 * NEAR + 1) + 2 * OWN + 1;
        let (signed, rest) = out.split_at_mut(signs);
        let (plain, rest) = rest.split_at_mut(signs);
        let mut slots = signed.iter_mut().zip(plain);
        let mut put = |value: i16| {
            let magnitude = self.magnitude(usize::from(value.unsigned_abs()));
            if let Some((s, p)) = slots.next() {
                *p = ZERO.saturating_add(magnitude);
                *s = if value < 0 { ZERO - magnitude.min(ZERO) } else { *p };
            }
        };
        for c in 0..channels {
            self.now.channel(c)[at - NEAR..=at + NEAR].iter().for_each(|&v| put(v));
        }
        self.now.channel(channel)[at - OWN..=at + OWN].iter().for_each(|&v| put(v));

        let (boxes, rest) = rest.split_at_mut(5 * channels);
        for c in 0..channels {
            let (now, before) = (self.now.channel(c), self.before.channel(c));
            let levels = [
                mean(now, at, 16),
                mean(now, at, 4),
                usize::from(before[at].unsigned_abs()),
                mean(before, at, 16),
                mean(before, at, 4),
            ];
            for (kind, level) in levels.into_iter().enumerate() {
                boxes[kind * channels + c] = ZERO.saturating_add(self.magnitude(level));
            }
        }
        let (places, rest) = rest.split_at_mut(PLACES);
        places.copy_from_slice(&self.places[k * PLACES..][..PLACES]);
        rest.fill(ZERO);
        rest[0] = ZERO.wrapping_add_signed(self.step);
        rest[1 + pass] = ZERO + 16;
    }
}
