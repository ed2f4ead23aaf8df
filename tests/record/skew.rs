//! **The question:** do picture and sound still agree in the file after three hours? Every frame and packet carries its
//! room time, and the file's tables are read as a player reads them.

use bytes::Bytes;
use tessera::base::media::{Codec, EncodedFrame, Pts, pts_from_tick};
use tessera::core::bitstream::opus;
use tessera::core::fmp4::{SOUND_TIMESCALE, SOUND_TRACK, VIDEO_TIMESCALE};
use tessera::core::record::Input;

use super::players::boxes;
use super::sim::{SEQUENCE_HEADER, Sim};

const HOURS: u64 = 3;
/// The call's first picture, which lies on no tick of the sound.
const FIRST: u64 = 127;
const SECOND: u64 = 1_000_000_000;
/// The issue allows 40 ms; the tables are exact to a unit of their timescales, so anything near that would be a fault.
const SKEW_NANOS_MAX: i64 = 1_000_000;
/// A temporal delimiter and a frame OBU of eight bytes.
const FRAME_HEAD: [u8; 4] = [0x12, 0x00, 0x32, 0x08];
/// One stereo packet of 20 ms (RFC 6716 section 3.1); the recorder's silence is shorter than it and its room time.
const OPUS_HEAD: u8 = 0xfc;

fn frame(pts: Pts, keyframe: bool) -> Input {
    let mut data = if keyframe { SEQUENCE_HEADER.to_vec() } else { Vec::new() };
    data.extend_from_slice(&FRAME_HEAD);
    data.extend_from_slice(&pts.0.to_be_bytes());
    Input::Video(EncodedFrame { codec: Codec::Av1, data: Bytes::from(data), pts, keyframe })
}

fn packet(pts: Pts) -> Input {
    let mut data = vec![OPUS_HEAD];
    data.extend_from_slice(&pts.0.to_be_bytes());
    Input::Sound(EncodedFrame { codec: Codec::Opus, data: Bytes::from(data), pts, keyframe: true })
}

/// Three hours in which ticks of picture and sound are left out now and then, and the disk is full for a moment each
/// half hour.
fn record() -> Sim {
    let mut sim = Sim::new();
    let (mut shown, mut said, mut state) = (0_u64, 0_u64, 7_u64);
    for step in 1..=HOURS * 3600 * 50 {
        let now = pts_from_tick(step, 50);
        let second = now.0 / SECOND;
        let full = second % 1800 == 1000;
        while pts_from_tick(shown, 30) < now {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let keyframe = shown % 120 == FIRST % 120;
            // A keyframe is never skipped: the encoder makes one as soon as it is due.
            let is_skipped = !keyframe && ((state >> 57) == 0 || second % 61 == 30);
            if !is_skipped && shown >= FIRST {
                sim.give(now, frame(pts_from_tick(shown, 30), keyframe), full);
            }
            shown += 1;
        }
        while pts_from_tick(said, 50) < now {
            let is_skipped = second % 97 == 40 && said % 50 < 15;
            if !is_skipped {
                sim.give(now, packet(pts_from_tick(said, 50)), full);
            }
            said += 1;
        }
        sim.give(now, Input::Time, full);
    }
    sim.give(Pts(HOURS * 3600 * SECOND), Input::Finish, false);
    sim
}

/// When the file's zero was by room time, nanoseconds, as each sample that carries its own says: of picture and of
/// sound, by the second of the file in which it stands.
fn zeros(file: &[u8]) -> [Vec<(u64, i64)>; 2] {
    let (moov, fragments) = boxes(file);
    let moov = moov.expect("the file has its header");
    let sound = moov.trak.iter().find(|trak| trak.tkhd.track_id == SOUND_TRACK).expect("there is sound");
    let skipped = sound.edts.as_ref().and_then(|edits| edits.elst.as_ref()).expect("its begin is cut").entries[0]
        .media_time
        .unwrap();
    // What a decoder gives out lags by the codec's own delay, which the edit leaves out too.
    let lead = i64::try_from(skipped).unwrap() - i64::from(opus::PRE_SKIP);
    let mut zeros = [Vec::new(), Vec::new()];
    for (moof, end) in fragments {
        let all = moof.traf.iter().flat_map(|traf| &traf.trun[0].samples);
        let mut at = end - all.map(|sample| sample.size.unwrap() as usize).sum::<usize>();
        for traf in &moof.traf {
            let is_sound = traf.tfhd.track_id == SOUND_TRACK;
            let (scale, lead) = if is_sound { (SOUND_TIMESCALE, lead) } else { (VIDEO_TIMESCALE, 0) };
            let mut time = traf.tfdt.as_ref().unwrap().base_media_decode_time;
            for sample in &traf.trun[0].samples {
                let data = &file[at..at + sample.size.unwrap() as usize];
                at += data.len();
                if data.len() >= 9 {
                    let room = u64::from_be_bytes(data[data.len() - 8..].try_into().unwrap()).cast_signed();
                    let units = time.cast_signed() - lead;
                    let zero = i128::from(room) - i128::from(units) * i128::from(SECOND) / i128::from(scale);
                    zeros[usize::from(is_sound)].push((time / u64::from(scale), i64::try_from(zero).unwrap()));
                }
                time += u64::from(sample.duration.unwrap_or(960));
            }
        }
    }
    zeros
}

#[test]
fn after_three_hours_picture_and_sound_agree() {
    let sim = record();
    assert!(sim.lost > 0, "the disk was full now and then");
    let zeros = zeros(&sim.file);
    for (zeros, rate) in zeros.iter().zip([30, 50]) {
        assert!(zeros.len() as u64 > HOURS * 3600 * rate * 9 / 10, "{} samples carry their time", zeros.len());
        assert!(zeros.last().unwrap().0 > HOURS * 3600 - 10, "to the end");
    }
    let all = || zeros.iter().flatten().map(|(_, zero)| *zero);
    let (earliest, latest) = (all().min().unwrap(), all().max().unwrap());
    assert!(latest - earliest <= SKEW_NANOS_MAX, "{} ns of skew", latest - earliest);
}
