//! **The question:** what is asked of each sender, what does each viewer get, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`CodecChoice`] (AV1 or H.264, by cost); [`RequestBudget`] (may this viewer ask again?).

mod codec;
mod keyframe;
mod uplink;

pub use codec::{CodecChoice, CodecInput, CodecLoad, CodecSetup, CodecStats};
pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
