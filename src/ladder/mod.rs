//! **The question:** what is asked of each sender, and when is a keyframe due? Floor 1.
//!
//! Doors: [`SenderAsk`] (tile → [`SendTarget`]) and [`KeyframePacer`] (requests → keyframes), each with `handle`, `deadline` and
//! `stats`; [`RequestBudget`] (may this viewer ask again?).

mod ask;
mod keyframe;

pub use ask::{AskInput, AskStats, SendTarget, SenderAsk, target_for};
pub use keyframe::{KeyframeInput, KeyframeOutput, KeyframePacer, PacerStats, RequestBudget};
