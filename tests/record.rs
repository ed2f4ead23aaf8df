//! **The question:** does a recording play, everywhere and at every moment, and does it say what it lacks?
//!
//! Nothing is simulated but time: AV1 by libaom, Opus by libopus, the node's fans, a real disk; ffmpeg, ffprobe and
//! headless Chromium play what comes out.

mod demux;
pub mod material;
pub mod players;
mod sim;
mod skew;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mp4_atom::Codec as SampleEntry;
use serde_json::Value;
use tessera::base::limits;
use tessera::base::media::{Codec, ComposedFrame, Pts, Size, pts_from_tick};
use tessera::core::bitstream::av1::{SequenceHeader, TemporalUnit};
use tessera::core::fmp4::{Header, VIDEO_TIMESCALE, codecs};
use tessera::core::record::{GapReason, GapTrack, Manifest, RecordingState};
use tessera::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};
use tessera::io::recording::RecordingPlace;

use material::{CLIP_FRAMES, Call, FPS, clip, encode, first_frame, plain_call, record_until_killed};
use players::{boxes, chromium, chromium_media_source, decode, decode_sound, number, probe, samples};

const SECOND: Duration = Duration::from_secs(1);

fn manifest_of(file: &Path) -> Manifest {
    serde_json::from_str(&std::fs::read_to_string(file.with_extension("json")).unwrap()).unwrap()
}

fn seconds(n: u64) -> Pts {
    Pts(n * 1_000_000_000)
}

#[test]
fn a_call_is_recorded_whole_and_others_read_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let summary = plain_call(&file, seconds(3), 10 * SECOND);
    assert_eq!(summary.path.as_deref(), Some(file.as_path()));
    assert_eq!(summary.trouble, None);
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    assert!(summary.duration.abs_diff(10 * SECOND) < Duration::from_millis(50), "{:?}", summary.duration);
    assert_eq!(summary.bytes, std::fs::metadata(&file).unwrap().len());

    let probed = probe(&file);
    let (video, sound) = (&probed["streams"][0], &probed["streams"][1]);
    assert_eq!((video["codec_name"].as_str(), sound["codec_name"].as_str()), (Some("av1"), Some("opus")));
    assert_eq!((video["width"].as_u64(), video["height"].as_u64()), (Some(320), Some(180)));
    assert_eq!(video["r_frame_rate"], "30/1");
    assert_eq!(number(&video["nb_read_packets"]) as u64, CLIP_FRAMES);
    assert!((number(&probed["format"]["duration"]) - 10.0).abs() < 0.1, "{}", probed["format"]);
    assert!(number(&probed["format"]["start_time"]).abs() < 0.03, "{}", probed["format"]);
    assert!(probed["format"]["tags"]["creation_time"].as_str().unwrap().starts_with("2023-11-14T22:13:23"));
    assert_eq!(decode(&file), CLIP_FRAMES);

    let manifest = manifest_of(&file);
    assert_eq!((manifest.state, manifest.bytes), (RecordingState::Final, summary.bytes));
    assert_eq!(manifest.started.as_deref(), Some("2023-11-14T22:13:23Z"));
    assert_eq!((manifest.takes[0].file.as_str(), manifest.takes[0].width), ("call.mp4", 320));
}

