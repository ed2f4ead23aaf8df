//! **The question:** which incoming frame is decoded when? A `decode-n` thread owns jitter buffer and decoder of each
//! video track assigned to it; all rooms share the pool.

use std::collections::HashMap;
use std::time::Instant;

use crate::app::workers::counters::NodeCounters;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Mailbox, Reports, earlier, guard};
use crate::base::media::{Codec, Outbox, ReceivedFrame, RoomId, TrackId, VideoFrame};
use crate::core::jitter::{VideoInput, VideoJitter, VideoOutput};
use crate::engine::decode::{self, DecodeError, PixelBudget, Turner, VideoDecoder};
use crate::engine::flow::{FrameSlot, KeyframeRequest, PlayoutCell, Side, TrackReceiver};

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

struct Track {
    work: Box<TrackWork>,
    jitter: VideoJitter,
    /// `None` once it could not be opened: its frames still go to whoever records them.
    decoder: Option<Box<dyn VideoDecoder>>,
    /// Why its pictures are not shown, as told.
    refused: Option<String>,
    turner: Turner,
    /// A slot's box that came back, so that none is allocated per frame.
    spare: Option<Box<VideoFrame>>,
}

impl Track {
    /// Asks the sender for a keyframe, unless nothing here could decode it.
    fn ask_for_keyframe(&self, counters: &NodeCounters) {
        if self.decoder.is_none() || self.refused.is_some() {
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
        self.decoder = None;
        reports.send(Event::DecoderFailed { room: self.work.room.clone(), track: self.work.track, error });
    }
}

/// The body of a `decode-n` thread; `budget` is all threads'.
pub fn run(mailbox: &Mailbox<DecodeCommand>, reports: &Reports<Event>, counters: &NodeCounters, budget: &PixelBudget) {
    let mut worker = DecodeWorker {
        tracks: HashMap::new(),
        reports: reports.clone(),
        counters: counters.clone(),
        budget: budget.clone(),
        outbox: Outbox::new(),
        pictures: Vec::new(),
    };
    while mailbox.drain(|command| worker.command(command)) {
        let deadline = worker.round();
        mailbox.waker.sleep_until(deadline);
    }
}

struct DecodeWorker {
    tracks: HashMap<TrackId, Track>,
    reports: Reports<Event>,
    counters: NodeCounters,
    budget: PixelBudget,
    outbox: Outbox<VideoOutput>,
    pictures: Vec<VideoFrame>,
}

impl DecodeWorker {
    fn command(&mut self, command: DecodeCommand) {
        match command {
            DecodeCommand::Add(work) => self.add(work),
            DecodeCommand::Remove(track) => drop(self.tracks.remove(&track)),
        }
    }

    fn add(&mut self, work: Box<TrackWork>) {
        let id = work.track;
        let (jitter, opened) = (VideoJitter::new(), decode::video_decoder_within(work.codec, &self.budget));
        let mut track = Track { work, jitter, decoder: None, refused: None, turner: Turner::default(), spare: None };
        match opened {
            Ok(decoder) => track.decoder = Some(decoder),
            Err(error) => track.fail(error, &self.reports),
        }
        self.tracks.insert(id, track);
    }

