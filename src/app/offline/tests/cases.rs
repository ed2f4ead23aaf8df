//! What public bug reports found, by the number of the report.

use super::*;

/// A file of ours composed, and the luma at the middle of each tile at a tick.
fn composed_lumas(job: &Job, tick: u64, tiles: usize) -> Vec<u8> {
    composed(job);
    lumas(&job.out, tick, tiles)
}

/// The loudness of each tenth of a second of the composed file's sound.
fn heard(path: &Path) -> Vec<f32> {
    let pcm = ffmpeg(&format!("-i {} -vn -ac 1 -ar 48000 -f f32le -", path.display()));
    let samples: Vec<f32> = pcm.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let loudness =
        |tenth: &[f32]| (tenth.iter().map(|sample| sample * sample).sum::<f32>() / tenth.len() as f32).sqrt();
    samples.chunks(4800).map(loudness).collect()
}

const GREY: &str = "-f lavfi -i color=0x808080:size=128x72:rate=30";
const TONE: &str = "-f lavfi -i sine=440:sample_rate=48000";

#[test]
fn case_36_the_longer_of_pictures_and_sound_is_the_files_length() {
    let folder = TempDir::new().unwrap();
    let sound = made(&folder, "sound.opus", &format!("{TONE} -t 2 -c:a libopus"));
    let picture = made(&folder, "picture.webm", &format!("{GREY} -t 0.5 {AV1}"));
    let both = |name: &str| {
        made(&folder, name, &format!("-i {} -i {} -map 0:v -map 1:a -c copy", picture.display(), sound.display()))
    };
    for path in [both("a.webm"), both("a.mp4"), both("a.mkv")] {
        for (ended, grey) in [(Ended::Hold, true), (Ended::Placeholder, false), (Ended::Leave, false)] {
            let job = Job { ended, ..job(&folder, vec![path.clone()]) };
            let summary = composed(&job);
            assert_eq!((summary.frames, summary.warnings.len()), (60, 0), "{}: {summary:?}", path.display());
            assert_eq!(is_near(lumas(&job.out, 50, 1)[0], 126), grey, "{}: {ended:?}", path.display());
            let heard = heard(&job.out);
            assert!(heard[1..19].iter().all(|loudness| *loudness > 0.02), "{}: {heard:?}", path.display());
        }
    }
}

#[test]
fn case_40_a_voice_without_a_camera_has_a_tile_of_initials_and_is_heard() {
    let folder = TempDir::new().unwrap();
    let voice = made(&folder, "voice.opus", &format!("{TONE} -t 1 -c:a libopus"));
    let camera = made(&folder, "camera.webm", &format!("{GREY} -t 0.5 {AV1}"));
    let both = Job { ..job(&folder, vec![camera, voice.clone()]) };
    let heard_frames = Mutex::new(None);
    let summary =
        run(&both, &AtomicBool::new(false), &|progress| *heard_frames.lock().unwrap() = progress.total).unwrap();
    assert_eq!((summary.files, summary.files_with_sound, summary.frames), (2, 1, 30), "{summary:?}");
    assert!(heard_frames.into_inner().unwrap().unwrap().as_millis().abs_diff(1000) <= 10);
    let tiles = lumas(&both.out, 5, 2);
    assert!(is_near(tiles[0], 126) && !is_near(tiles[1], 126), "{tiles:?}");
    assert!(heard(&both.out)[1..9].iter().all(|loudness| *loudness > 0.02));
    let alone = job(&folder, vec![voice]);
    assert_eq!(composed(&alone).frames, 30);
    let silent = Job { sound: false, ..alone };
    assert_eq!((composed(&silent).frames, probed(&silent.out).len()), (30, 1), "as long, and not heard");
}

#[test]
fn case_35_a_file_cut_from_a_longer_one_begins_at_once_and_own_tracks_line_up() {
    let folder = TempDir::new().unwrap();
    let plain = made(&folder, "plain.webm", &format!("{GREY} {TONE} -t 1 {AV1} -c:a libopus"));
    let copy = |name: &str, how: &str| made(&folder, name, &format!("-i {} -c copy {how}", plain.display()));
    let late = copy("late.webm", "-output_ts_offset 20");
    let fragments = copy("f.mp4", "-output_ts_offset 20 -movflags frag_keyframe+empty_moov+default_base_moof");
    for path in [late, fragments] {
        let job = job(&folder, vec![path.clone()]);
        let summary = composed(&job);
        assert!(summary.frames.abs_diff(30) <= 1, "{}: {} frames", path.display(), summary.frames);
        assert!(is_near(lumas(&job.out, 0, 1)[0], 126), "{}", path.display());
    }
    // One of a recording's own tracks: it says so, and begins where its person came.
    let own = folder.path().join("own.mp4");
    let header = crate::core::fmp4::sound_header(crate::base::media::Wallclock(0), 312);
    let packets = vec![bytes::Bytes::from_static(crate::core::bitstream::opus::SILENCE); 50];
    let sound = crate::core::fmp4::SoundRun { start: 312 + 2 * 48_000, packets, durations: Vec::new() };
    let fragment = crate::core::fmp4::Fragment { number: 1, video: Default::default(), sound };
    std::fs::write(&own, [&header.bytes[..], &fragment.encode()[..]].concat()).unwrap();
    assert_eq!(composed(&job(&folder, vec![own])).frames, 90, "two seconds later");
}

