//! **The question:** which Opus packet plays at this tick, and what when there is none? Packets come in any order; each tick takes
//! 20 ms of sound out: packets, concealment or silence. It is pulled, so it has no deadline.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::jitter::{Transit, toc};
use crate::limits;
use crate::media::{AudioLevel, EncodedFrame, Outbox};

/// Share of packets that shall be in time: a late one is heard as a gap.
const IN_TIME_PERCENT: usize = 97;
/// What the wish adds to that percentile.
const MARGIN: Duration = Duration::from_millis(3);
/// Samples of one tick.
const TICK: u32 = limits::PCM_FRAMES as u32;
/// Ticks that an empty buffer is concealed; libopus has faded to silence by then.
const CONCEAL_TICKS_MAX: u32 = 5;
/// A hole in the timestamps longer than this is a pause or a jump, not a loss: 1 s.
const HOLE_SAMPLES_MAX: u64 = limits::SAMPLE_RATE as u64;
/// RFC 3550 appendix A.1: a sequence number further off than this begins a new source.
const SEQUENCE_JUMP_MAX: u64 = 3_000;
/// So many packets behind the playing position in a row mean that the source began anew.
const BEHIND_MAX: u32 = 10;
/// Playing so much later than the delay asks for is a surplus.
const SURPLUS_SAMPLES: i64 = TICK as i64 * 3 / 2;
/// A surplus must last so many ticks before a quiet packet is given up for it.
const SURPLUS_TICKS_QUIET: u32 = 25;
/// After so many ticks any packet is given up.
const SURPLUS_TICKS_ANY: u32 = 100;
/// −dBov from which a packet counts as quiet.
const QUIET: AudioLevel = AudioLevel(60);

/// What the mix thread tells a voice's jitter buffer.
#[derive(Debug)]
pub enum AudioInput {
    /// A packet in any order, its `ingest` set.
    Packet(EncodedFrame),
    /// The audio tick: push what plays now. The delay is the larger of what camera and microphone want.
    Tick(Duration),
}

/// A piece of what plays at a tick. The pieces of all ticks follow each other without a hole; those of one tick reach at
/// least 20 ms past the last tick (a packet of 60 ms is pushed whole, and the next two ticks push nothing).
#[derive(Debug)]
pub enum AudioPiece {
    /// Decode this packet.
    Play {
        /// The packet.
        packet: EncodedFrame,
        /// How long it lasts, samples at 48 kHz.
        samples: u32,
    },
    /// A packet is missing: conceal it.
    Conceal {
        /// For how long, samples at 48 kHz; a multiple of 120.
        samples: u32,
        /// The packet right after the hole, whose in-band FEC may restore the last frame of the hole (RFC 6716 section 2.1.7).
        next: Option<Bytes>,
    },
    /// Nothing to hear: not started, muted, or DTX.
    Silence {
        /// For how long, samples at 48 kHz.
        samples: u32,
    },
}

/// What happened so far. `packets = played + discarded + queued`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioStats {
    /// Packets that came in.
    pub packets: u64,
    /// Packets pushed as `AudioPiece::Play`.
    pub played: u64,
    /// Packets discarded: late, repeated, not Opus, surplus, or of a timeline that ended.
    pub discarded: u64,
    /// Of those, how many shortened the delay.
    pub discarded_surplus: u64,
    /// Samples concealed.
    pub concealed_samples: u64,
    /// Timelines begun.
    pub restarts: u64,
    /// Packets that wait now.
    pub queued: usize,
}

/// The jitter buffer of one voice.
#[derive(Debug)]
pub struct AudioJitter {
    transit: Transit,
    /// In the order of RTP time, no two alike.
    queue: VecDeque<Waiting>,
    playing: Option<Playing>,
    /// The packet played last, by which repetitions are known.
    last: Option<Last>,
    /// Samples pushed beyond the last tick.
    ahead: u32,
    behind_in_a_row: u32,
    surplus_ticks: u32,
    stats: AudioStats,
}

#[derive(Debug)]
struct Waiting {
    packet: EncodedFrame,
    rtp_time: u64,
    sequence: u64,
    samples: u32,
}

