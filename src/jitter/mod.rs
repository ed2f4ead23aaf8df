//! **The question:** when does a frame play? Floor 1: time is an argument, nothing here reads a clock.
//!
//! Doors: [`VideoJitter`] (`handle`, `deadline`, `stats`), [`AudioJitter`] (pulled at each audio tick, so it has no deadline),
//! [`Transit`] (the time map and the wish for delay both share), [`toc`] (how long an Opus packet lasts).

mod audio;
pub mod toc;
mod transit;
mod video;

pub use audio::{AudioInput, AudioJitter, AudioPiece, AudioStats};
pub use transit::{Observed, Transit};
pub use video::{VideoInput, VideoJitter, VideoOutput, VideoStats};
