//! **The question:** what does a room send out? Outputs are view × rung: who is hidden, and how it is coded.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::media::{Codec, ParticipantId, Size};

/// One outbound encode of a room; never used again in the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RungId(pub u64);

/// What one rung is and stays: anything else is another rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RungSpec {
    /// How it is coded.
    pub codec: Codec,
    /// Its raster.
    pub size: Size,
    /// Frames a second at most; divides the room's ticks a second.
    pub fps: u32,
    /// Target, bits a second.
    pub bitrate: u32,
}

impl RungSpec {
    /// The name that viewers choose it by.
    #[must_use]
    pub const fn name(&self) -> RungName {
        RungName(self.size)
    }
}

/// A rung's name: its raster, `1280x720`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RungName(pub Size);

/// A text that names no rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rung is named by its raster, such as 1280x720")]
pub struct NoRungName;

impl FromStr for RungName {
    type Err = NoRungName;

    fn from_str(text: &str) -> Result<Self, NoRungName> {
        let (width, height) = text.split_once('x').ok_or(NoRungName)?;
        let side = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u32>().map_err(|_| NoRungName),
            false => Err(NoRungName),
        };
        Ok(Self(Size::new(side(width)?, side(height)?)))
    }
}

impl fmt::Display for RungName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.0.width, self.0.height)
    }
}

/// Who is hidden from an output. Everybody else's output hides nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Shown as nobody, heard by nobody.
    pub hidden: BTreeSet<ParticipantId>,
    /// Which of a room's views this is: 0 hides nobody, and every other set of people has a number of its own that is
    /// never used again.
    pub generation: u64,
}

impl View {
    /// Whether it hides nobody.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.hidden.is_empty()
    }
}

/// What one tick of a crowded canvas costs to encode on this machine, processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeCosts {
    /// As AV1.
    pub av1: Duration,
    /// As H.264; `None` where this build has no encoder of it.
    pub h264: Option<Duration>,
}

/// Which codec rooms send to viewers that take both, as the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CodecPreference {
    /// AV1 while its encode is a small share of the machine, else H.264.
    #[default]
    Auto,
    /// AV1, whatever it costs.
    Av1,
    /// H.264.
    H264,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_their_text_form_and_nothing_else_is_one() {
        let name = RungName(Size::new(1280, 720));
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in ["", "x", "1280", "1280x", "+1280x720", "1280x720x1", "99999999999x1", " 1280x720"] {
            assert_eq!(text.parse::<RungName>(), Err(NoRungName), "{text}");
        }
    }
}
