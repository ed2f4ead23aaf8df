//! **The question:** what is recorded? Real AV1 by libaom, real Opus by libopus, fed through real fans in virtual time.

use std::f32::consts::TAU;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use opus::{Application, Channels, Encoder};
use tessera::base::limits;
use tessera::base::media::{Codec, EncodedFrame, MixTick, Pts, RoomEpoch, Wallclock, pts_from_instant, pts_from_tick};
use tessera::engine::flow::{Counter, Fan, Waker};
use tessera::io::recording::{
    ClosingRecording, Reads, RecordCounters, RecordingPlace, RecordingSetup, RecordingSummary, RoomHold, RoomRecording,
};
use tessera::io::store::RecordingWish;

pub const FPS: u32 = 30;
/// Frames of the clip; a keyframe every four seconds.
pub const CLIP_FRAMES: u64 = 300;
/// How long keepers or a disk may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// 2023-11-14T22:13:20Z.
const STARTED: Wallclock = Wallclock(1_700_000_000_000_000_000);

/// Ten seconds of 320×180 by libaom in its real-time mode; each temporal unit with its delimiter, as an encoder gives
/// it.
pub fn clip() -> &'static [Bytes] {
    static CLIP: OnceLock<Vec<Bytes>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let options = ["-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-g", "120", "-b:v", "300k"];
        encode("testsrc2=s=320x180:r=30:d=10", &options)
    })
}

/// Temporal units of `source` (an ffmpeg lavfi graph) by libaom.
pub fn encode(source: &str, options: &[&str]) -> Vec<Bytes> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libaom-av1"])
        .args(options)
        .args(["-f", "ivf", "-"])
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    let ivf = Bytes::from(output.stdout);
    let (mut frames, mut at) = (Vec::new(), 32);
    while at < ivf.len() {
        let len = u32::from_le_bytes(ivf[at..at + 4].try_into().unwrap()) as usize;
        frames.push(ivf.slice(at + 12..at + 12 + len));
        at += 12 + len;
    }
    frames
}

/// Records ten times as fast as life, until somebody kills the process.
pub fn record_until_killed(place: RecordingPlace) -> ! {
    let mut call = Call::new(place, Pts(0));
    let mut now = Pts(0);
    let until = Instant::now() + Duration::from_secs(300);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
        call.run(now, now + Duration::from_millis(100), |_| true, |_| true);
        now = now + Duration::from_millis(100);
    }
    panic!("nobody killed this process");
}

/// The whole far side of a recording: two fans with their readers, and a clock that only the test moves.
pub struct Call {
    pub recording: RoomRecording,
    pub counters: RecordCounters,
    pub epoch: RoomEpoch,
    pub video: Fan<EncodedFrame>,
    pub sound: Fan<MixTick>,
    /// The mask that holds in the room.
    pub current_generation: Arc<AtomicU64>,
    encoder: Encoder,
    /// The frame of the rung that shows the clip's first.
    first: Option<u64>,
}

