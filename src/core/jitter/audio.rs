//! **The question:** which Opus packet plays at this tick, and what when there is none? Packets come in any order; each
//! tick takes 20 ms of sound out: packets, concealment, comfort noise or silence. It is pulled, so it has no deadline.
//!
//! The delay follows the network and the sender's clock: at each tick [`AudioJitter::advice`] says whether the sound
//! shall be made a little shorter or longer, anyone who has the samples does so
//! ([`Stretcher`](crate::core::jitter::Stretcher)) and tells by how much.

mod repair;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{AudioLevel, Outbox, ReceivedFrame};
use crate::core::bitstream::{self, opus};
use crate::core::jitter::arrival::Arrivals;
use crate::core::jitter::stretch::Likeness;
use crate::core::jitter::transit::TimeMap;
use repair::Repair;

/// Samples of one tick.
const TICK: u32 = limits::PCM_FRAMES as u32;
/// The longest cut, samples.
const LONGEST_CUT: u32 = limits::STRETCH_FRAMES_MAX as u32;
/// The shortest cut, samples.
const SHORTEST_CUT: u32 = limits::STRETCH_FRAMES_MIN as u32;
/// Packets may be taken so much before they are due, or a tick and so much after, before the delay is corrected: 4 ms.
/// Without it a packet on the border would have sound cut out and put in by turns.
const SLACK_UNREST: i64 = 192;
/// So far off, sound is stretched at every tick: 40 ms.
const URGENT: i64 = 1_920;
/// Otherwise at every third: a fifth faster or slower at most.
const STRETCH_TICKS: u32 = 3;
/// So many ticks a place that sounds alike is waited for.
const LIKENESS_TICKS: u32 = 25;
/// So late, packets are given up at once: 160 ms.
const SKIP_AFTER: i64 = 7_680;
/// A voice begins with the packet that is at most so late: 40 ms.
const BEGIN_LATE: i64 = 1_920;
/// −dBov from which a packet counts as quiet.
const QUIET: AudioLevel = AudioLevel(60);

/// What the mix thread tells a voice's jitter buffer.
#[derive(Debug)]
pub enum AudioInput {
    /// A packet in any order.
    Packet(ReceivedFrame),
    /// The audio tick: push what plays now. The delay is the larger of what camera and microphone want.
    Tick(Duration),
    /// What the tick's pieces sound like was made so many samples longer (or shorter, if negative), as the advice
    /// asked.
    Stretched(i32),
}

/// A piece of what plays at a tick. The pieces of all ticks follow each other without a hole; those of one tick reach
/// at least 20 ms past the last tick (a packet of 60 ms is pushed whole, and the next two ticks push nothing).
#[derive(Debug)]
pub enum AudioPiece {
    /// Decode this packet.
    Play {
        /// The packet.
        packet: ReceivedFrame,
        /// How long it lasts, samples at 48 kHz.
        samples: u32,
        /// A timeline begins with it: what the decoder remembers is of another one.
        begins: bool,
    },
    /// A packet is missing: conceal it.
    Conceal {
        /// For how long, samples at 48 kHz; a multiple of 120.
        samples: u32,
        /// The packet right after the hole, whose in-band FEC may restore the last frame of the hole (RFC 6716 section
        /// 2.1.7).
        next: Option<Bytes>,
    },
    /// The sender pauses (DTX) and nothing is missing: the decoder makes up its background noise.
    Comfort {
        /// For how long, samples at 48 kHz; a multiple of 120.
        samples: u32,
    },
    /// Nothing to hear: not started, muted, or a long pause.
    Silence {
        /// For how long, samples at 48 kHz.
        samples: u32,
    },
}

impl AudioPiece {
    /// How long it lasts, samples at 48 kHz.
    #[must_use]
    pub fn samples(&self) -> u32 {
        match self {
            Self::Play { samples, .. }
            | Self::Conceal { samples, .. }
            | Self::Comfort { samples }
            | Self::Silence { samples } => *samples,
        }
    }
}

