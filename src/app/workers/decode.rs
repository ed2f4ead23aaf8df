//! **The question:** which incoming frame is decoded when? A `decode-n` thread owns jitter buffer and decoder of each
//! video track assigned to it; all rooms share the pool.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::time::Instant;

use crate::app::workers::apart::{Apart, Cause, Fall};
use crate::app::workers::counters::NodeCounters;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Mailbox, Reports, earlier, guard};
use crate::base::limits;
use crate::base::media::{Codec, Orientation, Outbox, ReceivedFrame, RoomId, TrackId, VideoFrame};
use crate::core::jitter::{VideoInput, VideoJitter, VideoOutput};
use crate::engine::decode::{self, DecodeError, PixelBudget, PixelShare, Turner, VideoDecoder};
use crate::engine::flow::{FrameSlot, KeyframeRequest, PlayoutCell, Side, TrackReceiver};
use crate::io::apart::{Confinement, Heard};
use crate::io::telemetry::log::alias;

/// A video track's way from its queue to its slot.
pub struct TrackWork {
    /// The room it belongs to, which a panic would end.
    pub room: RoomId,
    /// Whose track.
    pub track: TrackId,
    /// How it is coded, by which its decoder is chosen.
    pub codec: Codec,
    /// Frames from the peer.
    pub frames: TrackReceiver,
    /// Pictures for the compositor.
    pub slot: FrameSlot,
    /// Keyframe wishes to the sender.
    pub keyframe_requests: KeyframeRequest,
    /// The delay shared with the person's microphone.
    pub playout: PlayoutCell,
}

/// What the control thread tells a decode thread.
pub enum DecodeCommand {
    /// Decode this track from now on.
    Add(Box<TrackWork>),
    /// The track ended.
    Remove(TrackId),
}

/// Who decodes a track.
enum Decoder {
    /// This thread.
    Here(Box<dyn VideoDecoder>),
    /// The thread's process, which calls it by a number.
    Apart(u32, PixelShare),
    /// Nobody: its frames still go to whoever records them.
    None,
}

struct Track {
    work: Box<TrackWork>,
    jitter: VideoJitter,
    decoder: Decoder,
    /// Why its pictures are not shown, as told.
    refused: Option<String>,
    turner: Turner,
    /// How the frames lie that the process has in hand.
    in_hand: VecDeque<Orientation>,
    /// A slot's box that came back, so that none is allocated per frame.
    spare: Option<Box<VideoFrame>>,
    /// The process showed a picture of the frame that it has in hand.
    shown: bool,
    /// What it decodes refers to what is broken, until there is a keyframe.
    broken: bool,
    /// When processes ended over its frames.
    deaths: Vec<Instant>,
    /// Until when it is not decoded, since they did so again and again.
    paused: Option<Instant>,
    /// Another process decodes it from now on, which knows nothing of what came before.
    orphaned: bool,
}

impl Track {
    /// Asks the sender for a keyframe, unless nothing here could decode it.
    fn ask_for_keyframe(&self, counters: &NodeCounters) {
        if matches!(self.decoder, Decoder::None) || self.refused.is_some() || self.paused.is_some() {
            return;
        }
        counters.keyframes_requested.add(1);
        self.work.keyframe_requests.request_keyframe();
    }

    /// Its pictures are of a kind that is not shown, or are shown: everybody hears of a change.
    fn refuse(&mut self, why: Option<String>, reports: &Reports<Event>) {
        if self.refused != why {
            self.refused.clone_from(&why);
            reports.send(Event::PicturesRefused { room: self.work.room.clone(), track: self.work.track, why });
        }
    }

    /// There is no decoder for it from now on, and everybody hears why, once.
    fn fail(&mut self, error: DecodeError, reports: &Reports<Event>) {
        self.decoder = Decoder::None;
        reports.send(Event::DecoderFailed { room: self.work.room.clone(), track: self.work.track, error });
    }
}

