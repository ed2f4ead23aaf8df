//! **The question:** what arrives at one simulated person? Every packet is counted; for those who look and listen,
//! composite and mix become frames and go to a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc_rtp::Packet;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::report::PacketReport;
use crate::base::media::{Codec, Outbox, ReceivedFrame};
use crate::core::signal::FromNode;
use crate::io::webrtc::{Assembled, SoundAssembler, VideoAssembler, WirePacket};

/// Half the span of 16-bit sequence numbers: what lies further back is a later round.
const HALF_ROUND: u64 = 1 << 15;

/// What a person's senses get.
#[derive(Debug)]
pub(super) enum Inward {
    /// A frame of the composite, and when its last packet arrived.
    Picture(ReceivedFrame),
    /// A packet of the mix.
    Sound(ReceivedFrame),
    /// What the node tells on the data channel.
    Told(FromNode),
}

/// Packets of all people together.
#[derive(Debug, Default)]
pub(super) struct PacketCounts {
    received: AtomicU64,
    lost: AtomicU64,
    discarded: AtomicU64,
}

impl PacketCounts {
    /// The counts so far.
    pub fn report(&self) -> PacketReport {
        PacketReport { received: self.received.load(Ordering::Relaxed), lost: self.lost.load(Ordering::Relaxed) }
    }

    /// Frames that a receiver of ours had no time for: its measurements are then too good.
    pub fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }
}

/// Reads one person's inward tracks and data channel until they end; `senses` is where they go, if anyone looks.
pub(super) async fn receive(
    mut tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    channel: Arc<dyn DataChannel>,
    senses: Option<Sender<Inward>>,
    counts: Arc<PacketCounts>,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(read_channel(channel, senses.clone()));
    while let Some(track) = tracks.recv().await {
        tasks.spawn(read_track(track, senses.clone(), Arc::clone(&counts)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn read_channel(channel: Arc<dyn DataChannel>, senses: Option<Sender<Inward>>) {
    while let Some(event) = channel.poll().await {
        let DataChannelEvent::OnMessage(message) = event else { continue };
        let Ok(text) = std::str::from_utf8(&message.data) else { continue };
        if let (Some(senses), Ok(Some(told))) = (&senses, FromNode::parse(text)) {
            // The thread behind takes messages within a frame's time; if it is gone, nobody needs them.
            let _ = senses.try_send(Inward::Told(told));
        }
    }
}

async fn read_track(track: Arc<dyn TrackRemote>, senses: Option<Sender<Inward>>, counts: Arc<PacketCounts>) {
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
        let Some(senses) = &senses else { continue };
        let ssrc = packet.header.ssrc;
        if frames.push(sequence, packet, senses, &counts) {
            let request = PictureLossIndication { sender_ssrc: 0, media_ssrc: ssrc };
            // A connection that is ending takes no requests, and needs none.
            let _ = track.write_rtcp(vec![Box::new(request)]).await;
        }
    }
}

/// Packets → frames of one track.
enum Frames {
    Picture { assembler: Box<VideoAssembler>, out: Outbox<Assembled>, time: Unwrap },
    Sound { assembler: SoundAssembler, time: Unwrap },
}

impl Frames {
    fn new(is_video: bool) -> Self {
        match is_video {
            true => Self::Picture {
                assembler: Box::new(VideoAssembler::new(Codec::Av1)),
                out: Outbox::new(),
                time: Unwrap::default(),
            },
            false => Self::Sound { assembler: SoundAssembler::new(Codec::Opus), time: Unwrap::default() },
        }
    }

    /// Takes one packet; true asks for a keyframe.
    fn push(&mut self, sequence: u64, packet: Packet, senses: &Sender<Inward>, counts: &PacketCounts) -> bool {
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
            Self::Picture { assembler, out, .. } => {
                let mut is_asking = false;
                assembler.push(arrival, wire, out);
                for assembled in out.drain() {
                    match assembled {
                        Assembled::Frame(frame) => hand_on(Inward::Picture(frame)),
                        Assembled::RequestKeyframe => is_asking = true,
                    }
                }
                is_asking
            }
            Self::Sound { assembler, .. } => {
                assembler.push(wire).map(Inward::Sound).map(hand_on);
                false
            }
        }
    }
}

/// Extends 16-bit sequence numbers, and counts those that never came.
#[derive(Debug, Default)]
struct Round {
    first: Option<u64>,
    newest: u64,
    received: u64,
    /// Of what is missing, how much the counts know already.
    told_lost: u64,
}

impl Round {
    /// The extended number of the packet that is numbered `sequence`; begins in the second round, so that an early
    /// packet that comes late has a place.
    fn extend(&mut self, sequence: u16) -> u64 {
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

    fn count(&mut self, counts: &PacketCounts) {
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
        assert_eq!(counts.report(), PacketReport { received: 6, lost: 1 });
    }

    #[test]
    fn rtp_time_is_extended_both_ways() {
        let mut time = Unwrap::default();
        let start = time.extend(u32::MAX - 10);
        assert_eq!(time.extend(20) - start, 31);
        assert_eq!(start - time.extend(u32::MAX - 20), 10);
    }
}