/// What shall become of this tick's sound, so that the delay is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stretch {
    /// Nothing: it is as it should be.
    #[default]
    Keep,
    /// Make it shorter: it plays later than need be.
    Shrink {
        /// By so many samples at most.
        samples_max: u32,
        /// How picky to be.
        likeness: Likeness,
    },
    /// Make it longer: packets are needed before they are due.
    Grow {
        /// How picky to be.
        likeness: Likeness,
    },
}

impl Stretch {
    /// What to tell the buffer of a voice that nobody hears, which may be stretched at will.
    #[must_use]
    pub fn unheard(self) -> i32 {
        match self {
            Self::Keep => 0,
            Self::Shrink { samples_max, .. } => -(samples_max.min(TICK / 2)).cast_signed(),
            Self::Grow { .. } => (TICK / 2).cast_signed(),
        }
    }
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
    /// Samples left out to shorten the delay.
    pub shrunk_samples: u64,
    /// Samples put in to lengthen it.
    pub grown_samples: u64,
    /// Timelines begun.
    pub restarts: u64,
    /// Packets that wait now.
    pub queued: usize,
    /// How much later than its due time the last tick's first sample played, in samples; zero while nothing plays.
    pub late_samples: i64,
}

/// The jitter buffer of one voice.
#[derive(Debug)]
pub struct AudioJitter {
    map: TimeMap,
    arrivals: Arrivals,
    repair: Repair,
    /// In the order of RTP time, no two alike.
    queue: VecDeque<Waiting>,
    playing: Option<Playing>,
    /// The packet played last, by which repetitions are known.
    last: Option<Last>,
    /// The packet furthest ahead that came so far.
    newest: Option<Newest>,
    /// Samples pushed beyond the last tick.
    ahead: u32,
    behind_in_a_row: u32,
    /// Ticks of comfort noise that are left.
    comfort_ticks: u32,
    advice: Stretch,
    /// Ticks since the sound was last stretched.
    unstretched_ticks: u32,
    stats: AudioStats,
}

#[derive(Debug)]
struct Waiting {
    packet: ReceivedFrame,
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
    /// Samples made up meanwhile: a hole that turns out to be there was concealed already.
    made_up: u32,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    rtp_time: u64,
    sequence: u64,
    samples: u32,
    dtx: bool,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    rtp_time: u64,
    sequence: u64,
    arrival: Instant,
}

