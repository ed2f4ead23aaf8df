//! **The question:** what does one simulated person send, and when? Looped clips, as the node asks for them, and a
//! looped voice on one absolute schedule, whose RTP clocks start at the same instant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use rtc_rtp::{Header, Packet};
use tokio::sync::watch;
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};

use super::asked::Asked;
use super::camera::Camera;
use super::clip::{ClipSetup, MOMENTS};
use super::codecs::{OPUS_PAYLOAD_TYPE, payload_type};
use super::error::LoadError;
use super::library::Library;
use super::participant::{LocalTrack, Participant};
use super::reel::Reel;
use super::voice::Voice;
use crate::base::limits;
use crate::base::media::{Pts, Size, pts_from_tick, rtp_from_pts};
use crate::core::signal::VideoTrack;

/// Looks for a clip in a second, while there is none yet.
const LOOKS: u32 = 20;
/// Levels (RFC 6464, −dBov) at which a packet is said to carry a voice.
const VOICED_UP_TO: u8 = 60;

/// Tracks of pictures that a person may send.
const TRACKS: usize = 2;

/// The place of person `number`'s `track` among all people's.
pub(super) fn lane(number: usize, track: VideoTrack) -> usize {
    number * TRACKS + usize::from(track == VideoTrack::Screen)
}

/// When each moment of each picture's loop was last sent: read by receivers, written by senders, never locked.
#[derive(Debug)]
pub(super) struct SendLog {
    epoch: Instant,
    /// Nanoseconds since `epoch` plus one, by person's track and moment of the loop; 0 is never.
    sent: Vec<Vec<AtomicU64>>,
    /// The same instants for the voice's packets.
    spoken: Vec<Vec<AtomicU64>>,
    /// Whether the person sends pictures now.
    alive: Vec<AtomicBool>,
    /// What each person's track sends: columns, rows and frames a second, 16 bits each; 0: nothing yet.
    sending: Vec<AtomicU64>,
}

impl SendLog {
    /// A log of so many `people` in which nothing was sent; `words` is the length of every voice's loop.
    pub fn new(epoch: Instant, people: usize, words: usize) -> Self {
        let blank = |length: usize| (0..length).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Self {
            epoch,
            sent: (0..people * TRACKS).map(|_| blank(MOMENTS)).collect(),
            spoken: (0..people).map(|_| blank(words)).collect(),
            alive: (0..people).map(|_| AtomicBool::new(false)).collect(),
            sending: blank(people * TRACKS),
        }
    }

    /// When person `number` last sent `moment` of their loop on `track`.
    pub fn frame_sent(&self, number: usize, track: VideoTrack, moment: usize) -> Option<Instant> {
        self.read(self.sent.get(lane(number, track))?.get(moment)?)
    }

    /// When person `number` last sent packet `word` of their voice's loop.
    pub fn word_sent(&self, number: usize, word: usize) -> Option<Instant> {
        self.read(self.spoken.get(number)?.get(word)?)
    }

    /// Whether person `number` sends pictures.
    pub fn is_alive(&self, number: usize) -> bool {
        self.alive.get(number).is_some_and(|alive| alive.load(Ordering::Relaxed))
    }

    /// What the cameras send (each extent and rate once, with how many send it), largest first.
    pub fn cameras(&self) -> Vec<(Size, u32, usize)> {
        let mut counts = BTreeMap::new();
        for number in 0..self.people() {
            let sending = self.sending[lane(number, VideoTrack::Camera)].load(Ordering::Relaxed);
            if sending != 0 {
                *counts.entry(sending).or_default() += 1;
            }
        }
        let field = |sending: u64, at: u32| (sending >> at & 0xffff) as u32;
        let told = |(sending, count): (u64, usize)| {
            (Size::new(field(sending, 32), field(sending, 16)), field(sending, 0), count)
        };
        counts.into_iter().rev().map(told).collect()
    }

    /// Person `number` sends such pictures on `track` from now on.
    pub fn note_clip(&self, number: usize, track: VideoTrack, setup: &ClipSetup) {
        let ClipSetup { size, fps, .. } = setup;
        let sending = u64::from(size.width) << 32 | u64::from(size.height) << 16 | u64::from(*fps);
        self.sending[lane(number, track)].store(sending, Ordering::Relaxed);
    }

