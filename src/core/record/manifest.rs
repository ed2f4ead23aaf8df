//! **The question:** what is in a recording, and what does it lack? The JSON that stands beside it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{NANOS_PER_SECOND, RoomId, Size, Wallclock};
use crate::core::record::chapters::{Chapter, note};
use crate::core::record::gap::{Gap, GapTrack, millis};
use crate::core::record::presence::Presence;
use crate::core::record::track_entry::TrackEntry;

/// Whether more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// The call runs; after a crash this stays, and the files tell how far they go.
    Recording,
    /// The recording was closed.
    Final,
}

/// One file of a recording. Times are milliseconds since the recording's zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeEntry {
    /// The file's name, beside the manifest.
    pub file: String,
    /// Where it begins on the recording's timeline.
    pub from_ms: u64,
    /// How long it plays.
    pub duration_ms: u64,
    /// Columns of its picture.
    pub width: u32,
    /// Rows of its picture.
    pub height: u32,
    /// Its length.
    pub bytes: u64,
    /// By which the node had the room that made it, in a fleet: of two takes of one moment the one with the greater is
    /// right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
}

/// What stands beside a recording: what it holds and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this format: 1.
    pub version: u32,
    /// Which room was recorded.
    pub room: RoomId,
    /// Whose recording it is, as anyone who began it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// By which the node had the room that made it, in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// Whether more will come.
    pub state: RecordingState,
    /// UTC of the recording's zero, RFC 3339; absent while nothing was recorded.
    pub started: Option<String>,
    /// From the recording's zero to the end of what is stored, whatever is missing in between.
    pub duration_ms: u64,
    /// Length of all files.
    pub bytes: u64,
    /// The files, in order.
    pub takes: Vec<TakeEntry>,
    /// What it lacks, in the order it was noticed.
    pub gaps: Vec<Gap>,
    /// How many more gaps there are than listed.
    pub gaps_unlisted: u64,
    /// Milliseconds that lack something, listed or not; picture and sound that lack for different reasons count twice.
    pub gap_ms: u64,
    /// What began when, in order; no names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chapters: Vec<Chapter>,
    /// How many more chapters there are than listed.
    #[serde(default)]
    pub chapters_unlisted: u64,
    /// How many captions there are of what was said; the words stand beside the manifest.
    #[serde(default, skip_serializing_if = "is_none")]
    pub captions: u64,
    /// Who was in the room, by ids that are new for each entry, in the order in which they came; never who does not
    /// want to be recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Presence>,
    /// How many more stays there are than listed.
    #[serde(default, skip_serializing_if = "is_none")]
    pub people_unlisted: u64,
    /// Participants' own tracks, in the order in which their files began; their bytes and gaps are not in the sums
    /// above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<TrackEntry>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Manifest {
    /// Of a recording that holds nothing yet.
    #[must_use]
    pub fn new(room: RoomId) -> Self {
        Self {
            version: 1,
            room,
            owner: None,
            fence: None,
            state: RecordingState::Recording,
            started: None,
            duration_ms: 0,
            bytes: 0,
            takes: Vec::new(),
            gaps: Vec::new(),
            gaps_unlisted: 0,
            gap_ms: 0,
            chapters: Vec::new(),
            chapters_unlisted: 0,
            captions: 0,
            people: Vec::new(),
            people_unlisted: 0,
            tracks: Vec::new(),
        }
    }

    /// Adds a chapter, unless it is none or there are too many.
    pub(super) fn begins(&mut self, chapter: Chapter) {
        self.chapters_unlisted += u64::from(!note(&mut self.chapters, chapter));
    }

    /// Adds a gap; one that continues the last of its kind lengthens it. Spans below a millisecond are none.
    pub(super) fn lacks(&mut self, gap: Gap) {
        if gap.to_ms <= gap.from_ms {
            return;
        }
        if gap.track == GapTrack::Both {
            self.forget_within(gap);
        }
        let same = |old: &&mut Gap| old.track == gap.track && old.reason == gap.reason;
        // Sums of rounded milliseconds may miss each other by one.
        let touches = |old: &&mut Gap| old.from_ms <= gap.from_ms && gap.from_ms <= old.to_ms + 1;
        if let Some(old) = self.gaps.iter_mut().rev().take(4).filter(same).find(touches) {
            let longer = gap.to_ms.saturating_sub(old.to_ms);
            old.to_ms += longer;
            self.gap_ms += longer;
            return;
        }
        self.gap_ms += gap.to_ms - gap.from_ms;
        if self.gaps.len() < limits::RECORD_GAPS_MAX {
            self.gaps.push(gap);
        } else {
            self.gaps_unlisted += 1;
        }
    }

    // A span that lacks both tracks says more than one within it that lacks one.
    fn forget_within(&mut self, gap: Gap) {
        let within = |old: &Gap| old.track != GapTrack::Both && gap.from_ms <= old.from_ms && old.to_ms <= gap.to_ms;
        for old in self.gaps.extract_if(.., |old| within(old)) {
            self.gap_ms -= old.to_ms - old.from_ms;
        }
    }

    /// Adds a file.
    pub(super) fn begin_take(&mut self, from: Duration, size: Size) {
        let entry = TakeEntry {
            file: String::new(),
            from_ms: millis(from),
            duration_ms: 0,
            width: size.width,
            height: size.height,
            bytes: 0,
            fence: self.fence,
        };
        self.takes.push(entry);
    }

    /// Notes how far the newest file goes.
    pub(super) fn extend_take(&mut self, duration: Duration, bytes: u64) {
        if let Some(take) = self.takes.last_mut() {
            take.duration_ms = millis(duration);
            take.bytes = bytes;
        }
        self.sum_up();
    }

    /// Takes back a fragment of `bytes` that was not stored; the file ends at `end` again.
    pub(super) fn shorten_take(&mut self, take: usize, end: Duration, bytes: u64) {
        let entry = &mut self.takes[take];
        entry.duration_ms = entry.duration_ms.min(millis(end));
        entry.bytes = entry.bytes.saturating_sub(bytes);
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.duration_ms = self.takes.iter().map(|take| take.from_ms + take.duration_ms).max().unwrap_or(0);
        self.bytes = self.takes.iter().map(|take| take.bytes).sum();
    }
}

