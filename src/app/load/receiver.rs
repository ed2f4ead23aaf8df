//! **The question:** what arrives at one simulated person? Every packet is counted; for those who look and listen,
//! composite and mix become frames and go to a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc_rtp::Packet;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::asked::{Asked, may_ask, may_move};
use super::codecs::codec_of;
use super::report::PacketReport;
use crate::base::media::{Codec, Outbox, ReceivedFrame};
use crate::core::signal::FromNode;
use crate::io::webrtc::{Assembled, SoundAssembler, VideoAssembler, WirePacket};

/// Half the span of 16-bit sequence numbers: what lies further back is a later round.
const HALF_ROUND: u64 = 1 << 15;

/// Which of a person's connections something comes by: each time their room moves there is one more.
pub(super) type Way = u32;

/// What a person's senses get.
#[derive(Debug)]
pub(super) enum Inward {
    /// A frame of the composite, and when its last packet arrived.
    Picture(Way, ReceivedFrame),
    /// A packet of the mix.
    Sound(Way, ReceivedFrame),
    /// What the node tells on the data channel.
    Told(Way, FromNode),
}

/// Where one connection's news goes.
#[derive(Clone)]
pub(super) struct Ends {
    /// Which it is.
    pub way: Way,
    /// To whoever looks and listens.
    pub senses: Option<Sender<Inward>>,
    /// That the room goes on elsewhere.
    pub moves: mpsc::Sender<Departure>,
    /// That a picture is there: written here where nobody looks, by whoever does where they do.
    pub shown: watch::Sender<Way>,
}

/// A person is told where their room goes on.
#[derive(Debug)]
pub(super) struct Departure {
    /// Whose.
    pub number: usize,
    /// Where its new node is reached.
    pub url: String,
    /// What lets them in there.
    pub pass: Option<String>,
}

/// Packets of all people together.
#[derive(Debug, Default)]
pub(super) struct PacketCounts {
    received: AtomicU64,
    lost: AtomicU64,
    discarded: AtomicU64,
    /// Keyframes asked for.
    asked: AtomicU64,
}

impl PacketCounts {
    /// The counts so far.
    pub fn report(&self) -> PacketReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (received, lost, keyframes_asked) = (read(&self.received), read(&self.lost), read(&self.asked));
        PacketReport { received, lost, keyframes_asked }
    }

    /// Frames that a receiver of ours had no time for: its measurements are then too good.
    pub fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }
}

