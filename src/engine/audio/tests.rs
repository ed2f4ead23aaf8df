//! A room's sound, heard through real Opus on both sides.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::base::allocations::allocations;
use crate::base::media::{Codec, EncodedFrame, ReceivedFrame, ShortBlock, Speech, TrackKind};
use crate::engine::decode::OpusDecoder;
use crate::engine::encode::OpusEncoder;
use crate::engine::flow::{Counter, OpusSender, SpeechReader, opus_queue, speech_feed};

/// A person who sends a tone.
struct Talker {
    track: TrackId,
    sender: OpusSender,
    encoder: OpusEncoder,
    frequency: f32,
    amplitude: f32,
    level: Option<AudioLevel>,
    sent: u64,
}

/// A listener's decoder and all it heard, left channel.
struct Ear {
    decoder: OpusDecoder,
    heard: Vec<f32>,
}

struct Stage {
    start: Instant,
    ticks: u64,
    sound: RoomSound,
    counters: SoundCounters,
}

impl Stage {
    fn new() -> Self {
        // Tones are not speech, and their amplitudes are looked at: no levelling.
        Self::with(SoundConfig { levelling: false, ..SoundConfig::default() })
    }

    fn with(config: SoundConfig) -> Self {
        let counters = SoundCounters::default();
        let sound = RoomSound::new(config, counters.clone()).unwrap();
        Self { start: Instant::now(), ticks: 0, sound, counters }
    }

    fn talker(&mut self, n: u64, frequency: f32, amplitude: f32) -> Talker {
        let (sender, receiver) = opus_queue(Counter::default());
        let track = TrackId { participant: ParticipantId(n), kind: TrackKind::Microphone };
        self.sound.add_voice(track, receiver, PlayoutCell::default());
        let encoder = OpusEncoder::new(OpusEncoderConfig { bitrate: 64_000, ..OpusEncoderConfig::default() }).unwrap();
        Talker { track, sender, encoder, frequency, amplitude, level: Some(AudioLevel(10)), sent: 0 }
    }

    fn now(&self) -> Instant {
        self.start + limits::AUDIO_TICK * u32::try_from(self.ticks).unwrap()
    }

    fn tick(&mut self) -> MixTick {
        let now = self.now() + Duration::from_millis(7);
        let pts = Pts(self.ticks * 20_000_000);
        self.ticks += 1;
        self.sound.tick(now, pts, Wallclock(pts.0))
    }
}

impl Talker {
    /// Makes the next packet; sends it unless it is `lost`. Who states silence sends silence: liars are found out
    /// elsewhere.
    fn say(&mut self, now: Instant, lost: bool) {
        let mut block = PcmBlock::silence();
        let amplitude = if self.level == Some(AudioLevel(127)) { 0.0 } else { self.amplitude };
        for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
            let at = (self.sent * limits::PCM_FRAMES as u64 + n as u64) as f64 * f64::from(self.frequency) / 48_000.0;
            pair.fill((at.fract() * std::f64::consts::TAU).sin() as f32 * amplitude);
        }
        let EncodedFrame { codec, data, .. } = self.encoder.encode(&block, Pts(0)).unwrap();
        let rtp_time = self.sent * limits::PCM_FRAMES as u64;
        let whole = ReceivedFrame::of_one_packet(codec, data, self.sent, rtp_time, now);
        let packet = ReceivedFrame { audio_level: self.level, ..whole };
        self.sent += 1;
        assert!(lost || self.sender.push(packet));
    }
}

impl Ear {
    fn new() -> Self {
        Self { decoder: OpusDecoder::new().unwrap(), heard: Vec::new() }
    }

    fn hear(&mut self, packet: &EncodedFrame) {
        assert_eq!(packet.codec, Codec::Opus);
        self.heard.extend(self.decoder.decode(&packet.data).unwrap().iter().step_by(2));
    }

