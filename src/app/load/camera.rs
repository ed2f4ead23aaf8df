//! **The question:** which clip does a camera send, given what the node asks of it? Pure.

use super::clip::ClipSetup;
use crate::base::media::{Codec, Size};
use crate::core::ladder::SendTarget;

/// Pictures that a camera of today can send, smallest first.
const SIZES: [Size; 6] = [
    Size::new(160, 90),
    Size::new(320, 180),
    Size::new(480, 270),
    Size::new(640, 360),
    Size::new(960, 540),
    Size::new(1280, 720),
];
/// Frames a second that it can send, beside its own.
const RATES: [u32; 4] = [5, 10, 15, 30];
/// Bits a second and thousand pixels: 200 kb/s at 320×180 and 30 frames a second.
const BITS_PER_KILOPIXEL: u64 = 116;
/// No clip has fewer bits a second, unless it is asked for fewer.
const BITRATE_USUAL_MIN: u32 = 50_000;
/// No clip has fewer bits a second at all.
const BITRATE_MIN: u32 = 16_384;

/// One simulated camera, or a screen that shows the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    /// What it codes pictures in.
    pub codec: Codec,
    /// Pictures that it sends while nothing is asked of it.
    pub size: Size,
    /// Its frames a second while nothing is asked, and at most.
    pub fps: u32,
    /// Whether it sends what is asked of it.
    pub obeys: bool,
}

impl Camera {
    /// What it sends when this was `asked`; `None`: nothing was.
    pub fn clip_for(&self, asked: Option<SendTarget>) -> ClipSetup {
        let Some(asked) = asked.filter(|_| self.obeys) else {
            return ClipSetup {
                codec: self.codec,
                size: self.size,
                fps: self.fps,
                bitrate: usual_bitrate(self.size, self.fps),
            };
        };
        let fits = |size: &Size| size.width <= asked.size.width && size.height <= asked.size.height;
        let pixels = |size: &Size| size.width * size.height;
        let size = SIZES.into_iter().chain([self.size]).filter(fits).max_by_key(pixels).unwrap_or(SIZES[0]);
        let rates = RATES.into_iter().chain([self.fps]);
        let fps = rates.filter(|rate| *rate <= asked.fps && *rate <= self.fps).max();
        let fps = fps.unwrap_or(asked.fps.clamp(1, self.fps));
        let bitrate = usual_bitrate(size, fps).min(rounded_down(asked.bitrate)).max(BITRATE_MIN);
        ClipSetup { codec: self.codec, size, fps, bitrate }
    }
}

fn usual_bitrate(size: Size, fps: u32) -> u32 {
    let pixels = u64::from(size.width) * u64::from(size.height);
    let bits = pixels * u64::from(fps) * BITS_PER_KILOPIXEL / 1000;
    u32::try_from(bits).unwrap_or(u32::MAX).max(BITRATE_USUAL_MIN)
}

/// At most a fifth less: a node that turns a target a little asks for no clip that nobody has.
fn rounded_down(bitrate: u32) -> u32 {
    let unit = bitrate.checked_ilog2().unwrap_or(0).saturating_sub(2);
    bitrate >> unit << unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ladder::target_for;

    const CAMERA: Camera = Camera { codec: Codec::Av1, size: Size::new(320, 180), fps: 30, obeys: true };

    fn asked(width: u32, height: u32, fps: u32, bitrate: u32) -> Option<SendTarget> {
        Some(SendTarget { size: Size::new(width, height), fps, bitrate })
    }

    #[test]
    fn who_is_asked_nothing_sends_what_they_always_sent() {
        let clip = CAMERA.clip_for(None);
        assert_eq!((clip.size, clip.fps, clip.bitrate), (Size::new(320, 180), 30, 200_448));
        let stubborn = Camera { obeys: false, ..CAMERA };
        assert_eq!(stubborn.clip_for(asked(160, 90, 5, 50_000)), clip);
    }

    #[test]
    fn no_clip_is_more_than_what_was_asked() {
        for tile in [(128, 72), (142, 80), (182, 102), (320, 180), (426, 240), (640, 360), (853, 480), (1280, 720)] {
            for fps in [1, 5, 7, 15, 20, 25, 30, 60] {
                let target = target_for(Some(Size::new(tile.0, tile.1)), fps);
                let clip = CAMERA.clip_for(Some(target));
                assert!(clip.size.width <= target.size.width && clip.size.height <= target.size.height, "{clip:?}");
                assert!(clip.fps <= fps && clip.bitrate <= target.bitrate, "{clip:?} for {target:?}");
                assert_eq!(clip.size, target.size, "each step up to 720 rows is there");
            }
        }
        let hidden = CAMERA.clip_for(Some(target_for(None, 30)));
        assert_eq!((hidden.size, hidden.fps), (Size::new(160, 90), 5));
    }

    #[test]
    fn a_camera_has_its_own_limits() {
        let huge = CAMERA.clip_for(asked(2560, 1440, 60, 4_500_000));
        assert_eq!((huge.size, huge.fps), (Size::new(1280, 720), 30));
        let tiny = CAMERA.clip_for(asked(64, 36, 30, 1));
        assert_eq!((tiny.size, tiny.bitrate), (Size::new(160, 90), BITRATE_MIN));
        let own = Camera { size: Size::new(1920, 1080), fps: 60, ..CAMERA };
        assert_eq!(own.clip_for(asked(2560, 1440, 60, 4_500_000)).size, Size::new(1920, 1080));
        assert_eq!(own.clip_for(asked(320, 180, 60, 300_000)).fps, 60);
    }

    #[test]
    fn targets_that_differ_little_are_one_clip() {
        let clips: Vec<_> = [60_000, 65_000, 66_000].map(|bits| CAMERA.clip_for(asked(320, 180, 15, bits))).to_vec();
        assert!(clips[0] == clips[1] && clips[1].bitrate == 57_344 && clips[2].bitrate == 65_536, "{clips:?}");
    }
}