/// Reads the inward tracks and the data channel of person `number` until they end; `ends` is where they go, and `asked`
/// takes what the node asks of their pictures.
pub(super) async fn receive(
    number: usize,
    (mut tracks, channel): (mpsc::Receiver<Arc<dyn TrackRemote>>, Arc<dyn DataChannel>),
    ends: Ends,
    asked: watch::Sender<Asked>,
    counts: Arc<PacketCounts>,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(read_channel(number, channel, ends.clone(), asked));
    while let Some(track) = tracks.recv().await {
        tasks.spawn(read_track(track, ends.clone(), Arc::clone(&counts)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn read_channel(number: usize, channel: Arc<dyn DataChannel>, ends: Ends, asked: watch::Sender<Asked>) {
    let Ends { way, senses, moves, .. } = ends;
    while let Some(event) = channel.poll().await {
        let DataChannelEvent::OnMessage(message) = event else { continue };
        let Ok(text) = std::str::from_utf8(&message.data) else { continue };
        // Who does not look needs nothing of a room's hundred names, which are told anew with each who joins.
        if senses.is_none() && !may_ask(text) && !may_move(text) {
            continue;
        }
        let Ok(Some(told)) = FromNode::parse(text) else { continue };
        asked.send_if_modified(|asked| asked.hear(&told));
        if let FromNode::Moved { url, pass } = &told {
            // A run that is over follows nobody.
            let _ = moves.try_send(Departure { number, url: url.clone(), pass: pass.clone() });
        }
        if let Some(senses) = &senses {
            // The thread behind takes messages within a frame's time; if it is gone, nobody needs them.
            let _ = senses.try_send(Inward::Told(way, told));
        }
    }
}

async fn read_track(track: Arc<dyn TrackRemote>, ends: Ends, counts: Arc<PacketCounts>) {
    let Ends { way, senses, shown, .. } = ends;
    let is_video = track.kind().await == RtpCodecKind::Video;
    let mut round = Round::default();
    let mut frames = Frames::new(is_video);
    while let Some(event) = track.poll().await {
        let packet = match event {
            TrackRemoteEvent::OnRtpPacket(packet) => packet,
            TrackRemoteEvent::OnEnded => break,
            _ => continue,
        };
        let sequence = round.extend(packet.header.sequence_number);
        round.count(&counts);
        let Some(senses) = &senses else {
            // Nobody decodes it: what is there is the last packet of a picture.
            if is_video && packet.header.marker {
                shown.send_if_modified(|newest| std::mem::replace(newest, way.max(*newest)) < way);
            }
            continue;
        };
        let ssrc = packet.header.ssrc;
        if frames.push(way, (sequence, packet), senses, &counts) {
            counts.asked.fetch_add(1, Ordering::Relaxed);
            let request = PictureLossIndication { sender_ssrc: 0, media_ssrc: ssrc };
            // A connection that is ending takes no requests, and needs none.
            let _ = track.write_rtcp(vec![Box::new(request)]).await;
        }
    }
}

/// Packets → frames of one track.
enum Frames {
    Picture { pictures: Pictures, time: Unwrap },
    Sound { assembler: SoundAssembler, time: Unwrap },
}

impl Frames {
    fn new(is_video: bool) -> Self {
        match is_video {
            true => Self::Picture { pictures: Pictures::default(), time: Unwrap::default() },
            false => Self::Sound { assembler: SoundAssembler::new(Codec::Opus), time: Unwrap::default() },
        }
    }

    /// Takes one packet; true asks for a keyframe.
    fn push(
        &mut self,
        way: Way,
        (sequence, packet): (u64, Packet),
        senses: &Sender<Inward>,
        counts: &PacketCounts,
    ) -> bool {
        let arrival = Instant::now();
        let (Self::Picture { time, .. } | Self::Sound { time, .. }) = self;
        let wire = WirePacket {
            captured: None,
            sequence,
            rtp_time: time.extend(packet.header.timestamp),
            marker: packet.header.marker,
            arrival,
            payload: Arc::from(&packet.payload[..]),
            audio_level: None,
            rid: None,
            colour: None,
            orientation: None,
        };
        let hand_on = |inward| {
            if let Err(TrySendError::Full(_)) = senses.try_send(inward) {
                counts.discarded.fetch_add(1, Ordering::Relaxed);
            }
        };
        match self {
            Self::Picture { pictures, .. } => {
                let mut is_asking = false;
                pictures.push(packet.header.payload_type, wire);
                for assembled in pictures.out.drain() {
                    match assembled {
                        Assembled::Frame(frame) => hand_on(Inward::Picture(way, frame)),
                        Assembled::RequestKeyframe => is_asking = true,
                    }
                }
                is_asking
            }
            Self::Sound { assembler, .. } => {
                assembler.push(wire).map(|frame| Inward::Sound(way, frame)).map(hand_on);
                false
            }
        }
    }
}

/// The composite, in whichever codec its packets come: each packet's payload type says it, and the node may change it
/// at a keyframe.
#[derive(Default)]
struct Pictures {
    /// The newest codec, the first packet that came of it, and its frames under way.
    current: Option<(Codec, u64, Box<VideoAssembler>)>,
    out: Outbox<Assembled>,
}

impl Pictures {
    fn push(&mut self, payload_type: u8, packet: WirePacket) {
        // Nothing else was offered.
        let Some(codec) = codec_of(payload_type) else { return };
        let (arrival, sequence) = (packet.arrival, packet.sequence);
        if self.current.as_ref().is_none_or(|(now, first, _)| *now != codec && sequence > *first) {
            self.current = Some((codec, sequence, Box::new(VideoAssembler::new(codec))));
        }
        // A late packet of the codec before belongs to a frame that nobody waits for any more.
        if let Some((_, _, assembler)) = self.current.as_mut().filter(|(now, _, _)| *now == codec) {
            assembler.push(arrival, packet, &mut self.out);
        }
    }
}

/// Extends 16-bit sequence numbers, and counts those that never came.
#[derive(Debug, Default)]
pub(super) struct Round {
    first: Option<u64>,
    newest: u64,
    received: u64,
    /// Of what is missing, how much the counts know already.
    told_lost: u64,
}

impl Round {
    /// The extended number of the packet that is numbered `sequence`; begins in the second round, so that an early
    /// packet that comes late has a place.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        self.received += 1;
        let Some(first) = self.first else {
            self.newest = (HALF_ROUND * 2) + u64::from(sequence);
            self.first = Some(self.newest);
            return self.newest;
        };
        let ahead = u64::from(sequence.wrapping_sub((self.newest & 0xffff) as u16));
        if ahead < HALF_ROUND {
            self.newest += ahead;
            return self.newest;
        }
        let extended = self.newest + ahead - 2 * HALF_ROUND;
        self.first = Some(first.min(extended));
        extended
    }

    /// Packets missing so far; repaired ones are not.
    fn lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.newest - first + 1);
        expected.saturating_sub(self.received)
    }

    /// Tells `counts` of the packet that was extended last.
    pub fn count(&mut self, counts: &PacketCounts) {
        counts.received.fetch_add(1, Ordering::Relaxed);
        let lost = self.lost();
        // A repaired packet takes back what its absence had told.
        counts.lost.fetch_add(lost.wrapping_sub(self.told_lost), Ordering::Relaxed);
        self.told_lost = lost;
    }
}

/// Extends 32-bit RTP times.
#[derive(Debug, Default)]
struct Unwrap {
    newest: Option<u64>,
}

impl Unwrap {
    fn extend(&mut self, time: u32) -> u64 {
        let Some(newest) = self.newest else {
            let first = (1 << 32) + u64::from(time);
            self.newest = Some(first);
            return first;
        };
        let ahead = u64::from(time.wrapping_sub((newest & u64::from(u32::MAX)) as u32));
        let extended = if ahead < 1 << 31 { newest + ahead } else { newest + ahead - (1 << 32) };
        self.newest = Some(newest.max(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A composite's frames that came whole, by codec and length, of packets (payload type, sequence, payload).
    fn assembled(packets: &[(u8, u64, Vec<u8>)]) -> Vec<(Codec, bool, usize)> {
        let (mut pictures, now) = (Pictures::default(), Instant::now());
        for (payload_type, sequence, payload) in packets {
            let wire = WirePacket {
                captured: None,
                sequence: *sequence,
                rtp_time: sequence * 3_000,
                marker: true,
                arrival: now,
                payload: Arc::from(&payload[..]),
                audio_level: None,
                rid: None,
                colour: None,
                orientation: None,
            };
            pictures.push(*payload_type, wire);
        }
        let frame = |assembled| match assembled {
            Assembled::Frame(frame) => Some((frame.codec, frame.keyframe, frame.data.len())),
            Assembled::RequestKeyframe => None,
        };
        pictures.out.drain().filter_map(frame).collect()
    }

    /// A packet with the parameter sets and a small picture, all of them (STAP-A), and one with a later picture.
    fn h264() -> [Vec<u8>; 2] {
        let sps = [0x67, 0x42, 0xe0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0, 0x0f, 0x08, 0x84, 0x6a];
        let nals = [&sps[..], &[0x68, 0xce, 0x3c, 0x80], &[0x65, 0xb8, 0x41, 0x42]];
        let sized = nals.iter().flat_map(|nal| [&[0, nal.len() as u8][..], nal].concat());
        [std::iter::once(0x78).chain(sized).collect(), vec![0x41, 0xe2, 0x10, 0x11]]
    }

    #[test]
    fn units_of_h264_are_put_together_under_their_payload_type() {
        let [key, delta] = h264();
        let frames = assembled(&[(102, 10, key), (102, 11, delta.clone()), (102, 12, delta.clone()), (96, 13, delta)]);
        let kinds: Vec<_> = frames.iter().map(|(codec, keyframe, _)| (*codec, *keyframe)).collect();
        assert_eq!(kinds, [(Codec::H264, true), (Codec::H264, false), (Codec::H264, false)], "{frames:?}");
    }

    #[test]
    fn a_composite_may_change_its_codec_and_a_late_packet_of_the_old_one_changes_nothing() {
        let [key, delta] = h264();
        // One OBU with a sequence header that begins a coded video sequence (N), as no decoder would take it.
        let av1 = vec![0x18, 0x0a, 0x0a, 0, 0, 0, 0x02, 0xaf, 0xff, 0x9b, 0x5f, 0x30, 0x08];
        let packets =
            [(102, 10, key.clone()), (45, 12, av1.clone()), (102, 11, delta.clone()), (102, 13, key), (102, 14, delta)];
        let frames = assembled(&packets);
        let h264 = frames.iter().filter(|(codec, _, _)| *codec == Codec::H264).map(|(_, key, _)| *key);
        assert_eq!(h264.collect::<Vec<_>>(), [true, true, false], "{frames:?}");
    }

    #[test]
    fn losses_are_counted_round_the_end_and_repair_takes_them_back() {
        let (mut round, counts) = (Round::default(), PacketCounts::default());
        let numbers = [65_533_u16, 65_534, 1, 2, 65_535, 3];
        let extended: Vec<u64> = numbers
            .map(|number| {
                let extended = round.extend(number);
                round.count(&counts);
                extended
            })
            .to_vec();
        let start = extended[0];
        assert_eq!(extended.iter().map(|at| at - start).collect::<Vec<_>>(), [0, 1, 4, 5, 2, 6]);
        assert_eq!(counts.report(), PacketReport { received: 6, lost: 1, keyframes_asked: 0 });
    }

    #[test]
    fn rtp_time_is_extended_both_ways() {
        let mut time = Unwrap::default();
        let start = time.extend(u32::MAX - 10);
        assert_eq!(time.extend(20) - start, 31);
        assert_eq!(start - time.extend(u32::MAX - 20), 10);
    }
}
