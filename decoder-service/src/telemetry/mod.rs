//! Logs, traces, metrics.
mod log;
mod metrics;

pub use log::{Guard, start};
pub use metrics::{Metrics, RouteLabels, VersionLabels};
