//! **The question:** what does one simulated person hear? The mix is decoded, and every speaker's pilot tone looked
//! for.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::gauge::Gauge;
use super::pilot::{Onset, PilotBank};
use super::sendlog::SendLog;
use crate::base::limits;
use crate::base::media::ReceivedFrame;
use crate::engine::decode::{OpusDecodeError, OpusDecoder};

/// Sample pairs after the begin in which a gate that is open already looks as if it had just opened: two windows of the
/// bank.
const SETTLING: u64 = 7_680;
/// Packets of voice in a second: the gate of a pilot opens at each whole second of its loop.
const WORDS_PER_SECOND: usize = 50;

/// What was heard while it was measured.
#[derive(Debug)]
pub(super) struct Sounds {
    /// Speakers whose pilot was there.
    pub heard: BTreeSet<usize>,
    /// How far sound came after picture, milliseconds, each time a pilot's gate opened.
    pub syncs_ms: Vec<f64>,
    /// From a speaker's mouth to this person's ear, each time a pilot's gate opened.
    pub ways: Gauge,
    /// Packets of the mix that could not be decoded.
    pub broken: u64,
    /// The longest time without a packet of the mix.
    pub longest_gap: Duration,
}

/// Decodes one mix. Owned by one thread.
pub(super) struct Listener {
    number: usize,
    /// What the first person's voice bears.
    first: usize,
    speakers: Vec<usize>,
    decoder: OpusDecoder,
    bank: PilotBank,
    /// Sample pairs given to the bank.
    position: u64,
    /// Where each packet's samples begin, and when it arrived; newest last.
    stamps: VecDeque<(u64, Instant)>,
    syncs_ms: Vec<f64>,
    ways: Gauge,
    broken: u64,
    /// When the last packet came, or measuring began.
    arrival: Option<Instant>,
    longest_gap: Duration,
}

impl Listener {
    /// The ears of person `number`, who listens for `speakers`; the first person's voice bears the number `first`.
    ///
    /// # Errors
    /// When no decoder can be opened.
    pub fn new(number: usize, speakers: &[usize], first: usize) -> Result<Self, OpusDecodeError> {
        Ok(Self {
            number,
            first,
            speakers: speakers.to_vec(),
            decoder: OpusDecoder::new()?,
            bank: bank(speakers, first),
            position: 0,
            stamps: VecDeque::with_capacity(limits::LOAD_STAMPS_MAX),
            syncs_ms: Vec::new(),
            ways: Gauge::new(),
            broken: 0,
            arrival: None,
            longest_gap: Duration::ZERO,
        })
    }

    /// Forgets what was measured; the measured span begins at `now`.
    pub fn begin(&mut self, now: Instant) {
        (self.arrival, self.longest_gap) = (Some(now), Duration::ZERO);
        self.bank = bank(&self.speakers, self.first);
        self.position = 0;
        self.stamps.clear();
        self.syncs_ms.clear();
        self.ways = Gauge::new();
        self.broken = 0;
    }

    /// Decodes one packet of the mix; `picture_delay` tells how late a speaker's picture was last.
    pub fn listen(&mut self, frame: &ReceivedFrame, log: &SendLog, picture_delay: impl Fn(usize) -> Option<Duration>) {
        self.gap(frame.arrival);
        let Ok(samples) = self.decoder.decode(&frame.data) else {
            self.broken += 1;
            return;
        };
        self.bank.push(samples);
        if self.stamps.len() == limits::LOAD_STAMPS_MAX {
            self.stamps.pop_front();
        }
        self.stamps.push_back((self.position, frame.arrival));
        self.position += samples.len() as u64 / 2;
        for onset in self.bank.take_onsets() {
            let onset = Onset { number: onset.number - self.first, ..onset };
            let delay = self.sound_delay(onset, log);
            let Some(delay) = delay.filter(|_| onset.number != self.number && onset.sample >= SETTLING) else {
                continue;
            };
            // A microphone takes in a packet's sound before it can send the packet, and begins with its first sample.
            self.ways.add(delay + limits::AUDIO_TICK);
            if let Some(picture) = picture_delay(onset.number).filter(|_| self.syncs_ms.len() < limits::LOAD_SYNCS_MAX)
            {
                self.syncs_ms.push((delay.as_secs_f64() - picture.as_secs_f64()) * 1000.0);
            }
        }
    }

    /// The measured span ends at `now`.
    pub fn end(mut self, now: Instant) -> Sounds {
        self.gap(now);
        let Self { syncs_ms, ways, broken, longest_gap, .. } = self;
        let heard = self.bank.heard().into_iter().map(|number| number - self.first).collect();
        Sounds { heard, syncs_ms, ways, broken, longest_gap }
    }

