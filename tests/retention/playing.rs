//! **The question:** do players find their way in a recording: ffmpeg by HLS with a signed link, a poster, and no link
//! that opens more?

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::deadline::{TOKEN, plain_get, recorded_call};
use crate::browser::node::Node;
use crate::record::players::decode;

/// Frames that ffmpeg decodes of a URL, and what it says.
fn frames(url: &str) -> (u64, String) {
    let arguments = ["-v", "error", "-i", url, "-map", "0:v", "-f", "framemd5", "-"];
    let done = Command::new("ffmpeg").args(arguments).output().expect("ffmpeg is installed");
    let lines = String::from_utf8(done.stdout).unwrap();
    let frames = lines.lines().filter(|line| !line.starts_with('#')).count();
    (frames as u64, String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Asks without the token; the status and the body.
pub fn bare(url: &str) -> (u16, Vec<u8>) {
    ask(reqwest::Method::GET, url, None, None)
}

/// Length and start of all ranges that a media playlist names, the map's first.
fn byte_ranges(playlist: &str) -> Vec<(usize, usize)> {
    let ranges = playlist.lines().filter_map(|line| {
        let range = line.strip_prefix("#EXT-X-BYTERANGE:");
        range.or_else(|| Some(line.strip_prefix("#EXT-X-MAP:")?.split_once("BYTERANGE=")?.1.trim_matches('"')))
    });
    let pair =
        |range: &str| range.split_once('@').map(|(length, start)| (length.parse().unwrap(), start.parse().unwrap()));
    ranges.map(|range| pair(range).expect("a length and a start")).collect()
}

/// Asks for `length` bytes from `start`.
fn part(url: &str, start: usize, length: usize) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let range = format!("bytes={start}-{}", start + length - 1);
        let request = crate::browser::driver::client().get(url).header("range", range);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    })
}

pub fn ask(method: reqwest::Method, url: &str, token: Option<&str>, body: Option<Value>) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = crate::browser::driver::client().request(method, url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    })
}

pub fn link(node: &Node, name: &str, asked: Value) -> (u16, String) {
    let url = format!("{}v1/recordings/{name}/link", node.url);
    let (status, body) = ask(reqwest::Method::POST, &url, Some(TOKEN), Some(asked));
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, format!("{}{}", node.url.trim_end_matches('/'), told["url"].as_str().unwrap_or_default()))
}

/// That the link to a recording's playlist opens that alone, and another one ends when it says.
fn assert_opens_nothing_else(node: &Node, name: &str, master: &str) {
    assert_eq!(bare(&format!("{}v1/recordings/{name}/master.m3u8", node.url)).0, 401);
    assert_eq!(bare(&master.replace("master.m3u8", "video.mp4")).0, 403, "another file");
    assert_eq!(bare(&master.replace("take=0", "take=1")).0, 403, "another take");
    assert_eq!(bare(&master.replace("&until=1", "&until=2")).0, 403, "another deadline");
    assert_eq!(bare(&master[..master.len() - 1]).0, 403, "half a signature");
    assert_eq!(bare(&master.replace("-r", "-r0")).0, 403, "another recording");
    assert_eq!(link(node, name, json!({ "file": "../fin" })).0, 400);
    let (_, short) = link(node, name, json!({ "seconds": 2 }));
    let ended = Instant::now() + Duration::from_secs(3);
    std::thread::sleep(ended.saturating_duration_since(Instant::now()));
    assert_eq!(bare(&short).0, 403, "it has ended");
}

