//! **The question:** what of a track came before its decoder was attached? Its pictures from the newest keyframe on:
//! nothing else could be decoded, and some senders make no other for a long time.

use crate::base::limits;
use crate::base::media::{ReceivedFrame, TrackKind};

/// One connection's pictures that wait for a decoder.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<(TrackKind, Vec<ReceivedFrame>)>);

impl Held {
    /// Keeps a frame, if anything can be made of it. Who sends more than is kept is asked for a keyframe later.
    pub(super) fn keep(&mut self, kind: TrackKind, frame: ReceivedFrame) {
        if !kind.is_video() {
            return;
        }
        let at = self.0.iter().position(|(held, _)| *held == kind).unwrap_or_else(|| {
            self.0.push((kind, Vec::new()));
            self.0.len() - 1
        });
        let frames = &mut self.0[at].1;
        if frame.keyframe {
            frames.clear();
        } else if frames.is_empty() || !frame.contiguous {
            return frames.clear();
        }
        let len: usize = frames.iter().chain([&frame]).map(|frame| frame.data.len()).sum();
        if frames.len() == limits::HELD_FRAMES_MAX || len > limits::INGEST_FRAME_LEN_MAX {
            return frames.clear();
        }
        frames.push(frame);
    }

    /// What was kept of a track, the oldest first.
    pub(super) fn take(&mut self, kind: TrackKind) -> Vec<ReceivedFrame> {
        let at = self.0.iter().position(|(held, _)| *held == kind);
        at.map(|at| self.0.swap_remove(at).1).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::base::media::Codec;

    fn frame(number: u64, keyframe: bool, len: usize) -> ReceivedFrame {
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, Bytes::from(vec![0; len]), number, number, Instant::now());
        ReceivedFrame { keyframe, ..whole }
    }

    fn numbers(held: &mut Held, kind: TrackKind) -> Vec<u64> {
        held.take(kind).iter().map(|frame| frame.sequence_first).collect()
    }

    #[test]
    fn case_49_first_keyframe_is_kept_until_the_decoder_is_attached() {
        let mut held = Held::default();
        for (number, keyframe) in [(0, false), (1, true), (2, false), (3, false)] {
            held.keep(TrackKind::Camera, frame(number, keyframe, 9));
            held.keep(TrackKind::Microphone, frame(number, true, 9));
        }
        held.keep(TrackKind::Screen, frame(7, true, 9));
        assert_eq!(numbers(&mut held, TrackKind::Camera), [1, 2, 3]);
        assert_eq!(numbers(&mut held, TrackKind::Camera), [0; 0], "once");
        assert_eq!(numbers(&mut held, TrackKind::Screen), [7]);
        assert_eq!(numbers(&mut held, TrackKind::Microphone), [0; 0]);
    }

    #[test]
    fn it_is_bounded_and_has_no_holes() {
        let mut held = Held::default();
        held.keep(TrackKind::Camera, frame(0, true, 9));
        held.keep(TrackKind::Camera, ReceivedFrame { contiguous: false, ..frame(2, false, 9) });
        assert_eq!(numbers(&mut held, TrackKind::Camera), [0; 0], "what follows a hole needs another keyframe");
        for number in 0..1000 {
            held.keep(TrackKind::Camera, frame(number, number == 0, 9));
        }
        assert_eq!(numbers(&mut held, TrackKind::Camera), [0; 0]);
        held.keep(TrackKind::Camera, frame(0, true, limits::INGEST_FRAME_LEN_MAX + 1));
        assert_eq!(numbers(&mut held, TrackKind::Camera), [0; 0]);
    }
}
