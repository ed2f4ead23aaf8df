//! **The question:** what does one fragment say? `moof` and `mdat` with a run of each track. Times are absolute,
//! computed from the room's clock by the caller, so a lost fragment moves nothing after it.

use bytes::Bytes;
use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};

use crate::base::limits;
use crate::core::fmp4::tracks::{DELTA_FLAGS, SOUND_TRACK, SYNC_FLAGS, VIDEO_TRACK};

/// One temporal unit as it is stored.
#[derive(Debug, Clone)]
pub struct VideoSample {
    /// OBUs with sizes, no temporal delimiter.
    pub data: Bytes,
    /// How long it is shown, units of `VIDEO_TIMESCALE`.
    pub duration: u32,
    /// A keyframe with its sequence header. In recordings only the first sample of a run is one.
    pub sync: bool,
}

/// Consecutive video samples.
#[derive(Debug, Clone, Default)]
pub struct VideoRun {
    /// When the first is decoded, units of `VIDEO_TIMESCALE` since the file's zero.
    pub start: u64,
    /// In order.
    pub samples: Vec<VideoSample>,
}

/// Consecutive Opus packets.
#[derive(Debug, Clone, Default)]
pub struct SoundRun {
    /// When the first is decoded, units of `SOUND_TIMESCALE` since the start of the sound track.
    pub start: u64,
    /// In order.
    pub packets: Vec<Bytes>,
    /// How long each of them plays, units of `SOUND_TIMESCALE`; empty: `limits::PCM_FRAMES` each.
    pub durations: Vec<u32>,
}

/// Up to `limits::FRAGMENT_SPAN` of both tracks; either may be empty.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Counted up from 1 in a file.
    pub number: u32,
    /// Pictures.
    pub video: VideoRun,
    /// Sound.
    pub sound: SoundRun,
}

impl Fragment {
    /// The bytes: `moof`, then `mdat` with the video run before the sound run.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let video_len: usize = self.video.samples.iter().map(|sample| sample.data.len()).sum();
        let sound_len: usize = self.sound.packets.iter().map(Bytes::len).sum();
        let entries = self.video.samples.len() + self.sound.packets.len();
        let mut bytes = Vec::with_capacity(256 + 8 * entries + video_len + sound_len);
        // Offsets count from the start of `moof`, whose length does not depend on them: measure it, then write it.
        self.moof(0, 0).encode(&mut bytes).expect("every field was made to fit its box");
        let video_at = bytes.len() + 8;
        bytes.clear();
        let moof = self.moof(video_at, video_at + video_len);
        moof.encode(&mut bytes).expect("every field was made to fit its box");
        let mdat_len = u32::try_from(8 + video_len + sound_len).expect("a fragment stays far below 4 GiB");
        bytes.extend_from_slice(&mdat_len.to_be_bytes());
        bytes.extend_from_slice(b"mdat");
        debug_assert_eq!(bytes.len(), video_at);
        for sample in &self.video.samples {
            bytes.extend_from_slice(&sample.data);
        }
        for packet in &self.sound.packets {
            bytes.extend_from_slice(packet);
        }
        bytes.into()
    }

    fn moof(&self, video_at: usize, sound_at: usize) -> Moof {
        let video = (!self.video.samples.is_empty()).then(|| self.video.traf(video_at));
        let sound = (!self.sound.packets.is_empty()).then(|| self.sound.traf(sound_at));
        let mfhd = Mfhd { sequence_number: self.number };
        Moof { mfhd, traf: video.into_iter().chain(sound).collect() }
    }
}

impl VideoRun {
    fn traf(&self, data_at: usize) -> Traf {
        let entry = |sample: &VideoSample| TrunEntry {
            duration: Some(sample.duration),
            size: Some(fit(sample.data.len())),
            flags: sample.sync.then_some(SYNC_FLAGS),
            cts: None,
        };
        let entries: Vec<_> = self.samples.iter().map(entry).collect();
        traf(VIDEO_TRACK, None, DELTA_FLAGS, self.start, data_at, entries)
    }
}

impl SoundRun {
    fn traf(&self, data_at: usize) -> Traf {
        debug_assert!(self.durations.is_empty() || self.durations.len() == self.packets.len());
        let entry = |(n, packet): (usize, &Bytes)| TrunEntry {
            duration: self.durations.get(n).copied(),
            size: Some(fit(packet.len())),
            ..TrunEntry::default()
        };
        let entries: Vec<_> = self.packets.iter().enumerate().map(entry).collect();
        traf(SOUND_TRACK, Some(fit(limits::PCM_FRAMES)), SYNC_FLAGS, self.start, data_at, entries)
    }
}

fn traf(track_id: u32, duration: Option<u32>, flags: u32, start: u64, data_at: usize, entries: Vec<TrunEntry>) -> Traf {
    let tfhd = Tfhd {
        track_id,
        default_sample_duration: duration,
        default_sample_flags: Some(flags),
        default_base_is_moof: true,
        ..Tfhd::default()
    };
    let offset = i32::try_from(data_at).expect("a fragment stays far below 2 GiB");
    let trun = Trun { data_offset: Some(offset), samples: TrunSamples::Explicit(entries) };
    Traf { tfhd, tfdt: Some(Tfdt { base_media_decode_time: start }), trun: vec![trun], ..Traf::default() }
}

fn fit(value: usize) -> u32 {
    u32::try_from(value).expect("a fragment stays far below 4 GiB")
}
