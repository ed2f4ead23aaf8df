//! Real files in, one real file out, looked at by FFmpeg and by our own decoder.

mod cases;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::app::offline::decoded_file::{DecodedFile, Seen};
use crate::base::media::{Codec, PlaneRef, Pts, Size};
use crate::core::scene::{self, Layout};
use crate::engine::encode::EncoderChoice;
use crate::io::demux::{self, Coding};

const SIZE: Size = Size::new(320, 180);

fn ffmpeg(arguments: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y"]).args(arguments.split_whitespace());
    let output = command.output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn made(folder: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let path = folder.path().join(name);
    ffmpeg(&format!("{arguments} {}", path.display()));
    path
}

const AV1: &str = "-pix_fmt yuv420p -c:v libaom-av1 -usage realtime -cpu-used 8 -g 10 -b:v 200k";

/// A file of one flat colour, so that a tile's luma says whose it is.
fn flat(folder: &TempDir, name: &str, luma: u8, fps: u32, frames: usize) -> PathBuf {
    let mut file = format!("YUV4MPEG2 W64 H36 F{fps}:1 Ip A1:1 C420jpeg\n").into_bytes();
    for _ in 0..frames {
        file.extend_from_slice(b"FRAME\n");
        file.extend(std::iter::repeat_n(luma, 64 * 36));
        file.extend(std::iter::repeat_n(128, 64 * 36 / 2));
    }
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    path
}

fn job(folder: &TempDir, files: Vec<PathBuf>) -> Job {
    Job {
        files,
        out: folder.path().join("out.mp4"),
        size: SIZE,
        fps: 30,
        bitrate: 400_000,
        codec: Codec::Av1,
        encoder: EncoderChoice::Auto,
        encoder_threads: 1,
        decode_threads: 2,
        layout: Layout::default(),
        names: false,
        ended: Ended::Placeholder,
        sound: true,
    }
}

fn composed(job: &Job) -> Summary {
    run(job, &AtomicBool::new(false), &|_| {}).unwrap()
}

/// What FFmpeg says of a file: `codec_name|frames` of each stream.
fn probed(path: &Path) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-count_frames",
        "-of",
        "csv=p=0",
        "-show_entries",
        "stream=codec_name,duration,nb_read_frames",
    ]);
    let output = command.arg(path).output().expect("ffprobe is installed");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end_matches(',').to_owned()).collect()
}

/// The luma at the middle of each tile of `count` seats, in the frame at `tick`.
fn lumas(path: &Path, tick: u64, count: usize) -> Vec<u8> {
    let media = demux::open(path).unwrap();
    let pictures = media.pictures.as_ref().expect("ours have pictures");
    assert_eq!((pictures.coding, pictures.size), (Coding::Av1, SIZE));
    let mut source = DecodedFile::new(media, 30).unwrap();
    let seen = source.until(tick + 1);
    let Some(Seen::Picture { frame, .. }) = seen.iter().rfind(|seen| seen.tick() == tick) else { panic!("no {tick}") };
    let PlaneRef { data, stride } = frame.picture.plane(0);
    let grid = scene::grid_for(SIZE, count);
    let middle = |index: usize| {
        let rect = grid.rect(index, count);
        // A quarter down, beside the initials' disc.
        data[(rect.y + rect.height / 2) as usize * stride + (rect.x + rect.width / 8) as usize]
    };
    (0..count).map(middle).collect()
}

fn is_near(luma: u8, expected: u8) -> bool {
    luma.abs_diff(expected) <= 6
}

#[test]
fn every_container_becomes_one_exact_and_repeatable_file() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("-f lavfi -i testsrc2=size=128x72:rate=30 -t 1.5 {AV1}"));
    let copy = |name: &str| made(&folder, name, &format!("-i {} -c copy", webm.display()));
    let raw = made(&folder, "a.y4m", "-f lavfi -i testsrc2=size=100x75:rate=24 -t 1.5 -pix_fmt yuv420p");
    let mut job = job(&folder, vec![webm.clone(), copy("a.mp4"), copy("a.ivf"), raw]);
    let heard = Mutex::new(Vec::new());
    let summary = run(&job, &AtomicBool::new(false), &|progress| heard.lock().unwrap().push(progress)).unwrap();
    assert_eq!((summary.files, summary.frames, summary.files_with_sound), (4, 45, 0));
    assert_eq!((summary.encoder, summary.warnings.len(), summary.interrupted), ("aom", 0, false));
    assert_eq!(summary.decoded, 3 * 45 + 36);
    assert_eq!(summary.bytes, std::fs::metadata(&job.out).unwrap().len());
    assert_eq!(probed(&job.out), ["av1,1.500000,45"], "one track: nothing sounds");
    let first = Progress { done: Duration::ZERO, total: Some(Duration::from_millis(1500)) };
    let heard = heard.into_inner().unwrap();
    assert_eq!((heard.len(), heard[0].done), (2, first.done));
    assert!(heard[0].total.unwrap().abs_diff(first.total.unwrap()) < Duration::from_millis(40));
    let bytes = std::fs::read(&job.out).unwrap();
    job.decode_threads = 1;
    composed(&job);
    assert!(
        std::fs::read(&job.out).unwrap() == bytes,
        "the same files give the same bytes, however many threads decode"
    );
    let folder = std::fs::read_dir(folder.path()).unwrap();
    assert!(folder.flatten().all(|entry| !entry.file_name().to_string_lossy().ends_with(".part")));
}

