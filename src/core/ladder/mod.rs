//! **The question:** what is asked of each sender, and when is a keyframe due? Floor 2.
//!
//! Doors: [`UplinkTarget`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`,
//! `deadline` and `stats`; [`RequestBudget`] (may this viewer ask again?); [`Pace`] (how often is a tile renewed?);
//! [`ReliefCore`] (what is given up while ticks do not keep up?).

mod keyframe;
mod pace;
mod relief;
mod uplink;

pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
pub use pace::{Pace, PacedTile};
pub use relief::{Relief, ReliefCore};
pub use uplink::{SendTarget, UplinkInput, UplinkStats, UplinkTarget, target_for};
