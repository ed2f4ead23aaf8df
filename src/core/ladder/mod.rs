//! **The question:** what is asked of each sender, what does each viewer get, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`CodecChoice`] (AV1 or H.264, by cost); [`LinkEstimator`]
//! (reports → does it arrive?) and [`ViewerRung`] (which rung then?); [`RequestBudget`] (may this viewer ask again?).

mod bandwidth;
mod codec;
mod keyframe;
mod uplink;
mod viewer;

pub use bandwidth::{LinkEstimator, LinkSample, LinkStats, LinkVerdict};
pub use codec::{CodecChoice, CodecInput, CodecLoad, CodecSetup, CodecStats};
pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
pub use viewer::{ViewerInput, ViewerRung, ViewerStats};