#[cfg(feature = "h264")]
#[test]
fn a_film_can_be_h264_too() {
    let folder = TempDir::new().unwrap();
    let job = Job { codec: Codec::H264, ..job(&folder, vec![flat(&folder, "a.y4m", 90, 30, 45)]) };
    let summary = composed(&job);
    assert_eq!((summary.frames, summary.encoder), (45, "openh264"));
    assert_eq!(probed(&job.out), ["h264,1.500000,45"]);
    let samples = ffmpeg(&format!("-i {} -f rawvideo -pix_fmt gray -", job.out.display()));
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    assert_eq!(samples.len(), 45 * width * height);
    assert!(is_near(samples[40 * width * height..][height / 2 * width + width / 8], 90));
}

#[test]
fn files_of_any_rate_and_length_meet_on_one_clock() {
    let folder = TempDir::new().unwrap();
    let files = vec![
        flat(&folder, "short.y4m", 60, 10, 10),
        flat(&folder, "slow.y4m", 120, 1, 4),
        flat(&folder, "fast.y4m", 180, 60, 240),
        flat(&folder, "late.y4m", 220, 25, 100),
    ];
    for (ended, first_tile) in [(Ended::Hold, Some(60)), (Ended::Placeholder, None)] {
        let job = Job { ended, ..job(&folder, files.clone()) };
        let summary = composed(&job);
        assert_eq!((summary.frames, summary.duration_s), (120, 4.0), "as long as the longest");
        for (tick, alive) in [(0, true), (29, true), (100, false)] {
            let tiles = lumas(&job.out, tick, 4);
            let first = if alive { Some(60) } else { first_tile };
            assert_eq!(is_near(tiles[0], 60), first == Some(60), "{ended:?} at {tick}: {tiles:?}");
            assert!(is_near(tiles[1], 120) && is_near(tiles[2], 180) && is_near(tiles[3], 220), "{tick}: {tiles:?}");
        }
    }
    let job = Job { ended: Ended::Leave, ..job(&folder, vec![files[0].clone(), files[2].clone()]) };
    composed(&job);
    assert!(is_near(lumas(&job.out, 0, 2)[0], 60));
    assert!(is_near(lumas(&job.out, 110, 1)[0], 180), "the other one has the canvas");
}

#[test]
fn a_broken_frame_breaks_its_tile_only_and_a_cut_file_ends_there() {
    let folder = TempDir::new().unwrap();
    let ivf = made(&folder, "a.ivf", &format!("-f lavfi -i testsrc2=size=128x72:rate=30 -t 2 {AV1}"));
    let whole = std::fs::read(&ivf).unwrap();
    // Frame 15: its length stays, its bytes are noise.
    let mut at = 32;
    for _ in 0..15 {
        at += 12 + u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    }
    let length = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let mut noisy = whole.clone();
    noisy[at + 12..at + 12 + length].fill(0xff);
    std::fs::write(&ivf, noisy).unwrap();
    let cut = folder.path().join("cut.ivf");
    std::fs::write(&cut, &whole[..at + 20]).unwrap();
    let good = flat(&folder, "good.y4m", 200, 30, 60);
    let job = job(&folder, vec![ivf, cut, good]);
    let summary = composed(&job);
    assert_eq!((summary.frames, summary.warnings.len()), (60, 2), "{:?}", summary.warnings);
    assert!(summary.warnings.iter().any(|warning| warning == "cut: is cut off"), "{:?}", summary.warnings);
    assert!(summary.warnings.iter().any(|warning| warning.starts_with("a: the bitstream is broken")));
    // 15 and what follows up to the keyframe at 20 are lost.
    assert_eq!(summary.decoded, 55 + 15 + 60);
    assert!([0, 14, 17, 45, 59].iter().all(|&tick| is_near(lumas(&job.out, tick, 3)[2], 200)));
}