#[test]
fn the_boxes_keep_the_rules() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    plain_call(&file, Pts(1_234_567_890), 9 * SECOND);
    let data = std::fs::read(&file).unwrap();
    let (moov, fragments) = boxes(&data);
    let moov = moov.unwrap();
    assert_eq!(moov.mvex.unwrap().mehd.unwrap().fragment_duration, 9 * u64::from(VIDEO_TIMESCALE));
    assert!((5..=7).contains(&fragments.len()), "{} fragments in nine seconds", fragments.len());
    let (mut video_at, mut sound_at) = (0, 0);
    for (number, (moof, _)) in fragments.iter().enumerate() {
        assert_eq!(moof.mfhd.sequence_number as usize, number + 1);
        for traf in &moof.traf {
            let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
            let at = if traf.tfhd.track_id == 1 { &mut video_at } else { &mut sound_at };
            assert_eq!(start, *at, "no hole and no overlap");
            let span: u64 = traf.trun[0].samples.iter().map(|s| u64::from(s.duration.unwrap_or(960))).sum();
            assert!(traf.trun[0].samples.iter().all(|sample| sample.cts.is_none()));
            *at += span;
            if traf.tfhd.track_id == 1 {
                assert!(span <= u64::from(VIDEO_TIMESCALE) * limits::FRAGMENT_SPAN.as_secs());
            }
        }
    }
    // No temporal delimiter reached a sample, although the encoder wrote one into every frame.
    assert!(clip().iter().all(|unit| unit[..2] == [0x12, 0x00]));
    let video = moov.trak.iter().find(|trak| trak.tkhd.track_id == 1).unwrap();
    let SampleEntry::Av01(entry) = &video.mdia.minf.stbl.stsd.codecs[0] else { panic!("no AV1") };
    let unit = TemporalUnit::parse(&clip()[0]).unwrap();
    assert_eq!(entry.av1c.config_obus, unit.sequence_header.unwrap());
    assert!(fragments[0].0.traf[0].trun[0].samples.iter().all(|sample| sample.size.unwrap() > 2));
}

#[test]
fn the_header_says_of_a_stream_what_ffmpeg_says_of_it() {
    let sources: &[(&str, &[&str])] = &[
        ("testsrc2=s=320x180:r=30:d=0.1", &[]),
        (
            "testsrc2=s=322x182:r=30:d=0.1,format=yuv420p10",
            &["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"],
        ),
        ("testsrc2=s=64x48:r=30:d=0.1,format=yuv444p", &["-color_range", "pc"]),
        ("testsrc2=s=2560x1440:r=60:d=0.04,format=gray", &["-row-mt", "1"]),
        ("testsrc2=s=200x120:r=30:d=0.04,format=yuv422p12", &["-still-picture", "1", "-frames:v", "1"]),
    ];
    let home = tempfile::tempdir().unwrap();
    for (source, options) in sources {
        let fast = ["-cpu-used", "8", "-usage", "realtime"];
        let options: Vec<_> = fast.iter().chain(*options).copied().collect();
        let unit = TemporalUnit::parse(&encode(source, &options)[0]).unwrap();
        let ours = SequenceHeader::parse(&unit.sequence_header.unwrap()).unwrap();
        let theirs = home.path().join("theirs.mp4");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libaom-av1"])
            .args(&options)
            .arg(&theirs)
            .status()
            .unwrap();
        assert!(made.success());
        let (moov, _) = boxes(&std::fs::read(&theirs).unwrap());
        let SampleEntry::Av01(entry) = &moov.unwrap().trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!("no AV1") };
        let av1c = &entry.av1c;
        assert_eq!(
            (ours.size.width, ours.size.height),
            (entry.visual.width.into(), entry.visual.height.into()),
            "{source}"
        );
        assert_eq!(
            (ours.profile, ours.level, ours.tier),
            (av1c.seq_profile, av1c.seq_level_idx_0, av1c.seq_tier_0),
            "{source}"
        );
        assert_eq!((ours.high_bitdepth, ours.twelve_bit), (av1c.high_bitdepth, av1c.twelve_bit), "{source}");
        assert_eq!(ours.monochrome, av1c.monochrome, "{source}");
        assert_eq!(ours.subsampling, (av1c.chroma_subsampling_x, av1c.chroma_subsampling_y), "{source}");
        assert_eq!(ours.chroma_sample_position, av1c.chroma_sample_position, "{source}");
    }
}

