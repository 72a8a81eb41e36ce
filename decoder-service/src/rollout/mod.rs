//! Safe change of models: canary, shadow, service-level objectives, automatic rollback.
//!
//! A [`Rollout`] is the state of one challenger beside its champion. It decides nothing by itself about time or I/O: whoever
//! serves requests tells it outcomes, and asks for a verdict every second.
mod slo;
mod split;
mod state;

pub use slo::{Breach, Health, HealthReport, Slo};
pub use split::{key_of, takes_challenger};
pub use state::{Comparison, Mode, Phase, Plan, Quality, Report, Rollout, Verdict};
