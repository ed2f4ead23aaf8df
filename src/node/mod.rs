//! **The question:** who is wired to whom? Floor 4: the only room that spawns threads, reads clocks and knows everyone.
//!
//! Doors: [`config`] (what the operator chose) and [`Node`] (a running node);
//! [`keeper`] (a keeper's own process). Inside, a thread is a lane: `net-0` (the wire),
//! `decode-n`, `mix-n`, `compose-n`, `encode-n`, `package`, and `control`, which wires rooms and peers through them.

mod compose_lane;
pub mod config;
mod control;
mod counters;
mod decode_lane;
mod encode_lane;
mod event;
pub mod keeper;
mod lane;
mod masked;
mod measure;
mod mix_lane;
pub mod package;
mod package_lane;
mod report;
mod sealed;
pub mod sound;
mod start;
mod track_recording;

pub use counters::NodeCounters;
pub use report::{RoomCounters, RoomReport};
pub use start::{Node, StartError};
