//! Tracks asked through their queues and slots, on threads of the tests' own.

use bytes::Bytes;

use super::*;
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
        apart: None,
        heard: Vec::new(),
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
        let noise: Vec<u8> = data.iter().enumerate().map(|(at, byte)| if at < 14 { *byte } else { !byte }).collect();
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
    let too_large = include_bytes!("../../../engine/decode/clips/too_large.ivf");
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

#[test]
fn a_track_over_whose_frames_processes_keep_ending_is_refused_and_nobody_else() {
    let (mut worker, events) = worker();
    worker.apart = Some(Apart::fallen());
    let mut deadly = track(&mut worker, 1, Codec::Av1);
    let mut innocent = track(&mut worker, 2, Codec::Av1);
    let [deadly_id, innocent_id] = [1, 2].map(|n| TrackId { participant: ParticipantId(n), kind: TrackKind::Camera });
    let (start, told) = (Instant::now(), || "signal 11".to_owned());
    let mut fall = |seconds: u64, in_hand| {
        let at = start + std::time::Duration::from_secs(seconds);
        worker.fallen(at, &Fall { cause: Cause::Ended, in_hand, told: told() });
        (worker.counters.decoders_replaced.ended.get(), worker.counters.decoders_replaced.tracks_refused.get())
    };
    assert_eq!(fall(0, Some(deadly_id)), (1, 0));
    assert_eq!(fall(1, None), (2, 0), "nothing was in hand");
    assert_eq!(fall(2, Some(innocent_id)), (3, 0));
    // The first one is long ago by now.
    assert_eq!(fall(61, Some(deadly_id)), (4, 0));
    assert_eq!(fall(62, Some(deadly_id)), (5, 0));
    assert_eq!(fall(63, Some(deadly_id)), (6, 1));
    let told: Vec<_> = events.try_iter().collect();
    let [Event::PicturesRefused { track: refused, why: Some(why), .. }] = &told[..] else { panic!("{told:?}") };
    assert!(*refused == deadly_id && why.contains("3 times"), "{refused:?}: {why}");
    // Its frames are decoded no more and it is asked for nothing; the other one waits for the next process.
    let clip = frames(1);
    for far in [&mut deadly, &mut innocent] {
        far.sender.push(ReceivedFrame { keyframe: false, contiguous: false, ..arriving(clip[0].clone(), 7) });
    }
    worker.step();
    assert!(!deadly.keyframe_requests.take_keyframe());
    assert!(matches!(worker.tracks[&deadly_id].decoder, Decoder::None));
    assert!(matches!(worker.tracks[&innocent_id].decoder, Decoder::Apart(..)));
    assert!(innocent.keyframe_requests.take_keyframe());
    assert!(deadly.slot.take().is_none());
}

#[test]
fn another_process_begins_with_a_keyframe_that_waited_for_it_and_asks_where_none_did() {
    let (mut worker, _events) = worker();
    let mut far = track(&mut worker, 1, Codec::Av1);
    let id = TrackId { participant: ParticipantId(1), kind: TrackKind::Camera };
    let clip = frames(3);
    far.sender.push(arriving(clip[0].clone(), 0));
    drain_outputs(&mut worker);
    assert!(far.slot.take().is_some());
    far.sender.push(arriving(clip[1].clone(), 1));
    far.sender.push(ReceivedFrame { keyframe: true, ..arriving(clip[0].clone(), 2) });
    worker.tracks.get_mut(&id).unwrap().orphaned = true;
    drain_outputs(&mut worker);
    assert!(far.slot.take().is_some() && !far.keyframe_requests.take_keyframe(), "it was there");
    worker.tracks.get_mut(&id).unwrap().orphaned = true;
    far.sender.push(arriving(clip[1].clone(), 3));
    drain_outputs(&mut worker);
    assert!(far.slot.take().is_none() && far.keyframe_requests.take_keyframe());
}

#[test]
fn a_track_over_which_processes_end_twice_is_left_for_a_while() {
    let (mut worker, _events) = worker();
    worker.apart = Some(Apart::fallen());
    let mut far = track(&mut worker, 1, Codec::Av1);
    let id = TrackId { participant: ParticipantId(1), kind: TrackKind::Camera };
    let fall = || Fall { cause: Cause::Ended, in_hand: Some(id), told: "signal 11".to_owned() };
    let now = Instant::now();
    worker.fallen(now, &fall());
    assert_eq!(worker.tracks[&id].paused, None, "once may be chance");
    worker.fallen(now, &fall());
    assert_eq!(worker.tracks[&id].paused, Some(now + limits::DECODER_PAUSE_SPAN));
    let clip = frames(2);
    far.sender.push(arriving(clip[0].clone(), 0));
    worker.step();
    assert!(!far.keyframe_requests.take_keyframe(), "it is not wanted yet");
    worker.tracks.get_mut(&id).unwrap().paused = Some(now);
    far.sender.push(arriving(clip[1].clone(), 1));
    worker.step();
    assert!(worker.tracks[&id].paused.is_none() && far.keyframe_requests.take_keyframe());
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
    worker.tracks.get_mut(&failing_id).unwrap().decoder = Decoder::Here(Box::new(Exhausted));
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
