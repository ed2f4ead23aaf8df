//! **The question:** what does a recording lack, and why?

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a gap is missing from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapTrack {
    /// The picture stands still.
    Video,
    /// Silence.
    Sound,
    /// Both.
    Both,
}

/// Why it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The node gave nothing: no tick of sound, or a picture that could not be stored.
    Missing,
    /// The recorder fell behind and its ring discarded what it could not hold.
    Lagged,
    /// The disk was full.
    DiskFull,
    /// The disk refused for another reason.
    DiskFailed,
    /// The store took nothing for so long that no room was left to wait in.
    StoreBehind,
    /// Pictures that cannot be decoded because what they build upon was lost: up to the next keyframe.
    AwaitingKeyframe,
}

/// A span that lacks something. Times are milliseconds since the recording's zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Where it begins.
    pub from_ms: u64,
    /// Where it ends.
    pub to_ms: u64,
    /// What is missing.
    pub track: GapTrack,
    /// Why.
    pub reason: GapReason,
}

/// Milliseconds, rounded to the nearest.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from((span.as_micros() + 500) / 1000).expect("a recording lasts below 584 million years")
}
