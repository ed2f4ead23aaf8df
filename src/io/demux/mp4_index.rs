//! **The question:** where in an MP4 file does each sample lie, and when is it shown? From the sample tables of a movie
//! (ISO/IEC 14496-12, section 8.6 and 8.7) or from a fragment's runs (section 8.8). AV1 and Opus are stored in the
//! order in which they play, so composition offsets add nothing.

use std::collections::VecDeque;
use std::time::Duration;

use mp4_atom::{Stbl, StszSamples, Tfhd, Traf, Trak, Trex};

use crate::base::limits;
use crate::base::media::Pts;
use crate::io::demux::stored::{Fault, span};

/// `sample_is_non_sync_sample` (section 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// One sample in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u32,
    /// Units of the track's clock.
    pub(super) time: u64,
    pub(super) units: u32,
    pub(super) keyframe: bool,
}

/// A track's clock against the file's.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// Units a second.
    timescale: u64,
    /// Media time at the file's zero, less what comes before the media begins; units of the track.
    zero: i128,
    /// Where the next fragment begins that does not say.
    next: u64,
}

impl Clock {
    /// The track's, with its edit list: what it waits first, and what it skips (section 8.6.6).
    pub(super) fn of(trak: &Trak, movie_scale: u64) -> Self {
        let timescale = u64::from(trak.mdia.mdhd.timescale.max(1));
        let mut zero = 0;
        for edit in trak.edts.iter().filter_map(|edts| edts.elst.as_ref()).flat_map(|elst| &elst.entries) {
            match edit.media_time {
                None => {
                    zero -= i128::from(edit.segment_duration) * i128::from(timescale) / i128::from(movie_scale.max(1));
                }
                Some(skipped) => {
                    zero += i128::from(skipped);
                    break;
                }
            }
        }
        Self { timescale, zero, next: 0 }
    }

    /// When the sample at `time` is due, and how much of it lies before the file's zero.
    pub(super) fn heard_at(&self, time: u64) -> (Pts, Duration) {
        let at = i128::from(time) - self.zero;
        let units = u64::try_from(at.unsigned_abs()).unwrap_or(u64::MAX);
        if at >= 0 { (Pts(0) + self.span(units), Duration::ZERO) } else { (Pts(0), self.span(units)) }
    }

    pub(super) fn span(&self, units: u64) -> Duration {
        span(units, self.timescale)
    }
}

fn broken(what: &str) -> Fault {
    Fault::Broken(what.to_owned())
}

/// The samples of a movie's own tables; none in a fragmented file.
pub(super) fn whole(stbl: &Stbl) -> Result<VecDeque<Place>, Fault> {
    let count = match &stbl.stsz.samples {
        StszSamples::Identical { count, .. } => *count as usize,
        StszSamples::Different { sizes } => sizes.len(),
    };
    if count > limits::MP4_SAMPLES_MAX {
        return Err(Fault::Broken(format!("an index of {count} samples")));
    }
    let size = |index: usize| match &stbl.stsz.samples {
        StszSamples::Identical { size, .. } => *size,
        StszSamples::Different { sizes } => sizes[index],
    };
    let chunks = stbl.stco.as_ref().map_or(0, |stco| stco.entries.len());
    let chunks = chunks.max(stbl.co64.as_ref().map_or(0, |co64| co64.entries.len()));
    let chunk_at = |index: usize| match (&stbl.co64, &stbl.stco) {
        (Some(co64), _) => co64.entries.get(index).copied(),
        (None, Some(stco)) => stco.entries.get(index).map(|at| u64::from(*at)),
        (None, None) => None,
    };
    let mut spans = stbl.stts.entries.iter().flat_map(|e| std::iter::repeat_n(e.sample_delta, e.sample_count as usize));
    let mut syncs = stbl.stss.as_ref().map(|stss| stss.entries.iter().peekable());
    let (mut places, mut time) = (VecDeque::with_capacity(count), 0_u64);
    let mut runs = stbl.stsc.entries.iter().peekable();
    while let Some(run) = runs.next() {
        let first = (run.first_chunk as usize).checked_sub(1).ok_or_else(|| broken("chunks are counted from 1"))?;
        let end = runs.peek().map_or(chunks, |next| (next.first_chunk as usize).saturating_sub(1)).min(chunks);
        for chunk in first..end {
            let mut offset = chunk_at(chunk).ok_or_else(|| broken("a chunk without a place"))?;
            for _ in 0..run.samples_per_chunk {
                let index = places.len();
                if index == count {
                    return Ok(places);
                }
                let number = index as u64 + 1;
                let keyframe = syncs.as_mut().is_none_or(|s| s.next_if(|n| u64::from(**n) == number).is_some());
                let (len, units) = (size(index), spans.next().unwrap_or(0));
                places.push_back(Place { offset, len, time, units, keyframe });
                offset = offset.saturating_add(len.into());
                time = time.saturating_add(units.into());
            }
        }
    }
    if places.len() < count { Err(broken("samples without a place")) } else { Ok(places) }
}

/// Adds the samples of one track's part of the fragment whose `moof` begins at `moof_at`.
pub(super) fn fragment(
    traf: &Traf,
    defaults: &Trex,
    moof_at: u64,
    clock: &mut Clock,
    places: &mut VecDeque<Place>,
) -> Result<(), Fault> {
    let tfhd: &Tfhd = &traf.tfhd;
    let base = tfhd.base_data_offset.unwrap_or(moof_at);
    let mut time = traf.tfdt.as_ref().map_or(clock.next, |tfdt| tfdt.base_media_decode_time);
    let mut offset = base;
    for run in &traf.trun {
        if let Some(from) = run.data_offset {
            offset = base.checked_add_signed(from.into()).ok_or_else(|| broken("a run before the file"))?;
        }
        if places.len() + run.samples.len() > limits::MP4_SAMPLES_MAX {
            return Err(broken("a fragment of too many samples"));
        }
        for entry in &run.samples {
            let len = entry.size.or(tfhd.default_sample_size).unwrap_or(defaults.default_sample_size);
            let units = entry.duration.or(tfhd.default_sample_duration).unwrap_or(defaults.default_sample_duration);
            let flags = entry.flags.or(tfhd.default_sample_flags).unwrap_or(defaults.default_sample_flags);
            places.push_back(Place { offset, len, time, units, keyframe: flags & NON_SYNC == 0 });
            offset = offset.saturating_add(len.into());
            time = time.saturating_add(units.into());
        }
    }
    clock.next = time;
    Ok(())
}
