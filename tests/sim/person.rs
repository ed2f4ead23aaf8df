//! One simulated person: a camera and a microphone that send, and the node's cores that receive them, checked at every
//! step.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tessera::base::limits;
use tessera::base::media::{AudioLevel, Codec, Outbox, ReceivedFrame, Size, TrackId};
use tessera::core::jitter::{AudioInput, AudioJitter, AudioPiece, VideoInput, VideoJitter, VideoOutput};
use tessera::core::ladder::{KeyframeInput, KeyframeOutput, KeyframePacer, SendTarget, UplinkInput, UplinkTarget};
use tessera::core::mix::Loudness;
use tessera::engine::flow::{PlayoutCell, Side};

use super::network::{Path, Random};
use super::world::Digest;

/// Full-band, one frame of 20 ms (RFC 6716 table 2).
const OPUS_TOC_20_MS: u8 = 31 << 3;

/// A person, far side and near side.
#[derive(Debug)]
pub struct Person {
    pub path: Path,
    pub camera: Camera,
    pub microphone: Microphone,
    playout: PlayoutCell,
    video: VideoJitter,
    audio: AudioJitter,
    pacer: KeyframePacer,
    ask: UplinkTarget,
    seen: Seen,
}

/// The sending camera.
#[derive(Debug)]
pub struct Camera {
    pub frames_sent: u64,
    pub keyframe_next: bool,
    sequence: u64,
    rtp_offset: u64,
    /// The last frame was lost, so the next one's arrival shows a gap.
    gap: bool,
    /// The assembler hands frames on in order, so none arrives before its predecessor.
    last_arrival: Duration,
}

/// The sending microphone.
#[derive(Debug)]
pub struct Microphone {
    pub packets_sent: u64,
    pub talks_until: Duration,
    sequence: u64,
    rtp_offset: u64,
}

/// What the checks remember.
#[derive(Debug, Default)]
struct Seen {
    released: Option<u64>,
    gap_before: bool,
    asked_keyframe: Option<Instant>,
    played: Option<u64>,
    ticks: u64,
    samples: u64,
    target: Option<SendTarget>,
    tile: Option<(Size, u32)>,
}

impl Person {
    pub fn new(random: &mut Random) -> Self {
        // Extended time and sequence start anywhere, right before a wrap included.
        let camera = Camera {
            frames_sent: 0,
            keyframe_next: true,
            sequence: random.bits() >> random.below(64),
            rtp_offset: 0_u64.wrapping_sub(random.bits() >> random.below(64)),
            gap: false,
            last_arrival: Duration::ZERO,
        };
        let microphone = Microphone {
            packets_sent: 0,
            talks_until: Duration::ZERO,
            sequence: random.bits() >> random.below(64),
            rtp_offset: 0_u64.wrapping_sub(random.bits() >> random.below(64)),
        };
        Self {
            path: Path::random(random),
            camera,
            microphone,
            playout: PlayoutCell::default(),
            video: VideoJitter::new(),
            audio: AudioJitter::new(),
            pacer: KeyframePacer::new(),
            ask: UplinkTarget::new(),
            seen: Seen::default(),
        }
    }

    /// The node receives a frame of the camera.
    pub fn frame_arrives(&mut self, now: Instant, frame: ReceivedFrame, digest: &mut Digest) {
        if frame.keyframe {
            self.pace(now, KeyframeInput::Seen, digest);
        }
        self.seen.gap_before |= !frame.contiguous;
        self.video_input(now, VideoInput::Delay(self.playout.delay(Side::Picture)), digest);
        self.video_input(now, VideoInput::Frame(frame), digest);
        self.playout.want(Side::Picture, self.video.wanted_delay());
        assert!(self.video.wanted_delay() <= limits::PLAYOUT_DELAY_MAX);
    }

    /// The decode thread wakes at the deadline.
    pub fn video_due(&mut self, now: Instant, digest: &mut Digest) {
        self.video_input(now, VideoInput::Due, digest);
        assert!(self.video.deadline().is_none_or(|at| at > now), "what is due has left");
    }