    /// Amplitude of a tone over the last half second (Goertzel's algorithm).
    fn amplitude_of(&self, frequency: f32) -> f64 {
        let recent = &self.heard[self.heard.len() - 24_000..];
        let step = f64::from(frequency) / 48_000.0 * std::f64::consts::TAU;
        let (mut one, mut two) = (0.0_f64, 0.0_f64);
        for sample in recent {
            let next = f64::from(*sample) + 2.0 * step.cos() * one - two;
            (two, one) = (one, next);
        }
        let power = one * one + two * two - 2.0 * step.cos() * one * two;
        power.max(0.0).sqrt() * 2.0 / recent.len() as f64
    }
}

fn minus_of(tick: &MixTick, participant: ParticipantId) -> Option<&EncodedFrame> {
    tick.minus.iter().find(|(id, _)| *id == participant).map(|(_, frame)| frame)
}

#[test]
fn each_speaker_hears_the_others_and_not_themselves() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = [400.0, 700.0, 1100.0].iter().zip(1..).map(|(f, n)| stage.talker(n, *f, 0.2)).collect();
    let mut silent = stage.talker(99, 1900.0, 0.2);
    silent.level = Some(AudioLevel(127));
    let (mut shared, mut ears) = (Ear::new(), [Ear::new(), Ear::new(), Ear::new()]);
    for _ in 0..100 {
        let now = stage.now();
        talkers.iter_mut().chain([&mut silent]).for_each(|t| t.say(now, false));
        let tick = stage.tick();
        shared.hear(&tick.shared);
        for (ear, talker) in ears.iter_mut().zip(&talkers) {
            ear.hear(minus_of(&tick, talker.track.participant).unwrap_or(&tick.shared));
        }
        assert!(minus_of(&tick, silent.track.participant).is_none());
    }
    for (own, ear) in ears.iter().enumerate() {
        for (n, talker) in talkers.iter().enumerate() {
            let heard = ear.amplitude_of(talker.frequency);
            assert!((shared.amplitude_of(talker.frequency) - 0.2).abs() < 0.05);
            if n == own {
                assert!(heard < 0.2 * 0.01, "own voice 40 dB down after lossy coding: {heard}");
            } else {
                assert!((heard - 0.2).abs() < 0.05, "{heard}");
            }
        }
    }
    assert!(shared.amplitude_of(1900.0) < 0.001, "a voice that says it is silent is not heard");
    assert_eq!(stage.counters.voices_decoded.get(), 300, "nor decoded");
    assert_eq!(stage.counters.minus_encoded.get(), 300);
    let speaking: Vec<_> = stage.sound.speaking().map(|s| (s.track.participant.0, s.level.0, s.heard)).collect();
    assert_eq!(speaking, [(1, 10, true), (2, 10, true), (3, 10, true), (99, 127, false)]);
}

#[test]
fn before_encoding_ones_own_voice_is_not_there_at_all() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = [400.0, 700.0].iter().zip(1..).map(|(f, n)| stage.talker(n, *f, 0.9)).collect();
    let mut own = Ear::new();
    for _ in 0..60 {
        let now = stage.now();
        talkers.iter_mut().for_each(|t| t.say(now, false));
        stage.tick();
        if let Some(minus) = stage.sound.mixer.minus().find(|m| m.participant == ParticipantId(1)) {
            own.heard.extend(minus.block.samples.iter().step_by(2));
        }
    }
    assert!(own.amplitude_of(700.0) > 0.8);
    // The other's tone came through Opus, whose noise reaches a little into every frequency.
    assert!(own.amplitude_of(400.0) < 0.9 * 0.001, "60 dB down: {}", own.amplitude_of(400.0));
}

