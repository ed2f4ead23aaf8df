//! **The question:** what does a captioner hear? One voice at a time, in the format of recognisers of speech.

use crate::base::limits;
use crate::base::media::{Pts, TrackId};

/// 20 ms of one voice: mono, `limits::SPEECH_RATE` samples a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechBlock {
    /// Whose, and whether it is a microphone or a shared screen's sound.
    pub track: TrackId,
    /// When it begins, room time.
    pub from: Pts,
    /// Full scale is 32,767.
    pub samples: [i16; limits::SPEECH_SAMPLES],
}

/// What happens to a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most are blocks, and they lie in a ring of places for them")]
pub enum Speech {
    /// It is heard.
    Block(SpeechBlock),
    /// It is heard no longer, from this room time on.
    Ends(TrackId, Pts),
}
