//! Real files by FFmpeg, in every container, whole and broken.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::stored::span;
use super::*;
use crate::base::media::Pts;

/// Runs FFmpeg with `arguments` and gives the file it made.
fn made(folder: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y"]).args(arguments.split_whitespace()).arg(&path);
    let output = command.output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    path
}

const SOURCE: &str = "-f lavfi -i testsrc2=size=128x96:rate=30 -f lavfi -i sine=440:sample_rate=48000 -t 1";
const AV1: &str = "-pix_fmt yuv420p -c:v libaom-av1 -usage realtime -cpu-used 8 -g 10 -b:v 200k";

fn all(path: &Path) -> Vec<Stored> {
    let mut track = pictures(path).unwrap_or_else(|fault| panic!("{} {fault}", path.display())).track;
    std::iter::from_fn(|| track.next().unwrap()).collect()
}

fn fault(path: &Path) -> String {
    pictures(path).expect_err("useless").to_string()
}

#[test]
fn every_container_gives_the_same_units_at_the_same_times() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("{SOURCE} {AV1} -an"));
    let copy = |name: &str, how: &str| made(&folder, name, &format!("-i {} -c copy {how}", webm.display()));
    let fragmented = "-movflags frag_keyframe+empty_moov+default_base_moof";
    let ivf = copy("a.ivf", "-an");
    let files = [webm.clone(), copy("a.mkv", ""), copy("a.mp4", ""), copy("f.mp4", fragmented), ivf];
    let obus = |stored: &Stored| TemporalUnit::parse(&stored.data).unwrap().obus;
    let first: Vec<Bytes> = all(&files[0]).iter().map(obus).collect();
    for file in &files {
        let opened = pictures(file).unwrap();
        assert_eq!((opened.coding, opened.size), (Coding::Av1, Size::new(128, 96)), "{}", file.display());
        let says = opened.span.unwrap_or(Duration::from_secs(1)).as_millis();
        assert!((980..=1040).contains(&says), "{}: {says} ms", file.display());
        let units = all(file);
        assert_eq!(units.len(), 30, "{}", file.display());
        for (number, unit) in units.iter().enumerate() {
            let due = span(number as u64, 30).as_micros();
            let at = unit.at.since(Pts(0)).as_micros();
            assert!(at.abs_diff(due) <= 1000, "{}: {at} for {due}", file.display());
            assert!(obus(unit) == first[number], "{}: unit {number}", file.display());
        }
        assert!(units[0].keyframe);
    }
    let mp4_keyframes: Vec<bool> = all(&files[2]).iter().map(|unit| unit.keyframe).collect();
    assert!((0..30).all(|n| mp4_keyframes[n] == (n % 10 == 0)), "{mp4_keyframes:?}");
}

#[test]
fn sound_is_found_where_it_is_opus() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("{SOURCE} {AV1} -c:a libopus"));
    let mp4 = made(&folder, "a.mp4", &format!("-i {} -c copy", webm.display()));
    let aac = made(&folder, "c.mp4", &format!("-i {} -c:v copy -c:a aac", webm.display()));
    let ivf = made(&folder, "a.ivf", &format!("-i {} -c copy -an", webm.display()));
    for path in [&webm, &mp4] {
        let mut track = sound(path).unwrap().expect("it has Opus");
        let packets: Vec<Stored> = std::iter::from_fn(|| track.next().unwrap()).collect();
        assert!((50..=52).contains(&packets.len()), "{}: {}", path.display(), packets.len());
        // FFmpeg's Opus begins with 6.5 ms that only prepare the decoder.
        let skipped = packets[0].skip.as_micros() + packets[0].at.since(Pts(0)).as_micros();
        assert!(skipped <= 7500, "{}: {skipped} µs", path.display());
        let second = packets[1].at.since(Pts(0)).as_micros();
        assert!((13_000..=21_000).contains(&second), "{}: {second} µs", path.display());
    }
    assert!(sound(&aac).unwrap().is_none() && sound(&ivf).unwrap().is_none());
    assert_eq!(all(&aac).len(), 30, "its pictures are read all the same");
}

#[test]
fn raw_pictures_are_planes_of_any_size() {
    let folder = TempDir::new().unwrap();
    let path = made(&folder, "a.y4m", "-f lavfi -i testsrc=size=65x47:rate=25 -t 1 -pix_fmt yuv420p");
    let opened = pictures(&path).unwrap();
    assert_eq!((opened.coding, opened.size), (Coding::Raw { full_range: false }, Size::new(65, 47)));
    let frames = all(&path);
    assert_eq!((frames.len(), frames[0].data.len()), (25, 65 * 47 + 2 * 33 * 24));
    assert_eq!(frames[24].at, Pts(960_000_000));
    assert_eq!(opened.span, Some(Duration::from_secs(1)));
}