#[test]
fn a_recording_hears_nothing_of_whoever_does_not_want_to_be_in_it() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = [400.0, 700.0, 1100.0].iter().zip(1..).map(|(f, n)| stage.talker(n, *f, 0.3)).collect();
    let (mut shared, mut recorded) = (Ear::new(), Ear::new());
    let mut masks = Vec::new();
    for n in 0..120 {
        if n == 20 {
            stage.sound.leave_out([ParticipantId(1), ParticipantId(3)].into(), 7).unwrap();
        }
        let now = stage.now();
        talkers.iter_mut().for_each(|t| t.say(now, false));
        let tick = stage.tick();
        shared.hear(&tick.shared);
        masks.push(tick.redacted.as_ref().map(|redacted| redacted.mask));
        tick.redacted.iter().for_each(|redacted| recorded.hear(&redacted.packet));
    }
    assert!(masks[..20].iter().all(Option::is_none) && masks[20..].iter().all(|mask| *mask == Some(7)));
    for (frequency, is_recorded) in [(400.0, false), (700.0, true), (1100.0, false)] {
        assert!(shared.amplitude_of(frequency) > 0.2, "the room hears all");
        let heard = recorded.amplitude_of(frequency);
        // The one recorded went through Opus twice, whose noise reaches a little into every frequency.
        assert!(if is_recorded { heard > 0.25 } else { heard < 0.3 * 0.005 }, "{frequency} Hz: {heard}");
    }
    stage.sound.leave_out([].into(), 0).unwrap();
    assert!(stage.tick().redacted.is_none());
}

#[test]
fn two_rooms_never_hear_each_other() {
    let (mut here, mut there) = (Stage::new(), Stage::new());
    let (mut low, mut high) = (here.talker(1, 400.0, 0.3), there.talker(1, 1500.0, 0.3));
    let mut ears = [Ear::new(), Ear::new()];
    for _ in 0..60 {
        low.say(here.now(), false);
        high.say(there.now(), false);
        ears[0].hear(&here.tick().shared);
        ears[1].hear(&there.tick().shared);
    }
    assert!(ears[0].amplitude_of(400.0) > 0.25 && ears[0].amplitude_of(1500.0) < 0.001);
    assert!(ears[1].amplitude_of(1500.0) > 0.25 && ears[1].amplitude_of(400.0) < 0.001);
}

#[test]
fn lost_packets_are_concealed_and_the_tone_goes_on() {
    let mut stage = Stage::new();
    let mut talker = stage.talker(1, 440.0, 0.3);
    let mut ear = Ear::new();
    for n in 0..150 {
        talker.say(stage.now(), n % 10 == 9);
        ear.hear(&stage.tick().shared);
    }
    assert!(stage.counters.pcm_concealed.get() >= 14 * 960, "{}", stage.counters.pcm_concealed.get());
    assert!(ear.amplitude_of(440.0) > 0.2, "{}", ear.amplitude_of(440.0));
}

#[test]
fn full_scale_voices_do_not_clip() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = (1..=limits::VOICES_DEFAULT as u64 + 2).map(|n| stage.talker(n, 440.0, 1.0)).collect();
    for _ in 0..60 {
        let now = stage.now();
        talkers.iter_mut().for_each(|t| t.say(now, false));
        let tick = stage.tick();
        assert!(tick.minus.len() <= limits::VOICES_DEFAULT);
        assert!(stage.sound.mixer.shared().samples.iter().all(|s| s.abs() < 1.0));
        assert!(stage.sound.mixer.minus().all(|m| m.block.samples.iter().all(|s| s.abs() < 1.0)));
    }
    assert!(stage.sound.mixer.shared().samples.iter().any(|s| s.abs() > 0.8), "and they are loud");
    assert_eq!(stage.sound.speaking().filter(|s| s.heard).count(), limits::VOICES_DEFAULT);
}

#[test]
fn a_voice_without_stated_levels_is_measured() {
    let mut stage = Stage::new();
    let (mut loud, mut quiet) = (stage.talker(1, 440.0, 0.3), stage.talker(2, 900.0, 0.0));
    loud.level = None;
    quiet.level = None;
    let mut ear = Ear::new();
    for _ in 0..60 {
        let now = stage.now();
        loud.say(now, false);
        quiet.say(now, false);
        ear.hear(&stage.tick().shared);
    }
    assert!(ear.amplitude_of(440.0) > 0.25);
    let heard: Vec<_> = stage.sound.speaking().map(|s| s.heard).collect();
    assert_eq!(heard, [true, false]);
}

