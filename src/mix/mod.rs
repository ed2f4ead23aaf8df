//! **The question:** what does each one hear? Floor 1: decisions and sums, no codec.
//!
//! Doors: [`VoiceChoice`] (which voices are heard; asked once a tick, before anything is decoded), [`Mixer`] (the shared mix and
//! each speaker's mix-minus), [`Limiter`]. All are pulled at audio ticks, so there is no outbox and no deadline here.

mod choice;
mod limiter;
mod mixer;

pub use choice::{Chosen, Loudness, VoiceChoice, VoiceStats};
pub use limiter::Limiter;
pub use mixer::{Fade, Minus, Mixer, Voice};
