//! **The question:** what does a caller send now? Handshakes until they are answered; payloads at once, kept for
//! repairs as long as the listener could still play them; acknowledgements of acknowledgements, and a word when there
//! is nothing else to say.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::core::srt::handshake::{self, Own, WINDOW};
use crate::core::srt::packet::{
    ACK, ACK_ACK, Control, DROP_REQUEST, HANDSHAKE, KEEP_ALIVE, NAK, SEQUENCE_MASK, SHUTDOWN, SRT_PAYLOAD, SrtError,
    control, distance, losses, write_control, write_data,
};
use crate::core::srt::secrecy::Secrecy;

/// How soon a handshake that was not answered is said again.
const HANDSHAKE_RETRY: Duration = Duration::from_millis(250);
/// How long a packet is kept that could still be played: at least so long (section 4.6), and a little beyond.
const KEPT_SPAN_MIN: Duration = Duration::from_secs(1);
const KEPT_BEYOND: Duration = Duration::from_millis(20);
/// Packets that one key hides: numbers go round after twice as many, and a counter must not come again.
const SPENT: u32 = 1 << 30;

/// What a call is made with.
#[derive(Debug)]
pub struct CallerSetup {
    /// Which stream it is, in the listener's words; none where it is empty.
    pub stream_id: String,
    /// How long the listener may hold packets back, at least, so that repairs come in time.
    pub latency: Duration,
    /// What hides the payloads.
    pub secrecy: Option<Secrecy>,
    /// This side's socket, not 0, and the first packet's number, both at random.
    pub random: (u32, u32),
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallerStats {
    /// Payloads.
    pub payloads: u64,
    /// Packets that were sent again.
    pub repairs: u64,
    /// Packets that were given up: too late, or more than are kept.
    pub dropped: u64,
}

#[derive(Debug)]
enum Stage {
    Inducing,
    Concluding { cookie: u32 },
    Up,
}

#[derive(Debug)]
struct Kept {
    sequence: u32,
    message: u32,
    sent: Instant,
    time: u32,
    payload: Vec<u8>,
}

/// One call.
#[derive(Debug)]
pub struct Caller {
    setup: CallerSetup,
    stage: Stage,
    begun: Instant,
    /// When the last word was said, of whatever kind.
    said: Option<Instant>,
    heard: Instant,
    /// The listener's socket.
    socket: u32,
    /// How long the listener holds packets back.
    latency: Duration,
    kept_span: Duration,
    next: u32,
    message: u32,
    kept: VecDeque<Kept>,
    /// When the oldest of them became the oldest, or was sent again.
    tail: Instant,
    stats: CallerStats,
}

impl Caller {
    /// One that calls from now on.
    #[must_use]
    pub fn new(now: Instant, setup: CallerSetup) -> Self {
        let next = setup.random.1 & SEQUENCE_MASK;
        Self {
            setup,
            stage: Stage::Inducing,
            begun: now,
            said: None,
            heard: now,
            socket: 0,
            latency: Duration::ZERO,
            kept_span: KEPT_SPAN_MIN,
            next,
            message: 1,
            kept: VecDeque::new(),
            tail: now,
            stats: CallerStats::default(),
        }
    }

    /// Whether the listener takes payloads.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up)
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> CallerStats {
        self.stats
    }