/// Which program decodes: this thread, or a process of that program.
pub enum Place<'a> {
    /// In the thread.
    Thread,
    /// In a process; where none can be started, in the thread after all, and the log says so.
    Process(&'a OsStr),
}

/// The body of a `decode-n` thread; `budget` is all threads'.
pub fn run(
    mailbox: &Mailbox<DecodeCommand>,
    reports: &Reports<Event>,
    counters: &NodeCounters,
    budget: &PixelBudget,
    place: &Place<'_>,
) {
    let mut worker = DecodeWorker {
        tracks: HashMap::new(),
        reports: reports.clone(),
        counters: counters.clone(),
        budget: budget.clone(),
        outbox: Outbox::new(),
        pictures: Vec::new(),
        apart: match place {
            Place::Thread => None,
            Place::Process(program) => start_apart(program, counters),
        },
        heard: Vec::new(),
    };
    while mailbox.drain(|command| worker.command(command)) {
        let deadline = worker.round();
        match worker.apart.as_ref().and_then(Apart::socket) {
            Some(socket) => mailbox.waker.sleep_until_readable(socket, deadline),
            None => mailbox.waker.sleep_until(deadline),
        }
    }
}

fn start_apart(program: &OsStr, counters: &NodeCounters) -> Option<Apart> {
    match Apart::start(program) {
        Ok((apart, confinement)) => {
            note_confinement(confinement, counters);
            Some(apart)
        }
        Err(error) => {
            tracing::error!(
                %error,
                "no process of decoders starts: pictures are decoded in the node itself, where a broken decoder ends \
                 it all; [media] decoders = \"thread\" chooses that"
            );
            None
        }
    }
}

struct DecodeWorker {
    tracks: HashMap<TrackId, Track>,
    reports: Reports<Event>,
    counters: NodeCounters,
    budget: PixelBudget,
    outbox: Outbox<VideoOutput>,
    pictures: Vec<VideoFrame>,
    /// Who decodes in this thread's place.
    apart: Option<Apart>,
    heard: Vec<Heard>,
}

impl DecodeWorker {
    fn command(&mut self, command: DecodeCommand) {
        match command {
            DecodeCommand::Add(work) => self.add(work),
            DecodeCommand::Remove(track) => self.remove(track),
        }
    }

    fn add(&mut self, work: Box<TrackWork>) {
        let (id, codec) = (work.track, work.codec);
        let mut track = Track {
            work,
            jitter: VideoJitter::new(),
            decoder: Decoder::None,
            refused: None,
            turner: Turner::default(),
            in_hand: VecDeque::new(),
            spare: None,
            shown: false,
            broken: false,
            deaths: Vec::new(),
            paused: None,
            orphaned: false,
        };
        match &mut self.apart {
            Some(apart) if decode::decodes(codec) => {
                track.decoder = Decoder::Apart(apart.open(id, codec), self.budget.share());
            }
            _ => match decode::video_decoder_within(codec, &self.budget) {
                Ok(decoder) => track.decoder = Decoder::Here(decoder),
                Err(error) => track.fail(error, &self.reports),
            },
        }
        self.tracks.insert(id, track);
    }

    fn remove(&mut self, id: TrackId) {
        let track = self.tracks.remove(&id);
        if let (Some(Track { decoder: Decoder::Apart(number, _), .. }), Some(apart)) = (track, &mut self.apart) {
            apart.close(number);
        }
    }

    /// One look at every track; says when to look again.
    fn round(&mut self) -> Option<Instant> {
        self.hear();
        let is_behind = self.apart.as_ref().is_some_and(|apart| apart.is_behind(Instant::now()));
        // What waits in the tracks' queues meanwhile is given up in the order that they know.
        let deadline = if is_behind { None } else { self.step() };
        let Some(apart) = &mut self.apart else { return deadline };
        apart.flush();
        earlier(deadline, apart.deadline())
    }

