//! **The question:** what is asked of each sender, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`RequestBudget`] (may this viewer ask again?).

mod keyframe;
mod uplink;

pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
