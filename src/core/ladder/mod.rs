//! **The question:** what is asked of each sender, what does each viewer get, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`CodecChoice`] (AV1 or H.264, by cost); [`LinkEstimator`] (reports → does it arrive?) and
//! [`ViewerRung`] (which rung then?); [`RequestBudget`] (may this viewer ask again?); [`Pace`] (how often is a tile
//! renewed?); [`ReliefCore`] (what is given up while ticks or decoders do not keep up?); [`LayerChoice`] (which
//! simulcast layer is taken?); [`TemporalChoice`] (which of its frames?); [`Steering`] (what is a sender told who does
//! not listen?);
//! [`Allowance`] (who sends more than anybody can want?); [`Budget`] (how many rooms fit beside those that run?).

mod allowance;
mod bandwidth;
mod capacity;
mod codec;
mod keyframe;
mod layers;
mod pace;
mod relief;
mod steering;
mod temporal;
mod uplink;
mod viewer;

pub use allowance::{Admission, Allowance};
pub use bandwidth::{LinkEstimator, LinkSample, LinkStats, LinkVerdict};
pub use capacity::{Budget, Capacity, room_units};
pub use codec::{CodecChoice, CodecInput, CodecLoad, CodecSetup, CodecStats};
pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use layers::LayerChoice;
pub use pace::{Pace, PacedTile};
pub use relief::{Relief, ReliefCore};
pub use steering::Steering;
pub use temporal::TemporalChoice;
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
pub use viewer::{ViewerInput, ViewerOutput, ViewerRung, ViewerStats};
