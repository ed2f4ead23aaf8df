//! **The question:** what does a VP8 frame say of itself (RFC 6386 section 9.1)?

use crate::base::media::Size;

/// Whether decoding may start with the frame.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & 1 == 0) && size(frame).is_some()
}

/// The size that a keyframe tells; `None` for all other frames, and for what is none.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Size> {
    let [first, _, _, 0x9d, 0x01, 0x2a, width_low, width_high, height_low, height_high, ..] = frame else {
        return None;
    };
    if first & 1 == 1 {
        return None;
    }
    // The two bits above are how it wants to be scaled up, which section 9.1 leaves to whoever shows it.
    let side = |low: &u8, high: &u8| u32::from(*low) | u32::from(*high & 0x3f) << 8;
    let size = Size::new(side(width_low, width_high), side(height_low, height_high));
    (size.width > 0 && size.height > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_tells_its_size() {
        let mut frame = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x01, 7];
        assert_eq!(size(&frame), Some(Size::new(640, 360)));
        assert!(is_keyframe(&frame));
        frame[0] |= 1;
        assert!(!is_keyframe(&frame));
        for length in 0..10 {
            assert_eq!(size(&frame[..length]), None);
        }
    }
}
