//! **The question:** when is a sample of an MP4 track shown? The edit list maps the track's own time to the movie's
//! (ISO/IEC 14496-12, section 8.6.6): it may wait, leave out a beginning, middle or end, and is obeyed as far as it
//! plays everything once and in order.

use std::time::Duration;

use mp4_atom::Trak;

use crate::base::media::Pts;
use crate::io::demux::stored::{Fault, span};

/// A stretch of the track's time that is played. Units of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit {
    from: i128,
    /// Exclusive; `None`: to the end of the track.
    to: Option<i128>,
    /// When `from` is shown.
    at: i128,
}

/// When and how much of a sample is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) at: Pts,
    /// Of its beginning what is decoded only; at times all of it.
    pub(super) skip: Duration,
    /// Of its end what is left out.
    pub(super) trim: Duration,
}

/// A track's time against the movie's.
#[derive(Debug, Clone)]
pub(super) struct Edits {
    /// Units a second.
    timescale: u64,
    /// In order; none: nothing is shown.
    edits: Vec<Edit>,
}

impl Edits {
    /// The track's. `open`: fragments follow, which the end of the last edit says nothing about.
    ///
    /// # Errors
    /// [`Fault::Kind`] for lists that repeat, turn around, slow down or freeze.
    pub(super) fn of(trak: &Trak, movie_scale: u32, open: bool) -> Result<Self, Fault> {
        let timescale = u64::from(trak.mdia.mdhd.timescale.max(1));
        let units = |movie: u64| i128::from(movie) * i128::from(timescale) / i128::from(movie_scale.max(1));
        let list = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref());
        let Some(list) = list.filter(|list| !list.entries.is_empty()) else {
            return Ok(Self { timescale, edits: vec![Edit { from: 0, to: None, at: 0 }] });
        };
        let (mut edits, mut movie): (Vec<Edit>, u64) = (Vec::new(), 0);
        let last = list.entries.len() - 1;
        for (number, entry) in list.entries.iter().enumerate() {
            if let Some(media) = entry.media_time {
                let rate = entry.media_rate;
                if (rate.integer(), rate.decimal()) != (1, 0) {
                    return Err(Fault::Kind("an edit list that changes its speed".into()));
                }
                let (from, at) = (i128::from(media), units(movie));
                if edits.last().is_some_and(|edit| edit.to.is_none_or(|to| to - units(1) > from)) {
                    return Err(Fault::Kind("an edit list that repeats or reorders parts".into()));
                }
                let is_open = entry.segment_duration == 0 || (open && number == last);
                // A movie's units are coarser than a track's: what they round off is no cut.
                let to = (!is_open).then(|| from + units(entry.segment_duration) + units(1));
                edits.push(Edit { from, to, at });
            }
            movie = movie.saturating_add(entry.segment_duration);
        }
        Ok(Self { timescale, edits })
    }

    /// When the sample that begins at `time` and lasts `units` is shown; `None` once nothing more is.
    pub(super) fn shown(&self, time: i128, units: u32) -> Option<Shown> {
        let edit = self.edits.iter().find(|edit| edit.to.is_none_or(|to| time < to))?;
        let positive = |units: i128| u64::try_from(units.max(0)).unwrap_or(u64::MAX);
        let (before, after) = (edit.from - time, edit.to.map_or(0, |to| time + i128::from(units) - to));
        let at = edit.at + (time - edit.from).max(0);
        Some(Shown {
            at: Pts(0) + self.span(positive(at)),
            skip: self.span(positive(before)),
            trim: self.span(positive(after).min(units.into())),
        })
    }

    pub(super) fn span(&self, units: u64) -> Duration {
        span(units, self.timescale)
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Edts, Elst, ElstEntry};

    use super::*;

    /// A track of 1,000 units a second in a movie of 100; entries are duration, media time, rate.
    fn edits(entries: &[(u64, Option<u64>, i16)], open: bool) -> Result<Edits, Fault> {
        let entry = |(segment_duration, media_time, rate): &(u64, Option<u64>, i16)| ElstEntry {
            segment_duration: *segment_duration,
            media_time: *media_time,
            media_rate: (*rate).into(),
        };
        let elst = Elst { entries: entries.iter().map(entry).collect() };
        let mut trak = Trak { edts: Some(Edts { elst: Some(elst) }), ..Trak::default() };
        trak.mdia.mdhd.timescale = 1000;
        Edits::of(&trak, 100, open)
    }

    fn ms(shown: Option<Shown>) -> Option<[u128; 3]> {
        shown.map(|shown| [shown.at.since(Pts(0)), shown.skip, shown.trim].map(|span| span.as_millis()))
    }

    #[test]
    fn case_35_edit_lists_wait_leave_out_and_end() {
        let plain = edits(&[], false).unwrap();
        assert_eq!(ms(plain.shown(70, 40)), Some([70, 0, 0]));
        let late = edits(&[(200, None, 1), (0, Some(20), 1)], false).unwrap();
        assert_eq!(ms(late.shown(0, 40)), Some([2000, 20, 0]), "half of it comes before");
        assert_eq!(ms(late.shown(60, 40)), Some([2040, 0, 0]));
        let short = edits(&[(10, Some(0), 1)], false).unwrap();
        assert_eq!(ms(short.shown(80, 40)), Some([80, 0, 10]), "one unit of the movie is rounding");
        assert_eq!(ms(short.shown(120, 40)), None);
        let open = edits(&[(10, Some(0), 1)], true).unwrap();
        assert_eq!(ms(open.shown(5_000, 40)), Some([5000, 0, 0]), "fragments follow");
    }

    #[test]
    fn case_35_cuts_in_the_middle_are_made_and_what_cannot_be_is_named() {
        let cut = edits(&[(9, Some(0), 1), (100, Some(500), 1)], false).unwrap();
        assert_eq!(ms(cut.shown(60, 40)), Some([60, 0, 0]));
        assert_eq!(ms(cut.shown(400, 40)), Some([90, 100, 0]), "decoded, and gone before anybody sees it");
        assert_eq!(ms(cut.shown(500, 40)), Some([90, 0, 0]));
        assert_eq!(ms(cut.shown(700, 40)), Some([290, 0, 0]));
        let told = |entries: &[(u64, Option<u64>, i16)]| edits(entries, false).unwrap_err().to_string();
        assert!(told(&[(100, Some(0), 1), (100, Some(0), 1)]).starts_with("holds an edit list that repeats"));
        assert!(told(&[(100, Some(0), 2)]).starts_with("holds an edit list that changes its speed"));
        assert!(told(&[(100, Some(0), 0)]).starts_with("holds an edit list that changes its speed"));
        assert_eq!(ms(edits(&[(100, None, 1)], false).unwrap().shown(0, 40)), None, "nothing but waiting");
    }
}
