//! **The question:** what does one simulated person send, and when? A looped clip and a looped voice on one absolute
//! schedule, whose two RTP clocks start at the same instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::packetizer::Payloader;
use rtc_rtp::{Header, Packet};
use tokio::sync::watch;
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};

use super::clip::Clip;
use super::error::LoadError;
use super::participant::{AV1_PAYLOAD_TYPE, LocalTrack, OPUS_PAYLOAD_TYPE, Participant};
use super::voice::Voice;
use crate::base::limits;
use crate::base::media::{Pts, pts_from_tick, rtp_from_pts};

/// Payload bytes of one camera packet, so that the datagram stays below every usual path's limit.
const PAYLOAD_BYTES: usize = 1_150;
/// Levels (RFC 6464, −dBov) at which a packet is said to carry a voice.
const VOICED_UP_TO: u8 = 60;

/// When each frame of each person's loop was last sent: read by receivers, written by senders, never locked.
#[derive(Debug)]
pub(super) struct SendLog {
    epoch: Instant,
    /// Nanoseconds since `epoch` plus one, by person and frame of the loop; 0 is never.
    sent: Vec<Vec<AtomicU64>>,
    /// The same instants for the voice's packets.
    spoken: Vec<Vec<AtomicU64>>,
    /// Whether the person sends pictures now.
    alive: Vec<AtomicBool>,
}

impl SendLog {
    /// A log in which nothing was sent; `frames` are the lengths of each person's clip, `words` that of every voice.
    pub fn new(epoch: Instant, frames: &[usize], words: usize) -> Self {
        let blank = |length: usize| (0..length).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Self {
            epoch,
            sent: frames.iter().map(|length| blank(*length)).collect(),
            spoken: frames.iter().map(|_| blank(words)).collect(),
            alive: frames.iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// When person `number` last sent frame `frame` of their loop.
    pub fn frame_sent(&self, number: usize, frame: usize) -> Option<Instant> {
        self.read(self.sent.get(number)?.get(frame)?)
    }

    /// When person `number` last sent packet `word` of their voice's loop.
    pub fn word_sent(&self, number: usize, word: usize) -> Option<Instant> {
        self.read(self.spoken.get(number)?.get(word)?)
    }

    /// Whether person `number` sends pictures.
    pub fn is_alive(&self, number: usize) -> bool {
        self.alive.get(number).is_some_and(|alive| alive.load(Ordering::Relaxed))
    }

    /// How many people the log knows.
    pub fn people(&self) -> usize {
        self.sent.len()
    }

    /// Person `number` sends frame `frame` of their loop now.
    pub fn note_sent(&self, number: usize, frame: usize) {
        self.write(&self.sent[number][frame]);
    }

    /// Person `number` sends packet `word` of their voice's loop now.
    pub fn note_spoken(&self, number: usize, word: usize) {
        self.write(&self.spoken[number][word]);
    }

    /// Person `number` begins or ends sending pictures.
    pub fn set_alive(&self, number: usize, is_alive: bool) {
        self.alive[number].store(is_alive, Ordering::Relaxed);
    }

    fn read(&self, cell: &AtomicU64) -> Option<Instant> {
        let nanos = cell.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_nanos(nanos))
    }

    fn write(&self, cell: &AtomicU64) {
        let nanos = self.epoch.elapsed().as_nanos() + 1;
        cell.store(u64::try_from(nanos).expect("a load runs below 584 years"), Ordering::Relaxed);
    }
}

/// A camera's loop as RTP payloads, cut once.
#[derive(Debug)]
pub(super) struct Footage {
    frames: Vec<Shot>,
    fps: u32,
}

#[derive(Debug)]
struct Shot {
    payloads: Vec<Bytes>,
    keyframe: bool,
}

impl Footage {
    /// Cuts each temporal unit of `clip` into payloads.
    ///
    /// # Errors
    /// [`LoadError::Clip`] when the clip is empty, does not begin with a keyframe, or is no AV1.
    pub fn cut(clip: &Clip) -> Result<Self, LoadError> {
        if !clip.frames.first().is_some_and(|frame| frame.keyframe) {
            return Err(LoadError::Clip("a clip begins with a keyframe".to_owned()));
        }
        let mut frames = Vec::with_capacity(clip.frames.len());
        for frame in &clip.frames {
            let payloads = Av1Payloader::default().payload(PAYLOAD_BYTES, &frame.data);
            let payloads = payloads.map_err(|e| LoadError::Clip(e.to_string()))?;
            frames.push(Shot { payloads, keyframe: frame.keyframe });
        }
        Ok(Self { frames, fps: clip.fps })
    }

