//! **The question:** what of that which was said in a recording was written down? Lines without names, in order, and as
//! WebVTT.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::base::media::{ParticipantId, Pts};
use crate::core::record::webvtt::write_cue;

/// What somebody said, on its way into a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenLine {
    /// Who.
    pub participant: ParticipantId,
    /// From when on, room time.
    pub from: Pts,
    /// Until when.
    pub to: Pts,
    /// The words.
    pub text: String,
    /// In which language, if that was said.
    pub language: Option<String>,
}

/// The same in a recording. Times are milliseconds since its zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCaption {
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// Counted as in the chapters, from 1: no name, no id.
    pub person: u32,
    /// The words.
    pub text: String,
    /// In which language, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl RecordedCaption {
    /// Bytes that it takes in memory, about.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// What was said within `shown` of a recording, as WebVTT whose times are since the begin of that; by when it was said.
#[must_use]
pub fn captions_vtt(captions: &[RecordedCaption], shown: Range<u64>) -> String {
    let mut all: Vec<&RecordedCaption> =
        captions.iter().filter(|caption| caption.from_ms < shown.end && caption.to_ms > shown.start).collect();
    // Captioners finish when they can.
    all.sort_by_key(|caption| (caption.from_ms, caption.to_ms));
    let mut vtt = "WEBVTT\n".to_owned();
    for caption in all {
        let since = |ms: u64| ms.clamp(shown.start, shown.end) - shown.start;
        let text = format!("Speaker {}: {}", caption.person, caption.text);
        write_cue(&mut vtt, since(caption.from_ms), since(caption.to_ms), &text);
    }
    vtt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(from_ms: u64, to_ms: u64, person: u32, text: &str) -> RecordedCaption {
        RecordedCaption { from_ms, to_ms, person, text: text.into(), language: None }
    }

    #[test]
    fn captions_read_as_webvtt_in_the_order_of_what_was_said() {
        let all =
            [caption(5_000, 6_500, 2, "Yes --> no"), caption(1_000, 2_000, 1, "a < b"), caption(9_000, 9_900, 1, "x")];
        assert_eq!(
            captions_vtt(&all, 0..9_500),
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nSpeaker 1: a &lt; b\n\n\
             00:00:05.000 --> 00:00:06.500\nSpeaker 2: Yes --&gt; no\n\n00:00:09.000 --> 00:00:09.500\nSpeaker 1: x\n"
        );
        assert_eq!(
            captions_vtt(&all, 6_000..9_000),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nSpeaker 2: Yes --&gt; no\n"
        );
        assert_eq!(captions_vtt(&[], 0..5), "WEBVTT\n");
    }
}
