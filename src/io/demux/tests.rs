//! Real files by FFmpeg, in every container, whole and broken.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::stored::span;
use super::*;
use crate::base::media::Size;
use crate::engine::decode::Reshape;

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

fn media(path: &Path) -> Media {
    open(path).unwrap_or_else(|fault| panic!("{} {fault}", path.display()))
}

fn pictures(path: &Path) -> Pictures {
    media(path).pictures.expect("it has pictures")
}

fn all(path: &Path) -> Vec<Stored> {
    let mut track = pictures(path).track;
    std::iter::from_fn(|| track.next().unwrap()).collect()
}

fn packets(path: &Path) -> Vec<Stored> {
    let mut track = media(path).sound.expect("it has Opus").track;
    std::iter::from_fn(|| track.next().unwrap()).collect()
}

fn fault(path: &Path) -> String {
    open(path).expect_err("useless").to_string()
}

/// When a track ends, milliseconds.
fn end_ms(samples: &[Stored]) -> u128 {
    let last = samples.last().expect("it has samples");
    (last.at.since(Pts(0)) + last.span.unwrap_or_default()).saturating_sub(last.skip + last.trim).as_millis()
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
        let opened = pictures(file);
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
        let packets = packets(path);
        assert!((50..=52).contains(&packets.len()), "{}: {}", path.display(), packets.len());
        // FFmpeg's Opus begins with 6.5 ms that only prepare the decoder.
        let skipped = packets[0].skip.as_micros() + packets[0].at.since(Pts(0)).as_micros();
        assert!(skipped <= 7500, "{}: {skipped} µs", path.display());
        let second = packets[1].at.since(Pts(0)).as_micros();
        assert!((13_000..=21_000).contains(&second), "{}: {second} µs", path.display());
    }
    assert!(media(&aac).sound.is_none() && media(&ivf).sound.is_none());
    assert_eq!(media(&aac).notes, ["its sound is AAC, not Opus, and left out"]);
    assert_eq!(all(&aac).len(), 30, "its pictures are read all the same");
}

#[test]
fn raw_pictures_are_planes_of_any_size() {
    let folder = TempDir::new().unwrap();
    let path = made(&folder, "a.y4m", "-f lavfi -i testsrc=size=65x47:rate=25 -t 1 -pix_fmt yuv420p");
    let opened = pictures(&path);
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
    assert!(told("ten.y4m", "-pix_fmt yuv420p10le -strict -1").starts_with("holds 420p10 pictures"));
    assert!(told("full.y4m", "-pix_fmt yuv444p").starts_with("holds 444 pictures"));
    let sound = "-f lavfi -i sine=440 -t 0.2 -c:a";
    assert!(
        fault(&made(&folder, "s.mp4", &format!("{sound} aac"))).starts_with("holds AAC, but of sound Opus is read")
    );
    assert!(fault(&made(&folder, "s.ogg", &format!("{sound} libvorbis"))).starts_with("holds Vorbis, but of sound"));
    assert!(fault(&made(&folder, "s.wav", &format!("{sound} pcm_s16le"))).starts_with("holds uncompressed"));
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
    let Ok(Media { pictures, sound, .. }) = open(path) else { return (0, true) };
    if let Some(mut sound) = sound {
        while let Ok(Some(_)) = sound.track.next() {}
    }
    let Some(mut pictures) = pictures else { return (0, true) };
    let mut count = 0;
    loop {
        match pictures.track.next() {
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
    let live = copy("live.webm", "-live 1 -f webm");
    vec![copy("a.ivf", "-an"), copy("a.mp4", "-movflags faststart"), copy("f.mp4", fragmented), raw, live, webm]
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
    let ogg = made(&folder, "a.opus", "-f lavfi -i sine=440 -t 1 -c:a libopus");
    let files = one_of_each(&folder).into_iter().chain([ogg]);
    let files: Vec<Vec<u8>> = files.map(|path| std::fs::read(path).unwrap()).collect();
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

#[test]
fn case_37_files_as_recorders_and_pipes_write_them_are_read_whole() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("{SOURCE} {AV1} -c:a libopus"));
    let piped = |name: &str, how: &str| {
        let path = folder.path().join(name);
        let line = format!("-nostdin -loglevel error -i {} -c copy {how} pipe:1", webm.display());
        let output = Command::new("ffmpeg").args(line.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{how}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(&path, output.stdout).unwrap();
        path
    };
    let files = [
        piped("piped.mkv", "-f matroska"),
        piped("live.webm", "-f webm -live 1"),
        piped("clusters.webm", "-f webm -live 1 -cluster_time_limit 200"),
        piped("fragments.mp4", "-f mp4 -movflags frag_keyframe+empty_moov"),
        piped("tiny.mp4", "-f mp4 -movflags frag_every_frame+empty_moov+default_base_moof"),
    ];
    for path in files {
        assert_eq!((all(&path).len(), packets(&path).len()), (30, packets(&webm).len()), "{}", path.display());
        // Fragments do not say how much of the last packet is padding.
        assert!(end_ms(&packets(&path)).abs_diff(1000) <= 22, "{}: {}", path.display(), end_ms(&packets(&path)));
    }
}

#[test]
fn case_37_a_recording_of_chromium_is_read() {
    // Segment and clusters of unknown size, a cluster that begins 70 s in, sound before its picture; no seek head, no
    // cues, no duration: `MediaRecorder`'s way, in as few bytes as it takes.
    let element = |id: &[u8], body: &[u8]| {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [id, &[0x10 | len[0], len[1], len[2], len[3]], body].concat()
    };
    let entry = |number: u8, kind: u8, codec: &[u8], more: &[u8]| {
        let body =
            [&[0xd7, 0x81, number, 0x73, 0xc5, 0x81, number, 0x83, 0x81, kind][..], &element(&[0x86], codec), more];
        element(&[0xae], &body.concat())
    };
    let size = element(&[0xe0], &[0xb0, 0x82, 0, 64, 0xba, 0x82, 0, 36]);
    let tracks =
        element(&[0x16, 0x54, 0xae, 0x6b], &[entry(1, 2, b"A_OPUS", &[]), entry(2, 1, b"V_AV1", &size)].concat());
    let unknown = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let block =
        |track: u8, time: u8, data: &[u8]| element(&[0xa3], &[&[0x80 | track, 0, time, 0x80][..], data].concat());
    let cluster = |time: &[u8], blocks: &[Vec<u8>]| {
        [&[0x1f, 0x43, 0xb6, 0x75][..], &unknown, &element(&[0xe7], time), &blocks.concat()].concat()
    };
    let (silence, unit) = ([0xfc, 0xff, 0xfe], [0x12, 0x00, 0x7a, 0x02, 0x05, 0x06]);
    let first = cluster(&[0x01, 0x11, 0x70], &[block(1, 0, &silence), block(2, 10, &unit), block(1, 20, &silence)]);
    let second = cluster(&[0x01, 0x11, 0xd4], &[block(2, 0, &unit)]);
    let head = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"webm"));
    let file = [&head[..], &[0x18, 0x53, 0x80, 0x67], &unknown, &tracks, &first, &second].concat();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chromium.webm");
    std::fs::write(&path, &file).unwrap();
    let ms = |samples: Vec<Stored>| samples.iter().map(|stored| stored.at.0 / 1_000_000).collect::<Vec<_>>();
    assert_eq!((ms(all(&path)), ms(packets(&path))), (vec![10, 100], vec![0, 20]));
    assert_eq!((pictures(&path).size, pictures(&path).span), (Size::new(64, 36), None));
    // Cut off within its last block.
    std::fs::write(&path, &file[..file.len() - 2]).unwrap();
    let mut track = pictures(&path).track;
    assert!(track.next().is_ok_and(|stored| stored.is_some()) && matches!(track.next(), Err(Fault::Cut)));
}