#[test]
fn a_voice_that_comes_and_goes_leaves_no_trace() {
    let mut stage = Stage::new();
    let mut talker = stage.talker(1, 440.0, 0.3);
    let mut ear = Ear::new();
    for _ in 0..30 {
        talker.say(stage.now(), false);
        ear.hear(&stage.tick().shared);
    }
    stage.sound.remove_voice(talker.track);
    stage.tick();
    for _ in 0..30 {
        let tick = stage.tick();
        assert!(tick.minus.is_empty());
        ear.hear(&tick.shared);
    }
    assert!(ear.amplitude_of(440.0) < 0.01);
    assert_eq!(stage.sound.speaking().count(), 0);
}

/// What one participant receives, whichever mix it is; both channels' mean.
fn received(ear: &mut Ear, tick: &MixTick, participant: ParticipantId) {
    ear.hear(minus_of(tick, participant).unwrap_or(&tick.shared));
}

/// Power of each 5 ms of what is left of a wave once its tones are taken out of it by least squares, 40 ms at a time:
/// dB below full scale. A click is broadband, so it stays.
fn residue(wave: &[f32], tones: &[f32]) -> Vec<f64> {
    let mut left = Vec::new();
    for window in wave.chunks_exact(1920) {
        let mut rest: Vec<f64> = window.iter().map(|s| f64::from(*s)).collect();
        for _ in 0..3 {
            for tone in tones {
                let step = f64::from(*tone) / 48_000.0 * std::f64::consts::TAU;
                for quadrature in [0.0, std::f64::consts::FRAC_PI_2] {
                    let basis = |n: usize| (n as f64 * step + quadrature).sin();
                    let dot: f64 = rest.iter().enumerate().map(|(n, s)| s * basis(n)).sum();
                    let norm: f64 = (0..rest.len()).map(|n| basis(n).powi(2)).sum();
                    rest.iter_mut().enumerate().for_each(|(n, s)| *s -= dot / norm * basis(n));
                }
            }
        }
        left.extend(
            rest.chunks_exact(240).map(|c| 10.0 * (c.iter().map(|s| s * s).sum::<f64>() / 240.0).max(1e-12).log10()),
        );
    }
    left
}

#[test]
fn changing_between_the_shared_and_the_own_mix_is_not_heard() {
    let mut stage = Stage::new();
    let (mut on, mut off) = (stage.talker(1, 700.0, 0.2), stage.talker(2, 1100.0, 0.2));
    let mut ear = Ear::new();
    let (mut packets, mut switches, mut own_before) = (0, Vec::new(), false);
    for n in 0..600_u64 {
        let now = stage.now();
        on.say(now, false);
        // A second on, a second off: the listener changes mixes at each begin and each end.
        off.level = Some(AudioLevel(if n / 50 % 2 == 1 { 10 } else { 127 }));
        off.say(now, false);
        let tick = stage.tick();
        let own = minus_of(&tick, ParticipantId(2)).is_some();
        if own != own_before {
            switches.push(n as usize * 960);
        }
        own_before = own;
        received(&mut ear, &tick, ParticipantId(2));
        packets += 1;
    }
    assert_eq!(ear.heard.len(), packets * 960, "a packet at each tick, whichever mix it comes from");
    assert!(switches.len() >= 10, "{switches:?}");
    let residue = residue(&ear.heard, &[700.0, 1100.0]);
    let at_switches: Vec<_> = switches
        .iter()
        .filter(|at| **at > 48_000)
        .map(|at| {
            let window = &residue[at / 240 - 4..(at / 240 + 20).min(residue.len())];
            window.iter().fold(f64::NEG_INFINITY, |most, p| most.max(*p))
        })
        .collect();
    let mut quiet = residue[200..].to_vec();
    quiet.sort_by(f64::total_cmp);
    let usual = quiet[quiet.len() / 2];
    let worst = at_switches.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    println!("residue: usual {usual:.0} dB, worst at a switch {worst:.0} dB of {at_switches:.0?}");
    assert!(worst < -50.0, "{worst} dB");
}

