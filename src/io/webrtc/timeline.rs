//! **The question:** where on its track's timeline does a frame lie? Each RTP stream counts from numbers of its own
//! (RFC 3550 section 5.1); where one takes over from another (a simulcast layer, a sender that restarted), it goes on
//! where that one ended, so that nobody behind notices.

use std::time::Duration;

use crate::base::limits;
use crate::base::media::ReceivedFrame;

/// How far senders' clocks are believed: beyond it the time of arrival counts.
const CLOCK_TRUST: Duration = Duration::from_secs(1);

/// The timeline of one track.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// What the newest frame was, as it was placed.
    last: Option<ReceivedFrame>,
    /// Added to a stream's own sequence numbers and RTP times; unknown before its first frame.
    shift: Option<(u64, u64)>,
    /// The next stream begins where nothing is missing.
    is_seamless: bool,
}

impl Timeline {
    /// The next frame is another stream's; `seamless`: nothing is missing between them.
    pub(super) fn turn(&mut self, seamless: bool) {
        (self.shift, self.is_seamless) = (None, seamless);
    }

    /// The frame that was placed last is left on purpose: the next takes its numbers, for nothing is missing.
    pub(super) fn leave(&mut self, frame: &ReceivedFrame) {
        let numbers = frame.sequence_last.wrapping_sub(frame.sequence_first).wrapping_add(1);
        if let Some((sequences, _)) = &mut self.shift {
            *sequences = sequences.wrapping_sub(numbers);
        }
        if let Some(last) = &mut self.last {
            last.sequence_last = frame.sequence_first.wrapping_sub(1);
        }
    }

    /// Gives a frame its place.
    pub(super) fn place(&mut self, frame: &mut ReceivedFrame) {
        let (sequences, times) = *self.shift.get_or_insert_with(|| match &self.last {
            None => (0, 0),
            Some(last) => {
                // Where something is missing a number stays free, so that it is seen.
                let sequence = last.sequence_last.wrapping_add(if self.is_seamless { 1 } else { 2 });
                let time = last.rtp_time.wrapping_add(units_between(last, frame).max(1));
                (sequence.wrapping_sub(frame.sequence_first), time.wrapping_sub(frame.rtp_time))
            }
        });
        frame.sequence_first = frame.sequence_first.wrapping_add(sequences);
        frame.sequence_last = frame.sequence_last.wrapping_add(sequences);
        frame.rtp_time = frame.rtp_time.wrapping_add(times);
        let nothing = bytes::Bytes::new();
        self.last = Some(ReceivedFrame { data: nothing, ..frame.clone() });
    }
}

/// Units of the clock from one frame to a later one: by their sender's clock, which knows nothing of the way, or by
/// their arrival.
fn units_between(last: &ReceivedFrame, frame: &ReceivedFrame) -> u64 {
    let arrived = frame.arrival.saturating_duration_since(last.arrival);
    let captured = last.captured.zip(frame.captured).and_then(|(from, to)| to.0.checked_sub(from.0));
    let between = captured.map(Duration::from_nanos).filter(|between| between.abs_diff(arrived) < CLOCK_TRUST);
    let units = between.unwrap_or(arrived).as_nanos() * u128::from(limits::VIDEO_CLOCK) / 1_000_000_000;
    u64::try_from(units).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::base::media::{Codec, Wallclock};

    fn frame(sequence: u64, rtp_time: u64, arrival: Instant) -> ReceivedFrame {
        ReceivedFrame::of_one_packet(Codec::Vp8, bytes::Bytes::new(), sequence, rtp_time, arrival)
    }

    #[test]
    fn a_stream_that_takes_over_goes_on_where_the_other_ended() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut timeline = Timeline::default();
        let place = |timeline: &mut Timeline, mut frame: ReceivedFrame| {
            timeline.place(&mut frame);
            (frame.sequence_first, frame.sequence_last, frame.rtp_time)
        };
        assert_eq!(place(&mut timeline, frame(70, 9_000, start)), (70, 70, 9_000), "the first counts as it likes");
        timeline.turn(false);
        let next = ReceivedFrame { sequence_last: 4_001, ..frame(4_000, 77, start + ms(100)) };
        assert_eq!(place(&mut timeline, next), (72, 73, 18_000));
        assert_eq!(place(&mut timeline, frame(4_002, 77 + 3_000, start + ms(133))), (74, 74, 21_000));
        let left = ReceivedFrame { sequence_last: 76, ..frame(75, 24_000, start) };
        assert_eq!(place(&mut timeline, frame(4_003, 77 + 6_000, start)).0, left.sequence_first);
        timeline.leave(&ReceivedFrame { sequence_last: 75, ..left });
        assert_eq!(place(&mut timeline, frame(4_004, 77 + 9_000, start)).0, 75, "what is left is not missing");
        timeline.turn(true);
        assert_eq!(place(&mut timeline, frame(1, u64::MAX - 5, start)), (76, 76, 27_001), "time goes on");
    }

    #[test]
    fn senders_clocks_count_more_than_arrival_as_far_as_they_are_believed() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        for (captured, time) in [(1_050, 4_500), (900_000, 18_000), (3, 18_000)] {
            let at = |millis: u64| Some(Wallclock(millis * 1_000_000));
            let mut timeline = Timeline::default();
            timeline.place(&mut ReceivedFrame { captured: at(1_000), ..frame(0, 0, start) });
            timeline.turn(true);
            let mut next = ReceivedFrame { captured: at(captured), ..frame(0, 5, start + ms(200)) };
            timeline.place(&mut next);
            assert_eq!(next.rtp_time, time);
        }
    }
}
