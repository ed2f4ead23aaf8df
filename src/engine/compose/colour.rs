//! **The question:** which sample values mean this colour? BT.709 (Rec. ITU-R BT.709-6, section 3), 8 bits, limited
//! range.

use crate::core::scene::Rgb;

/// A colour in the canvas's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Yuv {
    pub(super) luma: u8,
    pub(super) blue: u8,
    pub(super) red: u8,
}

impl From<Rgb> for Yuv {
    fn from(rgb: Rgb) -> Self {
        let (red, green, blue) =
            (f32::from(rgb.red) / 255.0, f32::from(rgb.green) / 255.0, f32::from(rgb.blue) / 255.0);
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 16..=240")]
        let byte = |value: f32| value.round().clamp(16.0, 240.0) as u8;
        Self {
            luma: byte(16.0 + 219.0 * luma),
            blue: byte(128.0 + 224.0 * (blue - luma) / 1.8556),
            red: byte(128.0 + 224.0 * (red - luma) / 1.5748),
        }
    }
}

impl Yuv {
    /// Its samples in planes Y, U, V.
    pub(super) fn samples(self) -> [u8; 3] {
        [self.luma, self.blue, self.red]
    }
}

/// Which plane a full-range row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::compose) enum Range {
    Luma,
    Chroma,
}

impl Range {
    /// Full range to limited range, in place (Rec. ITU-T H.273, equations 8-24 to 8-32 turned around). Inlined into
    /// kernels that are compiled for several processors.
    #[inline(always)]
    pub(in crate::engine::compose) fn limit(self, row: &mut [u8]) {
        // 16.16 fixed point; `offset` holds the new zero and the rounding half.
        let (factor, offset) = match self {
            Self::Luma => (219 * 65_536 / 255, 16 * 65_536 + 32_768),
            Self::Chroma => (224 * 65_536 / 255, 128 * 65_536 - 128 * (224 * 65_536 / 255) + 32_768),
        };
        for sample in row {
            let value: i32 = (i32::from(*sample) * factor + offset) >> 16;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "16..=240 by construction")]
            {
                *sample = value as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        let yuv = |red, green, blue| Yuv::from(Rgb::new(red, green, blue));
        assert_eq!(yuv(0, 0, 0), Yuv { luma: 16, blue: 128, red: 128 });
        assert_eq!(yuv(255, 255, 255), Yuv { luma: 235, blue: 128, red: 128 });
        assert_eq!(yuv(255, 0, 0), Yuv { luma: 63, blue: 102, red: 240 });
        assert_eq!(yuv(0, 0, 255), Yuv { luma: 32, blue: 240, red: 118 });
    }

    #[test]
    fn full_range_becomes_limited() {
        let mut luma = [0, 255, 128];
        Range::Luma.limit(&mut luma);
        assert_eq!(luma, [16, 235, 126]);
        let mut chroma = [0, 128, 255];
        Range::Chroma.limit(&mut chroma);
        assert_eq!(chroma, [16, 128, 240]);
    }
}
