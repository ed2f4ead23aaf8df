//! The audio jitter buffer, packet by packet.

use super::*;
use crate::base::media::Codec;
use crate::core::jitter::Stretcher;

/// A full-band 20 ms packet: configuration 31, one frame.
const TOC_20_MS: u8 = 31 << 3;
/// Configuration 28: 2.5 ms. Configuration 11: 60 ms.
const TOC_2_5_MS: u8 = 28 << 3;
const TOC_60_MS: u8 = 11 << 3;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn packet(toc: u8, sequence: u64, rtp_time: u64, arrival: Instant) -> AudioInput {
    let whole = ReceivedFrame::of_one_packet(Codec::Opus, Bytes::from(vec![toc; 40]), sequence, rtp_time, arrival);
    AudioInput::Packet(ReceivedFrame { audio_level: Some(AudioLevel(20)), ..whole })
}

/// One letter a piece: P with its sequence number, C, F (conceal with FEC at hand), or S.
fn tick(jitter: &mut AudioJitter, now: Instant, delay: Duration) -> Vec<String> {
    let mut out = Outbox::new();
    jitter.handle(now, AudioInput::Tick(delay), &mut out);
    out.drain()
        .map(|piece| match piece {
            AudioPiece::Play { packet, .. } => format!("P{}", packet.sequence_first),
            AudioPiece::Conceal { next: None, .. } => "C".into(),
            AudioPiece::Conceal { next: Some(_), .. } => "F".into(),
            AudioPiece::Comfort { .. } => "N".into(),
            AudioPiece::Silence { .. } => "S".into(),
        })
        .collect()
}

/// Feeds packets as (sequence, arrival in ms) of 20 ms each, ticks every 20 ms from 5 ms on, and says what played.
fn play(arrivals: &[(u64, u64)], ticks: u64, delay: Duration) -> (Vec<String>, AudioStats) {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_by_key(|a| a.1);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut heard = Vec::new();
    for n in 0..ticks {
        let now = start + ms(n * 20 + 5);
        while let Some((sequence, at)) = arrivals.next_if(|a| start + ms(a.1) <= now) {
            let input = packet(TOC_20_MS, sequence, sequence * 960, start + ms(at));
            jitter.handle(now, input, &mut Outbox::new());
        }
        heard.extend(tick(&mut jitter, now, delay));
        let unheard = jitter.advice().unheard();
        jitter.handle(now, AudioInput::Stretched(unheard), &mut Outbox::new());
    }
    (heard, jitter.stats())
}

#[test]
fn a_clean_network_plays_each_packet_at_the_next_tick() {
    let arrivals: Vec<_> = (0..5).map(|n| (n, n * 20)).collect();
    let (heard, stats) = play(&arrivals, 5, ms(3));
    assert_eq!(heard, ["P0", "P1", "P2", "P3", "P4"]);
    assert_eq!(stats.concealed_samples, 0);
}

#[test]
fn reordered_and_repeated_packets_play_once_in_order() {
    let arrivals = [(0, 0), (2, 15), (1, 30), (1, 31), (2, 32), (3, 60), (0, 61), (4, 80)];
    let (heard, stats) = play(&arrivals, 7, ms(30));
    assert_eq!(heard, ["S", "P0", "P1", "P2", "P3", "P4", "C"]);
    assert_eq!((stats.played, stats.discarded), (5, 3));
}

#[test]
fn a_lost_packet_is_concealed_with_fec_from_the_next() {
    let arrivals = [(0, 0), (1, 20), (3, 60), (4, 80), (7, 140), (8, 160)];
    let (heard, _) = play(&arrivals, 12, ms(25));
    assert_eq!(heard[1..10], ["P0", "P1", "F", "P3", "P4", "C", "F", "P7", "P8"], "{heard:?}");
}

#[test]
fn silence_follows_a_short_concealment_and_the_voice_comes_back_by_its_clock() {
    let mut arrivals: Vec<_> = (0..3).map(|n| (n, n * 20)).collect();
    // A sender that pauses keeps counting time but not sequence; here the sequence does jump, and the hole is long.
    arrivals.extend((100..103).map(|n| (n, n * 20)));
    let (heard, _) = play(&arrivals, 104, ms(0));
    assert_eq!(heard[..9], ["P0", "P1", "P2", "C", "C", "C", "C", "C", "S"]);
    assert_eq!(heard[99..103], ["S", "P100", "P101", "P102"]);
}

