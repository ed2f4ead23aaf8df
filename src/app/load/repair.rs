//! **The question:** which packets of pictures does one person miss, and how are they had back? As browsers do: what is
//! missing is asked for again (NACK, RFC 4585 section 6.2.1) until it comes (RTX, RFC 4588) or was asked for too often.
//! The interceptor of the crate `rtc` asks for everything each 100 ms, and is not told of what came by RTX. What the
//! node wants of one's own pictures anew passes here, too.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

use super::report::RepairReport;
use super::wish::is_keyframe_request;
use crate::base::limits;

/// Half the span of 16-bit sequence numbers.
const HALF_ROUND: u16 = 1 << 15;

/// Packets of pictures that people missed, all together.
#[derive(Debug, Default)]
pub(super) struct RepairCounts {
    overtaken: AtomicU64,
    repaired: AtomicU64,
    given_up: AtomicU64,
}

impl RepairCounts {
    /// The counts so far.
    pub fn report(&self) -> RepairReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (repaired, given_up) = (read(&self.repaired), read(&self.given_up));
        RepairReport { lost: repaired + given_up, repaired, overtaken: read(&self.overtaken) }
    }
}

/// Asks one person's connection for what is missing.
pub(super) struct Repair {
    counts: Arc<RepairCounts>,
    sender_ssrc: u32,
    streams: HashMap<u32, Stream>,
    /// The stream that each stream of repairs is for.
    repairs: HashMap<u32, u32>,
    round_trip: Option<Duration>,
    /// When it looks again, while anything is missing.
    next: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

#[derive(Default)]
struct Stream {
    newest: Option<u64>,
    missing: BTreeMap<u64, Missing>,
}

/// A packet that did not come: how often it was asked for, and when last.
#[derive(Debug, Clone, Copy, Default)]
struct Missing {
    times: u32,
    asked: Option<Instant>,
}

impl Stream {
    fn extend(&self, sequence: u16) -> u64 {
        let Some(newest) = self.newest else { return (1 << 16) + u64::from(sequence) };
        let ahead = sequence.wrapping_sub((newest & 0xffff) as u16);
        if ahead < HALF_ROUND { newest + u64::from(ahead) } else { newest + u64::from(ahead) - (1 << 16) }
    }

    /// A packet came by itself; whether it was missed before.
    fn arrive(&mut self, sequence: u16) -> bool {
        let sequence = self.extend(sequence);
        let newest = *self.newest.get_or_insert(sequence);
        if sequence > newest && sequence - newest <= limits::LOAD_MISSING_MAX {
            self.missing.extend((newest + 1..sequence).map(|missing| (missing, Missing::default())));
        }
        self.newest = Some(newest.max(sequence));
        self.missing.remove(&sequence).is_some()
    }

    /// What is to be asked for now, and how many were asked for too often.
    fn ask(&mut self, now: Instant, wait: Duration) -> (Vec<u16>, u64) {
        let before = self.missing.len();
        self.missing
            .retain(|_, one| one.times < limits::LOAD_REPAIRS_MAX || one.asked.is_some_and(|asked| now < asked + wait));
        let given_up = before - self.missing.len();
        let due = self.missing.iter_mut().filter(|(_, one)| {
            one.times < limits::LOAD_REPAIRS_MAX && one.asked.is_none_or(|asked| now >= asked + wait)
        });
        let asked = due.map(|(sequence, one)| {
            (one.times, one.asked) = (one.times + 1, Some(now));
            (sequence & 0xffff) as u16
        });
        (asked.collect(), given_up as u64)
    }
}

impl Repair {
    /// Asks for nothing yet.
    pub fn new(counts: Arc<RepairCounts>) -> Self {
        Self {
            counts,
            sender_ssrc: rand::random(),
            streams: HashMap::new(),
            repairs: HashMap::new(),
            round_trip: None,
            next: None,
            read: VecDeque::new(),
            write: VecDeque::new(),
        }
    }

    fn see(&mut self, now: Instant, ssrc: u32, sequence: u16, payload: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            self.counts.overtaken.fetch_add(u64::from(stream.arrive(sequence)), Ordering::Relaxed);
            if !stream.missing.is_empty() {
                self.next.get_or_insert(now + limits::LOAD_REPAIR_SPACING);
            }
            return;
        }
        let main = self.repairs.get(&ssrc).and_then(|main| self.streams.get_mut(main));
        let (Some(stream), Some(original)) = (main, payload.first_chunk::<2>()) else { return };
        let original = stream.extend(u16::from_be_bytes(*original));
        let Some(missing) = stream.missing.remove(&original) else { return };
        self.counts.repaired.fetch_add(1, Ordering::Relaxed);
        // Of what was asked for more than once nobody knows which request it answers.
        if let Some(asked) = missing.asked.filter(|_| missing.times == 1) {
            let took = now.saturating_duration_since(asked);
            self.round_trip = Some(self.round_trip.map_or(took, |before| (before * 7 + took) / 8));
        }
    }