#[derive(Debug, Clone, Copy)]
struct Playing {
    /// RTP time of the next sample.
    next: u64,
    /// Ticks concealed in a row with nothing in the buffer.
    starved_ticks: u32,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    rtp_time: u64,
    sequence: u64,
    samples: u32,
    dtx: bool,
}

/// What the front of the queue means for the next samples.
enum Step {
    Play,
    Conceal(u32),
    Silence,
}

impl Default for AudioJitter {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioJitter {
    /// An empty buffer that plays silence until packets come.
    #[must_use]
    pub fn new() -> Self {
        Self {
            transit: Transit::new(limits::SAMPLE_RATE, IN_TIME_PERCENT, MARGIN),
            queue: VecDeque::with_capacity(limits::OPUS_QUEUE_LEN),
            playing: None,
            last: None,
            ahead: 0,
            behind_in_a_row: 0,
            surplus_ticks: 0,
            stats: AudioStats::default(),
        }
    }

    /// Takes one packet, or pushes what plays at this tick.
    pub fn handle(&mut self, now: Instant, input: AudioInput, out: &mut Outbox<AudioPiece>) {
        match input {
            AudioInput::Packet(packet) => self.admit(packet),
            AudioInput::Tick(delay) => self.tick(now, delay.min(limits::PLAYOUT_DELAY_MAX), out),
        }
        debug_assert!(self.queue.len() <= limits::OPUS_QUEUE_LEN, "the buffer is bounded");
    }

    /// How long this voice wants its packets to wait.
    #[must_use]
    pub fn wanted_delay(&self) -> Duration {
        self.transit.wanted_delay()
    }

    /// Samples pushed so far that belong after the last tick: the rest of a packet longer than a tick.
    #[must_use]
    pub fn samples_ahead(&self) -> u32 {
        self.ahead
    }

    /// Whether nothing waits and nothing plays: the voice is muted or not yet there.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.playing.is_none() && self.queue.is_empty()
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> AudioStats {
        AudioStats { queued: self.queue.len(), ..self.stats }
    }

    fn admit(&mut self, packet: EncodedFrame) {
        self.stats.packets += 1;
        let ingest = packet.ingest.as_ref().expect("an incoming packet carries what the wire knew");
        let (rtp_time, sequence, arrival) = (ingest.rtp_time, ingest.sequence_first, ingest.arrival);
        let Some(samples) = toc::packet_samples(&packet.data) else {
            self.stats.discarded += 1;
            return;
        };
        let far = self.last.is_some_and(|last| distance(last.sequence, sequence) > SEQUENCE_JUMP_MAX);
        if far {
            self.transit.forget();
        }
        let observed = self.transit.observe(rtp_time, arrival);
        if observed.restarted {
            self.restart();
        }
        if self.is_behind(rtp_time, sequence) {
            self.stats.discarded += 1;
            self.behind_in_a_row += 1;
            // A repetition says nothing about the network; a packet that missed its turn does.
            if self.playing.is_some() && self.last.is_some_and(|last| is_after(sequence, last.sequence)) {
                self.transit.missed(observed.excess);
            }
            if self.behind_in_a_row >= BEHIND_MAX {
                self.transit.forget();
                self.restart();
            }
            return;
        }
        self.behind_in_a_row = 0;
        self.enqueue(Waiting { packet, rtp_time, sequence, samples });
    }

    fn is_behind(&self, rtp_time: u64, sequence: u64) -> bool {
        match (self.playing, self.last) {
            (Some(playing), _) => is_after(playing.next, rtp_time),
            (None, Some(last)) => !is_after(sequence, last.sequence) && !is_after(rtp_time, last.rtp_time),
            (None, None) => false,
        }
    }

    fn enqueue(&mut self, waiting: Waiting) {
        let at = self.queue.iter().rposition(|w| !is_after(w.rtp_time, waiting.rtp_time)).map_or(0, |at| at + 1);
        if at > 0 && self.queue[at - 1].rtp_time == waiting.rtp_time {
            self.stats.discarded += 1;
            return;
        }
        self.queue.insert(at, waiting);
        if self.queue.len() > limits::OPUS_QUEUE_LEN - 1 {
            self.queue.pop_front();
            self.stats.discarded += 1;
        }
    }

