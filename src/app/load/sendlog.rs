//! **The question:** when was what sent last, and who sends what? Noted by those who send, read by those who look.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clip::{ClipSetup, MOMENTS};
use crate::base::media::Size;
use crate::core::signal::VideoTrack;

/// Tracks of pictures that a person may send.
const TRACKS: usize = 2;

/// The place of person `number`'s `track` among all people's.
pub(super) fn lane(number: usize, track: VideoTrack) -> usize {
    number * TRACKS + usize::from(track == VideoTrack::Screen)
}

/// When each moment of each picture's loop was last sent: read by receivers, written by senders, never locked.
#[derive(Debug)]
pub(super) struct SendLog {
    epoch: Instant,
    /// What the first person's pictures and voice bear.
    first: usize,
    /// Nanoseconds since `epoch` plus one, by person's track and moment of the loop; 0 is never.
    sent: Vec<Vec<AtomicU64>>,
    /// The same instants for the voice's packets.
    spoken: Vec<Vec<AtomicU64>>,
    /// Whether the person sends pictures now.
    alive: Vec<AtomicBool>,
    /// What each person's track sends: columns, rows and frames a second, 16 bits each; 0: nothing yet.
    sending: Vec<AtomicU64>,
    /// How often the node asked for a keyframe of each track.
    asked: Vec<AtomicU64>,
}

impl SendLog {
    /// A log of so many `people` in which nothing was sent; `words` is the length of every voice's loop.
    pub fn new(epoch: Instant, people: usize, words: usize) -> Self {
        let blank = |length: usize| (0..length).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Self {
            epoch,
            first: 0,
            sent: (0..people * TRACKS).map(|_| blank(MOMENTS)).collect(),
            spoken: (0..people).map(|_| blank(words)).collect(),
            alive: (0..people).map(|_| AtomicBool::new(false)).collect(),
            sending: blank(people * TRACKS),
            asked: blank(people * TRACKS),
        }
    }

    /// Of people whose pictures and voices bear numbers from `first` on.
    pub fn numbered_from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// What the first person's pictures and voice bear.
    pub fn first(&self) -> usize {
        self.first
    }

    /// When person `number` last sent `moment` of their loop on `track`.
    pub fn frame_sent(&self, number: usize, track: VideoTrack, moment: usize) -> Option<Instant> {
        self.read(self.sent.get(lane(number, track))?.get(moment)?)
    }

    /// When person `number` last sent packet `word` of their voice's loop.
    pub fn word_sent(&self, number: usize, word: usize) -> Option<Instant> {
        self.read(self.spoken.get(number)?.get(word)?)
    }

    /// Whether person `number` sends pictures.
    pub fn is_alive(&self, number: usize) -> bool {
        self.alive.get(number).is_some_and(|alive| alive.load(Ordering::Relaxed))
    }

    /// What the cameras send (each extent and rate once, with how many send it), largest first.
    pub fn cameras(&self) -> Vec<(Size, u32, usize)> {
        let mut counts = BTreeMap::new();
        for number in 0..self.people() {
            let sending = self.sending[lane(number, VideoTrack::Camera)].load(Ordering::Relaxed);
            if sending != 0 {
                *counts.entry(sending).or_default() += 1;
            }
        }
        let field = |sending: u64, at: u32| (sending >> at & 0xffff) as u32;
        let told = |(sending, count): (u64, usize)| {
            (Size::new(field(sending, 32), field(sending, 16)), field(sending, 0), count)
        };
        counts.into_iter().rev().map(told).collect()
    }

    /// Person `number` sends such pictures on `track` from now on.
    pub fn note_clip(&self, number: usize, track: VideoTrack, setup: &ClipSetup) {
        let ClipSetup { size, fps, .. } = setup;
        let sending = u64::from(size.width) << 32 | u64::from(size.height) << 16 | u64::from(*fps);
        self.sending[lane(number, track)].store(sending, Ordering::Relaxed);
    }

