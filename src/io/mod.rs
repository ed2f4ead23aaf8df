//! Floor 4, doors: sockets, files, and the clocks of others. What comes in is checked and bounded here; what a foreign
//! crate calls a thing goes no further than its room.

pub mod acme;
pub mod apart;
pub mod api;
pub mod demux;
pub mod egress;
pub mod fleet;
pub mod http;
pub mod keeper;
pub mod live;
pub mod push;
pub mod recording;
pub mod rtp;
#[cfg(feature = "fleet")]
pub mod steward;
pub mod store;
pub mod telemetry;
pub mod tokens;
pub mod traces;
pub mod transfer;
pub mod webhook;
pub mod webrtc;