#[test]
fn content_decides_and_what_is_not_read_is_told_with_a_way_out() {
    let folder = TempDir::new().unwrap();
    let source = "-f lavfi -i testsrc2=size=128x96:rate=30 -t 0.2";
    let webm = made(&folder, "a.webm", &format!("{source} {AV1}"));
    let lying = folder.path().join("lying.ivf");
    std::fs::copy(&webm, &lying).unwrap();
    assert_eq!(all(&lying).len(), 6);
    let told = |name: &str, how: &str| fault(&made(&folder, name, &format!("{source} {how}")));
    assert!(
        told("h.mp4", "-pix_fmt yuv420p -c:v libx264")
            .starts_with("holds H.264, but AV1 is read; make it with: ffmpeg")
    );
    assert!(told("v.webm", "-pix_fmt yuv420p -c:v libvpx-vp9").starts_with("holds VP9"));
    assert!(told("v.ivf", "-pix_fmt yuv420p -c:v libvpx").starts_with("holds VP8"));
    let av1 = |pixels: &str| AV1.replace("yuv420p", pixels);
    assert!(told("ten.webm", &av1("yuv420p10le")).starts_with("holds more than 8 bits a sample, but 8-bit 4:2:0"));
    assert!(told("full.mp4", &av1("yuv444p")).starts_with("holds chroma that is not 4:2:0"));
    assert!(told("ten.y4m", "-pix_fmt yuv420p10le -strict -1").starts_with("holds 420p10 pictures"));
    assert!(told("full.y4m", "-pix_fmt yuv444p").starts_with("holds 444 pictures"));
    let sound = made(&folder, "s.webm", "-f lavfi -i sine=440 -t 0.2 -c:a libopus");
    assert_eq!(fault(&sound), "holds no pictures; leave it out");
    let large = "-f lavfi -i color=size=3840x2160:rate=30 -t 0.1 -pix_fmt yuv420p";
    assert!(fault(&made(&folder, "large.y4m", large)).contains("pictures of 3840x2160"));
    let text = folder.path().join("notes.mp4");
    std::fs::write(&text, "dear diary, this is no film").unwrap();
    assert!(fault(&text).starts_with("is no media file"));
    std::fs::write(&text, "").unwrap();
    assert!(fault(&text).starts_with("is no media file"));
    assert!(fault(&folder.path().join("nowhere.mp4")).starts_with("is not there"));
    assert!(fault(folder.path()).starts_with("is a folder"));
}

/// Reads as far as it goes: how many samples, and whether a fault ended it.
fn read_through(path: &Path) -> (usize, bool) {
    if let Ok(Some(mut track)) = sound(path) {
        while let Ok(Some(_)) = track.next() {}
    }
    let Ok(mut opened) = pictures(path) else { return (0, true) };
    let mut count = 0;
    loop {
        match opened.track.next() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, false),
            Err(_) => return (count, true),
        }
    }
}

/// One small file of each container.
fn one_of_each(folder: &TempDir) -> Vec<PathBuf> {
    let webm = made(folder, "a.webm", &format!("{SOURCE} {AV1} -c:a libopus"));
    let copy = |name: &str, how: &str| made(folder, name, &format!("-i {} -c copy {how}", webm.display()));
    let fragmented = "-movflags frag_keyframe+empty_moov+default_base_moof";
    let raw = made(folder, "a.y4m", "-f lavfi -i testsrc2=size=32x16:rate=30 -t 1 -pix_fmt yuv420p");
    vec![copy("a.ivf", "-an"), copy("a.mp4", "-movflags faststart"), copy("f.mp4", fragmented), raw, webm.clone()]
}

#[test]
fn a_file_that_is_cut_off_gives_what_it_holds() {
    let folder = TempDir::new().unwrap();
    for path in one_of_each(&folder) {
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read_through(&path), (30, false), "{}", path.display());
        let cut = folder.path().join("cut");
        let mut counts = Vec::new();
        for tenth in 1..10 {
            std::fs::write(&cut, &whole[..whole.len() * tenth / 10]).unwrap();
            counts.push(read_through(&cut).0);
        }
        assert!(counts.is_sorted() && counts[8] >= 20 && counts[8] < 30, "{}: {counts:?}", path.display());
    }
    // An index at the end is lost with it.
    let late = made(&folder, "late.mp4", &format!("-i {} -c copy", folder.path().join("a.webm").display()));
    let whole = std::fs::read(&late).unwrap();
    std::fs::write(&late, &whole[..whole.len() / 2]).unwrap();
    assert!(fault(&late).contains("index (moov) is missing"), "{}", fault(&late));
}

#[test]
fn hostile_bytes_are_refused_or_read_but_never_a_panic() {
    let folder = TempDir::new().unwrap();
    let files: Vec<Vec<u8>> = one_of_each(&folder).iter().map(|path| std::fs::read(path).unwrap()).collect();
    let hostile = folder.path().join("hostile");
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let cases = (0..files.len(), flips, any::<bool>());
    let result = runner.run(&cases, |(which, flips, early)| {
        let mut bytes = files[which].clone();
        // Headers are where a reader can be led astray.
        let reach = if early { bytes.len().min(1500) } else { bytes.len() };
        for (at, value) in flips {
            *at.get_mut(&mut bytes[..reach]) = value;
        }
        std::fs::write(&hostile, &bytes).unwrap();
        let (count, _) = read_through(&hostile);
        prop_assert!(count <= 4_000_000);
        Ok(())
    });
    result.unwrap();
}