    pub fn video_deadline(&self) -> Option<Instant> {
        self.video.deadline()
    }

    fn video_input(&mut self, now: Instant, input: VideoInput, digest: &mut Digest) {
        let mut out = Outbox::new();
        self.video.handle(now, input, &mut out);
        for output in out.drain() {
            match output {
                VideoOutput::Release { frame, late } => self.check_release(now, &frame, late, digest),
                VideoOutput::RequestKeyframe => self.pace(now, KeyframeInput::Request, digest),
            }
        }
        let stats = self.video.stats();
        assert!(stats.queued <= limits::TRACK_QUEUE_LEN);
        assert_eq!(stats.frames, stats.released + stats.discarded + stats.queued as u64, "frames are conserved");
    }

    fn check_release(&mut self, now: Instant, frame: &ReceivedFrame, late: bool, digest: &mut Digest) {
        if let Some(last) = self.seen.released {
            assert!(frame.sequence_first.wrapping_sub(last).cast_signed() > 0, "frames leave in order, once");
            let follows = frame.sequence_first == last.wrapping_add(1);
            assert!(follows || frame.keyframe, "after a gap only a keyframe can be decoded");
        } else {
            assert!(frame.keyframe, "decoding starts at a keyframe");
        }
        self.seen.released = Some(frame.sequence_last);
        let waited = now.duration_since(frame.arrival);
        assert!(waited <= limits::PLAYOUT_DELAY_MAX, "nothing waits longer than the longest delay: {waited:?}");
        digest.frames_released += 1;
        digest.frames_late += u64::from(late);
        digest.waited_us += waited.as_micros();
    }

    /// The source's pacer; what it lets through is on its way back.
    pub fn pace(&mut self, now: Instant, input: KeyframeInput, digest: &mut Digest) {
        let mut out = Outbox::new();
        self.pacer.handle(now, input, &mut out);
        for KeyframeOutput::Keyframe in out.drain() {
            if let Some(last) = self.seen.asked_keyframe {
                assert!(now.duration_since(last) >= limits::KEYFRAME_SPACING, "requests to one source are spaced");
            }
            self.seen.asked_keyframe = Some(now);
            digest.keyframes_asked += 1;
            digest.keyframe_requests_due.push(now);
        }
        let stats = self.pacer.stats();
        assert!(stats.keyframes <= stats.requests);
    }

    pub fn pacer_deadline(&self) -> Option<Instant> {
        self.pacer.deadline()
    }

    pub fn packet_arrives(&mut self, now: Instant, packet: ReceivedFrame) {
        let mut out = Outbox::new();
        self.audio.handle(now, AudioInput::Packet(packet), &mut out);
        assert!(out.is_empty(), "sound is pulled");
        self.playout.want(Side::Sound, self.audio.wanted_delay());
    }

    /// The audio tick: what plays, checked, and how loud it is.
    pub fn audio_tick(&mut self, now: Instant, out: &mut Outbox<AudioPiece>, digest: &mut Digest) -> Loudness {
        self.audio.handle(now, AudioInput::Tick(self.playout.delay(Side::Sound)), out);
        self.seen.ticks += 1;
        let mut loudness = Loudness::SILENCE;
        for piece in out.drain() {
            self.seen.samples += u64::from(piece.samples());
            if let AudioPiece::Conceal { samples, .. } | AudioPiece::Comfort { samples } = &piece {
                assert_eq!(samples % 120, 0, "libopus makes sound up in steps of 2.5 ms");
                digest.concealed_samples += u64::from(*samples);
            }
            if let AudioPiece::Play { packet, .. } = &piece {
                let ordered = |last: u64| packet.sequence_first.wrapping_sub(last).cast_signed() > 0;
                assert!(self.seen.played.is_none_or(ordered), "packets play in order, once");
                self.seen.played = Some(packet.sequence_first);
                loudness = packet.audio_level.map_or(Loudness::SILENCE, Loudness::from);
                digest.packets_played += 1;
            }
        }
        let stretched = self.audio.advice().unheard();
        self.audio.handle(now, AudioInput::Stretched(stretched), out);
        self.seen.samples = self.seen.samples.saturating_add_signed(i64::from(stretched));
        let ticked = self.seen.ticks * limits::PCM_FRAMES as u64;
        assert_eq!(self.seen.samples, ticked + u64::from(self.audio.samples_ahead()), "no hole and no overlap");
        let stats = self.audio.stats();
        assert!(stats.queued <= limits::OPUS_QUEUE_LEN);
        assert_eq!(stats.packets, stats.played + stats.discarded + stats.queued as u64, "packets are conserved");
        loudness
    }

