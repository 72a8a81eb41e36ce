//! Sensor streams.

pub mod network;
