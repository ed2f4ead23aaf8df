//! **The question:** which message to a server goes next, and what becomes of one that does not arrive? A room's go one
//! after the other; several rooms' go side by side. A server that fails is left alone for a pause that doubles, and is
//! then tried by one message, each time by another room's, so that one that it cannot stomach holds up nothing but its
//! room; what is refused again and again, grows too old, or finds no place, is given up.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::backoff::Backoff;

/// What is to be delivered.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same at each try, by which a receiver knows what it has.
    pub id: Arc<str>,
    /// The room whose order it stands in; none: the node's own.
    pub room: Option<RoomId>,
    /// JSON.
    pub body: Arc<str>,
}

/// A message that is to be sent now.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// By which it is settled.
    pub number: u64,
    /// What.
    pub message: Message,
}

/// What a server made of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has it.
    Delivered,
    /// It has not; it may have said for how long it is to be left alone.
    Failed(Option<Duration>),
    /// It answered that it does not want this one (a status of 400 to 499 that speaks of no moment).
    Refused,
    /// It wants no more of them (410 Gone).
    Gone,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Messages that are tried no more and did not arrive.
    pub given_up: u64,
    /// Whether the server failed after it had been well.
    pub fails_now: bool,
    /// Whether it is well after it had failed.
    pub is_back: bool,
}

/// Messages to one server.
#[derive(Debug)]
pub struct Queue {
    entries: VecDeque<Entry>,
    next_number: u64,
    in_flight: usize,
    /// Nothing is sent before.
    resumes: Option<Instant>,
    is_failing: bool,
    /// The one that failed last: others go first.
    last_failed: Option<u64>,
    backoff: Backoff,
    /// The node ends: one more try of each, without pauses.
    is_closing: bool,
    /// It wants no more.
    is_gone: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    since: Instant,
    is_in_flight: bool,
    refusals: u32,
    message: Message,
}

