//! What one client, and all of them together, may take.
mod admission;
mod budget;
mod rate;

pub use admission::{Admission, Place, TooLate};
pub use budget::{Budget, Share};
pub use rate::RateLimit;