#[test]
fn short_and_long_packets_fill_ticks_without_a_hole() {
    let start = Instant::now();
    let mut short = AudioJitter::new();
    let mut long = AudioJitter::new();
    for n in 0..16 {
        short.handle(start, packet(TOC_2_5_MS, n, n * 120, start), &mut Outbox::new());
    }
    for n in 0..2 {
        long.handle(start, packet(TOC_60_MS, n, n * 2880, start), &mut Outbox::new());
    }
    // They came at once, which the delay covers.
    let delay = Duration::from_micros(37_500);
    assert_eq!(tick(&mut short, start, delay).len(), 8);
    assert_eq!(tick(&mut short, start + ms(20), delay).len(), 8);
    let heard: Vec<_> = (0..6).map(|n| tick(&mut long, start + ms(n * 20), ms(60)).len()).collect();
    assert_eq!(heard, [1, 0, 0, 1, 0, 0]);
}

#[test]
fn wrapped_time_jumps_and_new_sources_are_taken_in_stride() {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut heard = Vec::new();
    let first = u64::MAX - 960 * 2 + 1;
    for n in 0..4_u64 {
        let now = start + ms(n * 20);
        let input = packet(TOC_20_MS, n, first.wrapping_add(n * 960), now);
        jitter.handle(now, input, &mut Outbox::new());
        heard.extend(tick(&mut jitter, now, ms(0)));
    }
    assert_eq!(heard, ["P0", "P1", "P2", "P3"], "the extended time wraps after the second packet");
    heard.clear();
    for n in 0..3_u64 {
        let now = start + ms(80 + n * 20);
        jitter.handle(now, packet(TOC_20_MS, 50_000 + n, 77 + n * 960, now), &mut Outbox::new());
        heard.extend(tick(&mut jitter, now, ms(0)));
    }
    assert_eq!(heard, ["P50000", "P50001", "P50002"], "another SSRC");
    assert_eq!(jitter.stats().restarts, 2);
}

#[test]
fn a_surplus_is_shed_and_an_underrun_makes_room() {
    // Everything plays 100 ms late at first, because the first packets came late; then the network is quick.
    let arrivals: Vec<_> = (0..400).map(|n| (n, if n < 5 { 100 } else { n * 20 })).collect();
    let (_, stats) = play(&arrivals, 400, ms(0));
    assert!(stats.queued <= 2, "the surplus is gone: {stats:?}");
    assert_eq!(stats.packets, stats.played + stats.discarded + stats.queued as u64);
    // A network that turns slow by 60 ms: once the delay follows, packets play again instead of being late.
    let arrivals: Vec<_> = (0..200).map(|n| (n, n * 20 + if n < 50 { 0 } else { 60 })).collect();
    let (heard, stats) = play(&arrivals, 204, ms(80));
    assert!(stats.discarded <= 1, "{stats:?}");
    assert!(heard.iter().filter(|h| h.starts_with('P')).count() >= 198);
}

#[test]
fn what_is_no_opus_packet_is_discarded() {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut bad = packet(3, 0, 0, start);
    if let AudioInput::Packet(frame) = &mut bad {
        frame.data = Bytes::from_static(&[3]);
    }
    jitter.handle(start, bad, &mut Outbox::new());
    assert_eq!(jitter.stats().discarded, 1);
    assert!(jitter.is_idle());
}

/// The sender's microphone with its network: packet `n` and how long after `n` times 20 ms of its clock it comes, if at
/// all.
fn listen(packets: u64, transit: impl Fn(u64) -> Option<Duration>) -> (Vec<String>, AudioJitter) {
    let start = Instant::now();
    let mut arrivals: Vec<_> = (0..packets).filter_map(|n| Some((ms(n * 20) + transit(n)?, n))).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut jitter, mut heard) = (AudioJitter::new(), Vec::new());
    for n in 0..packets {
        let now = start + ms(n * 20 + 5);
        while let Some((at, sequence)) = arrivals.next_if(|a| start + a.0 <= now) {
            jitter.handle(now, packet(TOC_20_MS, sequence, sequence * 960, start + at), &mut Outbox::new());
        }
        let delay = jitter.wanted_delay();
        heard.extend(tick(&mut jitter, now, delay));
        let unheard = jitter.advice().unheard();
        jitter.handle(now, AudioInput::Stretched(unheard), &mut Outbox::new());
    }
    (heard, jitter)
}