    /// Takes a datagram of the listener, and appends those that follow.
    ///
    /// # Errors
    /// When the call is over, or never comes about.
    pub fn handle(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), SrtError> {
        let Some(Control { kind, info, body }) = control(datagram, self.own().socket) else { return Ok(()) };
        self.heard = now;
        match (kind, &self.stage) {
            (HANDSHAKE, Stage::Inducing) => {
                if let Some(induced) = handshake::induced(body) {
                    self.stage = Stage::Concluding { cookie: induced?.cookie };
                    self.shake(now, out);
                }
            }
            (HANDSHAKE, Stage::Concluding { .. }) => {
                if let Some(concluded) = handshake::concluded(body, self.setup.secrecy.is_some()) {
                    let concluded = concluded?;
                    self.socket = concluded.socket;
                    self.latency = concluded.latency;
                    self.kept_span = concluded.latency.max(KEPT_SPAN_MIN) + KEPT_BEYOND;
                    self.stage = Stage::Up;
                }
            }
            (SHUTDOWN, Stage::Up) => return Err(SrtError::Closed),
            (ACK, Stage::Up) => self.acknowledged(now, info, body, out),
            (NAK, Stage::Up) => self.repair(now, body, out),
            _ => {}
        }
        Ok(())
    }

    /// Sends payloads, each of at most [`SRT_PAYLOAD`] bytes.
    ///
    /// # Errors
    /// When the call is over.
    pub fn send(&mut self, now: Instant, stream: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), SrtError> {
        if !self.is_up() {
            return Ok(());
        }
        for payload in stream.chunks(SRT_PAYLOAD) {
            if self.stats.payloads >= u64::from(SPENT) {
                return Err(SrtError::Spent);
            }
            let mut payload = payload.to_vec();
            if let Some(secrecy) = &self.setup.secrecy {
                secrecy.hide(self.next, &mut payload).ok_or(SrtError::Malformed("nothing can be encrypted here"))?;
            }
            let kept = Kept { sequence: self.next, message: self.message, sent: now, time: self.time(now), payload };
            out.push(self.packet(&kept, false));
            if self.kept.is_empty() {
                self.tail = now;
            }
            if self.kept.len() >= WINDOW as usize {
                self.kept.pop_front();
                self.stats.dropped += 1;
            }
            self.kept.push_back(kept);
            self.next = self.next.wrapping_add(1) & SEQUENCE_MASK;
            // Numbers of messages have 26 bits, and 0 is none.
            self.message = (self.message % 0x03ff_ffff) + 1;
            self.stats.payloads += 1;
            self.said = Some(now);
        }
        Ok(())
    }

    /// Appends what is due though nothing came.
    ///
    /// # Errors
    /// When nothing was heard for too long.
    pub fn due(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) -> Result<(), SrtError> {
        if now >= self.heard + limits::SRT_SILENCE_SPAN {
            return Err(SrtError::Silent);
        }
        if !self.is_up() {
            if self.said.is_none_or(|said| now >= said + HANDSHAKE_RETRY) {
                self.shake(now, out);
            }
            return Ok(());
        }
        while self.kept.front().is_some_and(|oldest| now >= oldest.sent + self.kept_span) {
            self.kept.pop_front();
            self.stats.dropped += 1;
        }
        if !self.kept.is_empty() && now >= self.tail + limits::SRT_TAIL_SPAN {
            self.tail = now;
            let again: Vec<_> =
                self.kept.iter().take(limits::SRT_TAIL_LEN).map(|kept| self.packet(kept, true)).collect();
            self.again(now, again, out);
        }
        if self.said.is_none_or(|said| now >= said + limits::SRT_KEEP_ALIVE_SPAN) {
            self.say(now, KEEP_ALIVE, 0, &[0; 4], out);
        }
        Ok(())
    }

    /// When `due` is to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let silent = self.heard + limits::SRT_SILENCE_SPAN;
        let retry = if self.is_up() { limits::SRT_KEEP_ALIVE_SPAN } else { HANDSHAKE_RETRY };
        let word = self.said.map_or(self.begun, |said| said + retry);
        let tail =
            self.kept.front().map(|oldest| (self.tail + limits::SRT_TAIL_SPAN).min(oldest.sent + self.kept_span));
        silent.min(word).min(tail.unwrap_or(silent))
    }

    /// How long the listener may still hold back what was sent, and ask for repairs of it.
    #[must_use]
    pub fn lingers(&self) -> Duration {
        if self.is_up() { self.latency + KEPT_BEYOND } else { Duration::ZERO }
    }