    /// One look at every track; says when to look again.
    fn round(&mut self) -> Option<Instant> {
        let mut panicked = Vec::new();
        let mut deadline: Option<Instant> = None;
        for (id, track) in &mut self.tracks {
            let room = track.work.room.clone();
            let step = Step {
                track,
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
            self.tracks.remove(&id);
            self.outbox = Outbox::new();
            self.reports.send(Event::RoomFailed(room));
        }
        deadline
    }
}

struct Step<'a> {
    track: &'a mut Track,
    outbox: &'a mut Outbox<VideoOutput>,
    pictures: &'a mut Vec<VideoFrame>,
    reports: &'a Reports<Event>,
    counters: &'a NodeCounters,
}

impl Step<'_> {
    fn run(self, now: Instant) -> Option<Instant> {
        let Step { track, outbox, pictures, reports, counters } = self;
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
        for output in outbox.drain() {
            match output {
                // A late frame is decoded too, since others refer to it; the slot lets the newest picture win.
                VideoOutput::Release { frame, .. } => {
                    give_to_tap(track, now, &frame);
                    if let Some((_, captured)) = frame.capture() {
                        track.work.playout.played(Side::Picture, now, captured);
                        counters.lip_sync.note(track.work.playout.skew());
                    }
                    match decode_one(track, &frame, pictures, counters) {
                        Ok(true) => track.refuse(None, reports),
                        Ok(false) => {}
                        Err(error @ DecodeError::Open(_)) => track.fail(error, reports),
                        Err(DecodeError::Unsupported(why)) => track.refuse(Some(why), reports),
                        // What follows what is not shown.
                        Err(DecodeError::AwaitingKeyframe) if track.refused.is_some() => {}
                        Err(_) => broken = true,
                    }
                }
                VideoOutput::RequestKeyframe => track.ask_for_keyframe(counters),
            }
        }
        if broken {
            track.jitter.handle(now, VideoInput::Broken, outbox);
            // Broken asks for a keyframe and releases nothing, so there is no second round.
            for output in outbox.drain() {
                if matches!(output, VideoOutput::RequestKeyframe) {
                    track.ask_for_keyframe(counters);
                }
            }
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

/// Decodes and publishes; true if there was a picture. A track without a decoder shows nothing, and nothing is wrong
/// with its frames.
fn decode_one(
    track: &mut Track,
    frame: &ReceivedFrame,
    pictures: &mut Vec<VideoFrame>,
    counters: &NodeCounters,
) -> Result<bool, DecodeError> {
    let Some(decoder) = track.decoder.as_mut() else { return Ok(false) };
    let result = decoder.decode(frame.coded(), pictures);
    counters.frames_decoded.add(pictures.len() as u64);
    let shown = !pictures.is_empty();
    for picture in pictures.drain(..) {
        let picture = track.turner.show(frame.orientation, picture);
        let boxed = match track.spare.take() {
            Some(mut spare) => {
                *spare = picture;
                spare
            }
            None => Box::new(picture),
        };
        track.spare = track.work.slot.publish(boxed);
    }
    match result {
        Err(DecodeError::NoRoom) => counters.frames_unaffordable.add(1),
        Err(_) if track.refused.is_none() => counters.frames_broken.add(1),
        _ => {}
    }
    result.map(|()| shown)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::limits;
    use crate::base::media::{CodedFrame, ComposedFrame, ParticipantId, Pts, Size, TrackKind};
    use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};
    use crate::engine::flow::{self, Counter, TrackSender, Waker};

    struct Far {
        sender: TrackSender,
        slot: FrameSlot,
        keyframe_requests: KeyframeRequest,
    }

    fn worker() -> (DecodeWorker, crossbeam_channel::Receiver<Event>) {
        let (sender, events) = crossbeam_channel::bounded(16);
        let worker = DecodeWorker {
            tracks: HashMap::new(),
            reports: Reports::new(sender, Waker::new().unwrap(), Counter::default()),
            counters: NodeCounters::default(),
            budget: PixelBudget::new(limits::DECODE_PIXELS_MAX),
            outbox: Outbox::new(),
            pictures: Vec::new(),
        };
        (worker, events)
    }

    fn track(worker: &mut DecodeWorker, number: u64, codec: Codec) -> Far {
        let waker = Waker::new().unwrap();
        let (sender, frames) = flow::track_queue(waker.clone(), Counter::default());
        let slot = FrameSlot::default();
        let keyframe_requests = KeyframeRequest::new(waker, Counter::default());
        worker.add(Box::new(TrackWork {
            room: "tested".parse().unwrap(),
            track: TrackId { participant: ParticipantId(number), kind: TrackKind::Camera },
            codec,
            frames,
            slot: slot.clone(),
            keyframe_requests: keyframe_requests.clone(),
            playout: PlayoutCell::default(),
        }));
        Far { sender, slot, keyframe_requests }
    }

    fn frames(count: u64) -> Vec<Bytes> {
        let size = Size::new(64, 64);
        let setup = VideoEncoderSetup { codec: Codec::Av1, size, fps: 30, bitrate: 200_000, threads: 1 };
        let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
        let mut out = Vec::new();
        for n in 0..count {
            let frame = ComposedFrame::new(size, Pts(n * 33_333_333), vec![100 + n as u8; 64 * 64 * 3 / 2]);
            encoder.encode(&frame, n == 0, &mut out).unwrap();
        }
        out.into_iter().map(|frame| frame.data).collect()
    }

    fn arriving(data: Bytes, number: u64) -> ReceivedFrame {
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, data, number, number * 3000, Instant::now());
        ReceivedFrame { keyframe: number == 0, contiguous: number > 0, ..whole }
    }

    /// Looks until nothing waits any more.
    fn drain_outputs(worker: &mut DecodeWorker) {
        while let Some(deadline) = worker.round() {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        }
    }

    #[test]
    fn a_broken_bitstream_asks_for_a_keyframe_and_nobody_else_notices() {
        let (mut worker, events) = worker();
        let mut broken = track(&mut worker, 1, Codec::Av1);
        let mut fine = track(&mut worker, 2, Codec::Av1);
        let good = frames(3);
        for (number, data) in good.iter().enumerate() {
            let number = number as u64;
            // The sequence header survives, what follows is noise: a bitstream that breaks while it is decoded.
            let noise: Vec<u8> =
                data.iter().enumerate().map(|(at, byte)| if at < 14 { *byte } else { !byte }).collect();
            broken.sender.push(arriving(noise.into(), number));
            fine.sender.push(arriving(data.clone(), number));
            drain_outputs(&mut worker);
        }
        assert!(worker.counters.frames_broken.get() > 0);
        assert!(broken.keyframe_requests.take_keyframe(), "the sender is asked for a keyframe");
        let told: Vec<_> = events.try_iter().collect();
        let first = |event: &Event| matches!(event, Event::PicturesBroken { track, .. } if track.participant.0 == 1);
        assert!(!told.is_empty() && told.iter().all(first), "{told:?}");
        assert!(fine.slot.take().is_some(), "the other picture goes on");
        assert!(!fine.keyframe_requests.take_keyframe());
        // A keyframe heals the track; its numbers go on.
        let mut healed = arriving(good[0].clone(), 4);
        healed.keyframe = true;
        broken.sender.push(healed);
        drain_outputs(&mut worker);
        assert!(broken.slot.take().is_some(), "a keyframe heals it");
    }

    #[test]
    fn case_42_pictures_that_are_not_shown_are_told_once_and_asked_for_no_more() {
        let (mut worker, events) = worker();
        let mut far = track(&mut worker, 1, Codec::Av1);
        let too_large = include_bytes!("../../engine/decode/clips/too_large.ivf");
        for number in 0..3 {
            // A keyframe of a kind that is not shown, then what refers to it, behind a gap.
            let whole = arriving(Bytes::from_static(&too_large[44..]), 2 * number);
            far.sender.push(ReceivedFrame { keyframe: true, ..whole });
            drain_outputs(&mut worker);
            far.sender.push(ReceivedFrame { contiguous: false, ..arriving(frames(2)[1].clone(), 2 * number + 1) });
            drain_outputs(&mut worker);
        }
        let told: Vec<_> = events.try_iter().collect();
        let [Event::PicturesRefused { why: Some(why), .. }] = &told[..] else { panic!("{told:?}") };
        assert!(why.contains("4100×2200"), "{why}");
        assert!(!far.keyframe_requests.take_keyframe(), "another keyframe would not help");
        far.sender.push(ReceivedFrame { keyframe: true, ..arriving(frames(1)[0].clone(), 9) });
        drain_outputs(&mut worker);
        assert!(far.slot.take().is_some(), "a smaller one is shown");
        assert!(matches!(&events.try_iter().collect::<Vec<_>>()[..], [Event::PicturesRefused { why: None, .. }]));
    }

    #[test]
    fn pictures_of_another_codec_are_left_to_the_track_that_follows() {
        let (mut worker, events) = worker();
        let mut far = track(&mut worker, 1, Codec::Vp8);
        far.sender.push(arriving(frames(1)[0].clone(), 0));
        drain_outputs(&mut worker);
        assert!(far.slot.take().is_none() && events.try_iter().next().is_none());
        assert_eq!((worker.tracks.len(), worker.counters.frames_broken.get()), (1, 0));
    }

    /// A decoder whose library has no memory left for another.
    struct Exhausted;

    impl VideoDecoder for Exhausted {
        fn decode(&mut self, _: CodedFrame<'_>, _: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
            Err(DecodeError::Open("out of memory".into()))
        }
    }

    #[test]
    fn a_decoder_that_cannot_be_opened_is_told_once_and_asks_for_nothing() {
        let (mut worker, events) = worker();
        // Nothing decodes pictures of the first one's codec; the second one's decoder fails while it runs.
        let mut never = track(&mut worker, 1, Codec::Opus);
        let mut failing = track(&mut worker, 2, Codec::Av1);
        let failing_id = TrackId { participant: ParticipantId(2), kind: TrackKind::Camera };
        worker.tracks.get_mut(&failing_id).unwrap().decoder = Some(Box::new(Exhausted));
        for (number, data) in frames(3).into_iter().enumerate() {
            for far in [&mut never, &mut failing] {
                // The second frame follows a gap: a decoder would need a keyframe for it.
                let contiguous = number != 1;
                far.sender.push(ReceivedFrame { contiguous, ..arriving(data.clone(), number as u64) });
            }
            drain_outputs(&mut worker);
        }
        let told: Vec<_> = events.try_iter().collect();
        let [
            Event::DecoderFailed { track: first, error: DecodeError::Codec("opus"), .. },
            Event::DecoderFailed { track: second, error: DecodeError::Open(_), .. },
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
        assert_eq!((first.participant, *second), (ParticipantId(1), failing_id));
        for far in [never, failing] {
            assert!(!far.keyframe_requests.take_keyframe(), "no keyframe would help");
            assert!(far.slot.take().is_none());
        }
        assert_eq!(worker.counters.keyframes_requested.get(), 0);
    }
}
