//! Packets of one video track, lost, late, doubled and out of order: which frames come out?

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::media::{EncodedFrame, Matrix, Orientation, Pts};
use crate::core::bitstream::av1::Obus;
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
        Self::of(Codec::Av1)
    }

    fn of(codec: Codec) -> Self {
        Self { assembler: VideoAssembler::new(codec), out: Outbox::new(), start: Instant::now() }
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
    let units: Vec<_> = frames.iter().enumerate().map(|(n, (keyframe, len))| unit(*keyframe, *len, n as u8)).collect();
    (packets_of(&units), units.iter().map(|frame| frame.data.clone()).collect())
}

fn packets_of(units: &[Arc<EncodedFrame>]) -> Vec<Vec<WirePacket>> {
    let (mut sequence, mut packets, arrival) = (1000, Vec::new(), Instant::now());
    for (n, frame) in units.iter().enumerate() {
        let payloads = Packetiser::new().packetise(frame).payloads;
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
            colour: None,
            orientation: None,
        });
        packets.push(frame_packets.collect());
        sequence += count as u64;
    }
    packets
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
fn case_18_sequence_header_once_is_put_before_every_keyframe_that_lacks_it() {
    // A keyframe whole, then only its frame: what an encoder sends that writes its header once.
    let keyframe = unit(true, 3000, 1);
    let header_len = Obus::of(&keyframe.data).next().unwrap().unwrap().whole.len();
    let header = keyframe.data.slice(..header_len);
    let bare = EncodedFrame { data: keyframe.data.slice(header_len..), ..(*keyframe).clone() };
    let units = [keyframe.clone(), unit(false, 50, 2), bare.clone().into(), unit(false, 50, 3), bare.into()];
    let packets = packets_of(&units);
    let mut line = SimulatedLink::new();
    line.push_all(Duration::ZERO, packets[..2].iter().flatten());
    // The first packet of the next keyframe is lost for good; the one after it heals all the same.
    line.push_all(FRAME_SPAN, packets[2][1..].iter().chain(&packets[3]));
    line.assembler.handle_timeout(line.start + FRAME_SPAN + limits::NACK_WAIT * 2, &mut line.out);
    line.push_all(FRAME_SPAN + limits::NACK_WAIT * 2, &packets[4]);
    let frames = line.frames().0;
    assert_eq!(
        frames.iter().map(|frame| (frame.rtp_time / 3000, frame.keyframe)).collect::<Vec<_>>(),
        [(0, true), (1, false), (4, true)]
    );
    assert_eq!(frames[2].data, keyframe.data, "with the header that came first");
    assert!(frames[2].data.starts_with(&header));
}

#[test]
fn case_60_colour_holds_until_a_keyframe_says_otherwise() {
    let (mut packets, _) = sent(&[(true, 3000), (false, 10), (false, 10), (true, 10), (false, 10)]);
    let canvas = Colour { matrix: Matrix::Bt709, full_range: true };
    let camera = Colour::default();
    packets[0].last_mut().unwrap().colour = Some(camera);
    packets[2].last_mut().unwrap().colour = Some(canvas);
    let mut line = SimulatedLink::new();
    line.push_all(Duration::ZERO, packets.iter().flatten());
    let colours: Vec<_> = line.frames().0.iter().map(|frame| frame.colour).collect();
    assert_eq!(colours, [Some(camera), Some(camera), Some(canvas), None, None]);
}

#[test]
fn case_17_video_orientation_holds_until_another_is_told() {
    let (mut packets, _) = sent(&[(true, 3000), (false, 10), (false, 10), (true, 10), (false, 10)]);
    let turned = |turns| Orientation { mirrored: false, turns };
    packets[0].last_mut().unwrap().orientation = Some(turned(1));
    packets[2].last_mut().unwrap().orientation = Some(turned(3));
    let mut line = SimulatedLink::new();
    line.push_all(Duration::ZERO, packets.iter().flatten());
    let turns: Vec<_> = line.frames().0.iter().map(|frame| frame.orientation.turns).collect();
    assert_eq!(turns, [1, 1, 3, 0, 0]);
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
    let deadline = line.assembler.deadline().unwrap();
    assert_eq!(deadline, line.start + FRAME_SPAN * 2 + limits::NACK_WAIT * 2, "for whichever comes first");
    line.assembler.handle_timeout(deadline, &mut line.out);
    line.push_all(FRAME_SPAN * 13, packets[1].iter().chain(&packets[3]));
    assert_eq!(line.taken(), (vec![], 0));
    line.push_all(FRAME_SPAN * 14, packets[4].iter().chain(&packets[5]));
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
            colour: None,
            orientation: None,
        };
        line.push(Duration::ZERO, &packet);
        assert!(line.assembler.window_len <= limits::INGEST_FRAME_LEN_MAX);
        assert!(line.assembler.stats().waiting <= limits::REORDER_PACKETS_MAX);
    }
    assert_eq!((line.taken().0, line.assembler.stats().malformed), (vec![0], 1));
}

/// Frames `(keyframe, bytes)` as H.264, a keyframe in two slices behind its own parameter sets, which lie in a packet
/// (STAP-A) of their own and are others each time.
fn h264_units(frames: &[(bool, usize)]) -> Vec<Arc<EncodedFrame>> {
    let unit = |n: usize, (keyframe, len): (bool, usize)| {
        let nal = |header: &[u8], len: usize| [&[0, 0, 0, 1], header, &vec![0xab; len][..]].concat();
        let data = match keyframe {
            true => {
                let sets = [nal(&[0x67, 0x42, 0xe0, 0x1f, n as u8 | 1], 9), nal(&[0x68, n as u8 | 1], 2)].concat();
                [sets, nal(&[0x65, 0x88], len), nal(&[0x65, 0x42, n as u8], len / 2)].concat()
            }
            false => nal(&[0x41, 0x9a, n as u8], len),
        };
        Arc::new(EncodedFrame { codec: Codec::H264, data: data.into(), pts: Pts(0), keyframe })
    };
    frames.iter().enumerate().map(|(n, frame)| unit(n, *frame)).collect()
}