#[test]
fn sounds_are_mixed_and_stay_where_they_were() {
    let folder = TempDir::new().unwrap();
    let beep = |from: f64, hertz: u32| {
        format!("-f lavfi -i aevalsrc=0.4*sin({hertz}*2*PI*t)*between(t\\,{from}\\,{}):s=48000", from + 0.5)
    };
    let picture = "-f lavfi -i testsrc2=size=64x36:rate=30";
    let webm = made(&folder, "a.webm", &format!("{picture} {} -t 3 {AV1} -c:a libopus", beep(0.5, 1000)));
    let mp4 = made(&folder, "b.mp4", &format!("{picture} {} -t 3 {AV1} -c:a libopus", beep(2.0, 1500)));
    let mut job = job(&folder, vec![webm, mp4, flat(&folder, "c.y4m", 50, 30, 90)]);
    let summary = composed(&job);
    assert_eq!((summary.frames, summary.files_with_sound), (90, 2));
    assert_eq!(probed(&job.out)[0], "av1,3.000000,90");
    assert!(probed(&job.out)[1].starts_with("opus,3.0"), "{:?}", probed(&job.out));
    let pcm = ffmpeg(&format!("-i {} -vn -ac 1 -ar 48000 -f f32le -", job.out.display()));
    let samples: Vec<f32> = pcm.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let loud: Vec<bool> = samples.chunks(480).map(|ten_ms| ten_ms.iter().any(|sample| sample.abs() > 0.1)).collect();
    for (from, to) in [(0.5, 1.0), (2.0, 2.5)] {
        let (from, to) = ((from * 100.0) as usize, (to * 100.0) as usize);
        assert!(!loud[from - 2] && loud[from + 1] && loud[to - 2] && !loud[to + 2], "{from}: {loud:?}");
    }
    job.sound = false;
    assert_eq!((composed(&job).files_with_sound, probed(&job.out).len()), (0, 1));
}

#[test]
fn a_long_file_has_keyframes_and_fragments_as_a_recording_has() {
    let folder = TempDir::new().unwrap();
    let job = Job { size: Size::new(160, 160), ..job(&folder, vec![flat(&folder, "long.y4m", 90, 30, 300)]) };
    composed(&job);
    let mut track = demux::open(&job.out).unwrap().pictures.expect("ours have pictures").track;
    let units: Vec<demux::Stored> = std::iter::from_fn(|| track.next().unwrap()).collect();
    let keyframes: Vec<usize> = (0..units.len()).filter(|n| units[*n].keyframe).collect();
    assert_eq!((units.len(), keyframes), (300, vec![0, 120, 240]));
    assert_eq!(units[299].at, Pts(9_966_666_666), "90,000 units a second, read back");
    let bytes = std::fs::read(&job.out).unwrap();
    assert_eq!(bytes.windows(4).filter(|window| window == b"moof").count(), 5, "two seconds each, cut at keyframes");
}

#[test]
fn what_cannot_be_done_is_told_and_leaves_the_old_file() {
    let folder = TempDir::new().unwrap();
    let good = flat(&folder, "good.y4m", 100, 30, 3);
    let told = |job: &Job| run(job, &AtomicBool::new(false), &|_| {}).unwrap_err().to_string();
    let mut job = job(&folder, vec![good.clone(), folder.path().join("nowhere.mp4")]);
    std::fs::write(&job.out, "the old one").unwrap();
    assert!(told(&job).ends_with("nowhere.mp4 is not there; look at its name"), "{}", told(&job));
    job.files = vec![good.clone(); 101];
    assert_eq!(told(&job), "101 files; give 1 to 100");
    job.files = vec![good.clone()];
    job.size = Size::new(320, 182);
    job.fps = 0;
    assert!(told(&job).contains("frames a second"));
    job.fps = 30;
    assert_eq!(std::fs::read(&job.out).unwrap(), b"the old one");
    job.out = good.clone();
    assert!(told(&job).contains("choose another --out"));
    job.out = folder.path().join("no/such/folder/out.mp4");
    assert!(told(&job).contains("out.mp4 cannot be written: No such file"), "{}", told(&job));
    job.out = folder.path().to_owned();
    assert!(told(&job).contains("it is a folder"));
}

#[test]
fn stopped_in_the_middle_the_file_plays() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, vec![flat(&folder, "long.y4m", 70, 30, 3000)]);
    let stop = AtomicBool::new(false);
    let progress = |progress: Progress| stop.store(progress.done >= Duration::from_secs(3), Ordering::Relaxed);
    let summary = run(&job, &stop, &progress).unwrap();
    assert_eq!((summary.frames, summary.interrupted), (91, true));
    assert_eq!(probed(&job.out), ["av1,3.033333,91"]);
}

#[test]
fn a_hundred_files_fill_a_hundred_tiles() {
    let folder = TempDir::new().unwrap();
    let files: Vec<PathBuf> = (0..100).map(|n| flat(&folder, &format!("{n}.y4m"), 20 + 2 * n, 30, 2)).collect();
    let job = Job { size: Size::new(1280, 720), bitrate: 4_000_000, ..job(&folder, files) };
    let summary = composed(&job);
    assert_eq!((summary.files, summary.frames, summary.decoded), (100, 2, 200));
    assert_eq!(probed(&job.out), ["av1,0.066667,2"]);
}

#[test]
fn the_canvas_can_be_had_unencoded() {
    let folder = TempDir::new().unwrap();
    let mut job = job(&folder, vec![flat(&folder, "a.y4m", 77, 30, 5)]);
    job.out = folder.path().join("canvas.y4m");
    let summary = composed(&job);
    assert_eq!((summary.frames, summary.encoder), (5, "none"));
    let mut track = demux::open(&job.out).unwrap().pictures.expect("ours have pictures").track;
    let canvas = track.next().unwrap().unwrap();
    assert_eq!(canvas.data.len(), 320 * 180 * 3 / 2);
    assert!(canvas.data[..320 * 180].iter().all(|sample| *sample == 77));
}