    fn restart(&mut self) {
        self.stats.restarts += 1;
        self.stats.discarded += self.queue.len() as u64;
        self.queue.clear();
        self.playing = None;
        self.last = None;
        self.behind_in_a_row = 0;
    }

    fn tick(&mut self, now: Instant, delay: Duration, out: &mut Outbox<AudioPiece>) {
        self.shed_surplus(now, delay);
        while self.ahead < TICK {
            let before = self.ahead;
            match self.step(now, delay) {
                Step::Play => self.play(out),
                Step::Conceal(samples) => self.conceal(samples, out),
                Step::Silence => self.silence(out),
            }
            assert!(self.ahead > before, "each step pushes some sound");
        }
        self.ahead -= TICK;
    }

    fn step(&mut self, now: Instant, delay: Duration) -> Step {
        let Some(playing) = self.playing else { return self.start(now, delay) };
        let Some(front) = self.queue.front() else { return self.starve(now, delay) };
        let hole = front.rtp_time.wrapping_sub(playing.next);
        let follows = self.last.is_some_and(|last| front.sequence == last.sequence.wrapping_add(1));
        let shortest = u64::from(toc::FRAME_SAMPLES_MIN);
        if hole < shortest {
            return Step::Play;
        }
        if follows || hole > HOLE_SAMPLES_MAX || self.last.is_some_and(|last| last.dtx) {
            // Nothing was lost: the sender paused (DTX). Its next word starts when it is due.
            self.playing = None;
            return self.start(now, delay);
        }
        let usual = self.last.map_or(TICK, |last| last.samples);
        let samples = u32::try_from(hole - hole % shortest).unwrap_or(u32::MAX).min(usual);
        Step::Conceal(samples)
    }

    fn start(&mut self, now: Instant, delay: Duration) -> Step {
        let Some(front) = self.queue.front() else { return Step::Silence };
        // Within a tick that has begun, the rest of it belongs to the front packet too if that is due at the tick.
        if self.transit.due(front.rtp_time, delay).is_some_and(|due| due > now) {
            return Step::Silence;
        }
        self.playing = Some(Playing { next: front.rtp_time, starved_ticks: 0 });
        Step::Play
    }

    /// Nothing waits: conceal for a while, then call it silence.
    fn starve(&mut self, now: Instant, delay: Duration) -> Step {
        let playing = self.playing.as_mut().expect("only a playing voice starves");
        playing.starved_ticks += 1;
        let dtx = self.last.is_some_and(|last| last.dtx);
        if dtx || playing.starved_ticks > CONCEAL_TICKS_MAX {
            self.playing = None;
            return Step::Silence;
        }
        // Playing earlier than the delay asks for: the hole makes room, and the late packet will still be played.
        let early = self.transit.due(playing.next, delay).is_some_and(|due| due > now);
        if early {
            playing.next = playing.next.wrapping_sub(u64::from(TICK));
        }
        Step::Conceal(TICK)
    }

    fn play(&mut self, out: &mut Outbox<AudioPiece>) {
        let waiting = self.queue.pop_front().expect("a packet to play waits");
        let dtx = waiting.packet.data.len() <= toc::DTX_LEN_MAX;
        let Waiting { packet, rtp_time, sequence, samples } = waiting;
        self.last = Some(Last { rtp_time, sequence, samples, dtx });
        self.playing = Some(Playing { next: rtp_time.wrapping_add(u64::from(samples)), starved_ticks: 0 });
        self.stats.played += 1;
        self.ahead += samples;
        out.push(AudioPiece::Play { packet, samples });
        self.forget_overtaken();
    }

    /// Packets that overlap what was just played can no longer be.
    fn forget_overtaken(&mut self) {
        let Some(playing) = self.playing else { return };
        let half_frame = u64::from(toc::FRAME_SAMPLES_MIN) / 2;
        while self.queue.front().is_some_and(|w| is_after(playing.next, w.rtp_time.wrapping_add(half_frame))) {
            self.queue.pop_front();
            self.stats.discarded += 1;
        }
    }