#[test]
fn a_keyframe_behind_a_gap_comes_with_its_own_parameter_sets_and_all_its_slices() {
    let units = h264_units(&[(true, 3000), (false, 10), (false, 10), (true, 5000), (false, 10)]);
    let packets = packets_of(&units);
    // In order; its second packet first; its parameter sets late.
    for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
        let mut line = SimulatedLink::of(Codec::H264);
        line.push_all(Duration::ZERO, packets[0].iter().chain(&packets[2]));
        line.push_all(Duration::ZERO, order.map(|at| &packets[3][at]));
        assert!(packets[3].len() > 5, "slices in fragments");
        line.push_all(Duration::ZERO, packets[3][3..].iter().chain(&packets[4]));
        let (frames, _) = line.frames();
        let came: Vec<_> = frames.iter().map(|frame| (frame.rtp_time / 3000, &frame.data)).collect();
        assert_eq!(came, [0, 3, 4].map(|n| (n, &units[n as usize].data)), "{order:?}");
    }
}

#[test]
fn a_keyframe_whose_parameter_sets_are_missing_waits_for_their_repair() {
    let units = h264_units(&[(true, 300), (false, 10), (true, 5000), (false, 10)]);
    let packets = packets_of(&units);
    let mut line = SimulatedLink::of(Codec::H264);
    line.push_all(Duration::ZERO, packets[0].iter().chain(&packets[2][1..]).chain(&packets[3]));
    assert_eq!(line.taken(), (vec![0], 0), "the last ones are of other pictures, for all one knows");
    line.push(FRAME_SPAN, &packets[2][0]);
    let (frames, _) = line.frames();
    assert_eq!(frames.iter().map(|frame| &frame.data).collect::<Vec<_>>(), [&units[2].data, &units[3].data]);
}

#[test]
fn of_who_writes_parameter_sets_once_a_keyframe_overtakes_a_gap_all_the_same() {
    let mut units = h264_units(&[(true, 300), (false, 10), (false, 10), (true, 5000), (false, 10)]);
    let sets = units[0].data.slice(..24);
    assert!(units[3].data.len() > sets.len() && sets[4] == 0x67);
    Arc::get_mut(&mut units[3]).unwrap().data = units[3].data.slice(24..);
    let packets = packets_of(&units);
    let mut line = SimulatedLink::of(Codec::H264);
    line.push_all(Duration::ZERO, packets[0].iter().chain(&packets[2]).chain(&packets[3]).chain(&packets[4]));
    let (frames, _) = line.frames();
    let came: Vec<_> = frames.iter().map(|frame| (frame.rtp_time / 3000, frame.keyframe)).collect();
    assert_eq!(came, [(0, true), (3, true), (4, false)]);
    assert_eq!(frames[1].data, [&sets[..], &units[3].data].concat());
}

proptest! {
    #[test]
    fn loss_reordering_and_repetition_never_corrupt(
        is_h264 in any::<bool>(),
        frames in prop::collection::vec((0u8..6, 1usize..4000), 1..40),
        fates in prop::collection::vec((0u8..40, 0u64..9), 200),
    ) {
        let frames: Vec<(bool, usize)> =
            frames.iter().enumerate().map(|(n, &(key, len))| (n == 0 || key == 0, len)).collect();
        let (packets, bytes) = match is_h264 {
            true => {
                let units = h264_units(&frames);
                (packets_of(&units), units.iter().map(|unit| unit.data.clone()).collect())
            }
            false => sent(&frames),
        };
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
        let mut line = SimulatedLink::of(if is_h264 { Codec::H264 } else { Codec::Av1 });
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
                colour: None,
                orientation: None,
            };
            line.push(Duration::from_millis(at), &packet);
            line.assembler.handle_timeout(line.start + Duration::from_millis(at + 50), &mut line.out);
        }
        let (frames, _) = line.frames();
        prop_assert!(frames.first().is_none_or(|frame| frame.keyframe));
    }
}

#[test]
fn where_repairs_take_longer_they_are_awaited_longer_and_one_that_comes_after_the_request_is_taken() {
    let (packets, _) = sent(&[(true, 10), (false, 10), (false, 10), (false, 10), (false, 10)]);
    let mut line = SimulatedLink::new();
    line.push_all(Duration::ZERO, &packets[0]);
    line.push_all(FRAME_SPAN, &packets[2]);
    let asked = line.assembler.deadline().unwrap();
    assert_eq!(asked, line.start + FRAME_SPAN + limits::NACK_WAIT);
    line.assembler.handle_timeout(asked, &mut line.out);
    assert_eq!(line.taken(), (vec![0], 1));
    // It comes all the same, before any keyframe: the picture goes on.
    line.push_all(FRAME_SPAN + limits::NACK_WAIT + Duration::from_millis(10), &packets[1]);
    let (frames, requests) = line.frames();
    assert_eq!((frames.iter().map(|frame| frame.contiguous).collect::<Vec<_>>(), requests), (vec![true, true], 0));
    let later = Duration::from_secs(1);
    line.push_all(later, &packets[4]);
    assert_eq!(
        line.assembler.deadline(),
        Some(line.start + later + (limits::NACK_WAIT + Duration::from_millis(10)) * 5 / 2)
    );
}