#[test]
fn case_40_sound_alone_is_a_file_too() {
    let folder = TempDir::new().unwrap();
    let opus = made(&folder, "a.opus", "-f lavfi -i sine=440 -t 1 -c:a libopus -frame_duration 60");
    let copy = |name: &str| made(&folder, name, &format!("-i {} -c copy", opus.display()));
    for path in [opus.clone(), copy("a.webm"), copy("a.mp4"), copy("a.mka")] {
        let opened = media(&path);
        assert!(opened.pictures.is_none() && opened.notes.is_empty(), "{}", path.display());
        let packets = packets(&path);
        assert!((17..=18).contains(&packets.len()), "{}: {}", path.display(), packets.len());
        assert!(end_ms(&packets).abs_diff(1000) <= 10, "{}: {}", path.display(), end_ms(&packets));
        let says = opened.sound.and_then(|sound| sound.span).map_or(0, |span| span.as_millis());
        assert!(says.abs_diff(1000) <= 10, "{}: {says}", path.display());
    }
}

#[test]
fn case_35_a_file_begins_with_what_it_holds_first() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("{SOURCE} {AV1} -c:a libopus"));
    let late = |name: &str, how: &str| made(&folder, name, &format!("-i {} -c copy {how}", webm.display()));
    let fragmented = "-movflags frag_keyframe+empty_moov+default_base_moof";
    let files = [
        late("late.webm", "-output_ts_offset 20"),
        late("late.mkv", "-output_ts_offset 25000"),
        late("late.mp4", "-output_ts_offset 20"),
        late("fragments.mp4", &format!("-output_ts_offset 20 {fragmented}")),
    ];
    for path in files {
        let (pictures, packets) = (all(&path), packets(&path));
        let first = pictures[0].at.min(packets[0].at).since(Pts(0)).as_millis();
        let apart = pictures[0].at.0.abs_diff(packets[0].at.0) / 1_000_000;
        assert!(first == 0 && apart <= 25, "{}: {first} ms, {apart} ms apart", path.display());
        assert!(end_ms(&pictures).abs_diff(1000) <= 40, "{}: {}", path.display(), end_ms(&pictures));
        let says = media(&path).pictures.and_then(|pictures| pictures.span).map_or(1000, |span| span.as_millis());
        assert!(says.abs_diff(1000) <= 40, "{}: says {says} ms", path.display());
    }
    // One track that waits for the other still does.
    let later = format!("-i {0} -itsoffset 0.5 -i {0} -map 0:a -map 1:v -c copy", webm.display());
    let apart = made(&folder, "apart.mp4", &later);
    let waits = all(&apart)[0].at.since(packets(&apart)[0].at).as_millis();
    assert!(waits.abs_diff(500) <= 25, "{waits} ms");
}