#[test]
fn when_all_are_silent_nothing_is_encoded_and_every_tick_still_has_a_packet() {
    let mut stage = Stage::new();
    let mut talker = stage.talker(1, 440.0, 0.3);
    let (mut ear, mut silent) = (Ear::new(), 0);
    for n in 0..300 {
        talker.level = Some(AudioLevel(if (100..250).contains(&n) { 127 } else { 10 }));
        talker.say(stage.now(), false);
        let tick = stage.tick();
        silent += u64::from(tick.silent);
        assert!(!tick.shared.data.is_empty());
        if tick.silent {
            assert!(tick.minus.is_empty());
        }
        ear.hear(&tick.shared);
    }
    assert!((95..125).contains(&silent), "{silent} of 150");
    assert_eq!(stage.counters.shared_encoded.get() + silent, 300);
    assert_eq!(ear.heard.len(), 300 * 960);
    assert!(ear.heard[170 * 960..240 * 960].iter().all(|s| s.abs() < 1e-3));
    assert!(ear.amplitude_of(440.0) > 0.28, "and back at once");
}

#[test]
fn an_announcement_is_heard_by_all_and_lowers_the_voices() {
    let mut stage = Stage::new();
    let mut talker = stage.talker(1, 440.0, 0.2);
    let mut blocks = Vec::new();
    for n in 0..100_usize {
        let mut block = ShortBlock::silence();
        for (at, pair) in block.samples.chunks_exact_mut(2).enumerate() {
            let value = ((n * 960 + at) as f32 * 1000.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.3;
            pair.fill(ShortBlock::sample(value));
        }
        blocks.push(block);
    }
    let (mut shared, mut own) = (Ear::new(), Ear::new());
    for n in 0..110 {
        if n == 20 {
            stage.sound.announce(blocks.clone().into());
        }
        talker.say(stage.now(), false);
        let tick = stage.tick();
        shared.hear(&tick.shared);
        received(&mut own, &tick, ParticipantId(1));
    }
    assert!((shared.amplitude_of(1000.0) - 0.3).abs() < 0.05 && (own.amplitude_of(1000.0) - 0.3).abs() < 0.05);
    assert!((shared.amplitude_of(440.0) - 0.05).abs() < 0.02, "{}", shared.amplitude_of(440.0));
    for _ in 0..120 {
        talker.say(stage.now(), false);
        shared.hear(&stage.tick().shared);
    }
    assert!(shared.amplitude_of(1000.0) < 0.01 && (shared.amplitude_of(440.0) - 0.2).abs() < 0.05);
}

#[test]
fn a_muted_voice_is_heard_by_nobody_and_a_volume_counts_in_every_mix() {
    let mut stage = Stage::new();
    let mut talkers = [stage.talker(1, 440.0, 0.2), stage.talker(2, 900.0, 0.2)];
    stage.sound.mute(ParticipantId(1), true);
    stage.sound.set_volume(ParticipantId(2), 0.5);
    let mut ear = Ear::new();
    for _ in 0..60 {
        let now = stage.now();
        talkers.iter_mut().for_each(|t| t.say(now, false));
        ear.hear(&stage.tick().shared);
    }
    assert!(ear.amplitude_of(440.0) < 0.001);
    assert!((ear.amplitude_of(900.0) - 0.1).abs() < 0.02);
    stage.sound.mute(ParticipantId(1), false);
    for _ in 0..60 {
        let now = stage.now();
        talkers.iter_mut().for_each(|t| t.say(now, false));
        ear.hear(&stage.tick().shared);
    }
    assert!((ear.amplitude_of(440.0) - 0.2).abs() < 0.05);
}

/// What a captioner holds now, without waiting.
fn overheard(reader: &mut SpeechReader) -> Vec<Speech> {
    let mut all = Vec::new();
    while let Poll::Ready(Some(heard)) = pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop())) {
        assert_eq!(heard.lost, 0);
        all.push(heard.speech);
    }
    all
}

