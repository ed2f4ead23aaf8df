//! **The question:** does the recorder keep its word whatever comes, in whatever order? Random calls in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use tessera::base::media::{Codec, EncodedFrame, Outbox, Pts, RoomEpoch, Wallclock, pts_from_tick};
use tessera::core::bitstream::opus;
use tessera::core::fmp4::{SOUND_TRACK, VIDEO_TRACK};
use tessera::core::record::{GapReason, Input, Output, Piece, PieceKind, Recorder, Setup};

use super::players::boxes;

pub const SEQUENCE_HEADER: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];
const DELTA: &[u8] = &[0x12, 0x00, 0x32, 0x03, 1, 2, 3];
const CALL: Duration = Duration::from_secs(20);

/// What goes wrong from a certain tenth of a second on.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    tenth: u64,
    tenths: u64,
    kind: u8,
}

fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    let one = (0..200_u64, 1..40_u64, 0..6_u8).prop_map(|(tenth, tenths, kind)| Trouble { tenth, tenths, kind });
    prop::collection::vec(one, 0..6)
}

pub struct Sim {
    recorder: Recorder,
    epoch: RoomEpoch,
    pub file: Vec<u8>,
    pub lost: usize,
}

impl Sim {
    pub fn new() -> Self {
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) };
        let setup = Setup { room: "room".parse().unwrap(), owner: None, fence: None, epoch, fps: 30 };
        Self { recorder: Recorder::new(setup), epoch, file: Vec::new(), lost: 0 }
    }

    pub fn give(&mut self, now: Pts, input: Input, disk_full: bool) {
        let mut next = vec![input];
        while let Some(input) = next.pop() {
            let mut out = Outbox::new();
            self.recorder.handle(self.epoch.instant_at(now), input, &mut out);
            for output in out.drain() {
                match output {
                    Output::Append(Piece { kind: PieceKind::Fragment(span), bytes }) if disk_full => {
                        self.lost += 1;
                        next.push(Input::Lost { span, len: bytes.len(), reason: GapReason::DiskFull });
                    }
                    Output::Append(piece) => self.file.extend_from_slice(&piece.bytes),
                    Output::Patch { offset, bytes, .. } => {
                        self.file[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
                    }
                    Output::Manifest(_) | Output::Caption(_) => {}
                }
            }
        }
    }

    fn run(&mut self, troubles: &[Trouble]) {
        let on = |kind: u8, at: Pts| {
            let tenth = at.0 / 100_000_000;
            troubles.iter().any(|t| t.kind == kind && (t.tenth..t.tenth + t.tenths).contains(&tenth))
        };
        let (mut frame, mut tick) = (0, 0);
        for step in 1..=CALL.as_millis() as u64 / 10 {
            let now = Pts(step * 10_000_000);
            let full = on(5, now);
            while pts_from_tick(frame, 30) < now {
                let (pts, keyframe) = (pts_from_tick(frame, 30), frame.is_multiple_of(120));
                let mut data = if keyframe { SEQUENCE_HEADER.to_vec() } else { Vec::new() };
                data.extend_from_slice(if on(2, now) { &[0x32, 0xff] } else { DELTA });
                let data = Bytes::from(data);
                if !on(0, now) {
                    let video = EncodedFrame { codec: Codec::Av1, data, pts, keyframe };
                    self.give(now, Input::Video(video), full);
                }
                frame += 1;
            }
            while pts_from_tick(tick, 50) < now {
                let (pts, bad) = (pts_from_tick(if on(4, now) { tick / 2 } else { tick }, 50), on(3, now));
                let data = Bytes::from_static(if bad { &[0xfb, 0x3f] } else { opus::SILENCE });
                if !on(1, now) {
                    let sound = EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true };
                    self.give(now, Input::Sound(sound), full);
                }
                tick += 1;
            }
            self.give(now, Input::Time, full);
        }
        self.give(Pts(CALL.as_nanos() as u64), Input::Finish, on(5, Pts(CALL.as_nanos() as u64)));
    }
}

/// Whether these bytes behind the last fragment are nothing but an index of the others (`mfra`), if anything.
fn is_index(rest: &[u8]) -> bool {
    let Some((head, _)) = rest.split_first_chunk::<8>() else { return rest.is_empty() };
    let (size, kind) = head.split_at(4);
    kind == b"mfra" && u32::from_be_bytes(size.try_into().unwrap()) as usize == rest.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_goes_wrong_the_file_is_whole_and_the_manifest_true(troubles in troubles()) {
        let mut sim = Sim::new();
        sim.run(&troubles);
        let (moov, fragments) = boxes(&sim.file);
        prop_assert!(fragments.last().is_none_or(|(_, end)| is_index(&sim.file[*end..])));
        let moofs: Vec<_> = fragments.into_iter().map(|(moof, _)| moof).collect();
        let manifest = sim.recorder.manifest().clone();
        prop_assert_eq!(manifest.bytes, sim.file.len() as u64);
        let Some(moov) = moov else {
            prop_assert!(manifest.takes.is_empty());
            return Ok(());
        };
        let (mut video_end, mut sound_end, mut number) = (0, 0, 0);
        for moof in &moofs {
            let hole = moof.mfhd.sequence_number != number + 1;
            prop_assert!(moof.mfhd.sequence_number > number);
            number = moof.mfhd.sequence_number;
            for traf in &moof.traf {
                let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                let samples = &traf.trun[0].samples;
                let span: u64 = samples.iter().map(|s| u64::from(s.duration.unwrap_or(960))).sum();
                if traf.tfhd.track_id == SOUND_TRACK {
                    prop_assert_eq!(start, sound_end, "sound has no hole, even where a fragment was lost");
                    sound_end = start + span;
                } else {
                    let sync = samples.iter().next().unwrap().flags.is_some();
                    prop_assert!(start >= video_end);
                    prop_assert!(start == video_end || sync, "after a hole comes a keyframe");
                    prop_assert!(!hole || sync, "after a lost fragment comes a keyframe");
                    let without_last = span - u64::from(samples.iter().last().unwrap().duration.unwrap());
                    prop_assert!(without_last < 2 * 90_000);
                    video_end = start + span;
                }
            }
        }
        let mut tracks = moofs.iter().flat_map(|moof| &moof.traf).map(|traf| traf.tfhd.track_id);
        prop_assert!(tracks.all(|id| [VIDEO_TRACK, SOUND_TRACK].contains(&id)));
        let mehd = moov.mvex.unwrap().mehd.unwrap().fragment_duration;
        prop_assert!(mehd.abs_diff(manifest.duration_ms * 90) <= 90);
        let end_ms = (video_end / 90).max(sound_end / 48);
        let ms = manifest.duration_ms;
        prop_assert!(ms.abs_diff(end_ms) <= 41 || sim.lost > 0, "{} {}", ms, end_ms);
        if sim.lost == 0 {
            let zero = troubles.is_empty();
            prop_assert!(!zero || manifest.duration_ms.abs_diff(20_000) <= 40);
            prop_assert!(!zero || manifest.gaps.is_empty(), "{:?}", manifest.gaps);
        } else {
            prop_assert!(manifest.gaps.iter().any(|gap| gap.reason == GapReason::DiskFull));
        }
        for gap in &manifest.gaps {
            prop_assert!(gap.from_ms < gap.to_ms && gap.to_ms <= 20_050, "{:?}", gap);
        }
    }
}
