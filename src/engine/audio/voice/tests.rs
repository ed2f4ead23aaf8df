//! A voice through bad networks and from bad senders, with real Opus and real speech in virtual time.
//!
//! With `TESSERA_VOICE_WAV=folder` the runs write what was heard as WAV files; `benches/peers/pesq.sh` scores them.
//! With `TESSERA_FUZZ_SECONDS=n` the random senders go on for so long, with ever new seeds.

use bytes::Bytes;

use super::*;
use crate::base::media::{AudioLevel, Codec, ParticipantId, ReceivedFrame, TrackKind, Wallclock};
use crate::core::jitter::{VideoInput, VideoJitter, VideoOutput};
use crate::engine::decode::OpusDecoder;
use crate::engine::flow::{Counter, OpusSender, opus_queue};

const VOICES: [&[u8]; 4] = [
    include_bytes!("../../../app/load/assets/voice1.ogg"),
    include_bytes!("../../../app/load/assets/voice2.ogg"),
    include_bytes!("../../../app/load/assets/voice3.ogg"),
    include_bytes!("../../../app/load/assets/voice4.ogg"),
];
const FRAME: usize = limits::PCM_FRAMES;

/// splitmix64, from its definition.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The shipped speech, mono, 48 kHz: half a minute.
fn speech() -> Vec<f32> {
    let mut mono = Vec::new();
    for file in VOICES {
        let mut decoder = OpusDecoder::new().unwrap();
        for packet in ogg_packets(file).iter().skip(2) {
            mono.extend(decoder.decode(packet).unwrap().iter().step_by(2));
        }
    }
    mono.truncate(mono.len() / FRAME * FRAME);
    mono
}

/// RFC 3533: pages of segments; a segment shorter than 255 bytes ends a packet.
fn ogg_packets(mut file: &[u8]) -> Vec<Vec<u8>> {
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    while file.starts_with(b"OggS") {
        let segments = usize::from(file[26]);
        let (table, mut body) = file[27..].split_at(segments);
        for length in table {
            let (segment, rest) = body.split_at(usize::from(*length));
            packet.extend_from_slice(segment);
            body = rest;
            if *length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        file = body;
    }
    packets
}

/// What a browser sends: mono, 32 kb/s, in-band FEC, frames of `frames` sample pairs.
fn encoded(mono: &[f32], frames: usize) -> Vec<Bytes> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(10).unwrap();
    mono.chunks_exact(frames).map(|pcm| encoder.encode_vec_float(pcm, 1500).unwrap().into()).collect()
}

fn level_of(pcm: &[f32]) -> AudioLevel {
    let power = pcm.iter().map(|s| s * s).sum::<f32>() / pcm.len() as f32;
    AudioLevel((-10.0 * power.max(1e-13).log10()).clamp(0.0, 127.0) as u8)
}

/// One voice that is always heard, and the clock.
struct SimulatedLink {
    start: Instant,
    ticks: u32,
    sender: OpusSender,
    voice: VoiceTrack,
    playout: PlayoutCell,
    counters: SoundCounters,
    heard: Vec<f32>,
}