    /// Frames in the loop.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// The first keyframe at or after `frame`, round the loop's end.
    fn keyframe_from(&self, frame: usize) -> usize {
        let later = (frame..self.frames.len()).find(|at| self.frames[*at].keyframe);
        later.unwrap_or(0)
    }
}

/// What one person sends.
pub(super) struct Sender {
    number: usize,
    microphone: Outward,
    /// Camera and screen, which send the same pictures.
    pictures: Vec<Outward>,
    /// What they send; `None` for who sends no pictures.
    footage: Option<Arc<Footage>>,
    voice: Arc<Voice>,
    log: Arc<SendLog>,
    /// Set by the node's PLI or FIR.
    wants_keyframe: Arc<AtomicBool>,
    keyframe_at: Option<Instant>,
    /// Next frame of the loop.
    frame: usize,
}

/// One outward track's running numbers.
struct Outward {
    local: LocalTrack,
    payload_type: u8,
    sequence: u16,
    rtp_start: u32,
}

impl Outward {
    fn new(local: LocalTrack, payload_type: u8) -> Self {
        Self { local, payload_type, sequence: rand::random(), rtp_start: rand::random() }
    }

    fn packet(&mut self, rtp_time: u64, marker: bool, payload: Bytes) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        // RTP time wraps at 32 bits (RFC 3550 section 5.1): the low half is what goes out.
        let timestamp = self.rtp_start.wrapping_add((rtp_time & u64::from(u32::MAX)) as u32);
        let header = Header {
            version: 2,
            marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.local.ssrc,
            ..Header::default()
        };
        Packet { header, payload }
    }
}

impl Sender {
    /// A sender for `participant`; `log` remembers what it sends.
    pub fn new(participant: &Participant, footage: Option<Arc<Footage>>, voice: Arc<Voice>, log: Arc<SendLog>) -> Self {
        let pictures = participant.camera.iter().chain(&participant.screen);
        Self {
            number: participant.number,
            microphone: Outward::new(participant.microphone.clone(), OPUS_PAYLOAD_TYPE),
            pictures: pictures.map(|local| Outward::new(local.clone(), AV1_PAYLOAD_TYPE)).collect(),
            footage,
            voice,
            log,
            wants_keyframe: Arc::new(AtomicBool::new(false)),
            keyframe_at: None,
            frame: 0,
        }
    }

