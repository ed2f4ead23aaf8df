//! **The question:** when does a frame play? Floor 1: time is an argument, nothing here reads a clock.
//!
//! Doors: [`VideoJitter`] (`handle`, `deadline`, `stats`), [`AudioJitter`] (pulled at each audio tick, so it has no
//! deadline), [`Stretcher`] (samples made fewer or more, as the audio buffer advises), [`Transit`] (time map and wish
//! for delay of a video track).

mod arrival;
mod audio;
mod stretch;
mod transit;
mod video;

pub use audio::{AudioInput, AudioJitter, AudioPiece, AudioStats, Stretch};
pub use stretch::{Likeness, Stretcher};
pub use transit::{Observed, Transit};
pub use video::{VideoInput, VideoJitter, VideoOutput, VideoStats};
