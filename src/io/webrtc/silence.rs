//! **The question:** is a client heard again that fell silent for longer than lost packets are kept? What it was sent
//! meanwhile cannot be repaired, and browsers ask for a keyframe only every 3 s while pictures stay away.

use std::time::Instant;

use crate::base::limits;

/// How one client is heard.
#[derive(Debug)]
pub(super) struct Silence {
    heard: Instant,
    /// Datagrams that followed each other closely, up to `limits::SILENCE_RUN_MIN`: of a client that only reports every
    /// few seconds, silence says nothing.
    run: u32,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, run: 0 }
    }

    /// One datagram came; true: it is the first after a silence that one does not expect of this client. STUN does not
    /// count (RFC 7983): checks of the ways to it come before one of them is chosen.
    pub(super) fn ends(&mut self, now: Instant, datagram: &[u8]) -> bool {
        if datagram.first().is_none_or(|first| *first < 20) {
            return false;
        }
        let gap = now.saturating_duration_since(self.heard);
        self.heard = now;
        let ends = gap >= limits::SILENCE_SPAN && self.run >= limits::SILENCE_RUN_MIN;
        self.run = if gap < limits::SILENCE_CLOSE_SPAN { (self.run + 1).min(limits::SILENCE_RUN_MIN) } else { 0 };
        ends
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RTP: [u8; 1] = [0x80];
    const STUN: [u8; 1] = [0];

    /// Hears `count` datagrams, each `spacing` after the last.
    fn hear(silence: &mut Silence, now: &mut Instant, count: u32, spacing: Duration) -> bool {
        (0..count).any(|_| {
            *now += spacing;
            silence.ends(*now, &RTP)
        })
    }

    #[test]
    fn a_lively_client_that_fell_silent_is_told_once_it_is_heard_again() {
        let mut now = Instant::now();
        let mut silence = Silence::new(now);
        let often = Duration::from_millis(20);
        assert!(!hear(&mut silence, &mut now, 100, often));
        now += limits::SILENCE_SPAN;
        assert!(!silence.ends(now, &STUN), "a check of the way is no sign");
        assert!(silence.ends(now, &RTP));
        assert!(!hear(&mut silence, &mut now, 100, often), "it is told once");
        now += limits::SILENCE_SPAN.mul_f64(0.9);
        assert!(!silence.ends(now, &RTP), "what is lost in a moment is sent again");
    }

    #[test]
    fn of_a_client_that_only_reports_now_and_then_silence_says_nothing() {
        let mut now = Instant::now();
        let mut silence = Silence::new(now);
        assert!(!hear(&mut silence, &mut now, 200, limits::SILENCE_SPAN));
        assert!(!hear(&mut silence, &mut now, 200, limits::SILENCE_CLOSE_SPAN));
        assert!(!silence.ends(now, &[]), "nothing is nothing");
    }
}
