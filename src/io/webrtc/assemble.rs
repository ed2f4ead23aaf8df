//! **The question:** which frames do these packets make? Reorders one track's packets, waits for repair, and hands
//! whole frames out in order. Pure: the caller parses RTP, unwraps RTX, extends sequence numbers and RTP times, and
//! sends the keyframe requests.
//!
//! A video track is *followed* packet by packet while nothing is missing. A packet that is missing blocks it until
//! repair brings it, a newer keyframe is complete, or a patience has passed twice, which follows how long repairs take;
//! a keyframe is asked for once it has passed. Then the track is *seeking*: all that counts is the newest packet that
//! may start a keyframe, and whether that keyframe is complete. A track begins seeking.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{AudioLevel, Codec, Colour, Orientation, Outbox, ReceivedFrame, Wallclock};
use crate::io::webrtc::payload::{Unit, holds_header, may_start_keyframe, video_unit};

/// One RTP packet of one track, decrypted and parsed.
#[derive(Debug, Clone)]
pub struct WirePacket {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended RTP timestamp, in units of the codec's clock.
    pub rtp_time: u64,
    /// The marker bit.
    pub marker: bool,
    /// When it arrived.
    pub arrival: Instant,
    /// When its sender captured it, by its own clock, once a sender report told.
    pub captured: Option<Wallclock>,
    /// The payload without padding; empty for packets that only probe the path.
    pub payload: Arc<[u8]>,
    /// RFC 6464 level, if sent.
    pub audio_level: Option<AudioLevel>,
    /// RFC 8852 restriction id, if sent.
    pub rid: Option<[u8; 8]>,
    /// What its frame's samples mean, if the packet says so (`color-space`).
    pub colour: Option<Colour>,
    /// Which way up its frame is, if the packet says so (`video-orientation`).
    pub orientation: Option<Orientation>,
}

/// What a [`VideoAssembler`] answers.
#[derive(Debug)]
pub enum Assembled {
    /// The next frame in order.
    Frame(ReceivedFrame),
    /// Nothing may be delivered before a keyframe: ask the sender for one. At most one per
    /// [`limits::KEYFRAME_SPACING`], but a second one sooner where none came.
    RequestKeyframe,
}

/// Counts of one video track, since its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoStats {
    /// Packets that came in.
    pub packets: u64,
    /// Packets ignored because they were there already, or their place had passed.
    pub repeated: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Gaps given up on: repair took too long, or a keyframe made it needless.
    pub gaps_skipped: u64,
    /// Frames lost because their payloads were malformed or longer than [`limits::INGEST_FRAME_LEN_MAX`].
    pub malformed: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
    /// Packets that wait.
    pub waiting: usize,
}

/// Packets of one video track → frames.
#[derive(Debug)]
pub struct VideoAssembler {
    codec: Codec,
    /// Packets not yet consumed, by sequence; all of them at `next` or after.
    window: BTreeMap<u64, WirePacket>,
    /// Payload bytes in `window`.
    window_len: usize,
    /// The first sequence that still matters.
    next: u64,
    progress: Progress,
    /// The newest keyframe that may be under way in `window`.
    candidate: Option<Candidate>,
    /// Whether something is missing between the last delivered frame and the next.
    is_broken: bool,
    /// When a keyframe was last asked for, and how often since the last one came.
    requested: Option<Instant>,
    requests: u32,
    /// How long repairs take, from when a packet is missed.
    repair_span: Option<Duration>,
    /// The newest keyframe's header: some senders write it into their first keyframe alone.
    header: Option<Bytes>,
    /// What samples mean, as said last; a keyframe that says nothing takes it back.
    colour: Option<Colour>,
    /// Which way up pictures are, as said last; a keyframe that says nothing takes it back.
    orientation: Orientation,
    stats: VideoStats,
}

#[derive(Debug)]
enum Progress {
    /// Nothing but a keyframe helps.
    Seeking,
    /// Packets are consumed at `next`, one after the other.
    Following {
        /// The frame that is being put together.
        building: Building,
        /// When the packet at `next` was found missing, and which one that is.
        gap: Option<Gap>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    sequence: u64,
    since: Instant,
    /// A keyframe was asked for in its place.
    is_asked: bool,
}

/// Packets of one frame, from its first on, none missing.
#[derive(Debug, Default)]
struct Building {
    packets: Vec<WirePacket>,
    len: usize,
}

/// A keyframe under way: it starts at `first`, and nothing is missing up to `end` (exclusive).
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Its first packet says what its pictures are. Otherwise a packet before that one may, which is not there yet.
    has_header: bool,
    first: u64,
    end: u64,
    rtp_time: u64,
    since: Instant,
    is_complete: bool,
}