    fn step(&mut self) -> Option<Instant> {
        let mut panicked = Vec::new();
        let mut deadline: Option<Instant> = None;
        for (id, track) in &mut self.tracks {
            let room = track.work.room.clone();
            let step = Step {
                track,
                apart: self.apart.as_mut(),
                outbox: &mut self.outbox,
                pictures: &mut self.pictures,
                reports: &self.reports,
                counters: &self.counters,
            };
            match guard(&room, || step.run(Instant::now())) {
                Some(next) => deadline = earlier(deadline, next),
                None => panicked.push((*id, room)),
            }
        }
        for (id, room) in panicked {
            self.remove(id);
            self.outbox = Outbox::new();
            self.reports.send(Event::RoomFailed(room));
        }
        deadline
    }

    /// Takes what the process answered, and has another one take its place when it is of no use any more.
    fn hear(&mut self) {
        let now = Instant::now();
        let mut heard = std::mem::take(&mut self.heard);
        let Some(fall) = self.apart.as_mut().map(|apart| apart.hear(now, |word| heard.push(word))) else { return };
        heard.drain(..).for_each(|word| self.heard(now, word));
        self.heard = heard;
        if let Some(fall) = fall {
            self.fallen(now, &fall);
        }
        self.restart(now);
    }

    fn heard(&mut self, now: Instant, word: Heard) {
        let Self { tracks, reports, counters, outbox, apart: Some(apart), .. } = self else { return };
        let number = match &word {
            Heard::Ready(confinement) => return note_confinement(*confinement, counters),
            Heard::Picture(number, _) | Heard::Done(number, _) => *number,
        };
        let Some(track) = apart.track(number).and_then(|id| tracks.get_mut(&id)) else { return };
        match word {
            Heard::Ready(_) => {}
            Heard::Picture(_, picture) => {
                track.shown = true;
                counters.frames_decoded.add(1);
                let orientation = track.in_hand.front().copied().unwrap_or_default();
                publish(track, orientation, picture);
            }
            Heard::Done(_, result) => {
                let shown = std::mem::take(&mut track.shown);
                track.in_hand.pop_front();
                // What was on its way when its track broke refers to what is broken.
                let follows = track.broken && result == Err(DecodeError::AwaitingKeyframe);
                if !follows && conclude(track, result.map(|()| shown), reports, counters) {
                    mend(track, now, outbox, counters);
                    reports.send(Event::PicturesBroken { room: track.work.room.clone(), track: track.work.track });
                }
            }
        }
    }

    /// The process is no more. Who it decoded for waits for the next one, unless it was once too often over their
    /// frames.
    fn fallen(&mut self, now: Instant, fall: &Fall) {
        let Self { tracks, reports, counters, apart, .. } = self;
        let Fall { cause, in_hand, told } = fall;
        let counts = &counters.decoders_replaced;
        match cause {
            Cause::Ended => counts.ended.add(1),
            Cause::Hung => counts.hung.add(1),
            Cause::Garbled => counts.garbled.add(1),
        }
        let blamed = in_hand.and_then(|id| tracks.get_mut(&id));
        let room = blamed.as_ref().map(|track| alias(&track.work.room).to_string());
        let (kind, codec) = (in_hand.map(|id| id.kind), blamed.as_ref().map(|track| track.work.codec.name()));
        tracing::warn!(
            ?cause,
            told,
            room,
            ?kind,
            codec,
            tracks = tracks.len(),
            "a process of decoders is replaced; its tracks wait for keyframes"
        );
        let Some(track) = in_hand.and_then(|id| tracks.get_mut(&id)) else { return };
        track.deaths.retain(|at| now.saturating_duration_since(*at) < limits::DECODER_DEATHS_SPAN);
        track.deaths.push(now);
        let deaths = track.deaths.len();
        if deaths < limits::DECODER_DEATHS_MAX {
            track.paused = (deaths > 1).then(|| now + limits::DECODER_PAUSE_SPAN);
            return;
        }
        if let (Decoder::Apart(number, _), Some(apart)) = (&track.decoder, apart) {
            apart.close(*number);
        }
        track.decoder = Decoder::None;
        counts.tracks_refused.add(1);
        let why = format!("decoding them ended the node's decoder {deaths} times; send another codec, or join again");
        track.refuse(Some(why), reports);
    }

