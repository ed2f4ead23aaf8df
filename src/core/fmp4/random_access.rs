//! **The question:** in which fragments of a file do keyframes lie? The index that stands at the end of a finished one
//! (`mfra`, ISO/IEC 14496-12, sections 8.8.9 to 8.8.11), so that players seek without reading what lies between.

use bytes::Bytes;
use mp4_atom::{Encode, FragmentInfo, Mfra, Mfro, Tfra};

use crate::base::limits;
use crate::core::fmp4::fragment::Fragment;
use crate::core::fmp4::tracks::{SOUND_TRACK, VIDEO_TRACK};

/// Fragments of a file that begin where playing may begin, and where in the file each lies.
#[derive(Debug, Clone, Default)]
pub struct RandomAccess {
    /// Bytes so far.
    len: u64,
    /// Its track, when it plays in units of the track, and where its fragment begins.
    points: Vec<(u32, u64, u64)>,
    /// Points that the newest fragment added.
    newest: usize,
}

impl RandomAccess {
    /// Of a file with a head of so many bytes.
    #[must_use]
    pub fn after_head(len: usize) -> Self {
        Self { len: len as u64, ..Self::default() }
    }

    /// A fragment of `len` bytes was written: it counts if it begins with a keyframe, or holds nothing but sound, of
    /// which everything may be played at once.
    pub fn note(&mut self, fragment: &Fragment, len: usize) {
        let point = match (fragment.video.samples.first(), fragment.sound.packets.is_empty()) {
            (Some(first), _) => first.sync.then_some((VIDEO_TRACK, fragment.video.start)),
            (None, false) => Some((SOUND_TRACK, fragment.sound.start)),
            (None, true) => None,
        };
        let point = point.filter(|_| self.points.len() < limits::RANDOM_ACCESS_MAX);
        self.newest = usize::from(point.is_some());
        self.points.extend(point.map(|(track, time)| (track, time, self.len)));
        self.len += len as u64;
    }

    /// The newest fragment, of `len` bytes, was not written after all.
    pub fn take_back(&mut self, len: usize) {
        self.points.truncate(self.points.len() - self.newest);
        self.newest = 0;
        self.len = self.len.saturating_sub(len as u64);
    }

    /// The last fragment of the file, the newest that was noted, with the index behind it: both are stored, or neither.
    #[must_use]
    pub fn behind(&self, fragment: &Bytes) -> Bytes {
        self.encode().map_or_else(|| fragment.clone(), |index| [&fragment[..], &index[..]].concat().into())
    }

    /// The index; it is the last thing in its file. `None` where there is nothing to point to. In a file with pictures
    /// only they are pointed to.
    fn encode(&self) -> Option<Bytes> {
        let track_id = self.points.iter().map(|(track, ..)| *track).min()?;
        let entry = |(_, time, at): &(u32, u64, u64)| FragmentInfo {
            time: *time,
            moof_offset: *at,
            traf_number: 1,
            trun_number: 1,
            sample_delta: 1,
        };
        let entries = self.points.iter().filter(|(track, ..)| *track == track_id).map(entry).collect();
        let mut mfra = Mfra { tfra: vec![Tfra { track_id, entries }], mfro: Mfro::default() };
        let mut bytes = Vec::new();
        // The last box says how long all of it is; its own length does not depend on that.
        for _ in 0..2 {
            bytes.clear();
            mfra.encode(&mut bytes).expect("every field fits its box");
            mfra.mfro.parent_size = u32::try_from(bytes.len()).expect("bounded by limits::RANDOM_ACCESS_MAX");
        }
        Some(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::Decode;

    use super::*;
    use crate::core::fmp4::{SoundRun, VideoRun, VideoSample};

    fn fragment(start: u64, sync: bool) -> Fragment {
        let samples = vec![VideoSample { data: Bytes::from_static(b"picture"), duration: 3000, sync }];
        let packets = vec![Bytes::from_static(b"sound")];
        let sound = SoundRun { packets, ..SoundRun::default() };
        Fragment { number: 1, video: VideoRun { start, samples }, sound }
    }

    #[test]
    fn case_60_keyframes_are_found_by_the_index_at_the_end() {
        let mut index = RandomAccess::after_head(700);
        assert_eq!(index.encode(), None);
        let sound = Fragment { video: VideoRun::default(), ..fragment(0, false) };
        for (start, sync) in [(0, true), (180_000, false), (360_000, true), (540_000, true)] {
            index.note(&fragment(start, sync), 1000);
        }
        index.take_back(1000);
        index.note(&sound, 50);
        index.note(&fragment(1 << 33, true), 1000);
        let bytes = index.encode().unwrap();
        let mfra = Mfra::decode(&mut &bytes[..]).unwrap();
        let points: Vec<_> = mfra.tfra[0].entries.iter().map(|entry| (entry.time, entry.moof_offset)).collect();
        assert_eq!(points, [(0, 700), (360_000, 2700), (1 << 33, 3750)]);
        assert_eq!((mfra.tfra.len(), mfra.tfra[0].track_id), (1, VIDEO_TRACK));
        // Read from the end of the file.
        assert_eq!(bytes[bytes.len() - 4..], u32::try_from(bytes.len()).unwrap().to_be_bytes());
        assert_eq!(&bytes[bytes.len() - 12..bytes.len() - 8], b"mfro");
    }

    #[test]
    fn case_60_sound_alone_is_found_too() {
        let mut index = RandomAccess::after_head(500);
        let sound = Fragment { video: VideoRun::default(), ..fragment(0, false) };
        index.note(&sound, 100);
        index.note(&Fragment { sound: SoundRun { start: 384_000, ..sound.sound.clone() }, ..sound }, 100);
        let mfra = Mfra::decode(&mut &index.encode().unwrap()[..]).unwrap();
        assert_eq!((mfra.tfra[0].track_id, mfra.tfra[0].entries[1].moof_offset), (SOUND_TRACK, 600));
    }
}
