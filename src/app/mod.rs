//! Floor 5, the building: who is wired to whom. Threads, clocks and the command line; no pixel, no sample, no packet.

pub mod cli;
pub mod config;
mod control;
pub mod keeperd;
pub mod load;
pub mod node;
pub mod offline;
#[cfg(feature = "fleet")]
pub mod steward;
pub mod support;
mod workers;
