//! **The question:** which frames do these packets make? Reorders one track's packets, waits for repair, and hands
//! whole frames out in order. Pure: the caller parses RTP, unwraps RTX, extends sequence numbers and RTP times, and
//! sends the keyframe requests.
//!
//! A video track is *followed* packet by packet while nothing is missing. A packet that is missing blocks it until
//! repair brings it, a newer keyframe is complete, or [`limits::NACK_WAIT`] has passed; then the track is *seeking*:
//! all that counts is the newest packet that may start a keyframe, and whether that keyframe is complete. A track
//! begins seeking.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{AudioLevel, Codec, Outbox, ReceivedFrame, Wallclock};
use crate::io::webrtc::payload::{may_start_keyframe, video_unit};

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
}

/// What a [`VideoAssembler`] answers.
#[derive(Debug)]
pub enum Assembled {
    /// The next frame in order.
    Frame(ReceivedFrame),
    /// Nothing can be delivered before a keyframe: ask the sender for one. At most one per
    /// [`limits::KEYFRAME_SPACING`].
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
    requested: Option<Instant>,
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
            Progress::Following { gap: Some(gap), .. } => Some(gap.since + limits::NACK_WAIT),
            _ => None,
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        VideoStats { waiting: self.window.len(), ..self.stats }
    }

    fn insert(&mut self, packet: WirePacket) {
        let is_newer = self.candidate.is_none_or(|candidate| packet.sequence > candidate.first);
        if is_newer && may_start_keyframe(self.codec, &packet.payload) {
            self.candidate = Some(Candidate {
                first: packet.sequence,
                end: packet.sequence,
                rtp_time: packet.rtp_time,
                since: packet.arrival,
                is_complete: false,
            });
            if matches!(self.progress, Progress::Seeking) {
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

    /// Does all that can be done now. Each round consumes a packet or ends it.
    fn advance(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        loop {
            if matches!(self.progress, Progress::Following { .. }) {
                self.consume(now, out);
            }
            if let Progress::Following { building, gap } = &mut self.progress {
                let Some((&first, _)) = self.window.first_key_value() else {
                    *gap = None;
                    return;
                };
                if gap.is_none_or(|gap| gap.sequence != self.next) {
                    // Noticed when the first of the packets behind it came.
                    let since = self.window.values().map(|packet| packet.arrival).min().unwrap_or(now);
                    *gap = Some(Gap { sequence: self.next, since });
                }
                let is_over = gap.is_some_and(|gap| now >= gap.since + limits::NACK_WAIT);
                let is_full = self.window.len() > limits::REORDER_PACKETS_MAX
                    || self.window_len + building.len > limits::INGEST_FRAME_LEN_MAX;
                let is_overtaken = self.candidate.is_some_and(|candidate| candidate.is_complete);
                if !(is_over || is_full || is_overtaken) {
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
        match self.candidate {
            Some(candidate) if candidate.is_complete => {
                self.forget_before(candidate.first);
                self.progress = Progress::Following { building: Building::default(), gap: None };
                true
            }
            _ => {
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
        let Ok(unit) = video_unit(self.codec, whole.packets.iter().map(|packet| &packet.payload[..])) else {
            self.stats.malformed += 1;
            self.seek(now, out);
            return;
        };
        if unit.data.is_empty() {
            // Only a delimiter or padding: nothing to decode, and nothing lost.
            return;
        }
        if self.is_broken && !unit.keyframe {
            self.seek(now, out);
            return;
        }
        let (Some(first), Some(last)) = (whole.packets.first(), whole.packets.last()) else { return };
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
        };
        self.is_broken = false;
        self.stats.frames += 1;
        self.stats.keyframes += u64::from(unit.keyframe);
        out.push(Assembled::Frame(frame));
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
        let is_early = self.requested.is_some_and(|at| now.saturating_duration_since(at) < limits::KEYFRAME_SPACING);
        if is_under_way || is_early {
            return;
        }
        self.requested = Some(now);
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
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::io::webrtc::payload::Packetiser;
    use crate::io::webrtc::payload::av1::tests::unit;

    const FRAME_SPAN: Duration = Duration::from_millis(33);

    struct SimulatedLink {
        assembler: VideoAssembler,
        out: Outbox<Assembled>,
        start: Instant,
    }

    impl SimulatedLink {
        fn new() -> Self {
            Self { assembler: VideoAssembler::new(Codec::Av1), out: Outbox::new(), start: Instant::now() }
        }

        fn push(&mut self, at: Duration, packet: &WirePacket) {
            let now = self.start + at;
            self.assembler.push(now, WirePacket { arrival: now, ..packet.clone() }, &mut self.out);
        }

        fn push_all<'a>(&mut self, at: Duration, packets: impl IntoIterator<Item = &'a WirePacket>) {
            for packet in packets {
                self.push(at, packet);
            }
        }

        /// RTP times of the frames delivered since the last call, in frame numbers, and the number of requests.
        fn taken(&mut self) -> (Vec<u64>, usize) {
            let (frames, requests) = self.frames();
            (frames.iter().map(|frame| frame.rtp_time / 3000).collect(), requests)
        }

        fn frames(&mut self) -> (Vec<ReceivedFrame>, usize) {
            let (mut frames, mut requests) = (Vec::new(), 0);
            for item in self.out.drain() {
                match item {
                    Assembled::Frame(frame) => frames.push(frame),
                    Assembled::RequestKeyframe => requests += 1,
                }
            }
            (frames, requests)
        }
    }

    /// Packets of frames `(keyframe, bytes)`, by frame; frame n has RTP time 3000 n.
    fn sent(frames: &[(bool, usize)]) -> (Vec<Vec<WirePacket>>, Vec<Bytes>) {
        let (mut sequence, mut packets, mut bytes, arrival) = (1000, Vec::new(), Vec::new(), Instant::now());
        for (n, &(keyframe, len)) in frames.iter().enumerate() {
            let frame = unit(keyframe, len, n as u8);
            let payloads = Packetiser::new().packetise(&frame).payloads;
            let count = payloads.len();
            let frame_packets = payloads.into_iter().enumerate().map(|(index, payload)| WirePacket {
                captured: None,
                sequence: sequence + index as u64,
                rtp_time: n as u64 * 3000,
                marker: index + 1 == count,
                arrival,
                payload,
                audio_level: None,
                rid: Some(*b"h\0\0\0\0\0\0\0"),
            });
            packets.push(frame_packets.collect());
            sequence += count as u64;
            bytes.push(frame.data.clone());
        }
        (packets, bytes)
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let (packets, bytes) = sent(&[(true, 9000), (false, 10), (false, 3000), (true, 500)]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, packets.iter().flatten());
        let (frames, requests) = line.frames();
        assert_eq!(requests, 0);
        assert_eq!(frames.iter().map(|frame| frame.data.clone()).collect::<Vec<_>>(), bytes);
        assert_eq!(frames.iter().map(|frame| frame.keyframe).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(frames.iter().map(|frame| frame.contiguous).collect::<Vec<_>>(), [false, true, true, true]);
        assert!(frames.windows(2).all(|pair| pair[0].sequence_last + 1 == pair[1].sequence_first));
        assert_eq!(frames[0].rid, Some(*b"h\0\0\0\0\0\0\0"));
        assert_eq!(line.assembler.stats().waiting, 0);
    }

    #[test]
    fn nothing_is_delivered_before_a_keyframe_and_one_is_asked_for_each_second() {
        let (packets, _) = sent(&[(false, 10); 70]);
        let mut line = SimulatedLink::new();
        for (n, frame) in packets.iter().enumerate() {
            line.push_all(FRAME_SPAN * n as u32, frame);
        }
        assert_eq!(line.taken(), (vec![], 3));
    }

    #[test]
    fn a_repaired_gap_costs_nothing() {
        let (packets, _) = sent(&[(true, 10), (false, 5000), (false, 10)]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, &packets[0]);
        line.push_all(Duration::ZERO, packets[1].iter().filter(|packet| packet.sequence != packets[1][2].sequence));
        line.push_all(FRAME_SPAN, &packets[2]);
        assert_eq!(line.taken(), (vec![0], 0));
        assert_eq!(line.assembler.deadline(), Some(line.start + limits::NACK_WAIT));
        line.push(FRAME_SPAN * 2, &packets[1][2]);
        let (frames, requests) = line.frames();
        assert_eq!(frames.iter().map(|frame| frame.contiguous).collect::<Vec<_>>(), [true; 2]);
        assert_eq!((requests, line.assembler.deadline()), (0, None));
        assert_eq!(frames[0].arrival, line.start + FRAME_SPAN * 2);
    }

    #[test]
    fn a_gap_without_repair_is_skipped_to_the_next_keyframe() {
        let (packets, _) = sent(&[(true, 10), (false, 10), (false, 10), (false, 10), (true, 3000), (false, 10)]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, &packets[0]);
        line.push_all(FRAME_SPAN * 2, &packets[2]);
        let deadline = line.assembler.deadline().unwrap();
        line.assembler.handle_timeout(deadline - Duration::from_nanos(1), &mut line.out);
        assert_eq!(line.taken(), (vec![0], 0));
        line.assembler.handle_timeout(deadline, &mut line.out);
        assert_eq!(line.taken(), (vec![], 1));
        line.push_all(FRAME_SPAN * 8, packets[1].iter().chain(&packets[3]));
        assert_eq!(line.taken(), (vec![], 0));
        line.push_all(FRAME_SPAN * 9, packets[4].iter().chain(&packets[5]));
        let (frames, _) = line.frames();
        let contiguous: Vec<bool> = frames.iter().map(|frame| frame.contiguous).collect();
        assert_eq!(contiguous, [false, true]);
        assert!(frames[0].keyframe);
        assert_eq!(line.assembler.stats().gaps_skipped, 1);
    }

    #[test]
    fn a_complete_keyframe_overtakes_a_gap() {
        let (packets, _) = sent(&[(true, 10), (false, 10), (false, 10), (true, 5000), (false, 10)]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, packets[0].iter().chain(&packets[2]));
        line.push_all(Duration::ZERO, packets[3].iter().rev());
        line.push_all(Duration::ZERO, packets[1].iter().chain(&packets[4]));
        assert_eq!(line.taken(), (vec![0, 3, 4], 0));
    }

    #[test]
    fn a_frame_without_marker_ends_where_the_next_begins_and_probes_carry_nothing() {
        let (mut packets, _) = sent(&[(true, 3000), (false, 10), (false, 10)]);
        packets[0].last_mut().unwrap().marker = false;
        let probe = &mut packets[1][0];
        (probe.payload, probe.rtp_time, probe.marker) = (Arc::from([]), 0, false);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, packets.iter().flatten());
        let (frames, requests) = line.frames();
        assert_eq!((frames.len(), requests), (2, 0));
        assert!(frames[1].contiguous);
    }

    #[test]
    fn probes_inside_a_frame_do_not_end_it() {
        let (packets, bytes) = sent(&[(true, 5000), (false, 5000)]);
        for is_backward in [false, true] {
            let mut wire = Vec::new();
            for packet in packets.iter().flatten() {
                wire.push(WirePacket { sequence: packet.sequence * 2, ..packet.clone() });
                let probe = WirePacket { payload: Arc::from([]), rtp_time: 99, marker: true, ..packet.clone() };
                wire.push(WirePacket { sequence: packet.sequence * 2 + 1, ..probe });
            }
            if is_backward {
                wire.reverse();
            }
            let mut line = SimulatedLink::new();
            line.push_all(Duration::ZERO, &wire);
            let (frames, _) = line.frames();
            assert_eq!(frames.iter().map(|frame| frame.data.clone()).collect::<Vec<_>>(), bytes);
        }
    }

    #[test]
    fn a_malformed_frame_is_a_lost_one() {
        let (mut packets, _) = sent(&[(true, 10), (false, 10), (false, 10), (true, 10)]);
        packets[1][0].payload = Arc::from([0b1001_0000, 1, 2, 3]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, packets.iter().flatten());
        assert_eq!(line.taken(), (vec![0, 3], 1));
        assert_eq!(line.assembler.stats().malformed, 1);
    }

    #[test]
    fn a_frame_without_end_is_bounded() {
        let (packets, _) = sent(&[(true, 10)]);
        let mut line = SimulatedLink::new();
        line.push_all(Duration::ZERO, &packets[0]);
        let payload: Arc<[u8]> = Arc::from([0b1101_0000; 1200]);
        for n in 0..10_000 {
            // Every second packet is missing in the second half: the window is bounded as well as the frame.
            let sequence = 1001 + if n < 2000 { n } else { n * 2 };
            let (payload, arrival) = (Arc::clone(&payload), line.start);
            let packet = WirePacket {
                sequence,
                rtp_time: 9,
                marker: false,
                arrival,
                captured: None,
                payload,
                audio_level: None,
                rid: None,
            };
            line.push(Duration::ZERO, &packet);
            assert!(line.assembler.window_len <= limits::INGEST_FRAME_LEN_MAX);
            assert!(line.assembler.stats().waiting <= limits::REORDER_PACKETS_MAX);
        }
        assert_eq!((line.taken().0, line.assembler.stats().malformed), (vec![0], 1));
    }

    proptest! {
        #[test]
        fn loss_reordering_and_repetition_never_corrupt(
            frames in prop::collection::vec((0u8..6, 1usize..4000), 1..40),
            fates in prop::collection::vec((0u8..40, 0u64..9), 200),
        ) {
            let frames: Vec<(bool, usize)> =
                frames.iter().enumerate().map(|(n, &(key, len))| (n == 0 || key == 0, len)).collect();
            let (packets, bytes) = sent(&frames);
            let mut arrivals = Vec::new();
            for (n, packet) in packets.iter().flatten().enumerate() {
                let (fate, delay) = fates[n % fates.len()];
                let late = if fate < 4 { delay * 10 } else { 0 };
                let due = packet.rtp_time / 90 + late;
                if fate != 10 {
                    arrivals.push((due, packet));
                }
                if fate == 11 {
                    arrivals.push((due + delay * 20, packet));
                }
            }
            arrivals.sort_by_key(|(due, _)| *due);
            let mut line = SimulatedLink::new();
            for (due, packet) in &arrivals {
                let now = Duration::from_millis(*due);
                if line.assembler.deadline().is_some_and(|deadline| deadline <= line.start + now) {
                    line.assembler.handle_timeout(line.start + now, &mut line.out);
                }
                line.push(now, packet);
            }
            let (delivered, _) = line.frames();
            let mut previous: Option<u64> = None;
            for frame in delivered {
                let n = frame.rtp_time / 3000;
                prop_assert_eq!(&frame.data, &bytes[n as usize]);
                prop_assert_eq!(frame.keyframe, frames[n as usize].0);
                prop_assert!(previous.is_none_or(|previous| n > previous), "in order");
                prop_assert_eq!(frame.contiguous, previous.is_some_and(|previous| n == previous + 1));
                prop_assert!(frame.contiguous || frame.keyframe);
                previous = Some(n);
            }
            let lost = |n: usize| fates[n % fates.len()].0 == 10;
            if (0..packets.iter().flatten().count()).all(|n| !lost(n) && fates[n % fates.len()].0 >= 4) {
                prop_assert_eq!(previous, Some(frames.len() as u64 - 1), "without loss everything comes");
            }
        }

        #[test]
        fn hostile_packets_never_panic(
            packets in prop::collection::vec(
                (any::<u8>(), 0u64..5, any::<bool>(), prop::collection::vec(any::<u8>(), 0..12), 0u64..200), 1..300),
        ) {
            let mut line = SimulatedLink::new();
            let mut at = 0;
            for (sequence, rtp_time, marker, payload, wait) in packets {
                at += wait;
                let packet = WirePacket { captured: None,
                    sequence: u64::from(sequence),
                    rtp_time,
                    marker,
                    arrival: line.start,
                    payload: Arc::from(payload),
                    audio_level: None,
                    rid: None,
                };
                line.push(Duration::from_millis(at), &packet);
                line.assembler.handle_timeout(line.start + Duration::from_millis(at + 50), &mut line.out);
            }
            let (frames, _) = line.frames();
            prop_assert!(frames.first().is_none_or(|frame| frame.keyframe));
        }
    }
}