/// UTC to the second as `2026-07-14T09:30:00Z` (RFC 3339).
#[must_use]
pub fn utc_text(time: Wallclock) -> String {
    let (year, month, day, [hour, minute, second]) = civil(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same to the millisecond: `2026-11-27T04:15:30.125Z`.
#[must_use]
pub fn utc_ms_text(time: Wallclock) -> String {
    let whole = utc_text(time);
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), time.0 % NANOS_PER_SECOND / 1_000_000)
}

// Proleptic Gregorian date: years are counted from 1 March of year 0, so that a leap day ends its year.
fn civil(time: Wallclock) -> (u64, u64, u64, [u64; 3]) {
    let seconds = time.unix_seconds();
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day, [second / 3600, second / 60 % 60, second % 60])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::GapReason;

    fn gap(from_ms: u64, to_ms: u64, track: GapTrack) -> Gap {
        Gap { from_ms, to_ms, track, reason: GapReason::Missing }
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        let at = |seconds: u64| utc_text(Wallclock(seconds * NANOS_PER_SECOND));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn gaps_that_continue_each_other_are_one() {
        let mut manifest = Manifest::new("room".parse().unwrap());
        manifest.lacks(gap(0, 20, GapTrack::Sound));
        manifest.lacks(gap(5, 40, GapTrack::Video));
        manifest.lacks(gap(20, 60, GapTrack::Sound));
        manifest.lacks(gap(100, 100, GapTrack::Sound));
        assert_eq!(manifest.gaps, [gap(0, 60, GapTrack::Sound), gap(5, 40, GapTrack::Video)]);
        assert_eq!(manifest.gap_ms, 95);
        manifest.lacks(gap(0, 50, GapTrack::Both));
        assert_eq!(manifest.gaps, [gap(0, 60, GapTrack::Sound), gap(0, 50, GapTrack::Both)]);
        assert_eq!(manifest.gap_ms, 110);
    }

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut manifest = Manifest::new("room".parse().unwrap());
        for n in 0..limits::RECORD_GAPS_MAX as u64 + 7 {
            manifest.lacks(gap(n * 100, n * 100 + 20, GapTrack::Sound));
        }
        assert_eq!(manifest.gaps.len(), limits::RECORD_GAPS_MAX);
        assert_eq!(manifest.gaps_unlisted, 7);
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }
}