    fn gap(&mut self, now: Instant) {
        let before = self.arrival.replace(now).unwrap_or(now);
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(before));
    }

    /// How long the sound of `onset` was under way: from the sending of the packet that begins its second to the
    /// arrival of the packet that holds it, plus its place in there.
    fn sound_delay(&self, onset: Onset, log: &SendLog) -> Option<Duration> {
        let (start, arrival) = self.stamps.iter().rev().find(|(start, _)| *start <= onset.sample)?;
        let into = Duration::from_nanos((onset.sample - start) * 1_000_000_000 / u64::from(limits::SAMPLE_RATE));
        let sent = (0..)
            .step_by(WORDS_PER_SECOND)
            .map_while(|word| log.word_sent(onset.number, word))
            .filter(|sent| sent <= arrival)
            .max()?;
        let way = arrival.saturating_duration_since(sent);
        // An onset more than half a second old belongs to a gate whose opening was not seen.
        (way < Duration::from_millis(500)).then_some(way + into)
    }
}

fn bank(speakers: &[usize], first: usize) -> PilotBank {
    PilotBank::new(speakers.iter().map(|number| first + number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::load::voice;
    use crate::base::media::Codec;

    fn packet(data: &bytes::Bytes, at: u64, arrival: Instant) -> ReceivedFrame {
        ReceivedFrame::of_one_packet(Codec::Opus, data.clone(), at, at * 960, arrival)
    }

    #[test]
    fn a_voice_is_heard_and_its_sound_placed_against_the_picture() {
        let voice = voice::speech(1).unwrap();
        let log = SendLog::new(Instant::now(), 2, voice.packets.len());
        (0..=50).for_each(|word| log.note_spoken(1, word));
        let sent = log.word_sent(1, 50).unwrap();
        let mut listener = Listener::new(0, &[1, 2], 0).unwrap();
        listener.begin(sent);
        // From the middle of the first second to that of the next: one gate opens, 60 ms after its first packet was
        // sent.
        for (at, data) in (0..75_u64).zip(&voice.packets).skip(25) {
            let arrival = sent + Duration::from_millis(60 + at * 20) - Duration::from_secs(1);
            listener.listen(&packet(data, at, arrival), &log, |_| Some(Duration::from_millis(100)));
        }
        let sounds = listener.end(sent);
        assert_eq!((sounds.heard, sounds.broken), (BTreeSet::from([1]), 0));
        assert_eq!(sounds.longest_gap, Duration::from_millis(20));
        let [sync_ms] = sounds.syncs_ms[..] else { panic!("one gate opened: {:?}", sounds.syncs_ms) };
        // 60 ms under way and 6.5 ms in the codec, against 100 ms of picture; an onset is placed within a hop.
        assert!((sync_ms + 33.5).abs() < 20.0, "{sync_ms} ms");
        let way_ms = sounds.ways.percentile_ms(50);
        assert!((way_ms - 86.5).abs() < 20.0, "{way_ms} ms: and 20 ms until the first packet is full");
    }

    #[test]
    fn a_gate_that_is_open_at_the_begin_tells_nothing() {
        let voice = voice::speech(1).unwrap();
        let log = SendLog::new(Instant::now(), 2, voice.packets.len());
        (0..=50).for_each(|word| log.note_spoken(1, word));
        let sent = log.word_sent(1, 50).unwrap();
        let mut listener = Listener::new(0, &[1], 0).unwrap();
        listener.begin(sent);
        for (at, data) in (0..75_u64).zip(&voice.packets).skip(60) {
            let arrival = sent + Duration::from_millis(at * 20) - Duration::from_secs(1);
            listener.listen(&packet(data, at, arrival), &log, |_| None);
        }
        let sounds = listener.end(sent);
        assert_eq!((sounds.heard, sounds.ways.count()), (BTreeSet::from([1]), 0));
    }

    #[test]
    fn those_of_another_load_are_not_heard() {
        let ours = voice::speech(61).unwrap();
        for (first, heard) in [(60, BTreeSet::from([1])), (0, BTreeSet::new())] {
            let log = SendLog::new(Instant::now(), 2, ours.packets.len()).numbered_from(first);
            (0..=50).for_each(|word| log.note_spoken(1, word));
            let sent = log.word_sent(1, 50).unwrap();
            let mut listener = Listener::new(0, &[0, 1], first).unwrap();
            listener.begin(sent);
            for (at, data) in (0..75_u64).zip(&ours.packets).skip(25) {
                let arrival = sent + Duration::from_millis(60 + at * 20) - Duration::from_secs(1);
                listener.listen(&packet(data, at, arrival), &log, |_| None);
            }
            let sounds = listener.end(sent);
            assert_eq!((sounds.ways.count() > 0, sounds.heard), (!heard.is_empty(), heard), "from {first}");
        }
    }

    #[test]
    fn a_packet_that_is_no_opus_is_counted() {
        let log = SendLog::new(Instant::now(), 1, 1);
        let mut listener = Listener::new(0, &[0], 0).unwrap();
        listener.listen(&packet(&bytes::Bytes::from_static(&[0xff]), 0, Instant::now()), &log, |_| None);
        assert_eq!(listener.end(Instant::now()).broken, 1);
    }
}
