//! `tessera compose` as an operator meets it: exit codes, what is told, and Ctrl-C.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Grey pictures of 160×90 at 30 frames a second.
fn clip(folder: &TempDir, name: &str, frames: usize) -> PathBuf {
    let path = folder.path().join(name);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    file.write_all(b"YUV4MPEG2 W160 H90 F30:1 Ip A1:1 C420jpeg\n").unwrap();
    for frame in 0..frames {
        file.write_all(b"FRAME\n").unwrap();
        file.write_all(&vec![u8::try_from(40 + frame % 150).unwrap(); 160 * 90]).unwrap();
        file.write_all(&[128; 80 * 45 * 2]).unwrap();
    }
    path
}

fn tessera(line: &str, out: &Path, files: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.arg("compose").args(line.split_whitespace()).arg("--out").arg(out).args(files);
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn frames_of(path: &Path) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-of", "csv=p=0", "-show_entries", "stream=nb_read_frames"]);
    let output = command.arg(path).output().expect("ffprobe is installed");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    String::from_utf8_lossy(&output.stdout).trim().trim_end_matches(',').to_owned()
}

#[test]
fn a_script_gets_json_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let (clip, out) = (clip(&folder, "a.y4m", 12), folder.path().join("o.mp4"));
    let output = tessera("--json --quiet --size 320x180 --layout grid", &out, &[&clip, &clip]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((summary["frames"].as_u64(), summary["files"].as_u64()), (Some(12), Some(2)));
    assert_eq!((summary["encoder"].as_str(), summary["interrupted"].as_bool()), (Some("aom"), Some(false)));
    assert_eq!(frames_of(&out), "12");
    let quiet = tessera("--quiet --size 320x180", &out, &[&clip]).output().unwrap();
    assert!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty());
}

/// What FFmpeg writes to a pipe.
fn piped(folder: &TempDir, name: &str, line: &str) -> PathBuf {
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    let output = command.args(["-nostdin", "-loglevel", "error"]).args(line.split_whitespace()).arg("pipe:1").output();
    let output = output.expect("ffmpeg is installed");
    assert!(output.status.success(), "{line}: {}", told(&output));
    std::fs::write(&path, output.stdout).unwrap();
    path
}

#[test]
fn case_37_and_40_a_live_recording_and_a_voice_alone_are_composed_as_long_as_the_longer() {
    let folder = TempDir::new().unwrap();
    let picture = "-f lavfi -i testsrc2=size=160x90:rate=30 -f lavfi -i sine=440:sample_rate=48000 -t 0.5";
    let av1 = "-pix_fmt yuv420p -c:v libsvtav1 -preset 12 -c:a libopus";
    let camera = piped(&folder, "camera.webm", &format!("{picture} {av1} -f webm -live 1"));
    let voice = piped(&folder, "voice.opus", "-f lavfi -i sine=880:sample_rate=48000 -t 1 -c:a libopus -f ogg");
    let out = folder.path().join("o.mp4");
    let output = tessera("--json --quiet --size 320x180", &out, &[&camera, &voice]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((summary["frames"].as_u64(), summary["files_with_sound"].as_u64()), (Some(30), Some(2)), "{summary}");
    assert_eq!(summary["warnings"].as_array().map(Vec::len), Some(0), "{summary}");
}

#[test]
fn wrong_arguments_end_with_code_2_and_say_which_file() {
    let folder = TempDir::new().unwrap();
    let (clip, out) = (clip(&folder, "a.y4m", 3), folder.path().join("o.mp4"));
    let text = folder.path().join("notes.webm");
    std::fs::write(&text, "no film at all, just words").unwrap();
    let missing = folder.path().join("missing.mp4");
    let many: Vec<&Path> = vec![&clip; 101];
    let cases: [(&str, &[&Path], &str); 7] = [
        ("", &[&clip, &missing], "missing.mp4 is not there"),
        ("", &[&text], "notes.webm is no media file known here; give IVF, MP4, WebM, Matroska, Ogg Opus or Y4M"),
        ("", &many, "101 files; give 1 to 100"),
        ("", &[], "<IN>"),
        ("--size 1281x720", &[&clip], "odd"),
        ("--layout mosaic", &[&clip], "grid, speaker, presentation, pip, single"),
        ("--encoder x265", &[&clip], "aom"),
    ];
    for (line, files, expected) in cases {
        let output = tessera(line, &out, files).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {}", told(&output));
        assert!(told(&output).contains(expected), "{line}: {}", told(&output));
        assert!(!out.exists(), "nothing is written");
    }
}

#[test]
fn interrupted_it_closes_the_file() {
    let folder = TempDir::new().unwrap();
    let (clip, out) = (clip(&folder, "a.y4m", 9000), folder.path().join("o.mp4"));
    let child =
        tessera("--json --quiet", &out, &[&clip]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The unfinished file is there once the encoder is; five minutes of 720p last longer than it takes to look.
    let is_part = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".part");
    let until = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_dir(folder.path()).unwrap().flatten().any(is_part) {
        assert!(Instant::now() < until, "it never began to write");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Some ticks; what it has written of them waits in its buffer, so nothing tells from outside.
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("stopped; "), "{}", told(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let frames = summary["frames"].as_u64().unwrap();
    assert!(summary["interrupted"].as_bool().unwrap() && (1..9000).contains(&frames), "{summary}");
    assert_eq!(frames_of(&out), frames.to_string());
}