impl VideoAssembler {
    /// An assembler of payloads of `codec` that waits for the first keyframe.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            window: BTreeMap::new(),
            window_len: 0,
            next: 0,
            progress: Progress::Seeking,
            candidate: None,
            is_broken: true,
            requested: None,
            requests: 0,
            repair_span: None,
            header: None,
            colour: None,
            orientation: Orientation::default(),
            stats: VideoStats::default(),
        }
    }

    /// Takes one packet, and answers with every frame it completes.
    pub fn push(&mut self, now: Instant, packet: WirePacket, out: &mut Outbox<Assembled>) {
        self.stats.packets += 1;
        if packet.sequence < self.next || self.window.contains_key(&packet.sequence) {
            self.stats.repeated += 1;
            return;
        }
        self.learn(&packet);
        self.insert(packet);
        self.advance(now, out);
        if matches!(self.progress, Progress::Seeking) {
            self.request_keyframe(now, out);
        }
    }

    /// Gives up on a packet whose repair takes too long.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        self.advance(now, out);
    }

    /// When [`Self::handle_timeout`] is due, if no packet comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.progress {
            Progress::Following { gap: Some(gap), .. } => {
                Some(gap.since + self.patience() * if gap.is_asked { 2 } else { 1 })
            }
            _ => None,
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        VideoStats { waiting: self.window.len(), ..self.stats }
    }

    /// How long a missing packet waits before a keyframe is asked for: for its repair, and for a second one if the
    /// first is lost.
    fn patience(&self) -> Duration {
        let twice = self.repair_span.map_or(limits::NACK_WAIT, |span| span * 5 / 2);
        twice.clamp(limits::NACK_WAIT, limits::NACK_WAIT_MAX)
    }

    /// Learns from the packet that was missed how long repairs take.
    fn learn(&mut self, packet: &WirePacket) {
        let Progress::Following { gap: Some(gap), .. } = &self.progress else { return };
        let took = packet.arrival.saturating_duration_since(gap.since);
        if gap.sequence == packet.sequence && took >= limits::REPAIR_SPAN_MIN {
            self.repair_span = Some(self.repair_span.map_or(took, |before| (before * 7 + took) / 8));
        }
    }

    fn insert(&mut self, packet: WirePacket) {
        // Of one frame the first packet that may start it does: slices and parameter sets behind it are that frame's.
        let is_better = |candidate: Candidate| match packet.rtp_time == candidate.rtp_time {
            true => packet.sequence < candidate.first,
            false => packet.sequence > candidate.first,
        };
        let is_better = self.candidate.is_none_or(is_better);
        if is_better && may_start_keyframe(self.codec, &packet.payload, self.header.is_some()) {
            let has_header = holds_header(self.codec, &packet.payload);
            self.candidate = Some(Candidate {
                has_header,
                first: packet.sequence,
                end: packet.sequence,
                rtp_time: packet.rtp_time,
                since: packet.arrival,
                is_complete: false,
            });
            if has_header && matches!(self.progress, Progress::Seeking) {
                self.forget_before(packet.sequence);
            }
        }
        self.window_len += packet.payload.len();
        self.window.insert(packet.sequence, packet);
        self.extend_candidate();
    }

    /// Follows the candidate's packets as far as none is missing.
    fn extend_candidate(&mut self) {
        let Some(candidate) = &mut self.candidate else { return };
        while !candidate.is_complete {
            let Some(packet) = self.window.get(&candidate.end) else { return };
            candidate.is_complete = packet.ends(candidate.rtp_time) || packet.follows(candidate.rtp_time);
            candidate.end += 1;
        }
    }

    /// The newest keyframe, if all of it is there: what comes before its first packet has to be known to be another
    /// frame's, unless that packet has the header. A header that is missing may be another one than the last.
    fn whole_candidate(&self) -> Option<Candidate> {
        self.candidate.filter(|candidate| candidate.is_complete && (candidate.has_header || self.is_begin(candidate)))
    }

    fn is_begin(&self, candidate: &Candidate) -> bool {
        for at in (self.next..candidate.first).rev() {
            match self.window.get(&at) {
                Some(packet) if packet.follows(candidate.rtp_time) => return true,
                Some(_) => {}
                None => return false,
            }
        }
        matches!(self.progress, Progress::Following { .. })
    }

    /// Does all that can be done now. Each round consumes a packet or ends it.
    fn advance(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        loop {
            if matches!(self.progress, Progress::Following { .. }) {
                self.consume(now, out);
            }
            let (patience, is_overtaken) = (self.patience(), self.whole_candidate().is_some());
            if let Progress::Following { building, gap } = &mut self.progress {
                let Some((&first, _)) = self.window.first_key_value() else {
                    *gap = None;
                    return;
                };
                if gap.is_none_or(|gap| gap.sequence != self.next) {
                    // Noticed when the first of the packets behind it came.
                    let since = self.window.values().map(|packet| packet.arrival).min().unwrap_or(now);
                    *gap = Some(Gap { sequence: self.next, since, is_asked: false });
                }
                let is_over = gap.is_some_and(|gap| now >= gap.since + patience * 2);
                let is_full = self.window.len() > limits::REORDER_PACKETS_MAX
                    || self.window_len + building.len > limits::INGEST_FRAME_LEN_MAX;
                if !(is_over || is_full || is_overtaken) {
                    let is_late = |gap: &&mut Gap| !gap.is_asked && now >= gap.since + patience;
                    if let Some(gap) = gap.as_mut().filter(is_late) {
                        gap.is_asked = true;
                        self.request_keyframe(now, out);
                    }
                    return;
                }
                self.stats.gaps_skipped += 1;
                self.forget_before(first);
                self.seek(now, out);
            }
            if !self.take_up_candidate() {
                return;
            }
        }
    }

    /// From seeking to following, if the keyframe is there.
    fn take_up_candidate(&mut self) -> bool {
        match self.whole_candidate() {
            Some(candidate) => {
                self.forget_before(candidate.first);
                self.progress = Progress::Following { building: Building::default(), gap: None };
                true
            }
            None => {
                self.bound_window();
                false
            }
        }
    }

    /// While seeking, the window keeps what a late first packet of a keyframe may need, and not more.
    fn bound_window(&mut self) {
        let packets_max = if self.candidate.is_some() { limits::REORDER_PACKETS_MAX } else { limits::SEEK_PACKETS_MAX };
        while self.window.len() > packets_max || self.window_len > limits::INGEST_FRAME_LEN_MAX {
            let Some((&first, _)) = self.window.first_key_value() else { return };
            self.forget_before(first + 1);
        }
    }

    /// Consumes packets at `next` until one is missing or a frame turns out to be of no use.
    fn consume(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        while let Progress::Following { building, .. } = &mut self.progress {
            let Some(packet) = self.window.get(&self.next) else { return };
            if building.packets.first().is_some_and(|first| packet.follows(first.rtp_time)) {
                // The marker was not set: the next frame's first packet ends this one. It stays for the next round.
                let whole = std::mem::take(building);
                self.finish(now, whole, out);
                continue;
            }
            let packet = self.window.remove(&self.next).expect("it was found above");
            self.window_len -= packet.payload.len();
            self.next += 1;
            if self.candidate.is_some_and(|candidate| candidate.first < self.next) {
                self.candidate = None;
            }
            let rtp_time = building.packets.first().map_or(packet.rtp_time, |first| first.rtp_time);
            let is_end = packet.ends(rtp_time);
            building.add(packet);
            if building.len > limits::INGEST_FRAME_LEN_MAX {
                self.stats.malformed += 1;
                self.seek(now, out);
            } else if is_end && !building.packets.is_empty() {
                let whole = std::mem::take(building);
                self.finish(now, whole, out);
            }
        }
    }

    fn finish(&mut self, now: Instant, whole: Building, out: &mut Outbox<Assembled>) {
        let Ok(mut unit) = video_unit(self.codec, whole.packets.iter().map(|packet| &packet.payload[..])) else {
            self.stats.malformed += 1;
            self.seek(now, out);
            return;
        };
        if unit.data.is_empty() {
            // Only a delimiter or padding: nothing to decode, and nothing lost.
            return;
        }
        self.complete_header(&mut unit);
        if self.is_broken && !unit.keyframe {
            self.seek(now, out);
            return;
        }
        let (Some(first), Some(last)) = (whole.packets.first(), whole.packets.last()) else { return };
        // It stands on the last packet of a keyframe, and of a frame from which on it is another one (libwebrtc).
        let stated = whole.packets.iter().rev().find_map(|packet| packet.colour);
        if stated.is_some() || unit.keyframe {
            self.colour = stated;
        }
        // It stands on the last packet of a keyframe, and of a frame from which on it is another (3GPP TS 26.114,
        // section 7.4.5).
        let turned = whole.packets.iter().rev().find_map(|packet| packet.orientation);
        if turned.is_some() || unit.keyframe {
            self.orientation = turned.unwrap_or_default();
        }
        let frame = ReceivedFrame {
            codec: self.codec,
            data: unit.data,
            keyframe: unit.keyframe,
            sequence_first: first.sequence,
            sequence_last: last.sequence,
            contiguous: !self.is_broken,
            rtp_time: first.rtp_time,
            arrival: whole.packets.iter().map(|packet| packet.arrival).max().unwrap_or(last.arrival),
            captured: first.captured,
            audio_level: None,
            rid: whole.packets.iter().find_map(|packet| packet.rid),
            colour: self.colour,
            orientation: self.orientation,
            temporal: unit.temporal,
        };
        self.is_broken = false;
        if unit.keyframe {
            self.requests = 0;
        }
        self.stats.frames += 1;
        self.stats.keyframes += u64::from(unit.keyframe);
        out.push(Assembled::Frame(frame));
    }

    /// Remembers a keyframe's header, and puts it before a keyframe that comes without one: AV1 wants it there (section
    /// 7.5), and some hardware encoders write it once.
    fn complete_header(&mut self, unit: &mut Unit) {
        if unit.header.is_some() {
            self.header.clone_from(&unit.header);
        } else if let Some(header) = self.header.as_ref().filter(|_| unit.lacks_header) {
            unit.data = [&header[..], &unit.data].concat().into();
            unit.keyframe = true;
        }
    }

    /// Frames up to here are lost: nothing more goes out before a keyframe.
    fn seek(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        self.progress = Progress::Seeking;
        self.is_broken = true;
        self.request_keyframe(now, out);
    }

    /// Asks for a keyframe, unless one is on its way in or was asked for just now.
    fn request_keyframe(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        let is_under_way =
            self.candidate.is_some_and(|candidate| candidate.is_complete || now < candidate.since + limits::NACK_WAIT);
        let spacing = if self.requests == 1 { limits::KEYFRAME_RETRY } else { limits::KEYFRAME_SPACING };
        let is_early = self.requested.is_some_and(|at| now.saturating_duration_since(at) < spacing);
        if is_under_way || is_early {
            return;
        }
        self.requested = Some(now);
        self.requests += 1;
        self.stats.keyframe_requests += 1;
        out.push(Assembled::RequestKeyframe);
    }

    fn forget_before(&mut self, sequence: u64) {
        self.next = self.next.max(sequence);
        while let Some(entry) = self.window.first_entry()
            && *entry.key() < sequence
        {
            self.window_len -= entry.remove().payload.len();
        }
        if self.candidate.is_some_and(|candidate| candidate.first < sequence) {
            self.candidate = None;
        }
    }
}

impl WirePacket {
    /// Whether the frame of `rtp_time` ends with this packet.
    fn ends(&self, rtp_time: u64) -> bool {
        self.marker && self.rtp_time == rtp_time
    }

    /// Whether this packet is of another frame than that of `rtp_time`; one without payload is of none.
    fn follows(&self, rtp_time: u64) -> bool {
        !self.payload.is_empty() && self.rtp_time != rtp_time
    }
}

impl Building {
    /// Takes a packet; one without payload holds a place in the sequence and nothing else.
    fn add(&mut self, packet: WirePacket) {
        if !packet.payload.is_empty() {
            self.len += packet.payload.len();
            self.packets.push(packet);
        }
    }
}

#[cfg(test)]
#[path = "tests/assemble.rs"]
mod tests;