    fn restart(&mut self, now: Instant) {
        let Self { tracks, apart: Some(apart), .. } = self else { return };
        match apart.restart(now) {
            Ok(false) => {}
            Ok(true) => {
                for track in tracks.values_mut().filter(|track| matches!(track.decoder, Decoder::Apart(..))) {
                    track.shown = false;
                    track.in_hand.clear();
                    track.orphaned = true;
                }
            }
            Err(error) => tracing::error!(%error, "no process of decoders starts; it is tried again"),
        }
    }
}

/// Asks a track's sender for a keyframe, and lets nothing pass before it.
fn mend(track: &mut Track, now: Instant, outbox: &mut Outbox<VideoOutput>, counters: &NodeCounters) {
    track.broken = true;
    track.jitter.handle(now, VideoInput::Broken, outbox);
    // Broken asks for a keyframe and releases nothing, so there is no second round.
    for output in outbox.drain() {
        if matches!(output, VideoOutput::RequestKeyframe) {
            track.ask_for_keyframe(counters);
        }
    }
}

/// Lets a track go on where nothing before is known: from the newest keyframe of what is due on, or from the next one,
/// which is asked for.
fn begin_anew(track: &mut Track, now: Instant, outbox: &mut Outbox<VideoOutput>) {
    track.broken = true;
    let is_keyframe = |output: &VideoOutput| matches!(output, VideoOutput::Release { frame, .. } if frame.keyframe);
    let from = outbox.as_slice().iter().rposition(is_keyframe);
    let due: Vec<VideoOutput> = outbox.drain().collect();
    let lost = from.unwrap_or(due.len());
    for (at, output) in due.into_iter().enumerate() {
        match output {
            // Who records the track's own pictures decodes nothing here.
            VideoOutput::Release { frame, .. } if at < lost => give_to_tap(track, now, &frame),
            VideoOutput::RequestKeyframe if at < lost => {}
            output => outbox.push(output),
        }
    }
    if from.is_none() {
        track.jitter.handle(now, VideoInput::Broken, outbox);
    }
}

/// What became of a frame, and whether it showed a picture, is counted and told; whether the track is broken.
fn conclude(
    track: &mut Track,
    result: Result<bool, DecodeError>,
    reports: &Reports<Event>,
    counters: &NodeCounters,
) -> bool {
    match &result {
        Err(DecodeError::NoRoom) => counters.frames_unaffordable.add(1),
        Err(_) if track.refused.is_none() => counters.frames_broken.add(1),
        _ => {}
    }
    match result {
        Ok(shown) => {
            track.broken = false;
            if shown {
                track.refuse(None, reports);
            }
        }
        Err(error @ DecodeError::Open(_)) => track.fail(error, reports),
        Err(DecodeError::Unsupported(why)) => track.refuse(Some(why), reports),
        // What follows what is not shown.
        Err(DecodeError::AwaitingKeyframe) if track.refused.is_some() => {}
        Err(_) => return true,
    }
    false
}

fn publish(track: &mut Track, orientation: Orientation, picture: VideoFrame) {
    let picture = track.turner.show(orientation, picture);
    let boxed = match track.spare.take() {
        Some(mut spare) => {
            *spare = picture;
            spare
        }
        None => Box::new(picture),
    };
    track.spare = track.work.slot.publish(boxed);
}

/// Says once what the kernel did not grant, and counts it each time.
fn note_confinement(confinement: Confinement, counters: &NodeCounters) {
    let Confinement { seccomp, landlock } = confinement;
    if !seccomp || !landlock {
        let before = counters.decoders_replaced.unconfined.get();
        counters.decoders_replaced.unconfined.add(1);
        if before == 0 {
            tracing::warn!(seccomp, landlock, "the kernel does not confine processes of decoders wholly");
        }
    }
}