fn count(heard: &[String], of: &str) -> usize {
    heard.iter().filter(|h| h.starts_with(of)).count()
}

#[test]
fn even_jitter_costs_delay_and_next_to_no_sound() {
    // 50 ms, give or take 20, each packet for itself: every third overtakes another.
    let (heard, jitter) = listen(3000, |n| Some(ms(30 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 41)));
    let concealed = count(&heard[500..], "C") + count(&heard[500..], "F");
    assert!(concealed <= 100, "{concealed} of 2,500");
    assert!(jitter.wanted_delay() <= ms(50), "{:?}", jitter.wanted_delay());
}

#[test]
fn a_stall_is_bridged_then_played_and_caught_up_with() {
    // Packets 500 to 504 are held for 100 ms and come at once.
    let held = |n: u64| ms(if (500..505).contains(&n) { 5 + (505 - n) * 20 } else { 5 });
    let (heard, jitter) = listen(1500, |n| Some(held(n)));
    assert!(count(&heard, "C") <= 6, "bridged");
    assert!(count(&heard, "P") >= 1498, "and nothing of it is lost: {}", count(&heard, "P"));
    let stats = jitter.stats();
    assert!(stats.shrunk_samples >= 3 * 960, "{stats:?}");
    assert!(stats.late_samples < 960 + 2 * SLACK_UNREST && stats.queued <= 2, "caught up with: {stats:?}");
}

#[test]
fn a_long_stall_is_not_played_late() {
    let held = |n: u64| ms(if (500..550).contains(&n) { 5 + (550 - n) * 20 } else { 5 });
    let (heard, jitter) = listen(1500, |n| Some(held(n)));
    assert!(count(&heard, "C") <= 6 && count(&heard, "S") >= 40, "a second of nothing is silence");
    assert!(jitter.stats().discarded_surplus >= 30, "{:?}", jitter.stats());
    assert!(jitter.stats().late_samples < 960 + 2 * SLACK_UNREST);
}

#[test]
fn a_pause_of_the_sender_is_comfort_noise_and_then_silence() {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut heard = Vec::new();
    for n in 0..100_u64 {
        let now = start + ms(n * 20);
        if !(3..90).contains(&n) {
            let mut input = packet(TOC_20_MS, if n < 3 { n } else { n - 87 }, n * 960, now);
            if let (2, AudioInput::Packet(frame)) = (n, &mut input) {
                frame.data.truncate(1);
            }
            jitter.handle(now, input, &mut Outbox::new());
        }
        heard.extend(tick(&mut jitter, now, ms(0)));
    }
    assert_eq!(
        (count(&heard, "N"), count(&heard, "C"), count(&heard, "P")),
        (limits::COMFORT_TICKS_MAX as usize, 0, 13)
    );
    assert_eq!(heard[2..4], ["P2", "N"]);
    assert_eq!(heard[89..92], ["S", "P3", "P4"]);
}

#[test]
fn fec_is_waited_for_once_packets_are_lost() {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut heard = Vec::new();
    for n in 0..1000_u64 {
        let now = start + ms(n * 20);
        if n % 10 != 9 {
            let mut input = packet(0, n, n * 960, now);
            if let AudioInput::Packet(frame) = &mut input {
                // SILK, 20 ms, mono, its voice-activity and FEC flags set.
                frame.data = Bytes::from_static(&[1 << 3, 0b1100_0000, 0, 0, 0, 0]);
            }
            jitter.handle(now, input, &mut Outbox::new());
        }
        let delay = jitter.wanted_delay();
        heard.extend(tick(&mut jitter, now, delay));
        let unheard = jitter.advice().unheard();
        jitter.handle(now, AudioInput::Stretched(unheard), &mut Outbox::new());
    }
    assert!(jitter.wanted_delay() >= ms(20));
    let late = &heard[500..];
    assert_eq!(count(late, "C"), 0, "each loss is repaired");
    assert!(count(late, "F") >= 48);
}