#[test]
fn picture_and_sound_begin_together() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    // The first keyframe lies on no tick of the sound, and sound runs before it and ahead of it.
    let first = first_frame(Pts(1_700_000_000)) + 1;
    let zero = pts_from_tick(first, FPS);
    let click = Pts(4_000_000_000);
    let mut call = Call::new(RecordingPlace::File(file.clone()), Pts(0));
    for n in 0..400 {
        call.tick(n, Some(click));
    }
    for n in first..first + 170 {
        call.frame(n, n - first);
    }
    call.poll(seconds(8));
    call.finish(seconds(8));
    let heard = decode_sound(&file);
    let loudest = (0..heard.len()).max_by(|a, b| heard[*a].abs().total_cmp(&heard[*b].abs())).unwrap();
    let expected = click.since(zero).as_secs_f64();
    let found = loudest as f64 / 48_000.0;
    assert!((found - expected).abs() < 0.002, "the click of {expected:.4} s is heard at {found:.4} s");
    assert!(heard[..4800].iter().any(|s| s.abs() > 0.05), "sound is heard from the first moment on");
}

#[test]
fn what_is_missing_becomes_silence_or_a_still_and_is_listed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(file.clone()), seconds(1));
    // Sound lacks from 3 s to 4.5 s; the encoder gives no picture from 5 s to 6 s.
    call.run(seconds(1), seconds(11), |n| !(150..180).contains(&n), |n| !(150..225).contains(&n));
    let gap_ms = call.counters.gap_ms.clone();
    let summary = call.finish(seconds(11));
    let sound: Vec<_> = summary.gaps.iter().map(|gap| (gap.track, gap.reason, gap.from_ms, gap.to_ms)).collect();
    assert_eq!(sound, [(GapTrack::Sound, GapReason::Missing, 2000, 3500)]);
    assert_eq!(gap_ms.get(), 1500);
    assert!((number(&probe(&file)["format"]["duration"]) - 10.0).abs() < 0.1);
    assert_eq!(decode(&file), 270);
    let heard = decode_sound(&file);
    let loud = |from: f64, to: f64| {
        let span = &heard[(from * 48_000.0) as usize..(to * 48_000.0) as usize];
        span.iter().map(|s| f64::from(s * s)).sum::<f64>() / span.len() as f64 > 1e-4
    };
    assert!(loud(1.5, 1.98) && !loud(2.1, 3.45) && loud(3.6, 9.9), "silence where sound lacks, and only there");
}

#[test]
fn a_reader_that_lagged_goes_on_at_a_keyframe_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(file.clone()), Pts(0));
    // Nobody reads for 24 s: the ring holds 480 frames and 480 ticks, the others are lost up to the next keyframe that
    // fits.
    for n in 0..1200 {
        call.tick(n, None);
    }
    for n in 0..720 {
        call.frame(n, n % CLIP_FRAMES);
    }
    call.poll(seconds(24));
    call.run(seconds(24), seconds(30), |_| true, |_| true);
    let summary = call.finish(seconds(30));
    let lagged = |track| {
        let of_track = summary.gaps.iter().filter(|gap| gap.track == track && gap.reason == GapReason::Lagged);
        of_track.map(|gap| (gap.from_ms, gap.to_ms)).collect::<Vec<_>>()
    };
    assert_eq!(lagged(GapTrack::Video), [(16_000, 24_000)]);
    assert_eq!(lagged(GapTrack::Sound).len(), 1, "{:?}", summary.gaps);
    assert_eq!(decode(&file), 480 + 180);
    assert!((number(&probe(&file)["format"]["duration"]) - 30.0).abs() < 0.1);
}

#[test]
fn once_another_mask_holds_nothing_is_taken_any_more() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(file.clone()), seconds(3));
    call.run(seconds(3), seconds(6), |_| true, |_| true);
    call.current_generation.store(1, Ordering::Release);
    call.run(seconds(6), seconds(9), |_| true, |_| true);
    let summary = call.finish(seconds(9));
    assert!(summary.duration < Duration::from_millis(3_100), "{:?}", summary.duration);
    assert_eq!(decode(&file), 90);
}

