//! **The question:** what is written next? The core's three doors.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{EncodedFrame, Outbox, ParticipantId, Pts, RoomEpoch, RoomId};
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::fmp4::Header;
use crate::core::record::captions::{RecordedCaption, SpokenLine};
use crate::core::record::chapters::{Chapter, ChapterKind};
use crate::core::record::gap::{Gap, GapReason, GapTrack, millis};
use crate::core::record::manifest::{Manifest, RecordingState, utc_text};
use crate::core::record::presence;
use crate::core::record::take::{Cut, Late, Take, Taken};

/// What a recording is told at its start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Whom it belongs to.
    pub room: RoomId,
    /// Whose recording it is, if somebody said.
    pub owner: Option<String>,
    /// By which the node has the room, in a fleet.
    pub fence: Option<i64>,
    /// Where the room's clock stands in UTC.
    pub epoch: RoomEpoch,
    /// Frames a second, for the last frame's span.
    pub fps: u32,
}

/// What a recorder is given.
#[derive(Debug, Clone)]
pub enum Input {
    /// The rung's next frame.
    Video(EncodedFrame),
    /// The shared mix's next packet.
    Sound(EncodedFrame),
    /// Frames were discarded before the next one.
    VideoGap,
    /// Packets were discarded before the next one.
    SoundGap,
    /// A fragment could not be stored, and the file stands as before it.
    Lost {
        /// Which one.
        span: Span,
        /// Its length in bytes.
        len: usize,
        /// Why.
        reason: GapReason,
    },
    /// Something began in the room, at this room time.
    Event(Pts, Event),
    /// The deadline came.
    Time,
    /// The call ended: the last fragment follows at once.
    Finish,
}

/// What may begin a chapter, or is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// They have the word.
    Speaker(ParticipantId),
    /// A screen is shown.
    ScreenBegins,
    /// It is no longer shown.
    ScreenEnds,
    /// The room is laid out in another way.
    Layout,
    /// Somebody is in the room from now on, and may be recorded.
    Came(ParticipantId),
    /// They are not any more, or do not want to be recorded.
    Went(ParticipantId),
    /// Somebody said something, which was written down.
    Said(Box<SpokenLine>),
}

/// Part of a recording's timeline, in one of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which file, from 0.
    pub take: usize,
    /// Since the file's zero.
    pub from: Duration,
    /// Since the file's zero.
    pub to: Duration,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// The head of file `take`, counted from 0: a new file begins, an older one is complete.
    Init {
        /// Which file.
        take: usize,
    },
    /// A fragment, to be appended whole or not at all.
    Fragment(Span),
}

/// Bytes that belong together.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What they are.
    pub kind: PieceKind,
    /// The bytes, in the clear: anyone who stores them seals them.
    pub bytes: Bytes,
}

/// What a recorder wants done.
#[derive(Debug, Clone)]
pub enum Output {
    /// Append this to the newest file.
    Append(Piece),
    /// Overwrite bytes in the head of a file.
    Patch {
        /// Which file, from 0.
        take: usize,
        /// From the file's start.
        offset: u64,
        /// As many as are overwritten.
        bytes: Bytes,
    },
    /// The manifest changed; files are not named in it yet.
    Manifest(Box<Manifest>),
    /// Keep this with it.
    Caption(RecordedCaption),
}

/// Figures since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Fragments cut, lost ones included.
    pub fragments: u64,
    /// Frames taken.
    pub frames: u64,
    /// Frames refused: not of their codec's form, out of order, or undecodable.
    pub frames_discarded: u64,
    /// Packets taken.
    pub packets: u64,
    /// Packets refused: not 20 ms long, or too late.
    pub packets_discarded: u64,
    /// Milliseconds of the recording that lack something.
    pub gap_ms: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// From the recording's zero to its end.
    pub duration: Duration,
}