    /// The node asks for a keyframe of the track in this lane.
    pub fn note_asked(&self, lane: usize) {
        self.asked[lane].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it did so for person `number`'s `track`, since it was forgotten.
    pub fn asked(&self, number: usize, track: VideoTrack) -> u64 {
        self.asked[lane(number, track)].load(Ordering::Relaxed)
    }

    /// Begins to count anew how often keyframes are asked for.
    pub fn forget_asked(&self) {
        self.asked.iter().for_each(|asked| asked.store(0, Ordering::Relaxed));
    }

    /// How many people the log knows.
    pub fn people(&self) -> usize {
        self.spoken.len()
    }

    /// Person `number` sends `moment` of their loop on `track` now.
    pub fn note_sent(&self, number: usize, track: VideoTrack, moment: usize) {
        self.write(&self.sent[lane(number, track)][moment], Instant::now());
    }

    /// Person `number` sends packet `word` of their voice's loop now.
    pub fn note_spoken(&self, number: usize, word: usize) {
        self.write(&self.spoken[number][word], Instant::now());
    }

    /// Person `number` begins or ends sending pictures.
    pub fn set_alive(&self, number: usize, is_alive: bool) {
        self.alive[number].store(is_alive, Ordering::Relaxed);
    }

    fn read(&self, cell: &AtomicU64) -> Option<Instant> {
        let nanos = cell.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_nanos(nanos))
    }

    /// As [`Self::note_sent`], at another time than now.
    #[cfg(test)]
    pub fn note_sent_at(&self, number: usize, track: VideoTrack, moment: usize, at: Instant) {
        self.write(&self.sent[lane(number, track)][moment], at);
    }

    fn write(&self, cell: &AtomicU64, at: Instant) {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos() + 1;
        cell.store(u64::try_from(nanos).expect("a load runs below 584 years"), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_what_was_sent_last_and_nothing_else() {
        let log = SendLog::new(Instant::now(), 2, 1);
        let (camera, screen) = (VideoTrack::Camera, VideoTrack::Screen);
        assert_eq!(log.frame_sent(0, camera, 1), None);
        let before = Instant::now();
        log.note_sent(0, camera, 1);
        let first = log.frame_sent(0, camera, 1).unwrap();
        assert!(first >= before && first <= Instant::now());
        assert_eq!(log.frame_sent(0, screen, 1), None, "a screen is another picture");
        log.note_sent(0, camera, 1);
        assert!(log.frame_sent(0, camera, 1).unwrap() >= first);
        assert_eq!((log.frame_sent(0, camera, 0), log.frame_sent(1, camera, 1)), (None, None));
        assert_eq!((log.frame_sent(9, camera, 0), log.frame_sent(1, screen, MOMENTS)), (None, None));
        assert_eq!((log.word_sent(0, 0), log.people()), (None, 2));
    }

    #[test]
    fn the_log_counts_who_is_asked_for_keyframes() {
        let log = SendLog::new(Instant::now(), 2, 1);
        log.note_asked(lane(1, VideoTrack::Screen));
        log.forget_asked();
        log.note_asked(lane(1, VideoTrack::Camera));
        let asked = |number| [VideoTrack::Camera, VideoTrack::Screen].map(|track| log.asked(number, track));
        assert_eq!([asked(0), asked(1)], [[0, 0], [1, 0]]);
    }

    #[test]
    fn the_log_counts_who_sends_what() {
        let log = SendLog::new(Instant::now(), 4, 1);
        assert!(log.cameras().is_empty());
        let small = ClipSetup { size: Size::new(160, 90), fps: 15, ..ClipSetup::default() };
        (0..2).for_each(|number| log.note_clip(number, VideoTrack::Camera, &small));
        log.note_clip(2, VideoTrack::Camera, &ClipSetup::default());
        log.note_clip(3, VideoTrack::Screen, &ClipSetup::default());
        assert_eq!(log.cameras(), [(Size::new(320, 180), 30, 1), (Size::new(160, 90), 15, 2)]);
    }
}
