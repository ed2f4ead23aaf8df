//! Streams that real servers take: ffmpeg, as an RTMP server and as an SRT listener. What they kept is decoded, and
//! looked at for whether a flash and a beep that were at once still are.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::*;
use crate::base::limits;
use crate::base::media::{
    Codec, ComposedFrame, EncodedFrame, MixTick, PcmBlock, Pts, Size, SoundCodec, Wallclock, pts_from_tick,
};
use crate::engine::encode::{EncoderChoice, OpusEncoder, OpusEncoderConfig, VideoEncoderSetup, video_encoder};
use crate::engine::flow::{Counter, Fan};

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: Size = Size::new(160, 90);
const FPS: u32 = 30;
const SECONDS: u32 = 3;
const TICKS_PER_SECOND: u32 = 50;
/// When it flashes and beeps, and for how long.
const FLASH: f64 = 1.5;
const FLASH_SPAN: f64 = 0.2;
/// Some time into the room's life.
const BEGINS: Duration = Duration::from_secs(100);

/// A server that keeps what it is sent in a file.
struct Server {
    ffmpeg: Child,
    url: String,
    folder: TempDir,
}

impl Server {
    fn start(options: &str, url: &str, query: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args("-v error -y".split(' '))
            .args(options.split_ascii_whitespace())
            .arg("-i")
            .arg(format!("{url}{query}"));
        ffmpeg
            .args("-c copy".split(' '))
            .arg(folder.path().join("taken.mkv"))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Self { ffmpeg: ffmpeg.spawn().expect("ffmpeg is installed"), url: url.to_owned(), folder }
    }

    fn rtmp() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start("-listen 1 -f flv", &format!("rtmp://127.0.0.1:{port}/live/s3cret"), "")
    }

    fn srt(query: &str) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start("-f mpegts", &format!("srt://127.0.0.1:{port}"), &format!("?mode=listener&{query}"))
    }

    /// What it kept, once nothing more comes.
    async fn taken(mut self) -> Taken {
        let until = Instant::now() + PATIENCE;
        while self.ffmpeg.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it never ends");
            sleep(Duration::from_millis(20)).await;
        }
        Taken::look(&self.folder.path().join("taken.mkv"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
    }
}

#[derive(Debug)]
struct Taken {
    streams: Vec<(String, u64)>,
    /// When the first bright picture is shown, and the first loud sample heard, seconds.
    flash: f64,
    beep: Option<f64>,
}

impl Taken {
    fn look(file: &Path) -> Self {
        let probed = run("ffprobe", "-v error -of json -count_packets -show_streams -show_packets", file, "");
        let probed: Value = serde_json::from_slice(&probed).unwrap();
        let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
        let streams = probed["streams"].as_array().unwrap();
        let told = |stream: &Value| {
            (stream["codec_name"].as_str().unwrap().to_owned(), number(&stream["nb_read_packets"]) as u64)
        };
        let times = |kind: &'static str| {
            let packets = probed["packets"].as_array().unwrap().iter();
            packets.filter(move |packet| packet["codec_type"] == kind).map(move |packet| number(&packet["pts_time"]))
        };
        let pictures = run("ffmpeg", "-v error -xerror -i", file, "-vsync 0 -f rawvideo -pix_fmt gray -");
        let len = (SIZE.width * SIZE.height) as usize;
        let is_bright = |picture: &[u8]| picture.iter().map(|luma| u64::from(*luma)).sum::<u64>() > 128 * len as u64;
        let at = pictures.chunks_exact(len).position(is_bright).expect("it flashes");
        let flash = times("video").nth(at).unwrap();
        let beep = times("audio").next().map(|begins| {
            let samples = run("ffmpeg", "-v error -xerror -i", file, "-vn -f f32le -ac 1 -ar 48000 -");
            let loud = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap()).abs() > 0.1;
            begins + samples.chunks_exact(4).position(loud).expect("it beeps") as f64 / 48_000.0
        });
        Self { streams: streams.iter().map(told).collect(), flash, beep }
    }
}

fn run(program: &str, before: &str, file: &Path, after: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    let command = command.args(before.split(' ')).arg(file).args(after.split_ascii_whitespace());
    let output = command.stdin(Stdio::null()).output().expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program}: {said}");
    output.stdout
}

fn is_flash(at: Duration) -> bool {
    (FLASH..FLASH + FLASH_SPAN).contains(&at.as_secs_f64())
}

