//! **The question:** what still waits for a client that takes bytes slower than its room makes them? A bounded while of
//! them: what does not fit is lost like a datagram, and repaired or given up like one. Never half a frame, and sound
//! goes on where the picture already waits too long.

use std::collections::VecDeque;
use std::time::Instant;

use crate::base::limits;
use crate::io::webrtc::tcp::framing;

/// Frames on their way to one client.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    bytes: Vec<u8>,
    /// How many of them were written.
    written: usize,
    /// When what ends at a place among them came, oldest first.
    marks: VecDeque<Mark>,
}

#[derive(Debug)]
struct Mark {
    came: Instant,
    end: usize,
}

impl SendQueue {
    /// One more datagram; false if it is discarded.
    pub(super) fn push(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let Some(head) = framing::head(datagram) else { return false };
        let is_short = datagram.len() <= limits::TCP_SHORT_LEN_MAX;
        let is_late = self.marks.front().is_some_and(|oldest| now > oldest.came + limits::TCP_QUEUE_SPAN);
        let waits = self.unsent().len() + head.len() + datagram.len();
        if waits > limits::TCP_QUEUE_LEN_MAX || (is_late && !is_short) {
            return false;
        }
        if self.bytes.len() + head.len() + datagram.len() > limits::TCP_QUEUE_LEN_MAX {
            self.move_up();
        }
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        match self.marks.back_mut().filter(|last| now < last.came + limits::TCP_QUEUE_SPACING) {
            Some(last) => last.end = end,
            None => self.marks.push_back(Mark { came: now, end }),
        }
        true
    }

    /// What is to be written next.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// So much of it was written.
    pub(super) fn advance(&mut self, count: usize) {
        self.written += count;
        while self.marks.front().is_some_and(|oldest| oldest.end <= self.written) {
            self.marks.pop_front();
        }
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }

    /// Makes room of what was written.
    fn move_up(&mut self) {
        self.bytes.drain(..self.written);
        self.marks.iter_mut().for_each(|mark| mark.end -= self.written);
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::webrtc::tcp::framing::Deframer;

    /// A large datagram, and how many of them fit.
    const LARGE: [u8; 1_200] = [7; 1_200];

    #[test]
    fn a_reader_that_takes_nothing_loses_pictures_first_and_then_all() {
        let (mut queue, now) = (SendQueue::default(), Instant::now());
        assert!(queue.push(now, &LARGE) && queue.push(now + limits::TCP_QUEUE_SPAN, &LARGE));
        let late = now + limits::TCP_QUEUE_SPAN * 2;
        assert!(!queue.push(late, &LARGE), "what waits has waited too long");
        assert!(queue.push(late, &[1; 300]), "sound goes on");
        let more = (0..100_000).filter(|_| queue.push(late, &[1; 300])).count();
        assert!(more < 100_000 && queue.unsent().len() <= limits::TCP_QUEUE_LEN_MAX);
        // As soon as what waited long is gone.
        queue.advance(2 * (LARGE.len() + 2));
        assert!(queue.push(late, &LARGE));
        queue.advance(queue.unsent().len());
        assert!(queue.unsent().is_empty() && queue.marks.is_empty());
    }

    #[test]
    fn what_is_taken_in_pieces_is_whole_at_the_other_end() {
        let (mut queue, mut deframer, mut now) = (SendQueue::default(), Deframer::default(), Instant::now());
        let (mut taken, mut seen, mut sent) = (1, Vec::new(), Vec::new());
        for n in 0..4_000_usize {
            let datagram = vec![n as u8; 1 + n * 31 % 1_300];
            now += limits::TCP_QUEUE_SPACING / 3;
            if queue.push(now, &datagram) {
                sent.push(datagram);
            }
            taken = (taken * 7 + 1) % 1_400;
            let count = taken.min(queue.unsent().len());
            deframer.push(&queue.unsent()[..count], |datagram| seen.push(datagram.to_vec())).unwrap();
            queue.advance(count);
            assert!(queue.bytes.len() <= limits::TCP_QUEUE_LEN_MAX);
        }
        deframer.push(queue.unsent(), |datagram| seen.push(datagram.to_vec())).unwrap();
        assert!(seen == sent && sent.len() > 1_000, "{} of {}", seen.len(), sent.len());
    }
}