    pub fn tile(&mut self, now: Instant, tile: Size, fps: u32) {
        self.seen.tile = Some((tile, fps));
        self.ask(now, UplinkInput::Tile { size: Some(tile), fps, patience: limits::SHRINK_AFTER });
    }

    pub fn ask(&mut self, now: Instant, input: UplinkInput) {
        let mut out = Outbox::new();
        self.ask.handle(now, input, &mut out);
        self.seen.target = out.drain().next_back().or(self.seen.target);
        if let (Some((tile, fps)), Some(target)) = (self.seen.tile, self.seen.target) {
            let needed = tessera::core::ladder::target_for(Some(tile), fps);
            assert!(target.size >= needed.size, "a tile is never left with too small a picture");
            assert!(target == needed || self.ask.deadline().is_some(), "too large a picture does not last");
        }
    }

    pub fn ask_deadline(&self) -> Option<Instant> {
        self.ask.deadline()
    }

    /// Adds what the person's cores counted.
    pub fn settle(&self, digest: &mut Digest) {
        digest.frames_discarded += self.video.stats().discarded;
        digest.packets_discarded += self.audio.stats().discarded;
    }
}

impl Camera {
    /// The next frame, and when it arrives; `None` when it is lost.
    pub fn capture(
        &mut self,
        at: Duration,
        start: Instant,
        path: &Path,
        random: &mut Random,
    ) -> Option<(Duration, ReceivedFrame)> {
        let keyframe = std::mem::take(&mut self.keyframe_next);
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let rtp_time = self.rtp_offset.wrapping_add(self.frames_sent * u64::from(limits::VIDEO_CLOCK) / 30);
        self.frames_sent += 1;
        if path.loses(random) {
            // A lost keyframe is asked for again, as every lost frame is.
            self.gap = true;
            return None;
        }
        let arrival = (at + path.transit(random)).max(self.last_arrival);
        self.last_arrival = arrival;
        let contiguous = !std::mem::take(&mut self.gap);
        let data = Bytes::from_static(&[0; 8]);
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, data, sequence, rtp_time, start + arrival);
        Some((arrival, ReceivedFrame { keyframe, contiguous, ..whole }))
    }
}

impl Microphone {
    /// The next packet, and when it arrives, perhaps twice.
    pub fn speak(
        &mut self,
        at: Duration,
        start: Instant,
        path: &Path,
        random: &mut Random,
    ) -> Vec<(Duration, ReceivedFrame)> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let rtp_time = self.rtp_offset.wrapping_add(self.packets_sent * limits::PCM_FRAMES as u64);
        self.packets_sent += 1;
        let talks = at < self.talks_until;
        let level = AudioLevel(if talks { 15 + random.below(20) as u8 } else { 127 });
        let copies = if path.loses(random) { 0 } else { 1 + usize::from(path.duplicates(random)) };
        (0..copies)
            .map(|_| {
                let arrival = at + path.transit(random);
                let data = Bytes::from_static(&[OPUS_TOC_20_MS; 40]);
                let whole = ReceivedFrame::of_one_packet(Codec::Opus, data, sequence, rtp_time, start + arrival);
                (arrival, ReceivedFrame { audio_level: Some(level), ..whole })
            })
            .collect()
    }
}

/// The person's voice as `mix/` knows it.
pub fn microphone_of(id: u64) -> TrackId {
    TrackId { participant: tessera::base::media::ParticipantId(id), kind: tessera::base::media::TrackKind::Microphone }
}
