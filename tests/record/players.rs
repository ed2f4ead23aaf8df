//! **The question:** what do others make of the file? ffprobe, ffmpeg, headless Chromium, and the boxes as `mp4-atom`
//! reads them.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mp4_atom::{Atom, Decode, Header, Moof, Moov};
use serde_json::Value;

/// ffprobe's JSON; it must have nothing to complain about.
pub fn probe(file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-count_packets", "-show_streams", "-show_format", "-of", "json"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe warns of {}", file.display());
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A number that ffprobe gives as text.
pub fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).parse().unwrap()
}

/// Decodes both tracks with ffmpeg, which must have nothing to complain about; frames shown.
pub fn decode(file: &Path) -> u64 {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-progress", "-", "-i"])
        .arg(file)
        // Times as they stand in the file: a camera's pictures lie on no grid of a frame rate.
        .args(["-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "/dev/null"])
        .output()
        .expect("ffmpeg is installed");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffmpeg warns of {}", file.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let frames = text.lines().rev().find_map(|line| line.strip_prefix("frame="));
    // Sound alone has no frames.
    frames.map_or(0, |frames| frames.trim().parse().unwrap())
}

/// The sound as ffmpeg decodes it, mono, 48 kHz, placed on the file's timeline.
pub fn decode_sound(file: &Path) -> Vec<f32> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-copyts", "-i"])
        .arg(file)
        .args(["-map", "0:a", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-f", "f32le", "-"])
        .output()
        .expect("ffmpeg is installed");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffmpeg warns of {}", file.display());
    output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The boxes of a file as far as they are whole: its header, and each fragment with its end in the file.
pub fn boxes(mut data: &[u8]) -> (Option<Moov>, Vec<(Moof, usize)>) {
    let len = data.len();
    let (mut moov, mut fragments, mut open) = (None, Vec::new(), None);
    while data.len() >= 8 {
        let mut rest = data;
        let header = Header::decode(&mut rest).unwrap();
        let size = header.size.expect("every box has its size") + 8;
        if size > data.len() {
            break;
        }
        match header.kind {
            kind if kind == Moov::KIND => moov = Some(Moov::decode(&mut &data[..size]).unwrap()),
            kind if kind == Moof::KIND => open = Some(Moof::decode(&mut &data[..size]).unwrap()),
            kind if &<[u8; 4]>::from(kind) == b"mdat" => {
                fragments.extend(open.take().map(|moof| (moof, len - data.len() + size)));
            }
            _ => {}
        }
        data = &data[size..];
    }
    (moov, fragments)
}

/// Samples of track `id` in a fragment.
pub fn samples(moof: &Moof, id: u32) -> usize {
    let runs = moof.traf.iter().filter(|traf| traf.tfhd.track_id == id).flat_map(|traf| &traf.trun);
    runs.map(|run| run.samples.len()).sum()
}

const PAGE: &str = r#"<!doctype html><video src="/file.mp4" preload="auto"></video><script>
const video = document.querySelector('video'), state = {};
const report = () => fetch('/report', { method: 'POST', body: JSON.stringify(state) });
video.onerror = () => { state.error = video.error.message || 'code ' + video.error.code; report(); };
video.onloadedmetadata = () => {
  state.duration = video.duration; state.width = video.videoWidth; state.height = video.videoHeight; video.play();
};
video.ontimeupdate = () => {
  if (video.currentTime > 0.5 && !state.seek) video.currentTime = state.seek = Math.max(0, video.duration - 1.5);
};
video.onended = () => {
  state.ended = video.currentTime; state.frames = video.webkitDecodedFrameCount;
  state.sound = video.webkitAudioDecodedByteCount; report();
};
</script>"#;

// By Media Source (W3C Media Source Extensions): the boxes up to the first fragment, then fragment by fragment.
const MEDIA_SOURCE_PAGE: &str = r#"<!doctype html><video></video><script>
const video = document.querySelector('video'), state = { fragments: 0 }, source = new MediaSource();
const report = () => fetch('/report', { method: 'POST', body: JSON.stringify(state) });
const fail = (why) => { state.error = String(why); report(); };
const split = (data) => {
  const view = new DataView(data), ends = [0];
  for (let at = 0; at + 8 <= data.byteLength; at += view.getUint32(at)) {
    const kind = String.fromCharCode(...new Uint8Array(data, at + 4, 4));
    if (kind === 'moof') ends.push(at);
  }
  ends.push(data.byteLength);
  return ends.slice(1).map((end, n) => data.slice(ends[n], end));
};
source.onsourceopen = async () => {
  const type = 'video/mp4; codecs="CODECS"';
  if (!MediaSource.isTypeSupported(type)) return fail('unsupported: ' + type);
  const buffer = source.addSourceBuffer(type);
  const data = await (await fetch('/file.mp4', { headers: { range: 'bytes=0-' } })).arrayBuffer();
  for (const piece of split(data)) {
    await new Promise((resolve, reject) => {
      buffer.onupdateend = resolve; buffer.onerror = () => reject('refused fragment ' + state.fragments);
      buffer.appendBuffer(piece);
    });
    state.fragments += 1;
  }
  const ranges = buffer.buffered;
  state.ranges = [...Array(ranges.length).keys()].map((n) => [ranges.start(n), ranges.end(n)]);
  source.endOfStream();
  state.duration = source.duration;
  await video.play();
};
video.onerror = () => fail(video.error.message || 'code ' + video.error.code);
video.ontimeupdate = () => {
  if (video.currentTime > 0.5 && !state.seek) video.currentTime = state.seek = Math.max(0, video.duration - 1.5);
};
video.onended = () => {
  state.ended = video.currentTime; state.width = video.videoWidth; state.height = video.videoHeight;
  state.frames = video.webkitDecodedFrameCount; state.sound = video.webkitAudioDecodedByteCount; report();
};
addEventListener('unhandledrejection', (event) => fail(event.reason));
video.src = URL.createObjectURL(source);
</script>"#;

/// Plays the file in headless Chromium: half a second from its start, then from 1.5 s before its end to the end. What
/// it saw.
pub fn chromium(file: &Path) -> Value {
    play(file, PAGE.to_owned())
}

/// As [`chromium`], appended piece by piece to a Media Source of `codecs` (RFC 6381).
pub fn chromium_media_source(file: &Path, codecs: &str) -> Value {
    play(file, MEDIA_SOURCE_PAGE.replace("CODECS", codecs))
}

fn play(file: &Path, page: String) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let profile = tempfile::tempdir().unwrap();
    let mut browser = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--autoplay-policy=no-user-gesture-required"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("chromium is installed");
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let (file, page): (PathBuf, Arc<str>) = (file.to_owned(), page.into());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (file, page, sender) = (file.clone(), page.clone(), sender.clone());
            // A player may leave a request half read; its neighbours must not wait for it.
            std::thread::spawn(move || {
                if let Some(report) = stream.ok().and_then(|stream| serve(stream, &file, &page).ok().flatten()) {
                    let _ = sender.try_send(report);
                }
            });
        }
    });
    let report = receiver.recv_timeout(Duration::from_secs(60));
    browser.kill().unwrap();
    browser.wait().unwrap();
    report.unwrap_or_else(|_| panic!("chromium said nothing in a minute"))
}

// One request of HTTP/1.1 with ranges (RFC 9110 section 14), as much as a media element asks.
fn serve(stream: TcpStream, file: &Path, page: &str) -> std::io::Result<Option<Value>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_ascii_lowercase());
    }
    let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let request = head.first().map(String::as_str).unwrap_or_default();
    if request.starts_with("post /report") {
        let mut body = vec![0; field("content-length:").and_then(|len| len.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body)?;
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
        return Ok(serde_json::from_slice(&body).ok());
    }
    if !request.starts_with("get /file.mp4") {
        let page = if request.starts_with("get / ") { page } else { "" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        )?;
        return Ok(None);
    }
    let mut media = std::fs::File::open(file)?;
    let len = media.metadata()?.len();
    let range = field("range:").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let from = range.and_then(|(from, _)| from.parse().ok()).unwrap_or(0);
    let to = range.and_then(|(_, to)| to.parse().ok()).unwrap_or(len - 1);
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\nAccept-Ranges: bytes\r\n\
         Content-Range: bytes {from}-{to}/{len}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        to + 1 - from
    )?;
    media.seek(SeekFrom::Start(from))?;
    std::io::copy(&mut media.take(to + 1 - from), &mut stream)?;
    Ok(None)
}
