//! **The question:** what does a stored piece of ours say of itself: its codecs, its first picture? For playlists and
//! posters.

use std::io::Cursor;
use std::ops::Range;

use mp4_atom::{Avcc, Decode, Moof, TrunSamples};

use crate::core::bitstream::h264::START_CODE;
use crate::core::fmp4::tracks::{SYNC_FLAGS, VIDEO_TRACK};

/// The first picture of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstPicture {
    /// Where it lies in the fragment, bytes.
    pub at: Range<usize>,
    /// Whether it is a keyframe with its sequence header.
    pub sync: bool,
    /// When it is shown, units of `VIDEO_TIMESCALE` since the file's zero.
    pub time: u64,
}

/// The first picture of a fragment as [`crate::core::fmp4::Fragment::encode`] writes it; `None` if it holds none or is
/// none of ours.
#[must_use]
pub fn first_picture(fragment: &[u8]) -> Option<FirstPicture> {
    let moof = Moof::decode(&mut Cursor::new(fragment)).ok()?;
    let traf = moof.traf.iter().find(|traf| traf.tfhd.track_id == VIDEO_TRACK)?;
    let run = traf.trun.first()?;
    let TrunSamples::Explicit(samples) = &run.samples else { return None };
    let sample = samples.first()?;
    let from = usize::try_from(run.data_offset?).ok()?;
    let to = from.checked_add(usize::try_from(sample.size?).ok()?)?;
    let at = (to <= fragment.len()).then_some(from..to)?;
    let time = traf.tfdt.as_ref()?.base_media_decode_time;
    Some(FirstPicture { at, sync: sample.flags == Some(SYNC_FLAGS), time })
}

/// The CODECS attribute (RFC 6381) of an init segment of ours: `av01.P.LLT.DD` (av1-isobmff 1.3, section 5) or
/// `avc1.PPCCLL` (RFC 6381, section 3.3), and Opus. `None` if it holds no pictures.
#[must_use]
pub fn codecs(init: &[u8]) -> Option<String> {
    if let Some(at) = after(init, b"avcC") {
        let &[_, profile, constraints, level] = init.get(at..at + 4)? else { return None };
        return Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x},Opus"));
    }
    let at = after(init, b"av1C")?;
    let &[_, profile_and_level, flags] = init.get(at..at + 3)? else { return None };
    let (profile, level) = (profile_and_level >> 5, profile_and_level & 0x1f);
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02},Opus"))
}

/// The parameter sets in an init segment of ours, behind start codes; `None` if its pictures are not H.264.
#[must_use]
pub fn parameter_sets(init: &[u8]) -> Option<Vec<u8>> {
    // Its length stands before its name.
    let avcc = init.get(after(init, b"avcC")?.checked_sub(8)?..)?;
    let avcc = Avcc::decode(&mut Cursor::new(avcc)).ok()?;
    let sets = avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets);
    Some(sets.flat_map(|set| START_CODE.iter().chain(set)).copied().collect())
}

/// Where the contents of a box begin.
fn after(bytes: &[u8], kind: &[u8; 4]) -> Option<usize> {
    Some(bytes.windows(4).position(|four| four == kind)? + 4)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::core::fmp4::{Fragment, SoundRun, VideoRun, VideoSample};

    fn fragment(sync: bool, pictures: usize) -> Bytes {
        let sample = |n| VideoSample { data: Bytes::from_static(b"picture"), duration: 3000, sync: sync && n == 0 };
        let video = VideoRun { start: 90_000, samples: (0..pictures).map(sample).collect() };
        Fragment {
            number: 1,
            video,
            sound: SoundRun { packets: vec![Bytes::from_static(b"sound")], ..SoundRun::default() },
        }
        .encode()
    }

    #[test]
    fn the_first_picture_is_found_and_a_keyframe_known() {
        for sync in [true, false] {
            let bytes = fragment(sync, 3);
            let found = first_picture(&bytes).unwrap();
            assert_eq!((&bytes[found.at], found.sync, found.time), (b"picture".as_slice(), sync, 90_000));
            assert_eq!(first_picture(&bytes[..bytes.len() - 20]), None, "cut within the first picture");
        }
        assert_eq!(first_picture(&fragment(true, 0)), None);
        assert_eq!(first_picture(b""), None);
    }

    #[test]
    fn codecs_are_named_as_players_want_them() {
        assert_eq!(codecs(b"....av1C\x81\x08\x0c\0").as_deref(), Some("av01.0.08M.08,Opus"));
        assert_eq!(codecs(b"....av1C\x81\x2d\xcc\0").as_deref(), Some("av01.1.13H.10,Opus"));
        assert_eq!(codecs(b"no box"), None);
    }
}