#[test]
fn a_copy_fills_a_hole_and_is_no_late_packet() {
    let start = Instant::now();
    let mut jitter = AudioJitter::new();
    let mut heard = Vec::new();
    for n in 0..500_u64 {
        let now = start + ms(n * 20);
        if n % 10 != 9 {
            jitter.handle(now, packet(TOC_20_MS, n, n * 960, now), &mut Outbox::new());
        }
        if n % 10 == 0 && n > 0 {
            jitter.handle(now, packet(TOC_20_MS, n - 1, (n - 1) * 960, now), &mut Outbox::new());
        }
        let delay = jitter.wanted_delay();
        heard.extend(tick(&mut jitter, now, delay));
        let unheard = jitter.advice().unheard();
        jitter.handle(now, AudioInput::Stretched(unheard), &mut Outbox::new());
    }
    let late = &heard[250..];
    assert_eq!(count(late, "C") + count(late, "F"), 0, "{late:?}");
    assert!(jitter.wanted_delay() <= ms(25), "{:?}", jitter.wanted_delay());
}

/// A day in virtual time with a clock `ppm` off: the real buffer and the real kernel, on a hummed vowel.
fn drift(ppm: i64) {
    let vowel: Vec<f32> =
        (0..8_000_u32).map(|n| (f64::from(n / 2) * 150.0 / 48_000.0).fract() as f32 * 0.4 - 0.2).collect();
    let (start, day) = (Instant::now(), 24 * 3600 * 50_u64);
    let (mut jitter, mut stretcher, mut out) = (AudioJitter::new(), Stretcher::new(), Outbox::new());
    let data = Bytes::from_static(&[TOC_20_MS; 40]);
    let arrival = |n: u64| {
        let nanos = n * 20_000_000;
        let drifted = i64::try_from(nanos).unwrap() / 1_000_000 * ppm;
        start + Duration::from_nanos(nanos.checked_add_signed(drifted).unwrap() + n * 7919 % 6_000_000)
    };
    let (mut next, mut waiting, mut worst) = (0, Vec::new(), (i64::MAX, i64::MIN));
    for n in 0..day {
        let now = start + ms(n * 20);
        while arrival(next) <= now {
            let AudioInput::Packet(mut frame) = packet(TOC_20_MS, next, next * 960, arrival(next)) else {
                unreachable!()
            };
            frame.data = data.clone();
            jitter.handle(now, AudioInput::Packet(frame), &mut out);
            next += 1;
        }
        let delay = jitter.wanted_delay();
        jitter.handle(now, AudioInput::Tick(delay), &mut out);
        out.drain().for_each(drop);
        let frames = 960 + jitter.samples_ahead() as usize;
        waiting.clear();
        let by = match jitter.advice() {
            Stretch::Keep => 0,
            Stretch::Shrink { samples_max, likeness } => {
                waiting.extend_from_slice(&vowel[..frames * 2]);
                -(stretcher.shrink(&mut waiting, samples_max as usize, likeness) as i32)
            }
            Stretch::Grow { likeness } => {
                waiting.extend_from_slice(&vowel[1920..(960 + frames) * 2]);
                stretcher.grow(&vowel[..1920], &mut waiting, likeness) as i32
            }
        };
        jitter.handle(now, AudioInput::Stretched(by), &mut out);
        if n > 500 {
            let late = jitter.stats().late_samples;
            worst = (worst.0.min(late), worst.1.max(late));
            assert!(delay <= ms(20), "{n}: {delay:?}");
        }
    }
    let stats = jitter.stats();
    println!("{ppm} ppm: late by {worst:?} samples, {stats:?}");
    assert_eq!((stats.discarded, stats.restarts), (0, 1), "{stats:?}");
    assert!(stats.concealed_samples <= 960, "no underrun: {stats:?}");
    assert!(worst.0 >= -480 && worst.1 <= 1920, "between 10 ms early and 40 ms late: {worst:?}");
    let (less, more) = (stats.shrunk_samples as i64, stats.grown_samples as i64);
    let expected = 24 * 3600 * 48_000 / 1_000_000 * -ppm;
    // 48 samples a day are rounding of the day; what is played and what is made differ by the drift.
    assert!((less - more - expected).abs() < 4_000, "{less} - {more} is not {expected}");
    assert!(less.min(more) < less.max(more) / 2, "it does not cut out and put in by turns: {less}, {more}");
}

#[test]
fn a_slow_clock_is_followed_for_a_day() {
    drift(200);
}

#[test]
fn a_fast_clock_is_followed_for_a_day() {
    drift(-200);
}