impl SimulatedLink {
    fn new() -> Self {
        let (sender, receiver) = opus_queue(Counter::default());
        let track = TrackId { participant: ParticipantId(1), kind: TrackKind::Microphone };
        let playout = PlayoutCell::default();
        let voice = VoiceTrack::new(track, receiver, playout.clone());
        let counters = SoundCounters::default();
        Self { start: Instant::now(), ticks: 0, sender, voice, playout, counters, heard: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.start + limits::AUDIO_TICK * self.ticks
    }

    fn arrive(&mut self, arrival: Instant, sequence: u64, rtp_time: u64, data: Bytes, level: Option<AudioLevel>) {
        let whole = ReceivedFrame::of_one_packet(Codec::Opus, data, sequence, rtp_time, arrival);
        assert!(self.sender.push(ReceivedFrame { audio_level: level, ..whole }));
    }

    fn tick(&mut self) {
        let now = self.now();
        self.ticks += 1;
        self.voice.pull(now, &self.counters);
        self.voice.render(now, Some(Fade::Hold), &self.counters);
        self.heard.extend(self.voice.block().samples.iter().step_by(2));
    }
}

/// What a network does to packet `n`: when it comes after it was sent, if it does.
type Network<'a> = &'a mut dyn FnMut(&mut Random) -> Option<Duration>;

/// Speech sent over a network: what is heard, and the share of it that was made up.
fn through(name: &str, frames: usize, network: Network<'_>) -> (SimulatedLink, f64) {
    let mono = speech();
    let mut random = Random(4);
    let span = Duration::from_secs(1) * frames as u32 / limits::SAMPLE_RATE;
    let mut arrivals = Vec::new();
    let mut line = SimulatedLink::new();
    let packets = encoded(&mono, frames);
    let mut there = true;
    for (n, (data, pcm)) in packets.iter().zip(mono.chunks_exact(frames)).enumerate() {
        let transit = network(&mut random);
        if let Some(transit) = transit {
            let arrival = line.start + span * n as u32 + transit;
            arrivals.push((arrival, n as u64, data.clone(), level_of(pcm)));
            // With RED each packet brings a copy of the one before, and the assembler hands on those that were lost.
            if name.ends_with("red") && !there {
                arrivals.push((arrival, n as u64 - 1, packets[n - 1].clone(), level_of(pcm)));
            }
        }
        there = transit.is_some();
    }
    arrivals.sort_by_key(|packet| packet.0);
    let mut arrivals = arrivals.into_iter().peekable();
    for _ in 0..mono.len() / FRAME + 8 {
        let now = line.now();
        while let Some((arrival, n, data, level)) = arrivals.next_if(|packet| packet.0 <= now) {
            line.arrive(arrival, n, n * frames as u64, data, Some(level));
        }
        line.tick();
    }
    let stats = line.voice.jitter.stats();
    // Long bursts end in silence, which counts as well.
    let concealed = line.counters.pcm_concealed.get() as f64 / mono.len() as f64;
    let concealed = concealed.max(1.0 - stats.played as f64 * frames as f64 / mono.len() as f64);
    println!(
        "{name}: {:.1} % made up, {} of {} packets discarded, delay {:?}, stretched {}",
        concealed * 100.0,
        stats.discarded,
        stats.packets,
        line.playout.delay(Side::Sound),
        line.counters.pcm_stretched.get()
    );
    write_wav(name, &line.heard);
    write_wav("original", &mono);
    (line, concealed)
}

fn write_wav(name: &str, mono: &[f32]) {
    let Ok(folder) = std::env::var("TESSERA_VOICE_WAV") else { return };
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: limits::SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(format!("{folder}/{name}.wav"), format).unwrap();
    mono.iter().for_each(|s| file.write_sample((s.clamp(-1.0, 1.0) * 32_767.0) as i16).unwrap());
    file.finalize().unwrap();
}

const NEAR: Duration = Duration::from_millis(5);

fn clean(_: &mut Random) -> Option<Duration> {
    Some(NEAR)
}

fn random_loss(random: &mut Random) -> Option<Duration> {
    (random.share() >= 0.1).then_some(NEAR)
}

/// Gilbert's channel: it turns bad so often that 10 % are lost, and good after three packets on average.
fn gilbert_loss() -> impl FnMut(&mut Random) -> Option<Duration> {
    let mut bad = false;
    move |random| {
        let turn = if bad { 1.0 / 3.0 } else { 1.0 / 27.0 };
        if random.share() < turn {
            bad = !bad;
        }
        (!bad).then_some(NEAR)
    }
}

fn jitter(random: &mut Random) -> Option<Duration> {
    Some(Duration::from_micros(30_000 + random.below(40_000)))
}

/// Levels in 20 bands (third octaves from 100 Hz to 8 kHz) of each 20 ms, dB, by Goertzel's algorithm.
fn spectrum(mono: &[f32]) -> Vec<[f32; 20]> {
    let band = |pcm: &[f32], band: usize| {
        let step = std::f32::consts::TAU * 100.0 * 2.0_f32.powf(band as f32 / 3.0) / 48_000.0;
        let turn = 2.0 * step.cos();
        let (one, two) = pcm.iter().fold((0.0, 0.0), |(one, two), s| (s + turn * one - two, one));
        10.0 * ((one * one + two * two - turn * one * two) / (FRAME * FRAME) as f32).max(1e-7).log10()
    };
    mono.chunks_exact(FRAME).map(|pcm| std::array::from_fn(|at| band(pcm, at))).collect()
}

/// How different two runs of the same speech sound, dB: each 20 ms is compared with whatever fits best within 100 ms,
/// because stretching moves sound about.
fn distance(clean: &[f32], heard: &[f32]) -> f32 {
    let (clean, heard) = (spectrum(clean), spectrum(heard));
    let apart = |a: &[f32; 20], b: &[f32; 20]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / 20.0;
    let loud = |bands: &&[f32; 20]| bands.iter().any(|level| *level > -50.0);
    let (mut sum, mut count) = (0.0, 0.0);
    for (at, frame) in clean.iter().enumerate().filter(|(_, frame)| loud(frame)) {
        let near = &heard[at.saturating_sub(5).min(heard.len() - 1)..(at + 6).min(heard.len())];
        sum += near.iter().map(|other| apart(frame, other)).fold(f32::INFINITY, f32::min);
        count += 1.0;
    }
    sum / count
}

#[test]
fn speech_survives_loss_and_jitter() {
    let (plain, concealed) = through("clean", FRAME, &mut clean);
    assert!(concealed < 0.01 && plain.playout.delay(Side::Sound) < Duration::from_millis(10));
    for (name, network) in [
        ("random", &mut random_loss as Network<'_>),
        ("random_red", &mut random_loss as Network<'_>),
        ("gilbert", &mut gilbert_loss() as Network<'_>),
        ("jitter", &mut jitter as Network<'_>),
    ] {
        let (line, concealed) = through(name, FRAME, network);
        let apart = distance(&plain.heard, &line.heard);
        println!("{name}: {apart:.2} dB from the clean run");
        assert!(concealed <= 0.12, "{name}: {concealed}");
        assert!(apart < 1.5, "{name}: {apart} dB");
    }
    assert!(distance(&plain.heard, &vec![0.0; plain.heard.len()]) > 10.0, "silence is no speech");
}

#[test]
fn packets_of_every_length_are_heard() {
    for frames in [120, 240, 480, 960, 1920, 2880] {
        let (line, concealed) = through("length", frames, &mut clean);
        assert!(concealed < 0.01, "{frames}: {concealed}");
        assert_eq!(line.counters.opus_malformed.get(), 0);
        assert!(level_of(&line.heard).0 < 40, "{frames}: {:?}", level_of(&line.heard));
    }
}

/// A steady vowel, which shows every jump.
fn hum(from: usize, frames: usize) -> Vec<f32> {
    let wave = |n: usize, f: f64| ((n as f64 * f / 48_000.0).fract() * std::f64::consts::TAU).sin() as f32;
    (from..from + frames).map(|n| wave(n, 150.0) * 0.2 + wave(n, 300.0) * 0.1).collect()
}

fn steepest(mono: &[f32]) -> f32 {
    mono.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn jumps_pauses_new_sources_and_broken_packets_do_not_click() {
    let mono = hum(0, FRAME * 600);
    let packets = encoded(&mono, FRAME);
    let mut line = SimulatedLink::new();
    for (n, data) in packets.iter().enumerate() {
        let at = n as u64;
        let (sequence, rtp_time) = match n {
            // The timestamp jumps by five hours and back, a new SSRC begins anywhere, the sender pauses.
            100..200 => (at, at * 960 + 5 * 3600 * 48_000),
            300..400 => (at + 30_000, at * 960 + 0x7777),
            _ => (at, at * 960),
        };
        let is_pause = (450..500).contains(&n);
        // Padding that is longer than the packet.
        let data = if n % 50 == 25 { Bytes::from_static(&[31 << 3 | 3, 0x41, 255, 255, 1]) } else { data.clone() };
        if !is_pause {
            line.arrive(line.now(), sequence, rtp_time, data, Some(AudioLevel(15)));
        }
        line.tick();
    }
    assert!(line.counters.opus_malformed.get() >= 9, "{}", line.counters.opus_malformed.get());
    assert!(line.voice.jitter.stats().restarts >= 5);
    // libopus' own way back from what it made up is up to four times as steep as the vowel; a cut is thirty times.
    let limit = steepest(&mono) * 6.0;
    let worst = line.heard.windows(2).position(|pair| (pair[1] - pair[0]).abs() > limit);
    assert_eq!(worst.map(|at| (at / FRAME, at % FRAME)), None, "steepest {} of {limit}", steepest(&line.heard));
    assert!(level_of(&line.heard[FRAME * 110..FRAME * 190]).0 < 25, "and the voice is there after a jump");
}

#[test]
fn mono_and_stereo_may_take_turns() {
    let mut line = SimulatedLink::new();
    let mono = hum(0, FRAME * 200);
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Stereo, opus::Application::Voip).unwrap();
    for (n, pcm) in mono.chunks_exact(FRAME).enumerate() {
        let kind = if n / 10 % 2 == 0 { opus::Channels::Mono } else { opus::Channels::Stereo };
        encoder.set_force_channels(Some(kind)).unwrap();
        let both: Vec<f32> = pcm.iter().flat_map(|s| [*s, *s]).collect();
        let data: Bytes = encoder.encode_vec_float(&both, 1500).unwrap().into();
        assert_eq!(data[0] & 0b100 != 0, n / 10 % 2 == 1);
        line.arrive(line.now(), n as u64, (n * FRAME) as u64, data, Some(AudioLevel(15)));
        line.tick();
    }
    assert_eq!(line.counters.opus_malformed.get() + line.counters.pcm_concealed.get(), 0);
    assert!(steepest(&line.heard) < steepest(&mono) * 3.0, "{} {}", steepest(&line.heard), steepest(&mono));
}

#[test]
fn a_sender_that_lies_about_its_level_is_measured() {
    let (mono, silence) = (hum(0, FRAME * 400), vec![0.0; FRAME * 400]);
    for (pcm, stated, truth) in [(&silence, 0, 100..=127), (&mono, 127, 10..=22)] {
        let mut line = SimulatedLink::new();
        let (mut corrected_at, mut encoder) =
            (None, opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap());
        encoder.set_vbr(false).unwrap();
        for (n, pcm) in pcm.chunks_exact(FRAME).enumerate() {
            let data = encoder.encode_vec_float(pcm, 1500).unwrap().into();
            line.arrive(line.now(), n as u64, (n * FRAME) as u64, data, Some(AudioLevel(stated)));
            line.tick();
            let honest = truth.contains(&line.voice.loudness().level().0);
            corrected_at = corrected_at.or(honest.then_some(n));
        }
        assert!(corrected_at.is_some_and(|n| n <= 60), "{stated}: {corrected_at:?}");
        assert!(line.counters.levels_corrected.get() >= 300);
    }
}

#[test]
fn one_who_states_silence_and_speaks_is_found_though_nobody_hears() {
    let mut line = SimulatedLink::new();
    let packets = encoded(&hum(0, FRAME * 400), FRAME);
    for (n, data) in packets.iter().enumerate() {
        line.arrive(line.now(), n as u64, (n * FRAME) as u64, data.clone(), Some(AudioLevel(127)));
        let now = line.now();
        line.ticks += 1;
        line.voice.pull(now, &line.counters);
        line.voice.render(now, None, &line.counters);
    }
    assert!(line.voice.loudness().level().0 < 25, "{:?}", line.voice.loudness());
    assert!(line.counters.voices_decoded.get() < 200, "found by a probe, not by listening to everyone");
}

/// A sender of anything: packets of random bytes and of cut and bent speech, in any order, with any time.
fn random_sender(seed: u64, packets: &[Bytes]) {
    let mut random = Random(seed);
    let mut line = SimulatedLink::new();
    let (mut sequence, mut rtp_time) = (random.bits() >> random.below(64), random.bits() >> random.below(64));
    for _ in 0..400 {
        for _ in 0..random.below(4) {
            let mut data = match random.below(4) {
                0 => (0..random.below(1500)).map(|_| random.bits() as u8).collect(),
                _ => packets[random.below(packets.len() as u64) as usize].to_vec(),
            };
            if random.below(4) == 0 {
                data.truncate(random.below(data.len() as u64 + 1) as usize);
            }
            if random.below(4) == 0 && !data.is_empty() {
                let at = random.below(data.len() as u64) as usize;
                data[at] ^= random.bits() as u8;
            }
            match random.below(40) {
                0 => sequence = random.bits(),
                1 => rtp_time = random.bits(),
                2 => rtp_time = rtp_time.wrapping_add(random.below(10_000_000)),
                3 => sequence = sequence.wrapping_sub(random.below(100)),
                _ => {}
            }
            sequence = sequence.wrapping_add(1);
            rtp_time = rtp_time.wrapping_add(960);
            let arrival = line.now() - Duration::from_micros(random.below(300_000)).min(line.now() - line.start);
            let level = (random.below(3) > 0).then(|| AudioLevel(random.bits() as u8));
            line.arrive(arrival, sequence, rtp_time, data.into(), level);
        }
        line.tick();
        assert!(line.voice.block().samples.iter().all(|s| s.abs() <= 2.0), "seed {seed}");
        let stats = line.voice.jitter.stats();
        assert_eq!(stats.packets, stats.played + stats.discarded + stats.queued as u64, "seed {seed}: {stats:?}");
        assert!(
            stats.queued <= limits::OPUS_QUEUE_LEN && line.voice.jitter.wanted_delay() <= limits::PLAYOUT_DELAY_MAX
        );
        // 120 ms of the longest packet, and twice as much that a cut or a repetition leaves.
        assert!(line.voice.jitter.samples_ahead() < 3 * 5_760, "seed {seed}: {}", line.voice.jitter.samples_ahead());
    }
}

#[test]
fn random_senders_break_nothing() {
    let packets = encoded(&speech()[..FRAME * 300], FRAME);
    let begin = Instant::now();
    let span = std::env::var("TESSERA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let mut seed = 0;
    while seed < 40 || span.is_some_and(|span| begin.elapsed() < span) {
        random_sender(seed, &packets);
        seed += 1;
    }
    println!("{seed} random senders");
}

/// A camera beside a voice: what each is captured at by its sender's clock, and how the network treats it.
struct Lips {
    line: SimulatedLink,
    camera: VideoJitter,
    released: Outbox<VideoOutput>,
    arrivals: Vec<(Instant, u64)>,
    /// How much longer pictures take than sounds.
    picture_path: Duration,
    /// Whether the sender reports when it captured what.
    reports: bool,
    /// How much faster its clocks run, parts per million; `[picture, sound]` of RTP, reports follow the true capture.
    drift: [i64; 2],
    /// The last picture's capture against the sound's that played with it, nanoseconds.
    skews: Vec<i64>,
}

impl Lips {
    fn new(picture_path: u64, reports: bool, drift: [i64; 2]) -> Self {
        let (line, camera) = (SimulatedLink::new(), VideoJitter::new());
        let picture_path = Duration::from_millis(picture_path);
        Self {
            line,
            camera,
            released: Outbox::new(),
            arrivals: Vec::new(),
            picture_path,
            reports,
            drift,
            skews: Vec::new(),
        }
    }

    /// The sender's clock when it captured what was captured `after` the start: it was never set.
    fn captured(&self, after: Duration) -> Option<Wallclock> {
        self.reports.then(|| Wallclock(77_000_000_000 + u64::try_from(after.as_nanos()).unwrap()))
    }

    fn rtp_time(after: Duration, rate: u32, drift: i64) -> u64 {
        let units = i128::try_from(after.as_nanos()).unwrap() * i128::from(rate) * i128::from(1_000_000 + drift);
        u64::try_from(units / 1_000_000_000_000_000).unwrap()
    }

    /// Sound and picture of 20 ms, up to 25 ms of jitter each; then both play what is due.
    fn tick(&mut self, n: u64, packet: &Bytes, random: &mut Random) {
        let after = limits::AUDIO_TICK * u32::try_from(n).unwrap();
        let jitter = |random: &mut Random| Duration::from_micros(random.below(25_000));
        let now = self.line.now();
        let rtp_time = Self::rtp_time(after, limits::SAMPLE_RATE, self.drift[1]);
        let whole = ReceivedFrame::of_one_packet(Codec::Opus, packet.clone(), n, rtp_time, now);
        let (captured, audio_level) = (self.captured(after), Some(AudioLevel(20)));
        assert!(self.line.sender.push(ReceivedFrame { captured, audio_level, ..whole }));
        self.arrivals.push((now + self.picture_path + jitter(random), n));
        while let Some(&(arrival, n)) = self.arrivals.first().filter(|(arrival, _)| *arrival <= now) {
            self.arrivals.remove(0);
            self.picture(n, arrival);
        }
        self.line.tick();
        let delay = self.line.playout.delay(Side::Picture);
        self.camera.handle(now, VideoInput::Delay(delay), &mut self.released);
        for output in self.released.drain() {
            if let VideoOutput::Release { frame, .. } = output
                && let Some((_, captured)) = frame.capture()
            {
                self.line.playout.played(Side::Picture, now, captured);
                self.skews.extend(self.line.playout.skew());
            }
        }
    }

    fn picture(&mut self, n: u64, arrival: Instant) {
        let after = limits::AUDIO_TICK * u32::try_from(n).unwrap();
        let (rtp_time, captured) = (Self::rtp_time(after, limits::VIDEO_CLOCK, self.drift[0]), self.captured(after));
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, Bytes::new(), n, rtp_time, arrival);
        let frame = ReceivedFrame { keyframe: n == 0, captured, ..whole };
        self.camera.handle(arrival, VideoInput::Frame(frame), &mut self.released);
        self.line.playout.want(Side::Picture, self.camera.wanted_delay());
        if let (Some(captured), Some(at)) = (captured, self.camera.expected(rtp_time)) {
            self.line.playout.expect(Side::Picture, at, captured);
        }
    }

    /// Plays so many seconds; the greatest skew after the first five, nanoseconds.
    fn play(&mut self, seconds: u64) -> u64 {
        let mut random = Random(9);
        let packets = encoded(&speech(), FRAME);
        for n in 0..seconds * 50 {
            if n == 250 {
                self.skews.clear();
            }
            self.tick(n, &packets[n as usize % packets.len()], &mut random);
        }
        self.skews.iter().map(|skew| skew.unsigned_abs()).max().unwrap_or(u64::MAX)
    }
}

#[test]
fn lips_and_voice_agree_within_40_ms() {
    for (path, drift) in [(0, [0, 0]), (120, [0, 0]), (120, [150, -150]), (30, [-200, 200])] {
        let mut lips = Lips::new(path, true, drift);
        let skew = lips.play(60);
        assert!(skew < 40_000_000, "pictures {path} ms slower, drift {drift:?}: {} ms", skew / 1_000_000);
        let late = lips.line.voice.jitter.stats().discarded;
        assert_eq!(late, 0, "nothing was thrown away for it");
    }
}

#[test]
fn without_sender_reports_nobody_waits_for_the_slower_path() {
    // What the reports are worth: without them the delay is the larger wish, which knows nothing of the 120 ms.
    let mut lips = Lips::new(120, false, [0, 0]);
    lips.play(20);
    assert!(lips.skews.is_empty() && lips.line.playout.skew().is_none());
    assert!(lips.line.playout.delay(Side::Sound) < Duration::from_millis(60));
    let mut lips = Lips::new(120, true, [0, 0]);
    lips.play(20);
    assert!(lips.line.playout.delay(Side::Sound) > Duration::from_millis(100));
}
