//! **The question:** what is asked of each sender, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`RequestBudget`] (may this viewer ask again?), [`LayerChoice`] (which simulcast layer is
//! taken?), [`TemporalChoice`] (which of its frames?), [`Steering`] (what is a sender told who does not listen?) and
//! [`Allowance`] (who sends more than anybody can want?).

mod allowance;
mod keyframe;
mod layers;
mod steering;
mod temporal;
mod uplink;

pub use allowance::{Admission, Allowance};
pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use layers::LayerChoice;
pub use steering::Steering;
pub use temporal::TemporalChoice;
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
