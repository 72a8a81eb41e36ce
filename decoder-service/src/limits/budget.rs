//! Memory for bodies, shared by all requests.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, Kind};

/// What a permit of the semaphore stands for.
const UNIT: usize = 4096;

/// Bytes that all bodies together may take.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    total: usize,
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT).clamp(1, u32::MAX as usize >> 4);
        Budget { units: Arc::new(Semaphore::new(total)), total }
    }

    /// Takes bytes out of the budget, or says at once that they are not there.
    ///
    /// # Errors
    /// [`Kind::Unavailable`]
    pub fn take(&self, bytes: usize) -> Result<Share, ApiError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match Arc::clone(&self.units).try_acquire_many_owned(units) {
            Ok(permit) => Ok(Share { permit }),
            Err(_) => Err(ApiError::new(Kind::Unavailable, "too many bodies are in memory")),
        }
    }

    /// Makes a share as large as `bytes`, if it is smaller.
    ///
    /// # Errors
    /// [`Kind::Unavailable`]; the share stays as it is.
    pub fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), ApiError> {
        let held = share.permit.num_permits() * UNIT;
        if bytes > held {
            share.permit.merge(self.take(bytes - held)?.permit);
        }
        Ok(())
    }

    /// Bytes taken now.
    pub fn used(&self) -> usize {
        (self.total - self.units.available_permits()) * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10 * UNIT);
        let mut first = budget.take(0).unwrap();
        budget.grow(&mut first, 2 * UNIT + 1).unwrap();
        budget.grow(&mut first, UNIT).unwrap();
        assert_eq!(budget.used(), 3 * UNIT);
        assert_eq!(budget.take(8 * UNIT).unwrap_err().kind(), Kind::Unavailable);
        assert!(budget.grow(&mut first, 11 * UNIT).is_err());
        let second = budget.take(5 * UNIT).unwrap();
        drop((first, second));
        assert_eq!(budget.used(), 0);
        assert!(budget.take(usize::MAX).is_err());
    }
}
