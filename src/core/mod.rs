//! Floor 2, decisions: each room is a pure core. Time is an argument; no clock, socket, file, thread or log. A core is
//! asked through `handle(now, input, out)`, `deadline()` and `stats()`, and can therefore be tested at a thousand times
//! real time with a seed.

pub mod access;
pub mod backoff;
pub mod bitstream;
pub mod certificate;
pub mod drain;
pub mod fleet;
pub mod flv;
pub mod fmp4;
pub mod handover;
pub mod hls;
pub mod jitter;
pub mod ladder;
pub mod mix;
pub mod mpegts;
pub mod push;
pub mod record;
pub mod retention;
pub mod room;
pub mod rtmp;
pub mod scene;
pub mod signal;
pub mod srt;
pub mod steward;
pub mod trace;
pub mod webhook;