impl Queue {
    /// An empty one; `seed` tells its pauses from those of others.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            next_number: 0,
            in_flight: 0,
            resumes: None,
            is_failing: false,
            last_failed: None,
            backoff: Backoff::new(limits::WEBHOOK_RETRY_SPAN, limits::WEBHOOK_RETRY_SPAN_MAX, seed),
            is_closing: false,
            is_gone: false,
        }
    }

    /// Takes a message in. How many are discarded for it: the oldest that waits makes way, since what a receiver wants
    /// to know first is how things stand.
    pub fn push(&mut self, now: Instant, message: Message) -> u64 {
        if self.is_gone {
            return 1;
        }
        let mut discarded = 0;
        if self.entries.len() >= limits::WEBHOOK_QUEUE_LEN
            && let Some(oldest) = self.entries.iter().position(|entry| !entry.is_in_flight)
        {
            self.entries.remove(oldest);
            discarded = 1;
        }
        self.entries.push_back(Entry {
            number: self.next_number,
            since: now,
            is_in_flight: false,
            refusals: 0,
            message,
        });
        self.next_number += 1;
        discarded
    }

    /// The next message that is to be sent now, if one is.
    pub fn take(&mut self, now: Instant) -> Option<Delivery> {
        if self.in_flight >= self.flights_max() || self.resumes.is_some_and(|at| now < at) {
            return None;
        }
        self.resumes = None;
        // A room's next one is its first, unless that is on its way.
        let mut rooms: BTreeSet<Option<&RoomId>> = BTreeSet::new();
        let firsts = self.entries.iter().enumerate().filter(|(_, entry)| rooms.insert(entry.message.room.as_ref()));
        let mut ready = firsts.filter(|(_, entry)| !entry.is_in_flight).map(|(at, entry)| (at, entry.number));
        let oldest = ready.next()?;
        let after = self.last_failed.filter(|_| self.is_failing && !self.is_closing);
        let next = after.filter(|last| oldest.1 <= *last).and_then(|last| ready.find(|(_, number)| *number > last));
        let found = next.unwrap_or(oldest).0;
        let entry = &mut self.entries[found];
        entry.is_in_flight = true;
        self.in_flight += 1;
        Some(Delivery { number: entry.number, message: entry.message.clone() })
    }

    /// What became of a delivery.
    pub fn settle(&mut self, now: Instant, number: u64, outcome: Outcome) -> Settled {
        let Some(at) = self.entries.iter().position(|entry| entry.number == number && entry.is_in_flight) else {
            return Settled::default();
        };
        self.in_flight -= 1;
        match outcome {
            Outcome::Delivered => {
                self.entries.remove(at);
                self.backoff.reset();
                (self.resumes, self.last_failed) = (None, None);
                Settled { is_back: std::mem::replace(&mut self.is_failing, false), ..Settled::default() }
            }
            Outcome::Gone => {
                self.is_gone = true;
                self.in_flight = 0;
                let given_up = self.entries.drain(..).count() as u64;
                Settled { given_up, ..Settled::default() }
            }
            Outcome::Failed(_) | Outcome::Refused => {
                let fails_now = !std::mem::replace(&mut self.is_failing, true);
                self.last_failed = Some(number);
                let entry = &mut self.entries[at];
                entry.is_in_flight = false;
                entry.refusals += u32::from(outcome == Outcome::Refused);
                let is_given_up = self.is_closing || entry.refusals >= limits::WEBHOOK_REFUSALS_MAX;
                if is_given_up {
                    self.entries.remove(at);
                }
                if !self.is_closing {
                    let asked = if let Outcome::Failed(Some(asked)) = outcome { asked } else { Duration::ZERO };
                    let asked = asked.min(limits::WEBHOOK_RETRY_SPAN_MAX);
                    self.resumes = Some(now + self.backoff.pause().max(asked));
                }
                Settled { given_up: u64::from(is_given_up), fails_now, is_back: false }
            }
        }
    }

    /// Gives up what is too old; how many that are.
    pub fn expire(&mut self, now: Instant) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.is_in_flight || now < entry.since + limits::WEBHOOK_AGE_MAX);
        (before - self.entries.len()) as u64
    }

    /// The node ends: what waits is tried once more, at once.
    pub fn close(&mut self) {
        (self.is_closing, self.resumes) = (true, None);
    }

    /// When `take` may have another one, or `expire` something to give up, though nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.entries.iter().find(|entry| !entry.is_in_flight)?;
        let expires = waiting.since + limits::WEBHOOK_AGE_MAX;
        // While as many are on their way as may be, nothing comes of a pause's end.
        let resumes = self.resumes.filter(|_| self.in_flight < self.flights_max());
        Some(resumes.map_or(expires, |at| at.min(expires)))
    }

    /// One is enough to see whether a server is back.
    const fn flights_max(&self) -> usize {
        if self.is_failing { 1 } else { limits::WEBHOOK_FLIGHTS_MAX }
    }

    /// Messages that wait or are on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(room: &str, n: usize) -> Message {
        let room = (!room.is_empty()).then(|| room.parse().unwrap());
        Message { id: format!("{n}").into(), room, body: "{}".into() }
    }

    fn taken(queue: &mut Queue, now: Instant) -> Vec<Delivery> {
        std::iter::from_fn(|| queue.take(now)).collect()
    }

    fn ids(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries.iter().map(|delivery| &*delivery.message.id).collect()
    }

    #[test]
    fn a_rooms_messages_go_one_after_the_other_and_several_rooms_side_by_side() {
        let (now, mut queue) = (Instant::now(), Queue::new(1));
        for (n, room) in ["a", "a", "b", "", "b", ""].into_iter().enumerate() {
            assert_eq!(queue.push(now, message(room, n)), 0);
        }
        let first = taken(&mut queue, now);
        assert_eq!(ids(&first), ["0", "2", "3"]);
        assert_eq!(queue.settle(now, first[1].number, Outcome::Delivered), Settled::default());
        assert_eq!(ids(&taken(&mut queue, now)), ["4"]);
        queue.settle(now, first[0].number, Outcome::Delivered);
        queue.settle(now, first[2].number, Outcome::Delivered);
        assert_eq!(ids(&taken(&mut queue, now)), ["1", "5"]);
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn a_server_that_fails_is_left_alone_then_tried_by_one_and_has_all_in_order_once_it_is_back() {
        let (mut now, mut queue) = (Instant::now(), Queue::new(1));
        for (n, room) in ["a", "a", "b"].into_iter().enumerate() {
            queue.push(now, message(room, n));
        }
        let both = taken(&mut queue, now);
        assert!(queue.settle(now, both[0].number, Outcome::Failed(None)).fails_now);
        assert!(!queue.settle(now, both[1].number, Outcome::Failed(None)).fails_now, "told once");
        for tries in 0..8 {
            let due = queue.deadline().expect("it is tried again");
            assert!(due > now && due <= now + limits::WEBHOOK_RETRY_SPAN_MAX);
            assert!(queue.take(due - Duration::from_nanos(1)).is_none());
            now = due;
            let one = taken(&mut queue, now);
            assert_eq!(ids(&one), [if tries % 2 == 0 { "0" } else { "2" }], "one at a time, the rooms by turns");
            queue.settle(now, one[0].number, Outcome::Failed(None));
        }
        now = queue.deadline().unwrap();
        let one = taken(&mut queue, now);
        assert!(queue.settle(now, one[0].number, Outcome::Delivered).is_back);
        assert_eq!(ids(&taken(&mut queue, now)), ["1", "2"]);
    }

    #[test]
    fn one_that_is_refused_holds_up_its_room_alone_and_is_given_up() {
        let (mut now, mut queue) = (Instant::now(), Queue::new(1));
        for (n, room) in ["a", "a", "b"].into_iter().enumerate() {
            queue.push(now, message(room, n));
        }
        let (mut given_up, mut arrived) = (0, Vec::new());
        while given_up + arrived.len() as u64 != 3 {
            while let Some(one) = queue.take(now) {
                let outcome = if &*one.message.id == "0" { Outcome::Refused } else { Outcome::Delivered };
                given_up += queue.settle(now, one.number, outcome).given_up;
                if outcome == Outcome::Delivered {
                    arrived.push(one.message.id.to_string());
                }
            }
            now = queue.deadline().unwrap_or(now);
        }
        assert_eq!((given_up, &arrived[..]), (1, &["2".to_owned(), "1".to_owned()][..]));
    }

    #[test]
    fn a_pause_that_ends_while_others_are_on_their_way_wakes_nobody() {
        let (now, mut queue) = (Instant::now(), Queue::new(1));
        for (n, room) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            queue.push(now, message(room, n));
        }
        let four = taken(&mut queue, now);
        queue.settle(now, four[0].number, Outcome::Failed(None));
        let later = now + limits::WEBHOOK_RETRY_SPAN_MAX;
        assert!(queue.take(later).is_none() && queue.deadline().unwrap() > later);
        for hung in &four[1..] {
            queue.settle(later, hung.number, Outcome::Failed(None));
        }
        assert!(queue.deadline().unwrap() <= later + limits::WEBHOOK_RETRY_SPAN_MAX);
    }

    #[test]
    fn a_server_may_say_for_how_long_it_is_to_be_left_alone_within_bounds() {
        for (asked, least, most) in [(20, 20, 20), (100_000, 60, 60), (0, 0, 1)] {
            let (now, mut queue) = (Instant::now(), Queue::new(1));
            queue.push(now, message("a", 0));
            let one = queue.take(now).unwrap();
            queue.settle(now, one.number, Outcome::Failed(Some(Duration::from_secs(asked))));
            let pause = queue.deadline().unwrap() - now;
            assert!(pause >= Duration::from_secs(least) && pause <= Duration::from_secs(most), "{asked}: {pause:?}");
        }
    }

    #[test]
    fn what_is_too_old_or_finds_no_place_is_given_up_and_counted() {
        let (now, mut queue) = (Instant::now(), Queue::new(1));
        let discarded: u64 = (0..limits::WEBHOOK_QUEUE_LEN + 3).map(|n| queue.push(now, message("a", n))).sum();
        assert_eq!((discarded, queue.len()), (3, limits::WEBHOOK_QUEUE_LEN));
        let one = queue.take(now).unwrap();
        assert_eq!(&*one.message.id, "3", "the oldest made way");
        let late = now + limits::WEBHOOK_AGE_MAX;
        assert_eq!(queue.expire(late - Duration::from_nanos(1)), 0);
        assert_eq!(queue.expire(late), limits::WEBHOOK_QUEUE_LEN as u64 - 1, "all but the one on its way");
        queue.settle(late, one.number, Outcome::Failed(None));
        assert_eq!((queue.expire(late), queue.is_empty()), (1, true));
    }

    #[test]
    fn at_the_end_each_is_tried_once_more_and_a_server_that_is_gone_is_not() {
        let (now, mut queue) = (Instant::now(), Queue::new(1));
        for n in 0..2 {
            queue.push(now, message("a", n));
        }
        let one = queue.take(now).unwrap();
        queue.settle(now, one.number, Outcome::Failed(None));
        assert!(queue.take(now).is_none());
        queue.close();
        for _ in 0..2 {
            let one = queue.take(now).expect("at once");
            assert_eq!(queue.settle(now, one.number, Outcome::Failed(None)).given_up, 1);
        }
        assert!(queue.is_empty());

        let mut queue = Queue::new(1);
        for n in 0..3 {
            queue.push(now, message("a", n));
        }
        let one = queue.take(now).unwrap();
        assert_eq!(queue.settle(now, one.number, Outcome::Gone).given_up, 3);
        assert_eq!((queue.push(now, message("a", 3)), queue.take(now).is_none()), (1, true));
    }
}