/// A recording in the making.
#[derive(Debug)]
pub struct Recorder {
    setup: Setup,
    state: State,
    manifest: Manifest,
    manifest_changed: bool,
    /// Room time of the recording's zero.
    zero: Option<Pts>,
    /// Heads of the files, for the patch of their durations.
    heads: Vec<(Pts, Header)>,
    video_gap: bool,
    sound_gap: bool,
    /// In the order in which they first had the word, or a track of their own was recorded.
    speakers: Vec<ParticipantId>,
    stats: Stats,
}

#[derive(Debug)]
enum State {
    /// For the first keyframe; sound that may be heard with it is kept.
    Waiting(VecDeque<EncodedFrame>),
    Recording(Box<Take>),
    Finished,
}

impl Recorder {
    /// A recording that begins at the first keyframe.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        assert!(setup.fps > 0, "a rung has a frame rate");
        let manifest = Manifest { owner: setup.owner.clone(), fence: setup.fence, ..Manifest::new(setup.room.clone()) };
        let state = State::Waiting(VecDeque::with_capacity(limits::AUDIO_FAN_LEN));
        Self {
            setup,
            state,
            manifest,
            manifest_changed: true,
            zero: None,
            heads: Vec::new(),
            video_gap: false,
            sound_gap: false,
            speakers: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// Takes one input at `now`; what is to be done stands in `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox<Output>) {
        match input {
            Input::Video(frame) => self.video(now, &frame, out),
            Input::Sound(frame) => self.sound(now, frame),
            Input::VideoGap => self.video_gap = true,
            Input::SoundGap => self.sound_gap = true,
            Input::Lost { span, len, reason } => self.lost(span, len, reason, out),
            Input::Event(_, Event::Said(line)) => self.said(*line, out),
            Input::Event(at, event) => self.event(at, &event),
            Input::Time => {}
            Input::Finish => self.finish(out),
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.cut(out);
        }
        if std::mem::take(&mut self.manifest_changed) {
            out.push(Output::Manifest(Box::new(self.manifest.clone())));
        }
    }

