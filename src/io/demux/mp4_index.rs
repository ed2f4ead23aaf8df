//! **The question:** where in an MP4 file does each sample lie, and when is it shown? From the sample tables of a movie
//! (ISO/IEC 14496-12, section 8.6 and 8.7) or from a fragment's runs (section 8.8). AV1 and Opus are stored in the
//! order in which they play; composition offsets shift all of them alike.

use std::collections::VecDeque;

use mp4_atom::{Stbl, StszSamples, Tfhd, Traf, Trex};

use crate::base::limits;
use crate::io::demux::stored::{Fault, broken};

/// `sample_is_non_sync_sample` (section 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// One sample in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u32,
    /// Units of the track's clock.
    pub(super) time: i128,
    pub(super) units: u32,
    pub(super) keyframe: bool,
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
    let offsets = stbl.ctts.iter().flat_map(|ctts| &ctts.entries);
    let mut offsets = offsets.flat_map(|entry| std::iter::repeat_n(entry.sample_offset, entry.sample_count as usize));
    let (mut places, mut decoded) = (VecDeque::with_capacity(count), 0_i128);
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
                let time = decoded + i128::from(offsets.next().unwrap_or(0));
                places.push_back(Place { offset, len, time, units, keyframe });
                offset = offset.saturating_add(len.into());
                decoded += i128::from(units);
            }
        }
    }
    if places.len() < count { Err(broken("samples without a place")) } else { Ok(places) }
}

/// Adds the samples of one track's part of the fragment whose `moof` begins at `moof_at`; `next`: where it begins if it
/// does not say, and then the one after it.
pub(super) fn fragment(
    traf: &Traf,
    defaults: &Trex,
    moof_at: u64,
    next: &mut u64,
    places: &mut VecDeque<Place>,
) -> Result<(), Fault> {
    let tfhd: &Tfhd = &traf.tfhd;
    let base = tfhd.base_data_offset.unwrap_or(moof_at);
    let mut decoded = traf.tfdt.as_ref().map_or(*next, |tfdt| tfdt.base_media_decode_time);
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
            let time = i128::from(decoded) + i128::from(entry.cts.unwrap_or(0));
            places.push_back(Place { offset, len, time, units, keyframe: flags & NON_SYNC == 0 });
            offset = offset.saturating_add(len.into());
            decoded = decoded.saturating_add(units.into());
        }
    }
    *next = decoded;
    Ok(())
}
