//! **The question:** how does what one simulated person sends go out by the crate `webrtc`? As RTP packets on its
//! tracks, each when [`Schedule`] says.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use rtc_rtp::{Header, Packet};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};

use super::asked::Asked;
use super::codecs::{OPUS_PAYLOAD_TYPE, payload_type};
use super::error::LoadError;
use super::participant::{LocalTrack, Participant};
use super::schedule::{Due, Frame, Schedule, Word};
use super::wish::{KeyframeWish, is_keyframe_request};
use crate::core::signal::VideoTrack;

/// Sends for one person.
pub(super) struct Sender {
    schedule: Schedule,
    /// Their connections, the newest last: while a room moves there are two, and each is sent the same.
    lines: Vec<Line>,
    turns: mpsc::Receiver<Turn>,
    feedback: JoinSet<()>,
}

/// What one connection is sent.
pub(super) struct Line {
    microphone: Outward,
    /// Camera and screen.
    pictures: Vec<(VideoTrack, Outward)>,
    /// What the node asks for.
    asked: watch::Receiver<Asked>,
}

/// A person's connections change.
pub(super) enum Turn {
    /// There is one more.
    Beside(Line),
    /// The oldest is left.
    LeaveOldest,
}

impl Line {
    /// By the tracks of `participant`, as `asked`.
    pub fn new(participant: &Participant, asked: watch::Receiver<Asked>) -> Self {
        let tracks = participant.tracks_of_pictures();
        let pictures = tracks.map(|(track, local)| (track, Outward::new(local.clone()))).collect();
        Self { microphone: Outward::new(participant.microphone.clone()), pictures, asked }
    }

    async fn show(&mut self, frame: &Frame) -> Result<(), LoadError> {
        let outward = self.pictures.iter_mut().find(|(track, _)| *track == frame.track);
        let Some((_, outward)) = outward else { return Ok(()) };
        let (kind, payloads) = (payload_type(frame.footage.codec), &frame.footage.shot(frame.at).payloads);
        for (at, payload) in payloads.iter().enumerate() {
            let packet = outward.packet(kind, frame.rtp_time, at + 1 == payloads.len(), payload.clone());
            outward.local.track.write_rtp(packet).await?;
        }
        Ok(())
    }

    async fn speak(&mut self, word: &Word) -> Result<(), LoadError> {
        let extension = AudioLevelExtension { level: word.level, voice: word.voiced };
        let packet = self.microphone.packet(OPUS_PAYLOAD_TYPE, word.rtp_time, word.first, word.payload.clone());
        let track = &self.microphone.local.track;
        track.write_rtp_with_extensions(packet, &[HeaderExtension::AudioLevel(extension)]).await?;
        Ok(())
    }
}

/// One outward track's running numbers.
struct Outward {
    local: LocalTrack,
    sequence: u16,
    rtp_start: u32,
}

impl Outward {
    fn new(local: LocalTrack) -> Self {
        Self { local, sequence: rand::random(), rtp_start: rand::random() }
    }

    fn packet(&mut self, payload_type: u8, rtp_time: u64, marker: bool, payload: Bytes) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        // RTP time wraps at 32 bits (RFC 3550 section 5.1): the low half is what goes out.
        let timestamp = self.rtp_start.wrapping_add((rtp_time & u64::from(u32::MAX)) as u32);
        let header = Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.local.ssrc,
            ..Header::default()
        };
        Packet { header, payload }
    }
}

impl Sender {
    /// Sends `schedule` by this connection, and by others as `turns` say.
    pub fn new(line: Line, schedule: Schedule, turns: mpsc::Receiver<Turn>) -> Self {
        let mut own = Self { schedule, lines: Vec::new(), turns, feedback: JoinSet::new() };
        own.add(line);
        own
    }

    /// Sends until `stop` says so or the connection is gone.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = self.send() => {}
        }
        self.feedback.abort_all();
    }

    fn add(&mut self, line: Line) {
        let wish = |(track, outward): &(VideoTrack, Outward)| Some((outward.local.ssrc, self.schedule.wish(*track)?));
        let wishes: Arc<[_]> = line.pictures.iter().filter_map(wish).collect();
        let pictures = line.pictures.iter().map(|(_, outward)| outward);
        for outward in pictures.chain([&line.microphone]) {
            self.feedback.spawn(watch_feedback(outward.local.clone(), Arc::clone(&wishes)));
        }
        self.lines.push(line);
    }

    async fn send(&mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.schedule.next().into()) => {}
                Some(turn) = self.turns.recv() => {
                    match turn {
                        Turn::Beside(line) => self.add(line),
                        Turn::LeaveOldest if self.lines.len() > 1 => drop(self.lines.remove(0)),
                        Turn::LeaveOldest => {}
                    }
                    continue;
                }
            }
            // A node that has not asked for anything yet is sent what the one before wants.
            let mut asked = self.lines.iter().rev().map(|line| *line.asked.borrow());
            let asked = asked.find(|asked| *asked != Asked::default()).unwrap_or_default();
            self.schedule.ask(asked);
            let due = self.schedule.take(Instant::now());
            let mut broken = Vec::new();
            for (at, line) in self.lines.iter_mut().enumerate() {
                let sent = match &due {
                    Due::Word(word) => line.speak(word).await,
                    Due::Frame(frame) => line.show(frame).await,
                    Due::Nothing => Ok(()),
                };
                if sent.is_err() {
                    broken.push(at);
                }
            }
            broken.into_iter().rev().for_each(|at| drop(self.lines.remove(at)));
            if self.lines.is_empty() {
                return;
            }
        }
    }
}

/// Reads the node's feedback on a track, and notes of which it wants a keyframe (RFC 4585 PLI, RFC 5104 FIR): the crate
/// gives all of a compound packet to the track that its first packet is about, which is a report on any of them.
async fn watch_feedback(local: LocalTrack, wishes: Arc<[(u32, Arc<KeyframeWish>)]>) {
    while let Some(event) = local.track.poll().await {
        let TrackLocalEvent::OnRtcpPacket(packets) = event else { continue };
        for packet in packets.iter().filter(|packet| is_keyframe_request(&***packet)) {
            let about = packet.destination_ssrc();
            wishes.iter().filter(|(ssrc, _)| about.contains(ssrc)).for_each(|(_, wish)| wish.ask());
        }
    }
}
