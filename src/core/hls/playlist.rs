//! **The question:** what does a rung's media playlist say? RFC 8216bis, section 4.4.3 to 4.4.5, at low latency.

use std::fmt::Write;
use std::time::Duration;

use crate::base::limits;
use crate::base::media::Pts;
use crate::core::hls::grid::{PartId, seconds};
use crate::core::hls::names::Asked;
use crate::core::hls::window::{Segment, Window};
use crate::core::record::utc_ms_text;

/// Whole seconds of the longest segment, rounded: EXT-X-TARGETDURATION.
const TARGET: u64 = limits::HLS_SEGMENT_SPAN.as_secs();
/// How far behind the end a player of parts stays: three of them (section 4.4.3.8).
const PART_HOLD_BACK: Duration = Duration::from_millis(3 * limits::HLS_PART_SPAN.as_millis() as u64);
/// How far from the end a playlist may be cut short: six target durations (section 4.4.3.8).
const SKIP_UNTIL: Duration = Duration::from_secs(6 * TARGET);
/// How far from the end parts are named: three target durations (section 6.2.2).
const PARTS_UNTIL: Duration = Duration::from_secs(3 * TARGET);

/// How far another rung of the room is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its playlist, relative to the one that tells it.
    pub uri: String,
    /// Its newest part.
    pub last: PartId,
}

/// A playlist as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// All that is listed.
    pub full: String,
    /// Without what every player of the last seconds knows (`_HLS_skip=YES`); the same where there is nothing to leave
    /// out.
    pub delta: String,
}

/// The playlist of what `window` lists; `None` while there is nothing. Of one that is over nobody is told anything of
/// other rungs, or less than all.
#[must_use]
pub fn media_playlist(window: &Window, reports: &[Report]) -> Option<MediaPlaylist> {
    let first = window.listed().next()?;
    let end = window.listed().next_back().map(|last| last.from + last.span())?;
    let mut head = format!(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{TARGET}\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,\
         CAN-SKIP-UNTIL={}.0,HOLD-BACK={}.0,PART-HOLD-BACK={}\n#EXT-X-PART-INF:PART-TARGET={}\n\
         #EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
        SKIP_UNTIL.as_secs(),
        3 * TARGET,
        seconds(PART_HOLD_BACK),
        seconds(limits::HLS_PART_SPAN),
        first.msn
    );
    let age = |segment: &Segment| end.since(segment.from + segment.span());
    let is_skipped = |segment: &&Segment| !window.is_over() && segment.is_whole && age(segment) >= SKIP_UNTIL;
    let skipped = window.listed().take_while(is_skipped).count();
    let mut tail = String::new();
    write_tail(&mut tail, window, reports);
    let mut listed = Text { text: String::with_capacity(8 * 1024), init: None, window };
    let mut rest = Text { text: String::with_capacity(4 * 1024), init: None, window };
    for (n, segment) in window.listed().enumerate() {
        listed.segment(segment, end);
        if n >= skipped {
            rest.segment(segment, end);
        }
    }
    let full = format!("{head}{}{tail}", listed.text);
    if skipped == 0 {
        return Some(MediaPlaylist { delta: full.clone(), full });
    }
    put(&mut head, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n"));
    Some(MediaPlaylist { delta: format!("{head}{}{tail}", rest.text), full })
}

struct Text<'a> {
    text: String,
    /// The one named last.
    init: Option<u64>,
    window: &'a Window,
}

impl Text<'_> {
    fn segment(&mut self, segment: &Segment, end: Pts) {
        let text = &mut self.text;
        if self.init.replace(segment.init.msn) != Some(segment.init.msn) {
            put(text, format_args!("#EXT-X-MAP:URI=\"{}\"\n", Asked::Init(segment.init.msn)));
        }
        let time = utc_ms_text(self.window.epoch().wallclock_at(segment.from));
        put(text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{time}\n"));
        if end.since(segment.from) <= PARTS_UNTIL {
            for (part, here) in (0..).zip(&segment.parts) {
                let (uri, span) = (Asked::Part(PartId { msn: segment.msn, part }), seconds(here.span));
                let independent = if here.independent { ",INDEPENDENT=YES" } else { "" };
                put(text, format_args!("#EXT-X-PART:DURATION={span},URI=\"{uri}\"{independent}\n"));
            }
        }
        if segment.is_whole {
            put(text, format_args!("#EXTINF:{},\n{}\n", seconds(segment.span()), Asked::Segment(segment.msn)));
        }
    }
}

fn write_tail(text: &mut String, window: &Window, reports: &[Report]) {
    if window.is_over() {
        text.push_str("#EXT-X-ENDLIST\n");
        return;
    }
    if let Some(next) = window.next() {
        put(text, format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"\n", Asked::Part(next)));
    }
    for Report { uri, last: PartId { msn, part } } in reports {
        put(text, format_args!("#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn},LAST-PART={part}\n"));
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes what it is given");
}