    /// Appends that nothing more comes.
    pub fn goodbye(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.is_up() {
            self.say(now, SHUTDOWN, 0, &[0; 4], out);
        }
    }

    fn own(&self) -> Own {
        Own { socket: self.setup.random.0.max(1), sequence: self.setup.random.1 & SEQUENCE_MASK }
    }

    /// Microseconds since the call began; they go round (section 3).
    fn time(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.begun).as_micros() as u32
    }

    fn say(&mut self, now: Instant, kind: u16, info: u32, body: &[u8], out: &mut Vec<Vec<u8>>) {
        out.push(write_control(kind, info, (self.time(now), self.socket), body));
        self.said = Some(now);
    }

    fn shake(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let body = match self.stage {
            Stage::Concluding { cookie } => {
                let extensions = (&*self.setup.stream_id, self.setup.secrecy.as_ref());
                handshake::conclusion(self.own(), cookie, self.setup.latency, extensions)
            }
            Stage::Inducing | Stage::Up => handshake::induction(self.own()),
        };
        self.say(now, HANDSHAKE, 0, &body, out);
    }

    /// Everything before that number has come (section 3.2.4).
    fn acknowledged(&mut self, now: Instant, number: u32, body: &[u8], out: &mut Vec<Vec<u8>>) {
        let Some(next) = body.first_chunk::<4>().map(|word| u32::from_be_bytes(*word) & SEQUENCE_MASK) else { return };
        // What was never sent cannot have come.
        if distance(next, self.next) < 0 {
            return;
        }
        while self.kept.front().is_some_and(|oldest| distance(oldest.sequence, next) > 0) {
            self.kept.pop_front();
            self.tail = now;
        }
        // A light one has no number, and wants no word back.
        if number != 0 {
            self.say(now, ACK_ACK, number, &[0; 4], out);
        }
    }

    /// These did not come (section 3.2.5): they are sent again, or given up where they are kept no more.
    fn repair(&mut self, now: Instant, body: &[u8], out: &mut Vec<Vec<u8>>) {
        let (mut again, mut gone) = (Vec::new(), Vec::new());
        for (first, last) in losses(body) {
            if distance(first, last) < 0 || distance(last, self.next) <= 0 {
                continue;
            }
            let oldest = self.kept.front().map_or(self.next, |kept| kept.sequence);
            let at = |sequence: u32| usize::try_from(distance(oldest, sequence)).ok();
            if distance(first, oldest) > 0 {
                let until = if distance(last, oldest) > 0 { last } else { oldest.wrapping_sub(1) & SEQUENCE_MASK };
                gone.push([first, until]);
            }
            let (from, to) = (at(first).unwrap_or(0), at(last).map_or(0, |last| last + 1));
            let range = self.kept.iter().skip(from).take(to.saturating_sub(from));
            let room = limits::SRT_REPAIRS_MAX.saturating_sub(again.len());
            again.extend(range.take(room).map(|kept| self.packet(kept, true)));
        }
        self.again(now, again, out);
        for [first, last] in gone {
            // Section 3.2.9: which messages nobody can have any more; by their packets, for it is not known here which
            // they were.
            let body = [first, last].map(u32::to_be_bytes).concat();
            self.say(now, DROP_REQUEST, 0, &body, out);
        }
    }

    fn again(&mut self, now: Instant, packets: Vec<Vec<u8>>, out: &mut Vec<Vec<u8>>) {
        self.stats.repairs += packets.len() as u64;
        self.said = if packets.is_empty() { self.said } else { Some(now) };
        out.extend(packets);
    }

    fn packet(&self, kept: &Kept, again: bool) -> Vec<u8> {
        let is_secret = self.setup.secrecy.is_some();
        write_data((kept.sequence, kept.message), (is_secret, again), (kept.time, self.socket), &kept.payload)
    }
}