    /// Sends from `start` on until `stop` says so or the connection is gone.
    pub async fn run(mut self, start: Instant, mut stop: watch::Receiver<bool>) {
        let mut feedback = JoinSet::new();
        for outward in &self.pictures {
            feedback.spawn(watch_feedback(outward.local.clone(), Arc::clone(&self.wants_keyframe)));
        }
        self.log.set_alive(self.number, self.footage.is_some());
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = self.send(start) => {}
        }
        self.log.set_alive(self.number, false);
        feedback.abort_all();
    }

    async fn send(&mut self, start: Instant) {
        let (mut picture, mut word) = (0_u64, 0_u64);
        let words_per_second = u32::try_from(1000 / limits::AUDIO_TICK.as_millis()).expect("a tick is below a second");
        loop {
            let picture_pts =
                self.footage.as_ref().map_or(Pts(u64::MAX), |footage| pts_from_tick(picture, footage.fps));
            let word_pts = pts_from_tick(word, words_per_second);
            let next = picture_pts.min(word_pts);
            tokio::time::sleep_until((start + Duration::from_nanos(next.as_nanos())).into()).await;
            let sent = if word_pts <= picture_pts {
                let sent = self.speak(word, rtp_from_pts(word_pts, limits::SAMPLE_RATE)).await;
                word += 1;
                sent
            } else {
                let sent = self.show(rtp_from_pts(picture_pts, limits::VIDEO_CLOCK)).await;
                picture += 1;
                sent
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends the next frame of the loop, or its next keyframe if one was asked for.
    async fn show(&mut self, rtp_time: u64) -> Result<(), LoadError> {
        let Some(footage) = self.footage.clone() else { return Ok(()) };
        let now = Instant::now();
        let is_due = self.keyframe_at.is_none_or(|at| now - at >= limits::KEYFRAME_SPACING);
        if is_due && self.wants_keyframe.swap(false, Ordering::Relaxed) {
            self.frame = footage.keyframe_from(self.frame);
        }
        let shot = &footage.frames[self.frame];
        if shot.keyframe {
            self.keyframe_at = Some(now);
        }
        self.log.note_sent(self.number, self.frame);
        for outward in &mut self.pictures {
            for (at, payload) in shot.payloads.iter().enumerate() {
                let packet = outward.packet(rtp_time, at + 1 == shot.payloads.len(), payload.clone());
                outward.local.track.write_rtp(packet).await?;
            }
        }
        self.frame = (self.frame + 1) % footage.len();
        Ok(())
    }

    /// Sends 20 ms of the voice, its level beside it.
    async fn speak(&mut self, word: u64, rtp_time: u64) -> Result<(), LoadError> {
        let voice = Arc::clone(&self.voice);
        if voice.packets.is_empty() {
            return Ok(());
        }
        let at = usize::try_from(word % voice.packets.len() as u64).expect("an index below a length fits");
        let (payload, level) = (&voice.packets[at], voice.levels[at].0);
        self.log.note_spoken(self.number, at);
        let extension = AudioLevelExtension { level, voice: level <= VOICED_UP_TO };
        let packet = self.microphone.packet(rtp_time, word == 0, payload.clone());
        let track = &self.microphone.local.track;
        track.write_rtp_with_extensions(packet, &[HeaderExtension::AudioLevel(extension)]).await?;
        Ok(())
    }
}

/// Reads the node's feedback on a picture, and notes when it wants a keyframe (RFC 4585 PLI, RFC 5104 FIR).
async fn watch_feedback(local: LocalTrack, wants_keyframe: Arc<AtomicBool>) {
    while let Some(event) = local.track.poll().await {
        let TrackLocalEvent::OnRtcpPacket(packets) = event else { continue };
        if packets.iter().any(|packet| is_keyframe_request(&**packet)) {
            wants_keyframe.store(true, Ordering::Relaxed);
        }
    }
}

fn is_keyframe_request(packet: &dyn rtc::rtcp::Packet) -> bool {
    packet.as_any().is::<PictureLossIndication>() || packet.as_any().is::<FullIntraRequest>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Codec, EncodedFrame};

    /// A temporal unit of one frame OBU (type 6, with a size field) of `len` bytes, at most 127.
    fn unit(len: u8, keyframe: bool) -> EncodedFrame {
        let data: Vec<u8> = [0x32, len].into_iter().chain((0..len).map(|byte| byte | 1)).collect();
        EncodedFrame { codec: Codec::Av1, data: data.into(), pts: Pts(0), keyframe }
    }

    #[test]
    fn a_request_leads_to_the_next_keyframe_round_the_end() {
        let frames = [true, false, false, true, false].map(|keyframe| unit(20, keyframe)).to_vec();
        let footage = Footage::cut(&Clip { frames, fps: 30 }).unwrap();
        assert_eq!([0, 1, 3, 4].map(|frame| footage.keyframe_from(frame)), [0, 3, 3, 0]);
        let headless = Clip { frames: vec![unit(20, false)], fps: 30 };
        assert!(matches!(Footage::cut(&headless), Err(LoadError::Clip(_))));
    }

    #[test]
    fn the_log_tells_what_was_sent_last_and_nothing_else() {
        let log = SendLog::new(Instant::now(), &[2, 1], 1);
        assert_eq!(log.frame_sent(0, 1), None);
        let before = Instant::now();
        log.note_sent(0, 1);
        let first = log.frame_sent(0, 1).unwrap();
        assert!(first >= before && first <= Instant::now());
        log.note_sent(0, 1);
        assert!(log.frame_sent(0, 1).unwrap() >= first);
        assert_eq!((log.frame_sent(0, 0), log.frame_sent(1, 1), log.frame_sent(9, 0)), (None, None, None));
        assert_eq!(log.word_sent(0, 0), None);
    }
}
