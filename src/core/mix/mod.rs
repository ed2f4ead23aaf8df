//! **The question:** what does each one hear? Floor 2: decisions and sums, no codec.
//!
//! Doors: [`VoiceChoice`] (which voices are heard, by their [`Activity`]; asked once a tick, before anything is
//! decoded), with its [`Dominance`] (who speaks, who has the word); [`Leveller`] (a voice's gain), [`Mixer`] (the
//! shared mix and each speaker's mix-minus, each through its [`Limiter`]), [`LossFollower`] (what the encoders are
//! asked for), [`Upsampler`] and [`Downsampler`] (to and from the telephone's rate), [`SpeechDownsampler`] (to that of
//! recognisers of speech). All are pulled at audio ticks, so there is no outbox and no deadline here.

mod activity;
mod dominance;
mod leveller;
mod limiter;
mod loss;
mod loudness;
mod mixer;
mod resample;
mod selection;
mod true_peak;

pub use activity::Activity;
pub use dominance::Dominance;
pub use leveller::Leveller;
pub use limiter::{LIMITER_DELAY_FRAMES, Limiter};
pub use loss::{LossFollower, OpusTuning};
pub use loudness::Loudness;
pub use mixer::{Fade, Minus, Mixer, SoundKind, Voice};
pub use resample::{Downsampler, SpeechDownsampler, Upsampler};
pub use selection::{Chosen, VoiceChoice, VoiceStats};