/// Three seconds of pictures with a keyframe each second.
fn pictures() -> Vec<Arc<EncodedFrame>> {
    let setup = VideoEncoderSetup { codec: Codec::H264, size: SIZE, fps: FPS, bitrate: 300_000, threads: 1 };
    let (mut encoder, mut out) = (video_encoder(EncoderChoice::Aom, setup).unwrap(), Vec::new());
    for n in 0..SECONDS * FPS {
        let at = pts_from_tick(n.into(), FPS);
        let len = (SIZE.width * SIZE.height) as usize;
        let mut samples = vec![if is_flash(at.since(Pts(0))) { 235 } else { 16 }; len];
        samples.resize(len * 3 / 2, 128);
        encoder.encode(&ComposedFrame::new(SIZE, at + BEGINS, samples), n % FPS == 0, &mut out).unwrap();
    }
    out.into_iter().map(Arc::new).collect()
}

fn sounds() -> Vec<Arc<MixTick>> {
    let mut encoder = OpusEncoder::new(OpusEncoderConfig::default()).unwrap();
    let tick = |n: u32| {
        let pts = pts_from_tick(n.into(), TICKS_PER_SECOND);
        let mut block = PcmBlock::silence();
        if is_flash(pts.since(Pts(0))) {
            let wave = |n: usize| 0.5 * (n as f32 * 0.1).sin();
            block.samples.iter_mut().enumerate().for_each(|(n, sample)| *sample = wave(n / 2));
        }
        let shared = encoder.encode(&block, pts + BEGINS).unwrap();
        let wallclock = Wallclock(0);
        Arc::new(MixTick { pts: pts + BEGINS, wallclock, shared, silent: false, minus: Vec::new(), redacted: None })
    };
    (0..SECONDS * TICKS_PER_SECOND).map(tick).collect()
}

fn pusher() -> Pusher {
    Pusher::new(tokio::runtime::Handle::current(), true)
}

fn call(url: &str, sound: Option<SoundCodec>, sent: &Counter) -> StreamCall {
    let target = Arc::new(PushTarget::parse(url, None, true).unwrap());
    StreamCall { target, pictures: Codec::H264, sound, fps: FPS, sent: sent.clone() }
}

