//! What one client, and all of them together, may take.
mod budget;
mod rate;

pub use budget::{Budget, Share};
pub use rate::RateLimit;
