//! What a line carries, and what it does not believe.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::memory::ProcessMemory;
use super::words::{Answer, FrameOrder, Order, Shown};
use super::{Confinement, DecoderSide, Heard, Line, LineError};
use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, Colour, ComposedFrame, EncodedFrame, Pts, Size, VideoFrame};
use crate::engine::decode::{DecodeError, video_decoder};
use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

const CONFINED: Confinement = Confinement { seccomp: true, landlock: true };

/// A line to decoders in a thread of this process, which ends with the line.
fn served() -> Line {
    let (line, socket, file) = Line::new(Instant::now()).unwrap();
    std::thread::spawn(move || DecoderSide::within(socket, &file).serve(CONFINED));
    line
}

/// Frames of moving stripes.
fn frames(codec: Codec, size: Size, count: u64) -> Vec<EncodedFrame> {
    let setup = VideoEncoderSetup { codec, size, fps: 30, bitrate: 300_000, threads: 1 };
    let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
    let mut out = Vec::new();
    for n in 0..count {
        let luma = (0..size.width * size.height).map(|at| ((at % size.width + 4 * n as u32) * 3) as u8);
        let samples = luma.chain((0..size.width * size.height / 2).map(|_| 100 + n as u8)).collect();
        encoder.encode(&ComposedFrame::new(size, Pts(n * 33_333_333), samples), n == 0, &mut out).unwrap();
    }
    out
}

/// Hears until that many frames are dealt with.
fn answers(line: &mut Line, count: usize) -> Vec<Heard> {
    let (mut heard, mut done) = (Vec::new(), 0);
    while done < count {
        line.wait(Duration::from_secs(20)).unwrap();
        line.hear(Instant::now(), |word| {
            done += usize::from(matches!(word, Heard::Done(..)));
            heard.push(word);
        })
        .unwrap();
    }
    heard
}

fn samples(frame: &VideoFrame) -> Vec<u8> {
    let mut samples = Vec::new();
    for index in 0..3 {
        let plane = frame.picture.plane(index);
        let half = |side: u32| if index == 0 { side } else { side.div_ceil(2) } as usize;
        (0..half(frame.size.height))
            .for_each(|y| samples.extend(&plane.data[y * plane.stride..][..half(frame.size.width)]));
    }
    samples
}

#[test]
fn another_process_shows_the_same_pictures_of_every_track() {
    let clips = [
        frames(Codec::Av1, Size::new(160, 90), 12),
        frames(Codec::Av1, Size::new(64, 64), 12),
        #[cfg(feature = "h264")]
        frames(Codec::H264, Size::new(96, 64), 12),
    ];
    let mut line = served();
    (0_u32..).zip(&clips).for_each(|(track, clip)| line.open(track, clip[0].codec).unwrap());
    let mut decoders: Vec<_> = clips.iter().map(|clip| video_decoder(clip[0].codec).unwrap()).collect();
    let mut kept = Vec::new();
    for n in 0..12 {
        let now = Instant::now();
        (0_u32..).zip(&clips).for_each(|(track, clip)| line.decode(now, track, clip[n].coded()).unwrap());
        line.flush().unwrap();
        let mut expected = Vec::new();
        for (clip, decoder) in clips.iter().zip(&mut decoders) {
            decoder.decode(clip[n].coded(), &mut expected).unwrap();
        }
        for heard in answers(&mut line, clips.len()) {
            match heard {
                Heard::Picture(track, picture) => {
                    assert_eq!(picture.size, expected[track as usize].size);
                    let right = samples(&expected[track as usize]);
                    assert!(samples(&picture) == right, "frame {n} of track {track}");
                    // A few stay in use for long, while others come and go beside them.
                    if n % 5 == 0 {
                        kept.push((picture, right));
                    }
                }
                Heard::Done(_, result) => assert_eq!(result, Ok(())),
                Heard::Ready(confinement) => assert_eq!(confinement, CONFINED),
            }
        }
    }
    assert!(kept.len() >= 6 && kept.iter().all(|(picture, right)| samples(picture) == *right));
    line.close(0).unwrap();
    line.flush().unwrap();
    drop(line);
    assert!(kept.iter().all(|(picture, right)| samples(picture) == *right), "they outlive the line");
}