    fn conceal(&mut self, samples: u32, out: &mut Outbox<AudioPiece>) {
        let playing = self.playing.as_mut().expect("only a playing voice is concealed");
        playing.next = playing.next.wrapping_add(u64::from(samples));
        let next = playing.next;
        self.stats.concealed_samples += u64::from(samples);
        self.ahead += samples;
        let adjacent = self.queue.front().filter(|w| w.rtp_time == next).map(|w| w.packet.data.clone());
        out.push(AudioPiece::Conceal { samples, next: adjacent });
        self.forget_overtaken();
    }

    fn silence(&mut self, out: &mut Outbox<AudioPiece>) {
        let samples = TICK - self.ahead;
        self.ahead = TICK;
        out.push(AudioPiece::Silence { samples });
    }

    /// Playing later than need be for long: give up a packet, a quiet one if possible.
    fn shed_surplus(&mut self, now: Instant, delay: Duration) {
        let Some(playing) = self.playing else { return };
        let Some(due) = self.transit.due(playing.next, delay) else { return };
        let late = i64::try_from(now.saturating_duration_since(due).as_micros()).unwrap_or(i64::MAX) * 48 / 1000;
        if late <= SURPLUS_SAMPLES || self.queue.len() < 2 {
            self.surplus_ticks = 0;
            return;
        }
        self.surplus_ticks += 1;
        let front = &self.queue[0];
        let ingest = front.packet.ingest.as_ref().expect("admitted with it");
        let quiet =
            ingest.audio_level.is_some_and(|level| level >= QUIET) || front.packet.data.len() <= toc::DTX_LEN_MAX;
        let patience = if quiet { SURPLUS_TICKS_QUIET } else { SURPLUS_TICKS_ANY };
        if self.surplus_ticks < patience || front.rtp_time != playing.next {
            return;
        }
        let given_up = self.queue.pop_front().expect("two wait");
        self.last = Some(Last {
            rtp_time: given_up.rtp_time,
            sequence: given_up.sequence,
            samples: given_up.samples,
            dtx: false,
        });
        self.playing = Some(Playing { next: playing.next.wrapping_add(u64::from(given_up.samples)), ..playing });
        self.surplus_ticks = 0;
        self.stats.discarded += 1;
        self.stats.discarded_surplus += 1;
    }
}

fn is_after(later: u64, earlier: u64) -> bool {
    later.wrapping_sub(earlier).cast_signed() > 0
}

fn distance(a: u64, b: u64) -> u64 {
    a.wrapping_sub(b).cast_signed().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, Pts};

    /// A full-band 20 ms packet: configuration 31, one frame.
    const TOC_20_MS: u8 = 31 << 3;
    /// Configuration 28: 2.5 ms. Configuration 11: 60 ms.
    const TOC_2_5_MS: u8 = 28 << 3;
    const TOC_60_MS: u8 = 11 << 3;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn packet(toc: u8, sequence: u64, rtp_time: u64, arrival: Instant) -> AudioInput {
        let ingest = crate::media::Ingest {
            sequence_first: sequence,
            sequence_last: sequence,
            contiguous: true,
            rtp_time,
            arrival,
            audio_level: Some(AudioLevel(20)),
            rid: None,
        };
        let data = Bytes::from(vec![toc; 40]);
        AudioInput::Packet(EncodedFrame { codec: Codec::Opus, data, pts: Pts(0), keyframe: true, ingest: Some(ingest) })
    }

    /// One letter a piece: P with its sequence number, C, F (conceal with FEC at hand), or S.
    fn tick(jitter: &mut AudioJitter, now: Instant, delay: Duration) -> Vec<String> {
        let mut out = Outbox::new();
        jitter.handle(now, AudioInput::Tick(delay), &mut out);
        out.drain()
            .map(|piece| match piece {
                AudioPiece::Play { packet, .. } => format!("P{}", packet.ingest.unwrap().sequence_first),
                AudioPiece::Conceal { next: None, .. } => "C".into(),
                AudioPiece::Conceal { next: Some(_), .. } => "F".into(),
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
        assert_eq!(tick(&mut short, start, ms(0)).len(), 8);
        assert_eq!(tick(&mut short, start + ms(20), ms(0)).len(), 8);
        let heard: Vec<_> = (0..6).map(|n| tick(&mut long, start + ms(n * 20), ms(0)).len()).collect();
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
}
