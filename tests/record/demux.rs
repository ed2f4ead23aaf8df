//! **The question:** does a demuxer of others' make, which knows nothing of ours, find every sample where and when the
//! manifest says? The crate `shiguredo_mp4` reads fragmented MP4 as strictly as a receiver has to.

use std::path::Path;
use std::time::Duration;

use shiguredo_mp4::TrackKind;
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::demux::{Fmp4FileDemuxer, Input};
use tessera::base::media::Pts;
use tessera::core::bitstream::av1::TemporalUnit;

use super::material::{CLIP_FRAMES, Call, FPS, clip, plain_call};
use super::{RecordingPlace, manifest_of, seconds};

/// One track as the demuxer tells it.
#[derive(Debug, Default)]
struct Told {
    timescale: u32,
    entries: Vec<SampleEntry>,
    samples: Vec<Heard>,
}

#[derive(Debug)]
struct Heard {
    keyframe: bool,
    /// Units of the track's timescale.
    begins: u64,
    lasts: u32,
    data: Vec<u8>,
}

impl Told {
    /// Where the track ends, counted from the file's start.
    fn duration(&self) -> Duration {
        let end = self.samples.last().map_or(0, |last| last.begins + u64::from(last.lasts));
        Duration::from_secs_f64(end as f64 / f64::from(self.timescale))
    }

    fn check_timestamps(&self) {
        for pair in self.samples.windows(2) {
            let [a, b] = pair else { unreachable!("windows of two") };
            assert!(a.lasts > 0 && a.begins + u64::from(a.lasts) == b.begins, "a hole or an overlap at {}", b.begins);
        }
    }
}

/// The tracks of a file, picture first.
fn demux(file: &Path) -> [Told; 2] {
    let data = std::fs::read(file).unwrap();
    let mut demuxer = Fmp4FileDemuxer::new();
    let mut told = [Told::default(), Told::default()];
    while let Some(wanted) = demuxer.required_input() {
        let from = usize::try_from(wanted.position).unwrap().min(data.len());
        let to = wanted.size.map_or(data.len(), |size| (from + size).min(data.len()));
        demuxer.handle_input(Input { position: wanted.position, data: &data[from..to] });
        while demuxer.required_input().is_none() {
            let Some(sample) = demuxer.next_sample().unwrap() else { break };
            assert_eq!(sample.composition_time_offset.unwrap_or(0), 0, "shown in the order of decoding");
            let track = &mut told[usize::from(sample.track.kind == TrackKind::Audio)];
            track.timescale = sample.track.timescale.get();
            track.entries.extend(sample.sample_entry.cloned());
            let at = usize::try_from(sample.data_offset).unwrap();
            let heard = Heard {
                keyframe: sample.keyframe,
                begins: sample.timestamp,
                lasts: sample.duration,
                data: data[at..at + sample.data_size].to_vec(),
            };
            track.samples.push(heard);
        }
    }
    assert_eq!(demuxer.tracks().unwrap().len(), 2);
    told
}

#[test]
fn every_sample_is_found_whole_and_in_its_place() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    plain_call(&file, Pts(1_234_567_890), Duration::from_secs(10));
    let [picture, sound] = demux(&file);
    assert!(matches!(picture.entries[..], [SampleEntry::Av01(_)]), "{:?}", picture.entries);
    let [SampleEntry::Opus(opus)] = &sound.entries[..] else { panic!("{:?}", sound.entries) };
    assert_eq!(opus.audio.channelcount, 2);
    assert_eq!(picture.samples.len() as u64, CLIP_FRAMES);
    for (n, (sample, unit)) in picture.samples.iter().zip(clip()).enumerate() {
        let unit = TemporalUnit::parse(unit).unwrap();
        assert_eq!(sample.keyframe, n % 120 == 0, "frame {n}");
        assert_eq!(sample.data, unit.obus, "frame {n}");
    }
    // Fifty frames of Opus a second; the call begins between two of them.
    assert!((499..=501).contains(&sound.samples.len()), "{}", sound.samples.len());
    assert!(sound.samples.iter().all(|sample| sample.keyframe && sample.data.len() > 2));
    let manifest = manifest_of(&file);
    for track in [&picture, &sound] {
        track.check_timestamps();
        let told = Duration::from_millis(manifest.duration_ms);
        assert!(track.duration().abs_diff(told) <= Duration::from_secs(1) / FPS, "{:?}", track.duration());
    }
}

#[test]
fn where_frames_lack_the_one_before_stands_longer_and_nothing_overlaps() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(file.clone()), seconds(1));
    // Sound lacks from 3 s to 4.5 s; the encoder gives no picture from 5 s to 6 s.
    call.run(seconds(1), seconds(11), |n| !(150..180).contains(&n), |n| !(150..225).contains(&n));
    call.finish(seconds(11));
    let [picture, sound] = demux(&file);
    picture.check_timestamps();
    sound.check_timestamps();
    assert_eq!(picture.samples.len(), 270);
    let longest = picture.samples.iter().map(|sample| sample.lasts).max().unwrap();
    assert!(longest > picture.timescale, "a still of a second and a frame: {longest} of {}", picture.timescale);
    let told = Duration::from_millis(manifest_of(&file).duration_ms);
    assert!(picture.duration().abs_diff(told) <= Duration::from_secs(1) / FPS, "{:?}", picture.duration());
}