#[test]
fn case_33_orientation_and_shape_are_read_from_every_container() {
    let folder = TempDir::new().unwrap();
    let webm = made(&folder, "a.webm", &format!("-f lavfi -i testsrc2=size=64x36:rate=30 -t 0.1 {AV1}"));
    let reshape = |name: &str, how: &str| {
        let line = how.replace("IN", &webm.display().to_string());
        pictures(&made(&folder, name, &line)).reshape
    };
    assert_eq!(reshape("plain.mp4", "-i IN -c copy"), Reshape::default());
    for (angle, turns) in [(90, 3), (180, 2), (270, 1)] {
        let line = format!("-i IN -c copy -metadata:s:v:0 rotate={angle}");
        let turned = reshape("turned.mp4", &line);
        // FFmpeg counts against the clock.
        assert_eq!(turned, Reshape { turns, ..Reshape::default() }, "{angle}");
    }
    let wide = Reshape { aspect: (4, 3), ..Reshape::default() };
    let near = |found: Reshape| {
        let ratio = f64::from(found.aspect.0) / f64::from(found.aspect.1);
        (ratio * 0.75 - 1.0).abs() < 0.02 && Reshape { aspect: wide.aspect, ..found } == wide
    };
    // 64 by 36 of 4:3 samples: 64:27.
    for name in ["wide.mp4", "wide.mkv", "wide.webm"] {
        let found = reshape(name, "-i IN -c copy -aspect 64:27");
        assert!(near(found), "{name}: {found:?}");
    }
    let raw =
        made(&folder, "wide.y4m", "-f lavfi -i testsrc=size=64x36:rate=25 -t 0.1 -vf setsar=4/3 -pix_fmt yuv420p");
    assert!(near(pictures(&raw).reshape), "{:?}", pictures(&raw).reshape);
}

#[test]
fn case_33_of_several_tracks_the_one_that_players_choose_is_taken() {
    let folder = TempDir::new().unwrap();
    let inputs = "-f lavfi -i testsrc2=size=64x36:rate=30 -f lavfi -i testsrc2=size=128x72:rate=30 -t 0.2";
    let two = format!("{inputs} -map 0:v -map 1:v {AV1}");
    let (first, second) = (Size::new(64, 36), Size::new(128, 72));
    let plain = made(&folder, "two.mkv", &two);
    assert_eq!(pictures(&plain).size, first);
    assert_eq!(media(&plain).notes.len(), 1, "{:?}", media(&plain).notes);
    let chosen = made(&folder, "second.mkv", &format!("{two} -disposition:v:0 0 -disposition:v:1 default"));
    assert_eq!(pictures(&chosen).size, second);
    let enabled = made(&folder, "second.mp4", &format!("{two} -disposition:v:0 0 -disposition:v:1 default"));
    assert_eq!(pictures(&enabled).size, second);
}

#[test]
fn case_39_surround_is_read_from_every_container() {
    let folder = TempDir::new().unwrap();
    let tone = "-f lavfi -i aevalsrc=0|0|0.5*sin(1000*2*PI*t)|0|0|0:c=5.1:s=48000 -t 0.3 -c:a libopus";
    for (name, family) in [("a.opus", 1), ("a.webm", 1), ("a.mp4", 1), ("b.webm", 255)] {
        let path = made(&folder, name, &format!("{tone} -mapping_family {family}"));
        let head = media(&path).sound.expect("it has Opus").head;
        assert_eq!((head.mapping.len(), head.streams, head.coupled), if family == 1 { (6, 4, 2) } else { (6, 6, 0) });
    }
}

#[test]
fn case_42_deep_and_large_pictures_are_taken() {
    let folder = TempDir::new().unwrap();
    let source = "-f lavfi -i testsrc2=size=128x96:rate=30 -t 0.1";
    for pixels in ["yuv420p10le", "yuv422p", "yuv444p", "gray"] {
        let path = made(&folder, "deep.webm", &format!("{source} {}", AV1.replace("yuv420p", pixels)));
        assert_eq!(all(&path).len(), 3, "{pixels}");
    }
    let raw = |size: &str| format!("-f lavfi -i color=size={size}:rate=30 -t 0.05 -pix_fmt yuv420p");
    assert_eq!(pictures(&made(&folder, "4k.y4m", &raw("3840x2160"))).size, Size::new(3840, 2160));
    let large = fault(&made(&folder, "8k.y4m", &raw("7680x4320")));
    assert!(large.starts_with("holds pictures of 7680x4320"), "{large}");
}