    fn ask(&mut self, now: Instant) {
        let wait = self.round_trip.unwrap_or(limits::LOAD_REPAIR_WAIT).max(limits::LOAD_REPAIR_SPACING);
        for (ssrc, stream) in &mut self.streams {
            let (sequences, given_up) = stream.ask(now, wait);
            self.counts.given_up.fetch_add(given_up, Ordering::Relaxed);
            if sequences.is_empty() {
                continue;
            }
            let nack = TransportLayerNack {
                sender_ssrc: self.sender_ssrc,
                media_ssrc: *ssrc,
                nacks: nack_pairs_from_sequence_numbers(&sequences),
            };
            let message = AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)]));
            self.write.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Repair {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        match &message.message.packet {
            Packet::Rtp(packet) => {
                self.see(message.now, packet.header.ssrc, packet.header.sequence_number, &packet.payload);
            }
            // Of what the node reports, whoever sends is told nothing that no interceptor marks.
            Packet::Rtcp(packets) if packets.iter().any(|packet| is_keyframe_request(&**packet)) => {
                message.message.attributes.push(Attribute::DeliverToApplication);
            }
            _ => {}
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.next.is_some_and(|next| now >= next) {
            self.ask(now);
            let misses = self.streams.values().any(|stream| !stream.missing.is_empty());
            self.next = misses.then(|| now + limits::LOAD_REPAIR_SPACING);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.next
    }
}

impl Interceptor for Repair {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        // The stream of repairs is bound as well, and has none itself.
        if let Some(repair) = info.ssrc_rtx {
            self.streams.entry(info.ssrc).or_default();
            self.repairs.insert(repair, info.ssrc);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        self.repairs.retain(|_, main| *main != info.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair() -> (Repair, Arc<RepairCounts>, Instant) {
        let counts = Arc::new(RepairCounts::default());
        let mut repair = Repair::new(Arc::clone(&counts));
        repair.bind_remote_stream(&StreamInfo { ssrc: 1, ssrc_rtx: Some(2), ..StreamInfo::default() });
        (repair, counts, Instant::now())
    }

    /// The sequence numbers asked for at a time.
    fn asked(repair: &mut Repair, now: Instant) -> Vec<u16> {
        repair.handle_timeout(now).unwrap();
        let mut all = Vec::new();
        while let Some(sent) = repair.poll_write() {
            let Packet::Rtcp(packets) = sent.message.packet else { panic!("it sends nothing else") };
            for packet in &packets {
                let nack = packet.as_any().downcast_ref::<TransportLayerNack>().unwrap();
                all.extend(nack.nacks.iter().flat_map(|pair| pair.packet_list()));
            }
        }
        all
    }

    #[test]
    fn what_is_missing_is_asked_for_once_a_round_trip_until_it_comes() {
        let (mut repair, counts, start) = repair();
        let ms = |ms| start + Duration::from_millis(ms);
        for sequence in [65_533, 65_535, 2, 1] {
            repair.see(start, 1, sequence, &[]);
        }
        assert_eq!(asked(&mut repair, ms(20)), [65_534, 0], "1 came late by itself");
        assert!(asked(&mut repair, ms(100)).is_empty());
        assert_eq!(asked(&mut repair, ms(120)), [65_534, 0]);
        repair.see(ms(130), 2, 77, &[0xff, 0xfe, 9]);
        repair.see(ms(130), 2, 78, &[0xff, 0xfe, 9]);
        assert_eq!(asked(&mut repair, ms(220)), [0]);
        (3..20).for_each(|time| drop(asked(&mut repair, ms(time * 100 + 20))));
        assert!(asked(&mut repair, ms(3_000)).is_empty(), "ten times is enough");
        assert_eq!(counts.report(), RepairReport { lost: 2, repaired: 1, overtaken: 1 });
    }

    #[test]
    fn a_request_for_a_keyframe_reaches_whoever_sends_and_reports_do_not() {
        use rtc::interceptor::{Registry, Slot};
        use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
        use rtc::rtcp::receiver_report::ReceiverReport;

        let (repair, _, now) = repair();
        let mut chain = Registry::new().with(Slot::NackGenerator, repair).build();
        let mut hears = |packets: Vec<Box<dyn rtc::rtcp::Packet>>| {
            let message = AttributedPacket::new(Packet::Rtcp(packets));
            chain.handle_read(TaggedPacket { now, transport: TransportContext::default(), message }).unwrap();
            chain.poll_read().is_some()
        };
        assert!(!hears(vec![Box::new(ReceiverReport::default())]));
        let wish = || Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc: 2 });
        assert!(hears(vec![wish()]) && hears(vec![Box::new(ReceiverReport::default()), wish()]));
    }

    #[test]
    fn the_round_trip_is_learnt_from_what_is_asked_for_once() {
        let (mut repair, _, start) = repair();
        let ms = |ms| start + Duration::from_millis(ms);
        [1, 3].into_iter().for_each(|sequence| repair.see(start, 1, sequence, &[]));
        assert_eq!(asked(&mut repair, ms(20)), [2]);
        repair.see(ms(60), 2, 0, &[0, 2]);
        repair.see(ms(60), 1, 5, &[]);
        assert_eq!(asked(&mut repair, ms(80)), [4]);
        assert_eq!(asked(&mut repair, ms(120)), [4], "after 40 ms");
    }

    #[test]
    fn a_sender_that_goes_on_elsewhere_leaves_no_gap() {
        let (mut repair, _, start) = repair();
        [1, 5_000].into_iter().for_each(|sequence| repair.see(start, 1, sequence, &[]));
        assert!(asked(&mut repair, start + limits::LOAD_REPAIR_SPACING).is_empty());
    }
}