#[test]
fn what_a_decoder_refuses_is_told_as_it_would_be_here() {
    let mut line = served();
    let clip = frames(Codec::Av1, Size::new(64, 64), 2);
    let too_large = Bytes::from_static(&include_bytes!("../../engine/decode/clips/too_large.ivf")[44..]);
    let coded = |data, keyframe| CodedFrame { codec: Codec::Av1, data, keyframe, arrival: None, colour: None };
    let (noise, nothing) = (Bytes::from_static(&[0x12; 40]), Bytes::new());
    line.open(5, Codec::Av1).unwrap();
    let now = Instant::now();
    line.decode(now, 5, clip[1].coded()).unwrap();
    line.decode(now, 5, coded(&too_large, true)).unwrap();
    line.decode(now, 5, coded(&noise, true)).unwrap();
    line.decode(now, 5, clip[0].coded()).unwrap();
    assert!(matches!(line.decode(now, 5, coded(&nothing, true)), Err(DecodeError::Bitstream(_))), "it is empty");
    line.flush().unwrap();
    let mut results = Vec::new();
    for heard in answers(&mut line, 4) {
        if let Heard::Done(5, result) = heard {
            results.push(result);
        }
    }
    let [Err(DecodeError::AwaitingKeyframe), Err(DecodeError::Unsupported(why)), _, Ok(())] = &results[..] else {
        panic!("{results:?}")
    };
    assert!(why.contains("4100×2200"), "{why}");
}

/// A line whose other end is the test's.
struct Far {
    line: Line,
    socket: OwnedFd,
    memory: ProcessMemory,
}

impl Far {
    fn new() -> Self {
        let (line, socket, file) = Line::new(Instant::now()).unwrap();
        let memory = ProcessMemory::map(&file).unwrap();
        Self { line, socket, memory }
    }

    /// Of one frame that waits for its answer.
    fn waiting(now: Instant) -> Self {
        let mut far = Self::new();
        let data = Bytes::from_static(b"frame");
        let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: true, arrival: None, colour: None };
        far.line.decode(now, 3, frame).unwrap();
        far.line.flush().unwrap();
        far
    }

    fn say(&self, message: &[u8]) {
        send(&self.socket, message, SendFlags::NOSIGNAL).unwrap();
    }

    fn hear(&mut self) -> (Result<(), LineError>, Vec<Heard>) {
        let mut heard = Vec::new();
        (self.line.hear(Instant::now(), |word| heard.push(word)), heard)
    }
}

/// A picture that an honest process could show.
const SHOWN: Shown = Shown {
    serial: 1,
    picture: 0,
    size: Size::new(64, 48),
    at: [0, 64 * 48, 64 * 48 + 32 * 24],
    strides: [64, 32, 32],
    colour: Colour { matrix: crate::base::media::Matrix::Bt601, full_range: false },
};

#[test]
fn hostile_answers_end_the_line_and_show_nothing() {
    let end = limits::DECODER_ARENA_LEN as u64;
    let refused = [
        Shown { serial: 2, ..SHOWN },
        Shown { size: Size::new(0, 48), ..SHOWN },
        Shown { size: Size::new(64, 0), ..SHOWN },
        Shown { size: Size::new(limits::INGEST_SIDE_MAX + 1, 1), ..SHOWN },
        Shown { size: Size::new(u32::MAX, u32::MAX), ..SHOWN },
        Shown { strides: [63, 32, 32], ..SHOWN },
        Shown { strides: [64, 32, 31], ..SHOWN },
        Shown { strides: [u32::MAX, 32, 32], ..SHOWN },
        Shown { at: [end - 64 * 48 + 1, 0, 0], ..SHOWN },
        Shown { at: [0, u64::MAX, 0], ..SHOWN },
        Shown { at: [0, 0, end], ..SHOWN },
    ];
    for shown in refused {
        let mut far = Far::waiting(Instant::now());
        let mut message = Vec::new();
        Answer::Shown(shown).write(&mut message);
        far.say(&message);
        let (result, heard) = far.hear();
        assert!(matches!(result, Err(LineError::Garbled(_))) && heard.is_empty(), "{shown:?}: {result:?}");
    }
    // Answers to what nobody asked, answers twice, more pictures than a frame shows, half words, far too long messages.
    let mut twice = Vec::new();
    (0..2).for_each(|_| Answer::Done { serial: 1, result: Ok(()) }.write(&mut twice));
    let mut many = Vec::new();
    (0..=limits::PICTURES_PER_UNIT_MAX).for_each(|_| Answer::Shown(SHOWN).write(&mut many));
    let mut other = Vec::new();
    Answer::Done { serial: 9, result: Ok(()) }.write(&mut other);
    for message in [&twice[..], &many, &other, &many[..7], &[9], &vec![1; limits::DECODER_MESSAGE_LEN_MAX + 1]] {
        let mut far = Far::waiting(Instant::now());
        far.say(message);
        let result = far.hear().0;
        assert!(matches!(result, Err(LineError::Garbled(_))), "{} bytes: {result:?}", message.len());
    }
    let mut far = Far::waiting(Instant::now());
    far.say(&[]);
    assert_eq!(far.hear().0, Err(LineError::Ended), "an empty message is the end");
    let mut far = Far::waiting(Instant::now());
    far.socket = Far::new().socket;
    assert_eq!(far.hear().0, Err(LineError::Ended));
}