#[test]
fn every_prefix_plays_as_far_as_it_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    plain_call(&file, seconds(1), 9 * SECOND);
    let data = std::fs::read(&file).unwrap();
    let (_, whole) = boxes(&data);
    for len in (0..data.len()).step_by(997) {
        let (moov, fragments) = boxes(&data[..len]);
        let expected = whole.iter().filter(|(_, end)| *end <= len).count();
        assert_eq!(fragments.len(), expected, "{len} bytes");
        assert!(fragments.is_empty() || moov.is_some());
    }
    let cut = home.path().join("cut.mp4");
    for (k, (_, end)) in whole.iter().enumerate() {
        std::fs::write(&cut, &data[..*end]).unwrap();
        let expected: usize = whole[..=k].iter().map(|(moof, _)| samples(moof, 1)).sum();
        assert_eq!(number(&probe(&cut)["streams"][0]["nb_read_packets"]) as usize, expected);
        assert_eq!(decode(&cut) as usize, expected);
    }
}

#[test]
fn chromium_plays_it_seeks_in_it_and_knows_its_duration() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    plain_call(&file, Pts(1_234_567_890), 6 * SECOND);
    let seen = chromium(&file);
    assert_eq!(seen["error"], Value::Null, "{seen}");
    assert!((seen["duration"].as_f64().unwrap() - 6.0).abs() < 0.2, "{seen}");
    assert!((seen["ended"].as_f64().unwrap() - 6.0).abs() < 0.2, "{seen}");
    assert_eq!((seen["width"].as_u64(), seen["height"].as_u64()), (Some(320), Some(180)));
    assert!(seen["frames"].as_u64().unwrap() > 30 && seen["sound"].as_u64().unwrap() > 1000, "{seen}");

    // As a crash leaves it: the duration never patched in, the last fragment cut within.
    let mut data = std::fs::read(&file).unwrap();
    let (_, fragments) = boxes(&data);
    let at = data.windows(4).position(|kind| kind == b"mehd").unwrap() - 4;
    data[at..at + 20].copy_from_slice(&{
        let mut unpatched = Header::duration_patch(0).to_vec();
        unpatched[4..8].copy_from_slice(b"free");
        unpatched
    });
    let [.., (_, before), (_, last)] = fragments.as_slice() else { panic!("several fragments") };
    data.truncate(before + (last - before) / 2);
    let cut = home.path().join("cut.mp4");
    std::fs::write(&cut, data).unwrap();
    let seen = chromium(&cut);
    assert_eq!(seen["error"], Value::Null, "{seen}");
    let duration = seen["duration"].as_f64().unwrap();
    assert!((2.0..6.1).contains(&duration) && seen["frames"].as_u64().unwrap() > 30, "{seen}");
    assert!(seen["ended"].as_f64().unwrap() >= 2.0, "{seen}");
}

#[test]
fn chromiums_media_source_takes_it_piece_by_piece() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    plain_call(&file, Pts(1_234_567_890), 6 * SECOND);
    let data = std::fs::read(&file).unwrap();
    let fragments = boxes(&data).1.len();
    let told = codecs(&data[..2000]).expect("the file begins with its init segment");
    let seen = chromium_media_source(&file, &told);
    assert_eq!(seen["error"], Value::Null, "{seen}");
    assert_eq!(seen["fragments"], fragments + 1, "the init segment and every fragment: {seen}");
    assert_eq!(seen["ranges"].as_array().map(Vec::len), Some(1), "no hole between fragments: {seen}");
    assert!((seen["duration"].as_f64().unwrap() - 6.0).abs() < 0.2, "{seen}");
    assert!((seen["ended"].as_f64().unwrap() - 6.0).abs() < 0.2, "{seen}");
    assert_eq!((seen["width"].as_u64(), seen["height"].as_u64()), (Some(320), Some(180)));
    assert!(seen["frames"].as_u64().unwrap() > 30 && seen["sound"].as_u64().unwrap() > 1000, "{seen}");
}

/// The far half of the test below: records in real time until it is killed.
#[test]
#[ignore = "run by a_killed_process_leaves_a_file_that_plays"]
fn child_that_records_until_it_is_killed() {
    let file = PathBuf::from(std::env::var_os("TESSERA_TEST_FILE").expect("set by the parent"));
    record_until_killed(RecordingPlace::File(file));
}