/// That a playlist's durations are those of the file it cuts, and that the file says at its end where they begin.
fn assert_case_60_lasts_from_keyframe_to_keyframe(playlist: &str, file: &Path) {
    let seconds = |text: &str| text.trim_end_matches(',').parse::<f64>().unwrap();
    let said: Vec<f64> = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")).map(seconds).collect();
    let probe = |what: &[&str]| {
        let mut command = Command::new("ffprobe");
        let output = command.args(["-v", "error", "-of", "csv=p=0"]).args(what).arg(file).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let packets = probe(&["-select_streams", "v", "-show_entries", "packet=pts_time,flags"]);
    let keyframes = packets.lines().filter(|line| line.contains('K'));
    let mut times: Vec<f64> = keyframes.map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    times.push(seconds(probe(&["-show_entries", "format=duration"]).trim()));
    let lasts: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(said.len(), lasts.len(), "{playlist}");
    // The last one ends with the sound, which may overhang by a tick.
    let near = |(said, lasts): (&f64, &f64)| (said - lasts).abs() < 0.03;
    assert!(said.iter().zip(&lasts).all(near), "{said:?} is not {lasts:?}");
    let bytes = std::fs::read(file).unwrap();
    let index = u32::from_be_bytes(*bytes.last_chunk().unwrap()) as usize;
    assert_eq!(&bytes[bytes.len() - index + 4..][..4], b"mfra");
}

#[test]
fn players_find_their_way_by_links_that_open_one_file_each_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let (name, _) = recorded_call(&node, 10);
    let whole = folder.path().join("whole.mp4");
    std::fs::write(&whole, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    let expected = decode(&whole);

    let (status, master) = link(&node, &name, json!({ "file": "master.m3u8" }));
    assert_eq!(status, 201);
    let (status, text) = bare(&master);
    let text = String::from_utf8(text).unwrap();
    assert!(
        status == 200
            && ["av01.0.", "avc1.42"].iter().any(|kind| text.contains(&format!("CODECS=\"{kind}")))
            && text.contains(",Opus\""),
        "{text}"
    );
    let media = master.rsplit_once('/').unwrap().0.to_owned() + "/" + text.lines().last().unwrap();
    let media_text = String::from_utf8(bare(&media).1).unwrap();
    assert!(media_text.ends_with("#EXT-X-ENDLIST\n"), "{media_text}");
    let (seen, said) = frames(&master);
    assert_eq!((seen, said.as_str()), (expected, ""), "{media_text}");
    assert_case_60_lasts_from_keyframe_to_keyframe(&media_text, &whole);
    // What a player does that is sent to a place: it takes the map and the piece that holds the place. ffmpeg 5 itself
    // finds nothing when it seeks in any HLS of fragmented MP4, its own included.
    let ranges = byte_ranges(&media_text);
    let (map, piece) = (ranges[0], ranges[ranges.len() - 2]);
    let video = media_text.lines().rev().find(|line| line.starts_with("video.mp4")).unwrap();
    let video = format!("{}/{video}", master.rsplit_once('/').unwrap().0);
    let whole = std::fs::read(&whole).unwrap();
    let mut parts = Vec::new();
    for (length, start) in [map, piece] {
        let (status, part) = part(&video, start, length);
        assert_eq!(status, 206);
        assert_eq!(part, whole[start..start + length]);
        parts.extend(part);
    }
    let late_file = folder.path().join("late.mp4");
    std::fs::write(&late_file, parts).unwrap();
    let late = decode(&late_file);
    assert!(late > 15 && late < expected, "{late} of {expected}");

    let (status, jpeg) = plain_get(&node, &format!("recordings/{name}/poster.jpg"));
    assert_eq!(status, 200);
    let mut poster = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(&jpeg));
    let samples = poster.decode().unwrap();
    let (least, most) = (*samples.iter().min().unwrap(), *samples.iter().max().unwrap());
    assert!(poster.dimensions().unwrap().0 <= 640 && most - least > 60, "{least}..{most}: neither black nor empty");

    let (_, vtt) = link(&node, &name, json!({ "file": "chapters.vtt" }));
    let (status, vtt) = bare(&vtt);
    let vtt = String::from_utf8(vtt).unwrap();
    assert!(status == 200 && vtt.starts_with("WEBVTT\n\n00:00:") && vtt.contains("\nSpeaker 1\n"), "{vtt}");
    let file = folder.path().join("chapters.vtt");
    std::fs::write(&file, &vtt).unwrap();
    let cues =
        Command::new("ffprobe").args(["-v", "error", "-show_packets", "-of", "json"]).arg(&file).output().unwrap();
    let cues: Value = serde_json::from_slice(&cues.stdout).unwrap();
    assert_eq!(cues["packets"].as_array().unwrap().len(), vtt.matches(" --> ").count(), "{vtt}");

    assert_opens_nothing_else(&node, &name, &master);
    let url = format!("{}v1/recordings/{name}", node.url);
    assert_eq!(ask(reqwest::Method::DELETE, &url, Some(TOKEN), None).0, 204);
    assert_eq!(bare(&master).0, 410, "a link to what was erased");
    node.stop();
}
