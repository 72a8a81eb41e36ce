//! Connections: accepting them, TLS, time limits, and ending without dropping what was accepted.
mod connection;
mod tls;

pub use connection::{Listener, Stop};
