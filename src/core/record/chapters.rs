//! **The question:** where in a recording did something change that a person looks for? A bounded list without names,
//! and as WebVTT.

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::core::record::webvtt::write_cue;

/// What begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ChapterKind {
    /// Another person has the word.
    Speaker {
        /// Counted from 1 in the order in which people first had the word in this recording: no name, no id.
        person: u32,
    },
    /// A screen is shown.
    ScreenBegins,
    /// It is no longer shown.
    ScreenEnds,
    /// The room is laid out in another way.
    Layout,
}

/// A moment, and what begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Since the recording's zero, milliseconds.
    pub at_ms: u64,
    /// What begins.
    #[serde(flatten)]
    pub kind: ChapterKind,
}

/// Adds a chapter. A speaker who has the word already begins none; what follows one of its own kind within
/// `limits::RECORD_CHAPTER_SPACING` takes its place, so that an argument is not a chapter a second. False if the list
/// is full.
pub(super) fn note(chapters: &mut Vec<Chapter>, chapter: Chapter) -> bool {
    let speaks = |kind: ChapterKind| matches!(kind, ChapterKind::Speaker { .. });
    let same_kind = |old: &&mut Chapter| std::mem::discriminant(&old.kind) == std::mem::discriminant(&chapter.kind);
    if speaks(chapter.kind) && chapters.iter().rfind(|old| speaks(old.kind)).is_some_and(|old| old.kind == chapter.kind)
    {
        return true;
    }
    let spacing = u64::try_from(limits::RECORD_CHAPTER_SPACING.as_millis()).expect("seconds");
    if let Some(last) = chapters.last_mut().filter(same_kind)
        && chapter.at_ms.saturating_sub(last.at_ms) < spacing
    {
        last.kind = chapter.kind;
        return true;
    }
    let room = chapters.len() < limits::RECORD_CHAPTERS_MAX;
    if room {
        chapters.push(chapter);
    }
    room
}

/// WebVTT chapters (W3C WebVTT, section 1.4): each lasts until the next, the last until the recording's end.
#[must_use]
pub fn chapters_vtt(chapters: &[Chapter], duration_ms: u64) -> String {
    let mut text = "WEBVTT\n".to_owned();
    let ends = chapters.iter().skip(1).map(|next| next.at_ms).chain([duration_ms]);
    // A chapter without a span (the next begins at once) is none for a player.
    for (chapter, end) in chapters.iter().zip(ends).filter(|(chapter, end)| chapter.at_ms < *end) {
        let title = match chapter.kind {
            ChapterKind::Speaker { person } => format!("Speaker {person}"),
            ChapterKind::ScreenBegins => "Screen shared".to_owned(),
            ChapterKind::ScreenEnds => "Screen no longer shared".to_owned(),
            ChapterKind::Layout => "Another layout".to_owned(),
        };
        write_cue(&mut text, chapter.at_ms, end, &title);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(at_ms: u64, person: u32) -> Chapter {
        Chapter { at_ms, kind: ChapterKind::Speaker { person } }
    }

    #[test]
    fn chapters_are_few_and_follow_what_lasts() {
        let mut list = Vec::new();
        for chapter in [speaker(0, 1), speaker(10_000, 2), speaker(10_500, 1), speaker(11_000, 3), speaker(60_000, 3)] {
            assert!(note(&mut list, chapter));
        }
        assert_eq!(list, [speaker(0, 1), speaker(10_000, 3)]);
        for n in 0..2 * limits::RECORD_CHAPTERS_MAX as u64 {
            note(&mut list, Chapter { at_ms: 100_000 + n * 60_000, kind: ChapterKind::Layout });
        }
        assert_eq!(list.len(), limits::RECORD_CHAPTERS_MAX);
        assert!(!note(&mut list, speaker(u64::MAX, 9)));
    }

    #[test]
    fn chapters_read_as_webvtt() {
        let list =
            [speaker(0, 1), Chapter { at_ms: 3_723_004, kind: ChapterKind::ScreenBegins }, speaker(3_723_004, 2)];
        let text = chapters_vtt(&list, 3_800_000);
        assert_eq!(
            text,
            "WEBVTT\n\n00:00:00.000 --> 01:02:03.004\nSpeaker 1\n\n01:02:03.004 --> 01:03:20.000\nSpeaker 2\n"
        );
        assert_eq!(chapters_vtt(&[], 5), "WEBVTT\n");
    }
}