    /// How many people the log knows.
    pub fn people(&self) -> usize {
        self.spoken.len()
    }

    /// Person `number` sends `moment` of their loop on `track` now.
    pub fn note_sent(&self, number: usize, track: VideoTrack, moment: usize) {
        self.write(&self.sent[lane(number, track)][moment], Instant::now());
    }

    /// Person `number` sends packet `word` of their voice's loop now.
    pub fn note_spoken(&self, number: usize, word: usize) {
        self.write(&self.spoken[number][word], Instant::now());
    }

    /// Person `number` begins or ends sending pictures.
    pub fn set_alive(&self, number: usize, is_alive: bool) {
        self.alive[number].store(is_alive, Ordering::Relaxed);
    }

    fn read(&self, cell: &AtomicU64) -> Option<Instant> {
        let nanos = cell.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_nanos(nanos))
    }

    /// As [`Self::note_sent`], at another time than now.
    #[cfg(test)]
    pub fn note_sent_at(&self, number: usize, track: VideoTrack, moment: usize, at: Instant) {
        self.write(&self.sent[lane(number, track)][moment], at);
    }

    fn write(&self, cell: &AtomicU64, at: Instant) {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos() + 1;
        cell.store(u64::try_from(nanos).expect("a load runs below 584 years"), Ordering::Relaxed);
    }
}

/// What one person sends.
pub(super) struct Sender {
    number: usize,
    microphone: Outward,
    /// Camera and screen.
    pictures: Vec<Show>,
    camera: Camera,
    /// What the node asks for.
    asked: watch::Receiver<Asked>,
    library: Arc<Library>,
    voice: Arc<Voice>,
    log: Arc<SendLog>,
}

/// One track of pictures.
struct Show {
    track: VideoTrack,
    outward: Outward,
    reel: Reel,
    /// Set by the node's PLI or FIR.
    wants_keyframe: Arc<AtomicBool>,
    keyframe_at: Option<Instant>,
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
    /// A sender for `participant`; `log` remembers what it sends.
    pub fn new(
        participant: &Participant,
        camera: Camera,
        asked: watch::Receiver<Asked>,
        library: Arc<Library>,
        voice: Arc<Voice>,
        log: Arc<SendLog>,
    ) -> Self {
        let show = |track, local: &LocalTrack| Show {
            track,
            outward: Outward::new(local.clone()),
            reel: Reel::new(Pts(0)),
            wants_keyframe: Arc::new(AtomicBool::new(false)),
            keyframe_at: None,
        };
        let cameras = participant.camera.iter().map(|local| show(VideoTrack::Camera, local));
        let screens = participant.screen.iter().map(|local| show(VideoTrack::Screen, local));
        Self {
            number: participant.number,
            microphone: Outward::new(participant.microphone.clone()),
            pictures: cameras.chain(screens).collect(),
            camera,
            asked,
            library,
            voice,
            log,
        }
    }

