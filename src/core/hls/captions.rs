//! **The question:** which captions stand in which segment of a live stream? WebVTT in segments on the grid that
//! pictures lie on (RFC 8216bis, section 3.1.4), so numbers and dates are the same. What was listed once never changes:
//! words that come when their segment was listed already are shown at the begin of the open one.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use crate::base::limits;
use crate::base::media::{Pts, RoomEpoch};
use crate::core::hls::grid::{Cell, PARTS_PER_SEGMENT, seconds};
use crate::core::hls::muxer::LEAD;
use crate::core::record::{utc_ms_text, write_cue};

/// Nanoseconds of a segment.
const SEGMENT: u64 = limits::HLS_SEGMENT_SPAN.as_nanos() as u64;
/// Ticks of MPEG-2's clock, 90 kHz, by which media times lie behind the room's clock.
const LEAD_TICKS: u128 = LEAD.as_millis() * 90;

/// What a captions' playlist is called, and its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedCaptions {
    /// `index.m3u8`
    Playlist,
    /// `25.vtt`
    Segment(u64),
}

/// What is said of captions in the list of rungs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionsRendition {
    /// Their playlist, relative to the list.
    pub uri: String,
    /// LANGUAGE, if the operator says.
    pub language: Option<String>,
}

/// One thing that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cue {
    from: Pts,
    to: Pts,
    text: String,
}

/// The captions of one room, as long as they can be asked for.
#[derive(Debug, Default)]
pub struct CaptionWindow {
    cues: VecDeque<Cue>,
    /// The first segment that nobody was told of.
    unlisted: u64,
    ended: Option<Pts>,
}

impl AskedCaptions {
    /// What a name means; `None`: nothing.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "index.m3u8" {
            return Some(Self::Playlist);
        }
        let msn = name.strip_suffix(".vtt")?;
        let is_plain = msn.bytes().all(|byte| byte.is_ascii_digit()) && (msn == "0" || !msn.starts_with('0'));
        if is_plain { msn.parse().ok().map(Self::Segment) } else { None }
    }
}

impl CaptionWindow {
    /// Takes what was said from `from` to `to`, at `now`; `kept` is how long anything can be asked for.
    pub fn add(&mut self, now: Pts, (from, to): (Pts, Pts), text: String, kept: Duration) {
        if self.ended.is_some() {
            return;
        }
        let open = Pts(Cell::of(now).msn().max(self.unlisted) * SEGMENT);
        let span = to.since(from).max(limits::CAPTION_SHOWN_MIN);
        let cue = if from < open {
            // Somebody who follows closely sees the open segment when it is over.
            Cue { from: open, to: open + span.max(limits::HLS_SEGMENT_SPAN), text }
        } else {
            Cue { from, to: from + span, text }
        };
        self.cues.push_back(cue);
        self.cues.retain(|cue| now.since(cue.to) <= kept);
        while self.cues.len() > limits::CAPTION_CUES_MAX {
            self.cues.pop_front();
        }
    }

    /// Nothing more is said.
    pub fn end(&mut self, now: Pts) {
        self.ended.get_or_insert(now);
    }

    /// The playlist at `now`, with the segments of the last `span`; `None` before the first one is whole.
    pub fn playlist(&mut self, now: Pts, span: Duration, epoch: &RoomEpoch) -> Option<String> {
        let end = self.whole(now);
        let count = (span.as_nanos() as u64 / SEGMENT).max(PLAYLIST_MIN);
        let first = end.saturating_sub(count);
        if end == 0 {
            return None;
        }
        self.unlisted = self.unlisted.max(end);
        let target = limits::HLS_SEGMENT_SPAN.as_secs();
        let mut text =
            format!("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for msn in first..end {
            let date = utc_ms_text(epoch.wallclock_at(Pts(msn * SEGMENT)));
            let span = seconds(limits::HLS_SEGMENT_SPAN);
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:{span},\n{msn}.vtt")
                .expect("a string takes what it is given");
        }
        if self.ended.is_some() {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Some(text)
    }

    /// A segment that is whole at `now`, and not much older than `span`.
    #[must_use]
    pub fn segment(&self, msn: u64, now: Pts, span: Duration) -> Option<String> {
        let (end, kept) = (self.whole(now), (2 * span.as_nanos() as u64).div_ceil(SEGMENT) + PLAYLIST_MIN);
        if msn >= end || end - msn > kept {
            return None;
        }
        let (from, to) = (Pts(msn * SEGMENT), Pts((msn + 1) * SEGMENT));
        let mut vtt = format!("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{LEAD_TICKS}\n");
        let ms = |at: Pts| at.as_nanos() / 1_000_000;
        // One that reaches into several stands in each of them.
        for cue in self.cues.iter().filter(|cue| cue.from < to && cue.to > from) {
            write_cue(&mut vtt, ms(cue.from), ms(cue.to), &cue.text);
        }
        Some(vtt)
    }

    /// How many segments are whole; the last one of a room that is over is, as far as it goes.
    fn whole(&self, now: Pts) -> u64 {
        match self.ended {
            Some(ended) => ended.as_nanos().div_ceil(SEGMENT),
            None => Cell::of(now).msn().max(self.unlisted),
        }
    }
}

/// Segments that are listed in any case.
const PLAYLIST_MIN: u64 = 4;
const _: () = assert!(PARTS_PER_SEGMENT * limits::HLS_PART_SPAN.as_nanos() as u64 == SEGMENT);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::Wallclock;
    use std::time::Instant;

