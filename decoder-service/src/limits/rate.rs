//! Requests per second of each caller.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::{ApiError, Kind};

/// Callers after which those that have recovered are forgotten.
const CALLERS: usize = 10_000;

/// A rate and a burst for every caller (GCRA, the generic cell rate algorithm).
pub struct RateLimit {
    limiter: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
}

impl RateLimit {
    /// At most `per_second` requests on average and `burst` at once; no limit if either is zero.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let limiter = NonZeroU32::new(per_second).zip(NonZeroU32::new(burst));
        let limiter = limiter
            .map(|(rate, burst)| RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)));
        RateLimit { limiter, clock: DefaultClock::default() }
    }

    /// Counts requests of a caller.
    ///
    /// # Errors
    /// [`Kind::RateLimited`], with the time after which there is room again.
    pub fn check(&self, caller: &str) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > CALLERS {
            limiter.retain_recent();
        }
        limiter.check_key(&caller.to_owned()).map_err(|not_until| {
            let wait: Duration = not_until.wait_time_from(self.clock.now());
            let detail = format!("the rate of '{caller}' is exhausted");
            ApiError::new(Kind::RateLimited, detail).retry_after(wait)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_end_and_callers_are_apart() {
        let limit = RateLimit::new(1, 3);
        (0..3).for_each(|_| limit.check("a").unwrap());
        assert_eq!(limit.check("a").unwrap_err().kind(), Kind::RateLimited);
        assert!(limit.check("b").is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let limit = RateLimit::new(0, 3);
        assert!((0..1000).all(|_| limit.check("a").is_ok()));
    }
}