    /// Sends from `start` on until `stop` says so or the connection is gone.
    pub async fn run(mut self, start: Instant, mut stop: watch::Receiver<bool>) {
        let mut feedback = JoinSet::new();
        for show in &self.pictures {
            feedback.spawn(watch_feedback(show.outward.local.clone(), Arc::clone(&show.wants_keyframe)));
        }
        self.log.set_alive(self.number, !self.pictures.is_empty());
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = self.send(start) => {}
        }
        self.log.set_alive(self.number, false);
        feedback.abort_all();
    }

    async fn send(&mut self, start: Instant) {
        let mut word = 0_u64;
        let words_per_second = u32::try_from(1000 / limits::AUDIO_TICK.as_millis()).expect("a tick is below a second");
        loop {
            let word_pts = pts_from_tick(word, words_per_second);
            let due = |at: usize| self.pictures[at].reel.due(LOOKS);
            let picture = (0..self.pictures.len()).map(|at| (due(at), at)).min().filter(|(due, _)| *due < word_pts);
            let next = picture.map_or(word_pts, |(due, _)| due);
            tokio::time::sleep_until((start + Duration::from_nanos(next.as_nanos())).into()).await;
            let sent = match picture {
                Some((due, at)) => self.show(at, due).await,
                None => {
                    word += 1;
                    self.speak(word - 1, rtp_from_pts(word_pts, limits::SAMPLE_RATE)).await
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends the next frame of a track, due at `due`, or a keyframe if one was asked for.
    async fn show(&mut self, at: usize, due: Pts) -> Result<(), LoadError> {
        let show = &mut self.pictures[at];
        let now = Instant::now();
        let asked = self.asked.borrow().of(show.track);
        // Nodes that tell nothing get what the camera is set to; this one tells within a moment.
        let is_told = asked.is_some() || !self.camera.obeys || u128::from(due.0) >= limits::LOAD_ASKED_SPAN.as_nanos();
        let setup = self.camera.clip_for(asked);
        let lane = lane(self.number, show.track);
        let clip = is_told.then(|| self.library.want(lane, self.number, setup)).flatten();
        if clip.is_some() {
            self.log.note_clip(self.number, show.track, &setup);
        }
        let is_due = show.keyframe_at.is_none_or(|at| now - at >= limits::KEYFRAME_SPACING);
        let wants_keyframe = is_due && show.wants_keyframe.swap(false, Ordering::Relaxed);
        let Some((footage, frame)) = show.reel.roll(clip.as_ref(), wants_keyframe, LOOKS) else { return Ok(()) };
        let shot = footage.shot(frame);
        if shot.keyframe {
            show.keyframe_at = Some(now);
            // Whatever was asked for meanwhile is answered by this one.
            show.wants_keyframe.store(false, Ordering::Relaxed);
        }
        self.log.note_sent(self.number, show.track, footage.moment(frame));
        let (kind, rtp_time) = (payload_type(footage.codec), rtp_from_pts(due, limits::VIDEO_CLOCK));
        for (at, payload) in shot.payloads.iter().enumerate() {
            let packet = show.outward.packet(kind, rtp_time, at + 1 == shot.payloads.len(), payload.clone());
            show.outward.local.track.write_rtp(packet).await?;
        }
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
        let packet = self.microphone.packet(OPUS_PAYLOAD_TYPE, rtp_time, word == 0, payload.clone());
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

    #[test]
    fn the_log_tells_what_was_sent_last_and_nothing_else() {
        let log = SendLog::new(Instant::now(), 2, 1);
        let (camera, screen) = (VideoTrack::Camera, VideoTrack::Screen);
        assert_eq!(log.frame_sent(0, camera, 1), None);
        let before = Instant::now();
        log.note_sent(0, camera, 1);
        let first = log.frame_sent(0, camera, 1).unwrap();
        assert!(first >= before && first <= Instant::now());
        assert_eq!(log.frame_sent(0, screen, 1), None, "a screen is another picture");
        log.note_sent(0, camera, 1);
        assert!(log.frame_sent(0, camera, 1).unwrap() >= first);
        assert_eq!((log.frame_sent(0, camera, 0), log.frame_sent(1, camera, 1)), (None, None));
        assert_eq!((log.frame_sent(9, camera, 0), log.frame_sent(1, screen, MOMENTS)), (None, None));
        assert_eq!((log.word_sent(0, 0), log.people()), (None, 2));
    }

    #[test]
    fn the_log_counts_who_sends_what() {
        let log = SendLog::new(Instant::now(), 4, 1);
        assert!(log.cameras().is_empty());
        let small = ClipSetup { size: Size::new(160, 90), fps: 15, ..ClipSetup::default() };
        (0..2).for_each(|number| log.note_clip(number, VideoTrack::Camera, &small));
        log.note_clip(2, VideoTrack::Camera, &ClipSetup::default());
        log.note_clip(3, VideoTrack::Screen, &ClipSetup::default());
        assert_eq!(log.cameras(), [(Size::new(320, 180), 30, 1), (Size::new(160, 90), 15, 2)]);
    }
}