    const SPAN: Duration = Duration::from_secs(20);

    fn at(ms: u64) -> Pts {
        Pts(ms * 1_000_000)
    }

    fn add(window: &mut CaptionWindow, now: u64, span: (u64, u64), text: &str) {
        window.add(at(now), (at(span.0), at(span.1)), text.to_owned(), 3 * SPAN);
    }

    #[test]
    fn segments_lie_on_the_grid_and_say_which_time_is_meant() {
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(1_790_000_000_000_000_000) };
        let mut window = CaptionWindow::default();
        assert!(window.playlist(at(3_999), SPAN, &epoch).is_none(), "none is whole");
        add(&mut window, 6_000, (4_500, 5_900), "Ada: one");
        add(&mut window, 7_900, (7_000, 7_800), "Ada: 1 < 2 --> 3");
        let text = window.playlist(at(8_000), SPAN, &epoch).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..4], ["#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:0"]);
        assert_eq!(lines[7..], ["#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:24.000Z", "#EXTINF:4.00000,", "1.vtt"]);
        let head = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:1800\n";
        assert_eq!(window.segment(0, at(8_000), SPAN).unwrap(), head);
        let cues =
            "\n00:00:04.500 --> 00:00:05.900\nAda: one\n\n00:00:07.000 --> 00:00:08.000\nAda: 1 &lt; 2 --&gt; 3\n";
        assert_eq!(window.segment(1, at(8_000), SPAN).unwrap(), format!("{head}{cues}"));
        assert!(window.segment(2, at(8_000), SPAN).is_none(), "it is not whole");
        let text = window.playlist(at(400_000), SPAN, &epoch).unwrap();
        assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:95\n") && !text.contains("ENDLIST"));
        assert!(window.segment(1, at(400_000), SPAN).is_none(), "long gone");
    }

    #[test]
    fn what_was_listed_never_changes_and_late_words_are_shown_all_the_same() {
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) };
        let mut window = CaptionWindow::default();
        add(&mut window, 3_000, (1_000, 2_500), "in time");
        window.playlist(at(8_100), SPAN, &epoch).unwrap();
        let before = window.segment(1, at(8_100), SPAN);
        // The clock of who adds may lie behind that of who listed.
        add(&mut window, 7_990, (5_000, 7_500), "late");
        assert_eq!(window.segment(1, at(8_200), SPAN), before);
        let shown = window.segment(2, at(12_000), SPAN).unwrap();
        assert!(shown.contains("00:00:08.000 --> 00:00:12.000\nlate"), "{shown}");
        // What reaches on stands in both.
        add(&mut window, 15_900, (15_000, 15_800), "spans");
        for msn in [3, 4] {
            assert_eq!(window.segment(msn, at(20_000), SPAN).unwrap().contains("spans"), msn == 3);
        }
        window.end(at(21_000));
        add(&mut window, 21_500, (21_000, 21_400), "after the end");
        let text = window.playlist(at(90_000), SPAN, &epoch).unwrap();
        assert!(text.ends_with("5.vtt\n#EXT-X-ENDLIST\n") && !text.contains("6.vtt"), "{text}");
        assert!(window.segment(5, at(90_000), SPAN).is_some());
        for n in 0..2 * limits::CAPTION_CUES_MAX as u64 {
            let mut other = CaptionWindow::default();
            std::mem::swap(&mut other, &mut window);
            other.ended = None;
            add(&mut other, 30_000, (29_000, 29_500 + n % 2), "x");
            window = other;
        }
        assert_eq!(window.cues.len(), limits::CAPTION_CUES_MAX);
    }

    #[test]
    fn names_mean_one_thing_each() {
        assert_eq!(AskedCaptions::parse("index.m3u8"), Some(AskedCaptions::Playlist));
        assert_eq!(AskedCaptions::parse("25.vtt"), Some(AskedCaptions::Segment(25)));
        for name in ["", ".vtt", "025.vtt", "+1.vtt", "1.m4s", "99999999999999999999.vtt"] {
            assert_eq!(AskedCaptions::parse(name), None, "{name}");
        }
    }
}
