//! Sums over the recent past.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A sliding window of buckets of equal length; what is older than all of them is forgotten.
#[derive(Clone, Debug)]
pub struct Window<T> {
    bucket: Duration,
    buckets: usize,
    /// Number of the bucket since the window's start, and its content; newest last.
    content: VecDeque<(u64, T)>,
    start: Instant,
}

impl<T: Default> Window<T> {
    /// A window of `length`, forgetting in steps of `length / buckets`.
    pub fn new(length: Duration, buckets: usize, now: Instant) -> Self {
        let buckets = buckets.max(1);
        let bucket = (length / buckets as u32).max(Duration::from_millis(1));
        Window { bucket, buckets, content: VecDeque::new(), start: now }
    }

    fn number(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_millis();
        u64::try_from(elapsed / self.bucket.as_millis()).unwrap_or(u64::MAX)
    }

    /// The bucket of this moment.
    pub fn current(&mut self, now: Instant) -> &mut T {
        let number = self.number(now);
        self.forget(number);
        if self.content.back().is_none_or(|(last, _)| *last < number) {
            self.content.push_back((number, T::default()));
        }
        let last = self.content.len() - 1;
        &mut self.content[last].1
    }

    /// What is left of the buckets at this moment, oldest first.
    pub fn recent(&mut self, now: Instant) -> impl Iterator<Item = &T> {
        let number = self.number(now);
        self.forget(number);
        self.content.iter().map(|(_, content)| content)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.content.clear();
    }

    fn forget(&mut self, number: u64) {
        let buckets = self.buckets as u64;
        while self.content.front().is_some_and(|(first, _)| first + buckets <= number) {
            self.content.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_buckets_leave() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut window: Window<u32> = Window::new(Duration::from_secs(30), 3, start);
        *window.current(at(0)) += 1;
        *window.current(at(9)) += 1;
        *window.current(at(10)) += 5;
        assert_eq!(window.recent(at(29)).copied().collect::<Vec<_>>(), [2, 5]);
        assert_eq!(window.recent(at(30)).copied().collect::<Vec<_>>(), [5]);
        *window.current(at(1000)) += 7;
        assert_eq!(window.recent(at(1000)).sum::<u32>(), 7);
        window.clear();
        assert_eq!(window.recent(at(1000)).count(), 0);
    }
}
