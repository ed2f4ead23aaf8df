//! **The question:** which frame does a track send next, and when? A loop that changes its clip at a keyframe and goes
//! on at the same moment.

use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::codec::h264::H264Payloader;
use rtc_rtp::packetizer::Payloader;

use super::clip::{Clip, MOMENTS_PER_SECOND, moment};
use super::error::LoadError;
use crate::base::media::{Codec, Pts, pts_from_tick};

/// Payload bytes of one camera packet, so that the datagram stays below every usual path's limit.
const PAYLOAD_BYTES: usize = 1_150;

/// A camera's loop as RTP payloads, cut once.
#[derive(Debug)]
pub(super) struct Footage {
    shots: Vec<Shot>,
    fps: u32,
    /// What it is coded in.
    pub codec: Codec,
}

/// One frame of it.
#[derive(Debug)]
pub(super) struct Shot {
    /// In sending order; the last one bears the marker.
    pub payloads: Vec<Bytes>,
    /// Whether decoding may start here.
    pub keyframe: bool,
}

impl Footage {
    /// Cuts each frame of `clip` into payloads.
    ///
    /// # Errors
    /// [`LoadError::Clip`] when the clip is empty, does not begin with a keyframe, or is nothing that can be cut.
    pub fn cut(clip: &Clip) -> Result<Self, LoadError> {
        let Some(codec) = clip.frames.first().filter(|frame| frame.keyframe).map(|frame| frame.codec) else {
            return Err(LoadError::Clip("a clip begins with a keyframe".to_owned()));
        };
        let mut shots = Vec::with_capacity(clip.frames.len());
        for frame in &clip.frames {
            let payloads = match codec {
                Codec::H264 => H264Payloader::default().payload(PAYLOAD_BYTES, &frame.data),
                _ => Av1Payloader::default().payload(PAYLOAD_BYTES, &frame.data),
            };
            let payloads = payloads.map_err(|e| LoadError::Clip(e.to_string()))?;
            shots.push(Shot { payloads, keyframe: frame.keyframe });
        }
        Ok(Self { shots, fps: clip.fps, codec })
    }

    /// The frame at `at`.
    pub fn shot(&self, at: usize) -> &Shot {
        &self.shots[at]
    }

    /// The moment that the frame at `at` shows: its barcode's frame index.
    pub fn moment(&self, at: usize) -> usize {
        moment(at, self.fps)
    }

    /// The first keyframe at or after `at`, round the loop's end.
    fn keyframe_from(&self, at: usize) -> usize {
        (at..self.shots.len()).find(|at| self.shots[*at].keyframe).unwrap_or(0)
    }

    /// The first keyframe at or after `moment`, which may be one of a longer loop.
    fn keyframe_at(&self, moment: usize) -> usize {
        let frames = moment * self.fps as usize;
        self.keyframe_from(frames.div_ceil(MOMENTS_PER_SECOND as usize) % self.shots.len())
    }
}

/// What one track sends.
#[derive(Debug)]
pub(super) struct Reel {
    footage: Option<Arc<Footage>>,
    /// The next frame of the loop.
    at: usize,
    /// When this clip began, and how many frames of it were sent since.
    since: Pts,
    sent: u64,
}

impl Reel {
    /// Nothing to send yet; it is first looked for at `start`.
    pub fn new(start: Pts) -> Self {
        Self { footage: None, at: 0, since: start, sent: 0 }
    }

    /// When the next frame is due. While there is no clip, one is looked for `looks` times a second.
    pub fn due(&self, looks: u32) -> Pts {
        let fps = self.footage.as_ref().map_or(looks, |footage| footage.fps);
        Pts(self.since.0 + pts_from_tick(self.sent, fps).0)
    }

