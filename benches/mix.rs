//! What does a room's sound cost at one tick? The sums alone, and everything from the Opus queues to the packets of all
//! mixes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::limits;
use tessera::base::media::{
    AudioLevel, EncodedFrame, ParticipantId, PcmBlock, Pts, ReceivedFrame, TrackId, TrackKind, Wallclock,
};
use tessera::core::mix::{Fade, Mixer, SoundKind, Voice};
use tessera::engine::audio::{RoomSound, SoundConfig, SoundCounters};
use tessera::engine::encode::{OpusEncoder, OpusEncoderConfig};
use tessera::engine::flow::{Counter, OpusSender, PlayoutCell, opus_queue};

fn tone(frequency: f32, from: usize) -> PcmBlock {
    let mut block = PcmBlock::silence();
    for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
        pair.fill(((from + n) as f32 * frequency / 48_000.0 * std::f32::consts::TAU).sin() * 0.3);
    }
    block
}

fn mixer(criterion: &mut Criterion) {
    let blocks: Vec<_> = (1..=limits::VOICES_DEFAULT).map(|n| tone(200.0 * n as f32, 0)).collect();
    let voices: Vec<_> = (0..)
        .zip(&blocks)
        .map(|(n, block)| Voice {
            participant: Some(ParticipantId(n)),
            kind: SoundKind::Speech,
            block,
            fade: Fade::Hold,
        })
        .collect();
    let mut mixer = Mixer::new(false);
    criterion.bench_function("mix/six_voices_and_their_minus", |bencher| {
        bencher.iter(|| {
            mixer.mix(black_box(&voices));
            black_box(mixer.minus().count())
        });
    });
}

/// Packets of a second of a tone that fits it exactly, so that they may be sent again and again.
fn second_of_tone(frequency: f32) -> Vec<EncodedFrame> {
    let mut encoder = OpusEncoder::new(OpusEncoderConfig::default()).expect("an encoder");
    (0..50).map(|n| encoder.encode(&tone(frequency, n * limits::PCM_FRAMES), Pts(0)).expect("a packet")).collect()
}

fn send(sender: &mut OpusSender, packet: &EncodedFrame, n: u64, level: u8, now: Instant) {
    let rtp_time = n * limits::PCM_FRAMES as u64;
    let whole = ReceivedFrame::of_one_packet(packet.codec, packet.data.clone(), n, rtp_time, now);
    assert!(sender.push(ReceivedFrame { audio_level: Some(AudioLevel(level)), ..whole }));
}

fn room(criterion: &mut Criterion, name: &str, people: u64, speakers: u64, config: SoundConfig) {
    let mut sound = RoomSound::new(config, SoundCounters::default()).expect("a room");
    let packets = second_of_tone(400.0);
    // Who states silence sends it: the node finds liars out, and hears them.
    let silence =
        OpusEncoder::new(OpusEncoderConfig::default()).expect("an encoder").encode(&PcmBlock::silence(), Pts(0));
    let silence = silence.expect("a packet");
    let mut senders: Vec<_> = (0..people)
        .map(|id| {
            let (sender, receiver) = opus_queue(Counter::default());
            let track = TrackId { participant: ParticipantId(id), kind: TrackKind::Microphone };
            sound.add_voice(track, receiver, PlayoutCell::default());
            sender
        })
        .collect();
    let (start, mut n) = (Instant::now(), 0_u64);
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let now = start + Duration::from_millis(n * 20);
            let packet = &packets[n as usize % packets.len()];
            for (id, sender) in (0..).zip(&mut senders) {
                let (packet, level) = if id < speakers { (packet, 20) } else { (&silence, 127) };
                send(sender, packet, n, level, now);
            }
            n += 1;
            black_box(sound.tick(now, Pts(n), Wallclock(n)))
        });
    });
    // A bench that the filter left out has sent nothing.
    let heard = sound.speaking().filter(|s| s.heard).count() as u64;
    let wanted = speakers.min(config.voices as u64);
    assert!(n == 0 || heard == wanted, "the bench measures what its name says: {heard} of {wanted} are heard");
}

/// A tick lasts 20 ms: 2 ms are 10 % of a core. Everything is on but noise suppression, which has a row of its own.
fn rooms(criterion: &mut Criterion) {
    let all = SoundConfig { duck_screens: true, ..SoundConfig::default() };
    for people in [10, 100, 1000] {
        room(criterion, &format!("sound/tick/{people}_people_5_speak"), people, 5, all);
    }
    let suppressed = SoundConfig { noise_suppression: true, ..all };
    room(criterion, "sound/tick/100_people_5_speak_noise_suppressed", 100, 5, suppressed);
    room(criterion, "sound/tick/100_people_100_speak", 100, 100, all);
    room(criterion, "sound/tick/16_people_2_speak", 16, 2, all);
    for people in [100, 1000] {
        room(criterion, &format!("sound/tick/{people}_people_silent"), people, 0, all);
    }
}

criterion_group!(benches, mixer, rooms);
criterion_main!(benches);