/// What the front of the queue means for the next samples.
enum Step {
    Play,
    Conceal(u32),
    Pause,
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
            map: TimeMap::new(limits::SAMPLE_RATE),
            arrivals: Arrivals::new(),
            repair: Repair::default(),
            queue: VecDeque::with_capacity(limits::OPUS_QUEUE_LEN),
            playing: None,
            last: None,
            newest: None,
            ahead: 0,
            behind_in_a_row: 0,
            comfort_ticks: 0,
            advice: Stretch::Keep,
            unstretched_ticks: 0,
            stats: AudioStats::default(),
        }
    }

    /// Takes one packet, or pushes what plays at this tick, or learns what became of it.
    pub fn handle(&mut self, now: Instant, input: AudioInput, out: &mut Outbox<AudioPiece>) {
        match input {
            AudioInput::Packet(packet) => self.admit(packet),
            AudioInput::Tick(delay) => self.tick(now, delay.min(limits::PLAYOUT_DELAY_MAX), out),
            AudioInput::Stretched(samples) => self.stretched(samples),
        }
        debug_assert!(self.queue.len() <= limits::OPUS_QUEUE_LEN, "the buffer is bounded");
    }

    /// How long this voice wants its packets to wait.
    #[must_use]
    pub fn wanted_delay(&self) -> Duration {
        (self.arrivals.wish() + self.repair.wait()).min(limits::PLAYOUT_DELAY_MAX)
    }

    /// When the sample of `rtp_time` would play without any delay; `None` before the first arrival.
    #[must_use]
    pub fn expected(&self, rtp_time: u64) -> Option<Instant> {
        self.map.due(rtp_time, Duration::ZERO)
    }

    /// What shall become of the last tick's sound; answer it by `AudioInput::Stretched` before the next tick.
    #[must_use]
    pub fn advice(&self) -> Stretch {
        self.advice
    }

    /// Samples pushed so far that belong after the last tick: the rest of a packet longer than a tick, or what a cut
    /// left over.
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

    fn admit(&mut self, packet: ReceivedFrame) {
        self.stats.packets += 1;
        let (rtp_time, sequence, arrival) = (packet.rtp_time, packet.sequence_first, packet.arrival);
        let Some(samples) = bitstream::packet_samples(packet.codec, &packet.data) else {
            self.stats.discarded += 1;
            return;
        };
        if self.newest.is_some_and(|newest| distance(newest.sequence, sequence) > limits::SEQUENCE_JUMP_MAX) {
            self.map.forget();
        }
        self.learn(rtp_time, sequence, arrival);
        if self.is_behind(rtp_time, sequence) {
            self.stats.discarded += 1;
            self.behind_in_a_row += 1;
            if self.behind_in_a_row >= limits::BEHIND_PACKETS_MAX {
                self.map.forget();
                self.restart();
            }
            return;
        }
        self.behind_in_a_row = 0;
        self.enqueue(Waiting { packet, rtp_time, sequence, samples });
    }

    /// What the arrival tells of the network. A copy that RED carried (RFC 2198) comes with a newer packet and tells
    /// nothing.
    fn learn(&mut self, rtp_time: u64, sequence: u64, arrival: Instant) {
        if let Some(newest) = self.newest
            && newest.arrival == arrival
            && is_after(newest.sequence, sequence)
            && distance(newest.sequence, sequence) <= limits::SEQUENCE_JUMP_MAX
        {
            self.repair.copied(newest.rtp_time.wrapping_sub(rtp_time));
            return;
        }
        let observed = self.map.observe(rtp_time, arrival);
        if observed.restarted {
            self.restart();
        } else {
            self.arrivals.note(arrival, observed.excess);
        }
        if self.newest.is_none_or(|newest| is_after(sequence, newest.sequence)) {
            self.newest = Some(Newest { rtp_time, sequence, arrival });
        }
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
        self.newest = None;
        self.behind_in_a_row = 0;
        self.comfort_ticks = 0;
    }

    fn tick(&mut self, now: Instant, delay: Duration, out: &mut Outbox<AudioPiece>) {
        self.settle();
        self.give_up_late(now, delay);
        self.advice = self.advise(now, delay);
        while self.ahead < TICK {
            let before = self.ahead;
            match self.step(now, delay) {
                Step::Play => self.play(out),
                Step::Conceal(samples) => self.conceal(samples, out),
                Step::Pause => self.pause(out),
            }
            assert!(self.ahead > before, "each step pushes some sound");
        }
        self.provide_for_cut(out);
        self.ahead -= TICK;
    }

    /// A cut needs sound beyond the tick: packets that are there, or it is put off.
    fn provide_for_cut(&mut self, out: &mut Outbox<AudioPiece>) {
        let Stretch::Shrink { samples_max, .. } = self.advice else { return };
        while self.ahead < TICK + samples_max {
            let next = self.playing.map(|playing| playing.next);
            if self.queue.front().is_none_or(|front| Some(front.rtp_time) != next) {
                self.advice = Stretch::Keep;
                return;
            }
            self.play(out);
        }
    }

    fn step(&mut self, now: Instant, delay: Duration) -> Step {
        let Some(playing) = &mut self.playing else { return self.begin(now, delay) };
        let Some(front) = self.queue.front() else { return self.starve() };
        let hole = front.rtp_time.wrapping_sub(playing.next);
        let follows = self.last.is_some_and(|last| front.sequence == last.sequence.wrapping_add(1));
        let shortest = u64::from(opus::FRAME_SAMPLES_MIN);
        if hole < shortest {
            return Step::Play;
        }
        if follows || hole > limits::HOLE_SAMPLES_MAX || self.last.is_some_and(|last| last.dtx) {
            // Nothing was lost: the sender paused (DTX). Its next word starts when it is due.
            self.playing = None;
            return self.begin(now, delay);
        }
        self.repair.lost();
        let usual = self.last.map_or(TICK, |last| last.samples);
        Step::Conceal(u32::try_from(hole - hole % shortest).unwrap_or(u32::MAX).min(usual))
    }

    /// A hole that turns out to be there was concealed while nothing waited: time catches up with it.
    fn settle(&mut self) {
        let (Some(playing), Some(front)) = (&mut self.playing, self.queue.front()) else { return };
        let hole = front.rtp_time.wrapping_sub(playing.next);
        if playing.made_up == 0 || hole > limits::HOLE_SAMPLES_MAX {
            return;
        }
        let made_up = u64::from(std::mem::take(&mut playing.made_up)).min(hole);
        playing.next = playing.next.wrapping_add(made_up);
        if made_up > 0 {
            self.repair.lost();
        }
    }

    fn begin(&mut self, now: Instant, delay: Duration) -> Step {
        let Some(front) = self.queue.front() else { return Step::Pause };
        // Within a tick that has begun, the rest of it belongs to the front packet too if that is due at the tick.
        if self.late(now, front.rtp_time, delay) < 0 {
            return Step::Pause;
        }
        self.playing = Some(Playing { next: front.rtp_time, starved_ticks: 0, made_up: 0 });
        Step::Play
    }

    /// Nothing waits: conceal for a while, then call it silence. Time stands still meanwhile: a packet that is only
    /// slow will still be played, and one that is lost was concealed.
    fn starve(&mut self) -> Step {
        let playing = self.playing.as_mut().expect("only a playing voice starves");
        playing.starved_ticks += 1;
        let dtx = self.last.is_some_and(|last| last.dtx);
        if dtx || playing.starved_ticks > limits::CONCEAL_TICKS_MAX {
            self.playing = None;
            return Step::Pause;
        }
        playing.made_up += TICK;
        playing.next = playing.next.wrapping_sub(u64::from(TICK));
        Step::Conceal(TICK)
    }

    fn play(&mut self, out: &mut Outbox<AudioPiece>) {
        let waiting = self.queue.pop_front().expect("a packet to play waits");
        let dtx = waiting.packet.data.len() <= opus::DTX_BYTES;
        let Waiting { packet, rtp_time, sequence, samples } = waiting;
        let begins = self.last.is_none();
        self.last = Some(Last { rtp_time, sequence, samples, dtx });
        self.playing = Some(Playing { next: rtp_time.wrapping_add(u64::from(samples)), starved_ticks: 0, made_up: 0 });
        self.repair.played(samples, bitstream::restores_previous(packet.codec, &packet.data));
        self.comfort_ticks = if dtx { limits::COMFORT_TICKS_MAX } else { 0 };
        self.stats.played += 1;
        self.ahead += samples;
        out.push(AudioPiece::Play { packet, samples, begins });
        self.forget_overtaken();
    }

    /// Packets that overlap what was just played can no longer be.
    fn forget_overtaken(&mut self) {
        let Some(playing) = self.playing else { return };
        let half_frame = u64::from(opus::FRAME_SAMPLES_MIN) / 2;
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

    fn pause(&mut self, out: &mut Outbox<AudioPiece>) {
        let samples = TICK - self.ahead;
        self.ahead = TICK;
        if self.comfort_ticks > 0 && samples.is_multiple_of(opus::FRAME_SAMPLES_MIN) {
            self.comfort_ticks -= 1;
            out.push(AudioPiece::Comfort { samples });
        } else {
            out.push(AudioPiece::Silence { samples });
        }
    }

    /// Samples by which `now` is after the moment that `rtp_time` is due.
    fn late(&self, now: Instant, rtp_time: u64, delay: Duration) -> i64 {
        self.map.lateness(now, rtp_time, delay).map_or(0, |nanos| nanos / 1_000 * 6 / 125)
    }

    /// How long before it is needed the next packet is due. Negative when it is needed earlier.
    fn slack(&self, now: Instant, next: u64, delay: Duration) -> i64 {
        // It is taken at the tick whose begin is not covered by what was pushed already.
        self.late(now, next, delay) + i64::from(self.ahead / TICK * TICK)
    }

    /// What shall be done about the delay. While packets are due within the tick before they are needed, nothing can be
    /// gained; what lies ahead of a tick is given back as far as no packet is needed earlier for it.
    fn advise(&mut self, now: Instant, delay: Duration) -> Stretch {
        self.unstretched_ticks = self.unstretched_ticks.saturating_add(1);
        let Some(playing) = self.playing.filter(|playing| playing.made_up == 0) else {
            // Nothing plays, or nobody knows yet whether what is missing is late or lost.
            self.stats.late_samples = 0;
            return Stretch::Keep;
        };
        let slack = self.slack(now, playing.next, delay);
        self.stats.late_samples = self.late(now, playing.next, delay) + i64::from(self.ahead);
        let is_urgent = !(-URGENT..=URGENT).contains(&slack);
        if self.unstretched_ticks < STRETCH_TICKS && !is_urgent {
            return Stretch::Keep;
        }
        let patience = if is_urgent { LIKENESS_TICKS / 4 } else { LIKENESS_TICKS };
        let likeness = if self.unstretched_ticks > patience { Likeness::Any } else { Likeness::High };
        let part = self.ahead % TICK;
        if slack < -SLACK_UNREST {
            Stretch::Grow { likeness }
        } else if slack > i64::from(TICK) + SLACK_UNREST {
            Stretch::Shrink { samples_max: LONGEST_CUT, likeness }
        } else if part >= SHORTEST_CUT && slack >= 0 {
            // No hurry: it waits for a place where nobody notices.
            Stretch::Shrink { samples_max: part.min(LONGEST_CUT), likeness: Likeness::High }
        } else {
            Stretch::Keep
        }
    }

    fn stretched(&mut self, samples: i32) {
        let samples = samples.max(-self.ahead.cast_signed());
        if samples != 0 {
            self.unstretched_ticks = 0;
        }
        self.advice = Stretch::Keep;
        self.ahead = self.ahead.saturating_add_signed(samples);
        let counted = u64::from(samples.unsigned_abs());
        if samples < 0 {
            self.stats.shrunk_samples += counted;
        } else {
            self.stats.grown_samples += counted;
        }
    }

    /// Gives up packets that would play far too late, and quiet ones where that alone shortens the delay.
    fn give_up_late(&mut self, now: Instant, delay: Duration) {
        while self.queue.len() >= 2 {
            let (front, second) = (&self.queue[0], &self.queue[1]);
            let Some(playing) = self.playing else {
                if self.late(now, second.rtp_time, delay) <= BEGIN_LATE {
                    return;
                }
                self.give_up_front();
                continue;
            };
            let slack = self.slack(now, playing.next, delay);
            let is_next = front.rtp_time == playing.next;
            let spare = slack - i64::from(front.samples.max(TICK)) > SLACK_UNREST;
            let is_quiet = is_next && spare && front.is_quiet();
            if !is_quiet && slack <= SKIP_AFTER {
                return;
            }
            let next = if is_quiet { front.rtp_time.wrapping_add(u64::from(front.samples)) } else { second.rtp_time };
            self.playing = Some(Playing { next, made_up: 0, ..playing });
            self.give_up_front();
            if is_quiet {
                return;
            }
        }
    }

    fn give_up_front(&mut self) {
        let Some(Waiting { rtp_time, sequence, samples, .. }) = self.queue.pop_front() else { return };
        let begins = self.last.is_none();
        if !begins {
            self.last = Some(Last { rtp_time, sequence, samples, dtx: false });
        }
        self.stats.discarded += 1;
        self.stats.discarded_surplus += 1;
    }
}

impl Waiting {
    fn is_quiet(&self) -> bool {
        self.packet.audio_level.is_some_and(|level| level >= QUIET) || self.packet.data.len() <= opus::DTX_BYTES
    }
}

fn is_after(later: u64, earlier: u64) -> bool {
    later.wrapping_sub(earlier).cast_signed() > 0
}

fn distance(a: u64, b: u64) -> u64 {
    a.wrapping_sub(b).cast_signed().unsigned_abs()
}

#[cfg(test)]
mod tests;
