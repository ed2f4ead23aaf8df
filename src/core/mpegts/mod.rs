//! **The question:** how do coded pictures and sound lie in an MPEG transport stream (ISO/IEC 13818-1)? One program of
//! H.264 and, if there is sound, of AAC in ADTS or of Opus as ETSI TS 103 491's annex and ffmpeg have it.
//!
//! Doors: [`TsMuxer`], [`TS_PACKET`].

mod muxer;
mod packets;
mod tables;
#[cfg(test)]
mod tests;

pub use muxer::TsMuxer;
pub use packets::TS_PACKET;