#[test]
fn a_killed_process_leaves_a_file_that_plays() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("call.mp4");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record::child_that_records_until_it_is_killed", "--ignored", "--nocapture"])
        .env("TESSERA_TEST_FILE", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Playable while it runs: read it as it grows.
    let mut seen = 0;
    let until = Instant::now() + Duration::from_secs(60);
    while seen < 4 {
        assert!(child.try_wait().unwrap().is_none(), "the child ended early");
        assert!(Instant::now() < until, "the child stopped at {seen} fragments");
        std::thread::sleep(Duration::from_millis(20));
        seen = std::fs::read(&file).map_or(0, |data| boxes(&data).1.len());
        if seen == 2 {
            assert!(decode(&file) >= 60);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let data = std::fs::read(&file).unwrap();
    let (moov, fragments) = boxes(&data);
    assert!(moov.unwrap().mvex.unwrap().mehd.is_none(), "the duration was never known");
    let expected: usize = fragments.iter().map(|(moof, _)| samples(moof, 1)).sum();
    assert_eq!(decode(&file) as usize, expected);
    assert!(number(&probe(&file)["format"]["duration"]) > 7.0);
    assert_eq!(manifest_of(&file).state, RecordingState::Recording, "the manifest says that it was never closed");
}

#[test]
fn another_sequence_header_is_another_take() {
    let home = tempfile::tempdir().unwrap();
    let first = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(first.clone()), seconds(2));
    call.run(seconds(2), seconds(5), |_| true, |_| true);
    let other = encode("testsrc2=s=160x90:r=30:d=2", &["-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"]);
    for n in 0..100 {
        call.tick(250 + n, None);
    }
    for (n, data) in other.iter().enumerate() {
        call.publish(pts_from_tick(150 + n as u64, FPS), data.clone(), n == 0);
    }
    call.poll(seconds(7));
    let summary = call.finish(seconds(7));
    let second = home.path().join("call-take2.mp4");
    assert_eq!(summary.path, Some(first.clone()));
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    assert_eq!((decode(&first), decode(&second)), (90, 60));
    assert_eq!(probe(&second)["streams"][0]["width"], 160);
    let manifest = manifest_of(&first);
    let takes: Vec<_> = manifest.takes.iter().map(|take| (take.file.as_str(), take.from_ms, take.width)).collect();
    assert_eq!(takes, [("call.mp4", 0, 320), ("call-take2.mp4", 3000, 160)]);
}

#[test]
fn another_codec_is_another_take() {
    let home = tempfile::tempdir().unwrap();
    let first = home.path().join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(first.clone()), seconds(2));
    call.run(seconds(2), seconds(5), |_| true, |_| true);
    let setup =
        VideoEncoderSetup { codec: Codec::H264, size: Size::new(320, 180), fps: FPS, bitrate: 400_000, threads: 1 };
    let (mut encoder, mut units) = (video_encoder(EncoderChoice::Auto, setup).unwrap(), Vec::new());
    for n in 0..60 {
        let shade = 60 + u8::try_from(n).unwrap();
        let frame = ComposedFrame::new(setup.size, pts_from_tick(150 + n, FPS), vec![shade; 320 * 180 * 3 / 2]);
        encoder.encode(&frame, n == 0 || n == 30, &mut units).unwrap();
    }
    for n in 0..100 {
        call.tick(250 + n, None);
    }
    units.into_iter().for_each(|unit| call.video.publish(&Arc::new(unit)));
    call.poll(seconds(7));
    let summary = call.finish(seconds(7));
    let second = home.path().join("call-take2.mp4");
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    assert_eq!((decode(&first), decode(&second)), (90, 60));
    let probed = probe(&second);
    let stream = &probed["streams"][0];
    assert_eq!((&stream["codec_name"], &stream["codec_tag_string"]), (&"h264".into(), &"avc1".into()), "{stream}");
    assert_eq!(
        (&stream["width"], &stream["height"], &stream["nb_read_packets"]),
        (&320.into(), &180.into(), &"60".into())
    );
    let manifest = manifest_of(&first);
    let takes: Vec<_> = manifest.takes.iter().map(|take| (take.from_ms, take.width, take.height)).collect();
    assert_eq!(takes, [(0, 320, 180), (3000, 320, 180)]);
    let seen = chromium(&second);
    assert_eq!(seen["error"], Value::Null, "{seen}");
}