    /// Takes the next frame, of `clip` from now on; `wants_keyframe` jumps to one. A change of the clip is a keyframe,
    /// and takes a request for one along.
    pub fn roll(
        &mut self,
        clip: Option<&Arc<Footage>>,
        wants_keyframe: bool,
        looks: u32,
    ) -> Option<(Arc<Footage>, usize)> {
        let due = self.due(looks);
        match (clip, &self.footage) {
            (Some(clip), Some(now)) if Arc::ptr_eq(clip, now) => {
                if wants_keyframe {
                    self.at = now.keyframe_from(self.at);
                }
            }
            (Some(clip), before) => {
                let moment = before.as_ref().map_or(0, |before| before.moment(self.at));
                (self.at, self.since, self.sent) = (clip.keyframe_at(moment), due, 0);
                self.footage = Some(Arc::clone(clip));
            }
            (None, Some(now)) if wants_keyframe => self.at = now.keyframe_from(self.at),
            (None, _) => {}
        }
        self.sent += 1;
        let footage = Arc::clone(self.footage.as_ref()?);
        let at = self.at;
        self.at = (at + 1) % footage.shots.len();
        Some((footage, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::EncodedFrame;

    const LOOKS: u32 = 20;

    /// A temporal unit of one frame OBU (type 6, with a size field) of `len` bytes, at most 127.
    fn unit(len: u8, keyframe: bool) -> EncodedFrame {
        let data: Vec<u8> = [0x32, len].into_iter().chain((0..len).map(|byte| byte | 1)).collect();
        EncodedFrame { codec: Codec::Av1, data: data.into(), pts: Pts(0), keyframe }
    }

    /// A loop of so many seconds with a keyframe every two.
    fn footage(fps: u32, seconds: u32) -> Arc<Footage> {
        let frames = (0..fps * seconds).map(|at| unit(20, at % (2 * fps) == 0)).collect();
        Arc::new(Footage::cut(&Clip { frames, fps }).unwrap())
    }

    #[test]
    fn a_request_leads_to_the_next_keyframe_round_the_end() {
        let frames = [true, false, false, true, false].map(|keyframe| unit(20, keyframe)).to_vec();
        let footage = Footage::cut(&Clip { frames, fps: 30 }).unwrap();
        assert_eq!([0, 1, 3, 4].map(|frame| footage.keyframe_from(frame)), [0, 3, 3, 0]);
        let headless = Clip { frames: vec![unit(20, false)], fps: 30 };
        assert!(matches!(Footage::cut(&headless), Err(LoadError::Clip(_))));
        assert!(matches!(Footage::cut(&Clip { frames: Vec::new(), fps: 30 }), Err(LoadError::Clip(_))));
    }

    #[test]
    fn a_unit_of_h264_is_cut_with_its_parameter_sets() {
        let nal = |kind: u8, len: usize| [vec![0, 0, 0, 1, kind], vec![0x55; len]].concat();
        let data = [nal(0x67, 10), nal(0x68, 4), nal(0x65, 3_000)].concat();
        let frame = EncodedFrame { codec: Codec::H264, data: data.into(), pts: Pts(0), keyframe: true };
        let footage = Footage::cut(&Clip { frames: vec![frame], fps: 30 }).unwrap();
        let payloads = &footage.shot(0).payloads;
        assert!(payloads.len() >= 4 && payloads.iter().all(|payload| payload.len() <= PAYLOAD_BYTES), "{payloads:?}");
        assert_eq!(payloads[0][0] & 0x1f, 24, "both sets in one packet (STAP-A)");
        assert!(payloads[1..].iter().all(|payload| payload[0] & 0x1f == 28), "the picture in fragments (FU-A)");
    }

    #[test]
    fn a_change_is_one_keyframe_at_once_and_goes_on_at_the_same_moment() {
        let (fast, slow) = (footage(30, 8), footage(15, 8));
        let mut reel = Reel::new(Pts(1_000));
        for at in 0..65 {
            let (_, frame) = reel.roll(Some(&fast), false, LOOKS).unwrap();
            assert_eq!(frame, at);
        }
        let due = reel.due(LOOKS);
        assert_eq!(due, Pts(1_000 + pts_from_tick(65, 30).0));
        let mut keyframes = 0;
        for n in 0..20_u64 {
            assert_eq!(reel.due(LOOKS), Pts(due.0 + pts_from_tick(n, 15).0), "its own rate from the change on");
            let (clip, frame) = reel.roll(Some(&slow), false, LOOKS).unwrap();
            assert!(Arc::ptr_eq(&clip, &slow));
            keyframes += u32::from(clip.shot(frame).keyframe);
            // 65 thirtieths are moment 130; the next keyframe of the loop stands at moment 240.
            assert_eq!(clip.moment(frame), 240 + n as usize * 4);
        }
        assert_eq!(keyframes, 1);
    }

    #[test]
    fn no_moment_comes_twice_within_a_second_however_often_the_clip_changes() {
        let clips = [footage(30, 8), footage(15, 8), footage(30, 4), footage(5, 8), footage(60, 4)];
        let mut reel = Reel::new(Pts(0));
        let mut last = vec![None::<Pts>; 480];
        for step in 0..2_000_usize {
            let at = reel.due(LOOKS);
            let (clip, frame) = reel.roll(Some(&clips[step / 90 % 5]), false, LOOKS).unwrap();
            let before = last[clip.moment(frame)].replace(at);
            let apart = before.map_or(u64::MAX, |before| at.0 - before.0);
            assert!(apart > 1_000_000_000, "moment {} after {apart} ns", clip.moment(frame));
        }
    }

    #[test]
    fn while_there_is_no_clip_it_is_looked_for_and_an_old_one_goes_on() {
        let mut reel = Reel::new(Pts(0));
        assert!(reel.roll(None, false, LOOKS).is_none());
        assert_eq!(reel.due(LOOKS), pts_from_tick(1, LOOKS));
        let clip = footage(30, 4);
        assert_eq!(reel.roll(Some(&clip), true, LOOKS).unwrap().1, 0);
        assert_eq!(reel.roll(None, false, LOOKS).unwrap().1, 1, "the wanted one is still being made");
        assert_eq!(reel.roll(None, true, LOOKS).unwrap().1, 60);
        assert_eq!(reel.due(LOOKS).0, pts_from_tick(1, LOOKS).0 + pts_from_tick(3, 30).0);
    }
}