#[test]
fn a_picture_is_returned_once_nobody_shows_it() {
    let mut far = Far::waiting(Instant::now());
    let mut message = Vec::new();
    Answer::Shown(Shown { picture: 77, at: [limits::DECODER_ARENA_LEN as u64 - 64 * 48, 0, 0], ..SHOWN })
        .write(&mut message);
    Answer::Done { serial: 1, result: Ok(()) }.write(&mut message);
    far.say(&message);
    let (result, mut heard) = far.hear();
    assert_eq!((result, heard.len()), (Ok(()), 2));
    let Heard::Picture(3, picture) = heard.remove(0) else { panic!("a picture comes first") };
    let orders = |far: &mut Far| {
        far.line.flush().unwrap();
        let mut message = [0; 200];
        let len = recv(&far.socket, &mut message, RecvFlags::DONTWAIT).map_or(0, |(len, _)| len);
        let mut rest = &message[..len];
        std::iter::from_fn(|| Order::read(&mut rest)).collect::<Vec<_>>()
    };
    assert!(matches!(orders(&mut far)[..], [Order::Frame(_)]));
    let shared = picture.clone();
    drop(picture);
    assert_eq!(orders(&mut far), []);
    drop(shared);
    assert_eq!(orders(&mut far), [Order::Return { picture: 77 }]);
}

#[test]
fn a_process_that_is_silent_about_a_frame_is_hung_and_who_is_late_blames_nobody() {
    let start = Instant::now();
    let ms = |ms| start + Duration::from_millis(ms);
    let mut far = Far::waiting(start);
    assert!(!far.line.is_silent(ms(249)) && far.line.is_behind(ms(60)) && !far.line.is_behind(ms(10)));
    assert_eq!(far.line.patience(), Some(ms(250)));
    assert!(!far.line.is_silent(ms(400)), "the node itself slept");
    assert!(!far.line.is_silent(ms(649)) && far.line.is_silent(ms(651)));
    // It waits for a core, which has an end too.
    assert!(far.line.excuse(ms(651)));
    assert_eq!(far.line.patience(), Some(ms(751)));
    assert!(!far.line.is_silent(ms(750)) && far.line.is_silent(ms(751)));
    assert!(!far.line.excuse(ms(1401)));
    assert_eq!(far.line.in_hand(), None, "it has not begun");
    far.memory.take_in_hand(1);
    assert_eq!(far.line.in_hand(), Some(3));
    far.memory.take_in_hand(2);
    assert_eq!(far.line.in_hand(), None, "a frame that nobody sent");
    let mut quiet = Far::new().line;
    assert!(!quiet.is_silent(ms(60_000)) && quiet.patience().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn frames_lie_in_the_ring_until_they_are_answered(
        steps in prop::collection::vec((1_usize..700_000, 0_usize..4), 1..60)
    ) {
        let mut far = Far::new();
        let mut waiting = std::collections::VecDeque::new();
        let mut message = vec![0; limits::DECODER_MESSAGE_LEN_MAX];
        for (n, (len, answered)) in steps.into_iter().enumerate() {
            let data = Bytes::from(vec![n as u8; len]);
            let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: true, arrival: None, colour: None };
            match far.line.decode(Instant::now(), 1, frame) {
                Ok(()) => {
                    far.line.flush().unwrap();
                    let (len, _) = recv(&far.socket, &mut message[..], RecvFlags::DONTWAIT).unwrap();
                    let Some(Order::Frame(order)) = Order::read(&mut &message[..len]) else { panic!("no frame") };
                    waiting.push_back((order, data));
                }
                Err(error) => {
                    prop_assert_eq!(error, DecodeError::NoRoom);
                    let held: usize = waiting.iter().map(|(_, data): &(FrameOrder, Bytes)| data.len()).sum();
                    prop_assert!(held + 2 * 700_000 > limits::DECODER_RING_LEN / 2, "{held} bytes wait");
                }
            }
            for (order, data) in &waiting {
                let lies = far.memory.coded(order.at as usize, order.len as usize).unwrap();
                prop_assert!(lies == *data, "frame {}", order.serial);
            }
            let mut words = Vec::new();
            for (order, _) in waiting.drain(..answered.min(waiting.len())) {
                Answer::Done { serial: order.serial, result: Ok(()) }.write(&mut words);
            }
            if !words.is_empty() {
                far.say(&words);
            }
            prop_assert_eq!(far.hear().0, Ok(()));
        }
    }
}
