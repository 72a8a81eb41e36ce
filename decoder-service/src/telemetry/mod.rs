//! Logs, traces, metrics.
mod log;
mod metrics;

#[cfg(feature = "otlp")]
pub(crate) use log::follow;
pub use log::{Guard, start};
pub(crate) use metrics::{
    AlarmLabels, ChannelLabels, ModelLabels, OutcomeLabels, RejectLabels, RoleLabels,
    RollbackLabels, RouteOnly,
};
pub use metrics::{Metrics, RouteLabels, VersionLabels};