impl Call {
    pub fn new(place: RecordingPlace, begins: Pts) -> Self {
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: STARTED };
        let (video, sound) = (Fan::new(Counter::default()), Fan::new(Counter::default()));
        let waker = Waker::new().unwrap();
        let (counters, current_generation) = (RecordCounters::default(), Arc::<AtomicU64>::default());
        let setup = RecordingSetup {
            room: "daily".parse().unwrap(),
            epoch,
            place,
            fps: FPS,
            holds: RoomHold::default(),
            wish: RecordingWish::default(),
            waker: waker.clone(),
        };
        let recording = RoomRecording::new(
            epoch.instant_at(begins),
            setup,
            Reads {
                pictures: video.subscribe(limits::RECORD_FAN_LEN, waker.clone()),
                sounds: sound.subscribe(limits::RECORD_FAN_LEN, waker),
                view: 0,
                current_generation: current_generation.clone(),
                generation: 0,
            },
            counters.clone(),
        );
        let encoder = Encoder::new(limits::SAMPLE_RATE, Channels::Stereo, Application::Audio).unwrap();
        Self { recording, counters, epoch, video, sound, current_generation, encoder, first: None }
    }

    /// Publishes frame `n` of the rung, which shows frame `shown` of the clip.
    pub fn frame(&mut self, n: u64, shown: u64) {
        let data = clip()[shown as usize].clone();
        self.publish(pts_from_tick(n, FPS), data, shown.is_multiple_of(120));
    }

    pub fn publish(&mut self, pts: Pts, data: Bytes, keyframe: bool) {
        self.video.publish(&Arc::new(EncodedFrame { codec: Codec::Av1, data, pts, keyframe }));
    }

    /// Publishes audio tick `n`: a quiet 440 Hz tone, and a click at each `click`.
    pub fn tick(&mut self, n: u64, click: Option<Pts>) {
        let pts = pts_from_tick(n, 50);
        let mut samples = [0.0_f32; limits::PCM_SAMPLES];
        for (index, pair) in samples.chunks_mut(2).enumerate() {
            let at = n as usize * limits::PCM_FRAMES + index;
            let since = click.map(|click| at as i64 - (click.0 * 48 / 1_000_000) as i64);
            let loud = since.is_some_and(|since| (0..24).contains(&since));
            pair.fill(if loud { 0.9 } else { 0.1 * (TAU * 440.0 * at as f32 / 48_000.0).sin() });
        }
        let data = self.encoder.encode_vec_float(&samples, 1500).unwrap().into();
        let shared = EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true };
        let wallclock = self.epoch.wallclock_at(pts);
        self.sound.publish(&Arc::new(MixTick {
            pts,
            wallclock,
            shared,
            silent: false,
            minus: Vec::new(),
            redacted: None,
        }));
    }

    /// Lets the package thread's body run at `pts`, as often as keepers or the disk answer: this clock stands
    /// meanwhile.
    pub fn poll(&mut self, pts: Pts) {
        let patience = Instant::now() + PATIENCE;
        loop {
            assert!(self.recording.poll(self.epoch.instant_at(pts)));
            if !self.recording.is_waiting() {
                return;
            }
            assert!(Instant::now() < patience, "neither keepers nor disk answer");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Runs the call from `from` to `to` in steps of 10 ms; `frame` and `tick` say which frames and ticks are
    /// published.
    pub fn run(&mut self, from: Pts, to: Pts, frame: impl Fn(u64) -> bool, tick: impl Fn(u64) -> bool) {
        let mut now = from;
        let first = *self.first.get_or_insert_with(|| first_frame(from));
        while now < to {
            let next = now + Duration::from_millis(10);
            for n in due(now, next, 50).filter(|n| tick(*n)) {
                self.tick(n, None);
            }
            for n in due(now, next, FPS).filter(|n| frame(*n)) {
                self.frame(n, (n - first) % CLIP_FRAMES);
            }
            self.poll(next);
            now = next;
        }
    }

    pub fn finish(self, at: Pts) -> RecordingSummary {
        assert_eq!(pts_from_instant(&self.epoch, self.epoch.instant_at(at)), at);
        let (begun, now) = (Instant::now(), self.epoch.instant_at(at));
        let mut closing = ClosingRecording::new(now, Box::new(self.recording));
        loop {
            match closing.poll(now + begun.elapsed()) {
                Some(summary) => return summary,
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }
}

/// A plain call of `span` that begins at `from` and lacks nothing, into `file`.
pub fn plain_call(file: &Path, from: Pts, span: Duration) -> RecordingSummary {
    let mut call = Call::new(RecordingPlace::File(file.to_owned()), from);
    call.run(from, from + span, |_| true, |_| true);
    call.finish(from + span)
}

/// Ticks at `rate` with `from` ≤ Pts < `to`.
fn due(from: Pts, to: Pts, rate: u32) -> impl Iterator<Item = u64> {
    let first = (0..).skip((from.0 / 1_000_000_000 * u64::from(rate)) as usize);
    first.skip_while(move |n| pts_from_tick(*n, rate) < from).take_while(move |n| pts_from_tick(*n, rate) < to)
}

/// The first frame at or after `from`.
pub fn first_frame(from: Pts) -> u64 {
    due(from, from + Duration::from_secs(1), FPS).next().unwrap()
}