struct Step<'a> {
    track: &'a mut Track,
    apart: Option<&'a mut Apart>,
    outbox: &'a mut Outbox<VideoOutput>,
    pictures: &'a mut Vec<VideoFrame>,
    reports: &'a Reports<Event>,
    counters: &'a NodeCounters,
}

impl Step<'_> {
    fn run(self, now: Instant) -> Option<Instant> {
        let Step { track, mut apart, outbox, pictures, reports, counters } = self;
        let playout = &track.work.playout;
        let mut broken = false;
        while let Some(frame) = track.work.frames.pop() {
            if frame.codec != track.work.codec {
                // Its sender changed the codec, and this track ends as soon as everybody knows.
                continue;
            }
            let told = frame.capture();
            track.jitter.handle(now, VideoInput::Frame(frame), outbox);
            playout.want(Side::Picture, track.jitter.wanted_delay());
            if let Some((rtp_time, captured)) = told
                && let Some(at) = track.jitter.expected(rtp_time)
            {
                playout.expect(Side::Picture, at, captured);
            }
        }
        track.jitter.handle(now, VideoInput::Delay(playout.delay(Side::Picture)), outbox);
        let resumes = track.paused.is_some_and(|until| until <= now);
        if resumes {
            track.paused = None;
        }
        if std::mem::take(&mut track.orphaned) | resumes {
            begin_anew(track, now, outbox);
        }
        for output in outbox.drain() {
            match output {
                // A late frame is decoded too, since others refer to it; the slot lets the newest picture win.
                VideoOutput::Release { frame, .. } => {
                    give_to_tap(track, now, &frame);
                    if let Some((_, captured)) = frame.capture() {
                        track.work.playout.played(Side::Picture, now, captured);
                        counters.lip_sync.note(track.work.playout.skew());
                    }
                    let decoded = decode_one(track, now, &frame, apart.as_deref_mut(), pictures, counters);
                    broken |= conclude(track, decoded, reports, counters);
                }
                VideoOutput::RequestKeyframe => track.ask_for_keyframe(counters),
            }
        }
        if broken {
            mend(track, now, outbox, counters);
            reports.send(Event::PicturesBroken { room: track.work.room.clone(), track: track.work.track });
        }
        track.jitter.deadline()
    }
}

/// A frame's place in a recording is when it is due, not when a thread got to it.
fn give_to_tap(track: &Track, now: Instant, frame: &ReceivedFrame) {
    if let Some(tap) = track.work.frames.tap() {
        let due = track.jitter.expected(frame.rtp_time);
        tap.give(due.map_or(now, |at| at + track.work.playout.delay(Side::Picture)), frame);
    }
}

/// Decodes and publishes, or has it done; true if there was a picture. A track without a decoder shows nothing, and
/// nothing is wrong with its frames.
fn decode_one(
    track: &mut Track,
    now: Instant,
    frame: &ReceivedFrame,
    apart: Option<&mut Apart>,
    pictures: &mut Vec<VideoFrame>,
    counters: &NodeCounters,
) -> Result<bool, DecodeError> {
    match &mut track.decoder {
        Decoder::Here(decoder) => {
            let result = decoder.decode(frame.coded(), pictures);
            counters.frames_decoded.add(pictures.len() as u64);
            let shown = !pictures.is_empty();
            pictures.drain(..).for_each(|picture| publish(track, frame.orientation, picture));
            result.map(|()| shown)
        }
        Decoder::Apart(..) if track.paused.is_some() => Ok(false),
        Decoder::Apart(number, share) => {
            let pixels = share.take(frame.coded())?;
            share.settle(pixels);
            track.in_hand.push_back(frame.orientation);
            apart.map_or(Ok(()), |apart| apart.decode(now, *number, frame.coded())).map(|()| false)
        }
        Decoder::None => Ok(false),
    }
}

#[cfg(test)]
mod tests;