/// A small file system of its own, gone when dropped; `None` where this process may not mount.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Fills the disk that `ballast` lies on.
pub fn fill(ballast: &Path) {
    let filled = std::io::copy(&mut std::io::repeat(7), &mut std::fs::File::create(ballast).unwrap());
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_full_disk_costs_a_gap_and_the_recording_says_so() {
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    let Some(_mounted) = SmallDisk::mount(&disk, "4m") else {
        eprintln!("skipped: this process may not mount a file system; store/ tests fullness with /dev/full");
        return;
    };
    let (file, ballast) = (disk.join("call.mp4"), disk.join("ballast"));
    let mut call = Call::new(RecordingPlace::File(file.clone()), Pts(0));
    call.run(Pts(0), Pts(4_050_000_000), |_| true, |_| true);
    // Somebody else fills the disk to the last byte.
    fill(&ballast);
    call.run(Pts(4_050_000_000), Pts(10_050_000_000), |_| true, |_| true);
    let halfway = manifest_of(&file);
    assert!(
        halfway.gaps.iter().any(|gap| gap.reason == GapReason::DiskFull),
        "said while the disk is full: {halfway:?}"
    );
    assert!(boxes(&std::fs::read(&file).unwrap()).1.len() >= 2, "the file stands at its last whole fragment");
    decode(&file);
    std::fs::remove_file(&ballast).unwrap();
    call.run(Pts(10_050_000_000), seconds(20), |_| true, |_| true);
    let errors = call.counters.errors.get();
    let summary = call.finish(seconds(20));
    assert!(errors >= 2, "{errors} errors");
    assert!(summary.trouble.unwrap().contains("no space left"));
    let [lost, waiting] = summary.gaps.as_slice() else { panic!("two gaps: {:?}", summary.gaps) };
    assert_eq!((lost.track, lost.reason, lost.from_ms), (GapTrack::Both, GapReason::DiskFull, 4000));
    assert!((8_000..=10_100).contains(&lost.to_ms), "{lost:?}");
    assert_eq!((waiting.track, waiting.reason), (GapTrack::Video, GapReason::AwaitingKeyframe));
    assert_eq!(summary.bytes, std::fs::metadata(&file).unwrap().len());
    assert!((number(&probe(&file)["format"]["duration"]) - 20.0).abs() < 0.1);
    decode(&file);
    let heard = decode_sound(&file);
    assert!((heard.len() as f64 / 48_000.0 - 20.0).abs() < 0.1, "silence stands where sound was lost");
}

#[test]
fn a_disk_that_stays_full_to_the_end_leaves_what_was_whole() {
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    let Some(_mounted) = SmallDisk::mount(&disk, "4m") else {
        eprintln!("skipped: this process may not mount a file system; store/ tests fullness with /dev/full");
        return;
    };
    let file = disk.join("call.mp4");
    let mut call = Call::new(RecordingPlace::File(file.clone()), Pts(0));
    call.run(Pts(0), Pts(4_050_000_000), |_| true, |_| true);
    fill(&disk.join("ballast"));
    call.run(Pts(4_050_000_000), seconds(10), |_| true, |_| true);
    let summary = call.finish(seconds(10));
    let manifest = manifest_of(&file);
    assert_eq!(manifest.state, RecordingState::Final, "the manifest's place was kept");
    assert_eq!(summary.bytes, std::fs::metadata(&file).unwrap().len());
    assert_eq!(summary.duration, 4 * SECOND);
    let [lost] = manifest.gaps.as_slice() else { panic!("one gap: {manifest:?}") };
    assert_eq!((lost.track, lost.reason, lost.from_ms), (GapTrack::Both, GapReason::DiskFull, 4000));
    assert!(lost.to_ms >= 9_900, "{lost:?}");
    assert!((number(&probe(&file)["format"]["duration"]) - 4.0).abs() < 0.1);
    assert_eq!(decode(&file), 120);
}