#[test]
fn captioners_hear_each_audible_voice_by_itself_and_nothing_of_the_muted() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = [400.0, 700.0].iter().zip(1..).map(|(f, n)| stage.talker(n, *f, 0.3)).collect();
    let mut silent = stage.talker(99, 1900.0, 0.2);
    silent.level = Some(AudioLevel(127));
    let (feed, mut reader) = speech_feed(Counter::default());
    let (mut feed, mut waves, mut ended) = (Some(feed), [Vec::new(), Vec::new()], Vec::new());
    for n in 0..100 {
        if n == 20 {
            assert!(stage.sound.captioned.is_none(), "nobody listens: nothing is tapped");
            stage.sound.caption(feed.take().unwrap());
        }
        if n == 60 {
            stage.sound.mute(ParticipantId(2), true);
        }
        let now = stage.now();
        talkers.iter_mut().chain([&mut silent]).for_each(|t| t.say(now, false));
        stage.tick();
        for speech in overheard(&mut reader) {
            match speech {
                Speech::Block(block) => {
                    assert_eq!(block.from, Pts(n * 20_000_000));
                    let of = usize::try_from(block.track.participant.0).unwrap() - 1;
                    waves[of].extend(block.samples.map(|sample| f32::from(sample) / 32_767.0));
                }
                Speech::Ends(track, at) => ended.push((track.participant.0, at.0 / 20_000_000)),
            }
        }
    }
    assert_eq!([waves[0].len(), waves[1].len()], [80 * limits::SPEECH_SAMPLES, 40 * limits::SPEECH_SAMPLES]);
    assert_eq!(ended, [(2, 60)], "at the very tick at which a host mutes them");
    for (of, own) in [400.0_f64, 700.0].into_iter().enumerate() {
        let amplitude = |hz: f64| {
            let recent = &waves[of][waves[of].len() - 8_000..];
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in recent.iter().enumerate() {
                let (sin, cos) = (n as f64 * hz / 16_000.0 * std::f64::consts::TAU).sin_cos();
                (re, im) = (re + f64::from(*sample) * cos, im + f64::from(*sample) * sin);
            }
            2.0 * re.hypot(im) / recent.len() as f64
        };
        assert!((amplitude(own) - 0.3).abs() < 0.05, "{own} Hz: {}", amplitude(own));
        assert!(amplitude(1100.0 - own) < 0.003, "nothing of the other");
    }
    drop(reader);
    stage.tick();
    assert!(stage.sound.captioned.is_none(), "once nobody listens, nothing is tapped");
}

#[test]
fn listeners_who_lose_packets_get_fec() {
    let mut stage = Stage::new();
    let mut talker = stage.talker(1, 440.0, 0.3);
    let mut sizes = [0, 0];
    for n in 0..400 {
        if n == 200 {
            (0..6).for_each(|_| stage.sound.report_loss(20.0));
        }
        talker.say(stage.now(), false);
        sizes[usize::from(n >= 200)] += stage.tick().shared.data.len();
    }
    assert!(sizes[1] > sizes[0] * 5 / 4, "bits of their own for FEC: {sizes:?}");
}

#[test]
fn a_thousand_ticks_allocate_what_goes_out_and_no_more() {
    let mut stage = Stage::new();
    let mut talkers: Vec<_> = (0..3).map(|n| stage.talker(n, 200.0 + 100.0 * n as f32, 0.2)).collect();
    let (mut worst, mut most) = (0, 0);
    for tick in 0..1_100 {
        let now = stage.now();
        talkers.iter_mut().for_each(|talker| talker.say(now, false));
        let mut mixed = None;
        let allocated = allocations(|| mixed = Some(stage.tick()));
        let out = mixed.expect("a tick");
        // While the voices come up, queues grow.
        if tick >= 100 {
            most = most.max(out.minus.len());
            worst = worst.max(allocated);
        }
    }
    // The packets of everybody's mix and of the three others, and the list of these.
    assert_eq!((most, worst), (3, 4 + 1));
}