/// Asks until the server is there.
async fn up(call: &StreamCall) -> (StreamLine, mpsc::Receiver<StreamTold>) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (tells, mut told) = mpsc::channel(2);
        pusher().stream(call.clone(), move |what| drop(tells.try_send(what)));
        match told.recv().await.expect("it is told") {
            StreamTold::Up(line) => return (line, told),
            StreamTold::Ended(why) => assert!(Instant::now() < until, "{why}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sends three seconds there, and says goodbye.
async fn send(server: &Server, query: &str, sound: Option<SoundCodec>) {
    let (sent, sounds) = (Counter::default(), sounds());
    let (line, mut told) = up(&call(&format!("{}{query}", server.url), sound, &sent)).await;
    let (video, audio) = (Fan::new(Counter::default()), Fan::new(Counter::default()));
    let subscribed = StreamFeed {
        pictures: video.subscribe(limits::PUSH_FAN_LEN, line.waker.clone()),
        sounds: audio.subscribe(limits::PUSH_FAN_LEN, line.waker.clone()),
    };
    let end = line.feed(subscribed);
    let all = pictures();
    let bytes: usize = all.iter().map(|frame| frame.data.len()).sum();
    // As it comes in a room: a picture, and the sound since the one before.
    let mut sounds = sounds.iter();
    for frame in &all {
        video.publish(frame);
        while let Some(tick) = sounds.as_slice().first().filter(|tick| tick.pts <= frame.pts) {
            audio.publish(tick);
            sounds.next();
        }
    }
    let until = Instant::now() + PATIENCE;
    while sent.get() < bytes as u64 {
        assert!(Instant::now() < until && told.try_recv().is_err(), "{} of {bytes} bytes are sent", sent.get());
        sleep(Duration::from_millis(50)).await;
    }
    // Nothing tells how far a listener's program has read what its library holds, which ends with the connection.
    sleep(Duration::from_secs(1)).await;
    drop(end);
    assert!(told.recv().await.is_none(), "one that is let go of tells nothing");
}

fn is_all_there(taken: &Taken, sound: &str, packets: std::ops::RangeInclusive<u64>) {
    assert_eq!(taken.streams[0], ("h264".to_owned(), u64::from(SECONDS * FPS)), "{taken:?}");
    assert!(taken.streams[1].0 == sound && packets.contains(&taken.streams[1].1), "{taken:?}");
    let apart = taken.beep.unwrap() - taken.flash;
    assert!(apart.abs() < 0.03, "the beep is {apart} s behind the flash: {taken:?}");
}

#[cfg(feature = "h264")]
#[tokio::test(flavor = "multi_thread")]
async fn an_rtmp_server_takes_h264_and_aac_in_step() {
    let server = Server::rtmp();
    send(&server, "", Some(SoundCodec::Aac)).await;
    // Of 140 packets the first is before the first picture, and the last is never whole.
    is_all_there(&server.taken().await, "aac", 135..=140);
}

#[cfg(feature = "h264")]
#[tokio::test(flavor = "multi_thread")]
async fn an_srt_listener_takes_h264_and_aac_in_step_behind_a_passphrase() {
    for key in ["16", "32"] {
        let secret = format!("passphrase=s3cret-s3cret&pbkeylen={key}");
        let server = Server::srt(&secret);
        send(&server, &format!("?{secret}&streamid=stage&latency=100"), Some(SoundCodec::Aac)).await;
        is_all_there(&server.taken().await, "aac", 135..=140);
    }
}

#[cfg(feature = "h264")]
#[tokio::test(flavor = "multi_thread")]
async fn an_srt_listener_takes_opus_and_none_that_hides_another_secret() {
    let server = Server::srt("");
    send(&server, "", Some(SoundCodec::Opus)).await;
    is_all_there(&server.taken().await, "opus", 145..=150);

    let server = Server::srt("passphrase=another-secret");
    let until = Instant::now() + PATIENCE;
    loop {
        let (tells, mut told) = mpsc::channel(2);
        let call = call(&format!("{}?passphrase=s3cret-s3cret", server.url), None, &Counter::default());
        pusher().stream(call, move |what| drop(tells.try_send(what)));
        let why = match told.recv().await.expect("it is told") {
            StreamTold::Up(_) => panic!("nobody could read it"),
            StreamTold::Ended(why) => why.to_string(),
        };
        assert!(!why.contains("s3cret"), "{why}");
        if why.contains("passphrase") {
            break;
        }
        assert!(Instant::now() < until, "{why}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_stream_goes_to_no_private_address_whatever_it_is_called() {
    for url in
        ["rtmp://localhost/live/s3cret", "rtmps://localhost/live/s3cret", "srt://localhost:9", "rtmp://0x7f.1/a/b"]
    {
        let target = Arc::new(PushTarget::parse(url, None, false).unwrap());
        let call = StreamCall { target, pictures: Codec::H264, sound: None, fps: FPS, sent: Counter::default() };
        let (tells, mut told) = mpsc::channel(2);
        Pusher::new(tokio::runtime::Handle::current(), false).stream(call, move |what| drop(tells.try_send(what)));
        let Some(StreamTold::Ended(why)) = told.recv().await else { panic!("{url}") };
        assert_eq!(why, PushError::Private, "{url}");
    }
}

#[tokio::test]
async fn a_server_that_says_something_else_is_told_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let (tells, mut told) = mpsc::channel(2);
    let call = call(&format!("rtmp://127.0.0.1:{port}/live/s3cret"), None, &Counter::default());
    pusher().stream(call, move |what| drop(tells.try_send(what)));
    let Some(StreamTold::Ended(PushError::Rtmp(why))) = told.recv().await else { panic!() };
    assert!(why.to_string().contains("no RTMP"), "{why}");
}

#[test]
fn sound_keeps_to_the_rooms_clock_over_gaps() {
    let mut sound = sound::Sound::new(Some(SoundCodec::Aac)).unwrap();
    let (packet, mut out) = (Bytes::from_static(crate::core::bitstream::opus::SILENCE), Vec::new());
    let tick = |n: u64| pts_from_tick(n, TICKS_PER_SECOND) + BEGINS;
    // A second, a gap of half a second that is filled, a long one that is not, and one that comes twice.
    for n in (0..50).chain(75..100).chain(1000..1050).chain([1049]) {
        sound.tick(tick(n), &packet, &mut out).unwrap();
    }
    let times: Vec<f64> = out.iter().map(|(at, _)| at.0 as f64 / 1e9 - 100.0).collect();
    let packets = |seconds: f64| (seconds * 48_000.0 / 1024.0) as usize;
    assert_eq!(times.len(), packets(2.0) + packets(1.0));
    let gaps: Vec<f64> =
        times.windows(2).map(|two| two[1] - two[0]).filter(|gap| (gap - 1024.0 / 48_000.0).abs() > 1e-6).collect();
    assert!(gaps.len() == 1 && gaps[0] > 17.0, "{gaps:?}");
}