    /// When `handle` wants to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Recording(take) => take.deadline(),
            State::Waiting(_) | State::Finished => None,
        }
    }

    /// Figures so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            gap_ms: self.manifest.gap_ms,
            bytes: self.manifest.bytes,
            duration: Duration::from_millis(self.manifest.duration_ms),
            ..self.stats
        }
    }

    /// What the recording holds and lacks.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Room time of the recording's zero, once it has one.
    #[must_use]
    pub fn zero(&self) -> Option<Pts> {
        self.zero
    }

    fn video(&mut self, now: Instant, frame: &EncodedFrame, out: &mut Outbox<Output>) {
        let Some(unit) = StoredUnit::parse(frame.codec, &frame.data) else { return self.refuse(frame.pts) };
        let opening = unit.head.filter(|_| frame.keyframe);
        let same = match (&self.state, &opening) {
            (State::Recording(take), Some(header)) => take.continues(header),
            (State::Recording(_), None) => true,
            (State::Waiting(_), _) => false,
            (State::Finished, _) => return,
        };
        if !same {
            let Some(header) = &opening else { return };
            let Some(pictures) = StreamHead::parse(frame.codec, header) else { return self.refuse(frame.pts) };
            self.begin_take(now, frame.pts, pictures, out);
        }
        let frame_span = self.frame_span();
        let State::Recording(take) = &mut self.state else { return };
        let expected = take.picture_end(frame_span);
        let Taken { cut, discarded, undecodable } = take.video(now, frame.pts, unit.data, opening.is_some());
        if let Some(cut) = cut {
            self.append(cut, out);
        }
        self.stats.frames += u64::from(!discarded);
        self.stats.frames_discarded += u64::from(discarded);
        if let Some(span) = undecodable {
            self.lacks(span, GapTrack::Video, GapReason::AwaitingKeyframe);
        } else if self.video_gap && !discarded {
            let until = frame.pts.since(self.take_zero());
            self.lacks((expected, until), GapTrack::Video, GapReason::Lagged);
        }
        self.video_gap &= discarded;
    }

    fn sound(&mut self, now: Instant, packet: EncodedFrame) {
        if opus::packet_samples(&packet.data) != Some(u32::try_from(limits::PCM_FRAMES).expect("a tick is short")) {
            self.stats.packets_discarded += 1;
            return;
        }
        match &mut self.state {
            State::Waiting(held) => {
                if held.len() == limits::AUDIO_FAN_LEN {
                    held.pop_front();
                }
                held.push_back(packet);
            }
            State::Recording(take) => match take.sound(now, packet.pts, packet.data) {
                Ok(missing) => {
                    self.stats.packets += 1;
                    let reason = if self.sound_gap { GapReason::Lagged } else { GapReason::Missing };
                    self.sound_gap = false;
                    missing.into_iter().for_each(|span| self.lacks(span, GapTrack::Sound, reason));
                }
                Err(Late) => self.stats.packets_discarded += 1,
            },
            State::Finished => {}
        }
    }

    fn refuse(&mut self, pts: Pts) {
        self.stats.frames_discarded += 1;
        if let State::Recording(take) = &mut self.state {
            take.refused(pts);
        }
    }

    fn begin_take(&mut self, now: Instant, at: Pts, pictures: StreamHead, out: &mut Outbox<Output>) {
        self.finish_take(out);
        let zero = *self.zero.get_or_insert(at);
        let wallclock = self.setup.epoch.wallclock_at(at);
        self.manifest.started.get_or_insert_with(|| utc_text(wallclock));
        let mut take = Take::new(at, wallclock, pictures);
        self.manifest.begin_take(at.since(zero), take.size());
        let kind = PieceKind::Init { take: self.heads.len() };
        let bytes = take.header().bytes.clone();
        self.manifest.extend_take(Duration::ZERO, bytes.len() as u64);
        self.heads.push((at, take.header().clone()));
        out.push(Output::Append(Piece { kind, bytes }));
        self.manifest_changed = true;
        if let State::Waiting(held) = &mut self.state {
            // What was held from before the file's first packet is refused there, and is no loss.
            for packet in held.drain(..) {
                self.stats.packets += u64::from(take.sound(now, packet.pts, packet.data).is_ok());
            }
        }
        self.state = State::Recording(Box::new(take));
    }

    fn cut(&mut self, out: &mut Outbox<Output>) {
        let State::Recording(take) = &mut self.state else { return };
        if let Some(cut) = take.cut() {
            self.append(cut, out);
        }
    }

    fn append(&mut self, cut: Cut, out: &mut Outbox<Output>) {
        let span = Span { take: self.heads.len() - 1, from: cut.from, to: cut.to };
        let kind = PieceKind::Fragment(span);
        let bytes = cut.bytes;
        self.stats.fragments += 1;
        let written = self.manifest.takes.last().map_or(0, |take| take.bytes) + bytes.len() as u64;
        self.manifest.extend_take(cut.to, written);
        out.push(Output::Append(Piece { kind, bytes }));
        cut.silence.into_iter().for_each(|span| self.lacks(span, GapTrack::Sound, GapReason::Missing));
    }

    fn finish_take(&mut self, out: &mut Outbox<Output>) {
        let frame_span = self.frame_span();
        let State::Recording(take) = &mut self.state else { return };
        let (cut, missing) = take.finish(frame_span);
        if let Some(cut) = cut {
            self.append(cut, out);
        }
        missing.into_iter().for_each(|span| self.lacks(span, GapTrack::Sound, GapReason::Missing));
        self.patch_duration(self.heads.len() - 1, out);
    }

    fn finish(&mut self, out: &mut Outbox<Output>) {
        self.finish_take(out);
        self.state = State::Finished;
        self.manifest.state = RecordingState::Final;
        self.manifest_changed = true;
    }

    fn patch_duration(&self, take: usize, out: &mut Outbox<Output>) {
        let span = Duration::from_millis(self.manifest.takes[take].duration_ms);
        let bytes = Header::duration_patch(Take::duration_units(span));
        out.push(Output::Patch { take, offset: self.heads[take].1.duration_at, bytes });
    }

    // The manifest on the way is written for other reasons often enough.
    fn event(&mut self, at: Pts, event: &Event) {
        let at_ms = millis(self.zero.filter(|zero| *zero <= at).map_or(Duration::ZERO, |zero| at.since(zero)));
        let kind = match event {
            Event::Speaker(participant) => ChapterKind::Speaker { person: self.person(*participant) },
            Event::ScreenBegins => ChapterKind::ScreenBegins,
            Event::ScreenEnds => ChapterKind::ScreenEnds,
            Event::Layout => ChapterKind::Layout,
            Event::Came(participant) => {
                let is_listed = presence::came(&mut self.manifest.people, *participant, at_ms);
                self.manifest.people_unlisted += u64::from(!is_listed);
                return;
            }
            Event::Went(participant) => return presence::went(&mut self.manifest.people, *participant, at_ms),
            Event::Said(_) => return,
        };
        self.manifest.begins(Chapter { at_ms, kind });
    }

    /// What was said before the recording began is none of its, nor what begins after its end.
    fn said(&mut self, line: SpokenLine, out: &mut Outbox<Output>) {
        let SpokenLine { participant, from, to, text, language } = line;
        let Some(zero) = self.zero.filter(|zero| *zero < to && matches!(self.state, State::Recording(_))) else {
            return;
        };
        let (from_ms, to_ms) = (millis(from.since(zero)), millis(to.since(zero)));
        self.manifest.captions += 1;
        let person = self.person(participant);
        out.push(Output::Caption(RecordedCaption { from_ms, to_ms, person, text, language }));
    }

    /// The number that stands for a person in this recording: from 1, in the order in which they are asked for.
    pub fn person(&mut self, participant: ParticipantId) -> u32 {
        let known = self.speakers.iter().position(|id| *id == participant);
        let at = known.unwrap_or_else(|| {
            if self.speakers.len() < limits::RECORD_SPEAKERS_MAX {
                self.speakers.push(participant);
            }
            self.speakers.len() - 1
        });
        let person = u32::try_from(at + 1).expect("the list is short");
        // Those beyond the list share the last number, which is none's alone.
        if self.speakers.get(at) == Some(&participant) {
            presence::called(&mut self.manifest.people, participant, person);
        }
        person
    }

    fn lost(&mut self, span: Span, len: usize, reason: GapReason, out: &mut Outbox<Output>) {
        let newest = self.heads.len() - 1;
        let from = self.heads[span.take].0.since(self.heads[0].0);
        self.manifest.lacks(Gap {
            from_ms: millis(from + span.from),
            to_ms: millis(from + span.to),
            track: GapTrack::Both,
            reason,
        });
        self.manifest.shorten_take(span.take, span.from, len as u64);
        self.manifest_changed = true;
        match &mut self.state {
            State::Recording(take) if span.take == newest => take.lost(span.to, len),
            // The file was closed with this fragment in its duration.
            _ => self.patch_duration(span.take, out),
        }
    }

    fn lacks(&mut self, (from, to): (Duration, Duration), track: GapTrack, reason: GapReason) {
        let origin = self.take_zero().since(self.zero.expect("a take has begun"));
        self.manifest.lacks(Gap { from_ms: millis(origin + from), to_ms: millis(origin + to), track, reason });
        self.manifest_changed = true;
    }

    fn take_zero(&self) -> Pts {
        self.heads.last().expect("a take has begun").0
    }

    fn frame_span(&self) -> Duration {
        Duration::from_secs(1) / self.setup.fps
    }
}