#[test]
fn case_33_a_phones_picture_stands_upright() {
    let folder = TempDir::new().unwrap();
    // Dark on the left, bright on the right.
    let halves = "-f lavfi -i color=0x202020:size=128x72:rate=30,drawbox=x=64:w=64:h=72:color=0xe0e0e0:t=fill -t 0.2";
    let stored = made(&folder, "stored.webm", &format!("{halves} {AV1}"));
    let turned = made(&folder, "turned.mp4", &format!("-i {} -c copy -metadata:s:v:0 rotate=90", stored.display()));
    let job = Job { size: Size::new(320, 320), ..job(&folder, vec![turned.clone()]) };
    composed(&job);
    let fit = "scale=320:320:force_original_aspect_ratio=decrease,pad=320:320:-1:-1:color=0x606060";
    let rest = "-frames:v 1 -pix_fmt gray -f rawvideo -";
    let gray = |path: &Path| ffmpeg(&format!("-i {} -vf {fit} {rest}", path.display()));
    let (ours, theirs) = (gray(&job.out), gray(&turned));
    // Above and below the middle, far from the edges: FFmpeg turns as the file says.
    for at in [80 * 320 + 160, 240 * 320 + 160] {
        assert!(ours[at].abs_diff(theirs[at]) < 16, "{} is not {}", ours[at], theirs[at]);
    }
    assert!(ours[80 * 320 + 160].abs_diff(ours[240 * 320 + 160]) > 100, "it lies on its side");
    assert!(ours[160 * 320 + 20].abs_diff(ours[160 * 320 + 300]) < 8, "bars at both sides");
}

#[test]
fn case_42_pictures_of_any_kind_are_composed_alike() {
    let folder = TempDir::new().unwrap();
    for (name, pixels) in
        [("a", "yuv420p"), ("b", "yuv420p10le"), ("c", "yuv444p"), ("d", "yuv422p10le"), ("e", "gray")]
    {
        let av1 = AV1.replace("yuv420p", pixels);
        let file = made(&folder, &format!("{name}.webm"), &format!("{GREY} -t 0.2 {av1}"));
        let tiles = composed_lumas(&job(&folder, vec![file]), 3, 1);
        assert!(is_near(tiles[0], 126), "{pixels}: {tiles:?}");
    }
}

#[test]
fn case_39_a_tone_in_the_middle_of_surround_is_the_same_tone() {
    let folder = TempDir::new().unwrap();
    let tone =
        "-f lavfi -i aevalsrc=0|0|0.5*sin(1000*2*PI*t)|0|0|0:c=5.1:s=48000 -t 0.5 -c:a libopus -mapping_family 1";
    let surround = made(&folder, "surround.webm", &format!("{GREY} {tone} {AV1}"));
    let job = job(&folder, vec![surround]);
    composed(&job);
    let pcm = ffmpeg(&format!("-i {} -vn -ac 1 -ar 48000 -f f32le -", job.out.display()));
    let samples: Vec<f32> = pcm.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let middle = &samples[9_600..19_200];
    let power = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len() as f32;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let phase = n as f32 / 48.0 * std::f32::consts::TAU;
        (sine, cosine) = (sine + sample * phase.sin(), cosine + sample * phase.cos());
    }
    let tone = (sine * sine + cosine * cosine) / (middle.len() as f32).powi(2) * 2.0;
    assert!(power > 0.005 && tone > 0.95 * power, "{power} in all, {tone} of it at 1 kHz");
}

#[test]
fn case_60_a_composed_file_says_where_its_keyframes_lie() {
    let folder = TempDir::new().unwrap();
    let job = Job { size: Size::new(160, 160), ..job(&folder, vec![flat(&folder, "long.y4m", 90, 30, 150)]) };
    let summary = composed(&job);
    let bytes = std::fs::read(&job.out).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    let index_len = u32::from_be_bytes(bytes[bytes.len() - 4..].try_into().unwrap()) as usize;
    let index = &bytes[bytes.len() - index_len..];
    assert_eq!(&index[4..8], b"mfra");
    let keyframes = ffmpeg_keyframes(&job.out);
    assert_eq!(keyframes, ["0.000000", "4.000000"]);
    // Two entries of `tfra`: time and place, four bytes each, and three bytes.
    let entries = &index[8 + 24..];
    let word = |at: usize| u32::from_be_bytes(entries[at..at + 4].try_into().unwrap());
    assert_eq!([word(0), word(11)], [0, 4 * 90_000]);
    for at in [word(4), word(15)] {
        assert_eq!(&bytes[at as usize + 4..at as usize + 8], b"moof");
    }
}

fn ffmpeg_keyframes(path: &Path) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]);
    let output = command.arg(path).output().expect("ffprobe is installed");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains('K')).filter_map(|line| Some(line.split_once(',')?.0.to_owned())).collect()
}
