//! **The question:** which sample values mean this colour? On the canvas: [`Matrix::CANVAS`], 8 bits, limited range.

use crate::base::media::Matrix;
use crate::core::scene::Rgb;

/// A colour in the canvas's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Yuv {
    pub(super) luma: u8,
    pub(super) blue: u8,
    pub(super) red: u8,
}

/// What red, green and blue weigh in the canvas's luma.
#[expect(clippy::cast_possible_truncation, reason = "shares of one")]
const WEIGHTS: [f32; 3] = {
    let [red, green, blue] = Matrix::CANVAS.weights();
    [red as f32, green as f32, blue as f32]
};

impl From<Rgb> for Yuv {
    fn from(rgb: Rgb) -> Self {
        let (red, green, blue) =
            (f32::from(rgb.red) / 255.0, f32::from(rgb.green) / 255.0, f32::from(rgb.blue) / 255.0);
        let [red_share, green_share, blue_share] = WEIGHTS;
        let luma = red_share * red + green_share * green + blue_share * blue;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 16..=240")]
        let byte = |value: f32| value.round().clamp(16.0, 240.0) as u8;
        Self {
            luma: byte(16.0 + 219.0 * luma),
            blue: byte(128.0 + 112.0 * (blue - luma) / (1.0 - blue_share)),
            red: byte(128.0 + 112.0 * (red - luma) / (1.0 - red_share)),
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

/// How samples of another matrix become the canvas's, limited range to limited range, in 16.16 fixed point: the shares
/// of the blue and the red difference in luma, in the blue difference and in the red one. Luma keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::compose) struct Conversion {
    pub(in crate::engine::compose) luma: [i32; 2],
    pub(in crate::engine::compose) blue: [i32; 2],
    pub(in crate::engine::compose) red: [i32; 2],
}

impl Conversion {
    /// Of samples of `from`; `None` where they are the canvas's already.
    pub(in crate::engine::compose) const fn of(from: Matrix) -> Option<Self> {
        if from.coefficients() == Matrix::CANVAS.coefficients() {
            return None;
        }
        match from {
            Matrix::Bt601 => Some(const { Self::between(Matrix::Bt601, Matrix::CANVAS) }),
            Matrix::Bt709 => Some(const { Self::between(Matrix::Bt709, Matrix::CANVAS) }),
            Matrix::Smpte240 => Some(const { Self::between(Matrix::Smpte240, Matrix::CANVAS) }),
            Matrix::Bt2020 => Some(const { Self::between(Matrix::Bt2020, Matrix::CANVAS) }),
        }
    }

    /// Red, green and blue follow from `from`'s samples, and `to`'s from them (ITU-T H.273, section 8.3).
    const fn between(from: Matrix, to: Matrix) -> Self {
        let ([red, green, blue], [red_to, green_to, blue_to]) = (from.weights(), to.weights());
        // How far a unit of each difference moves red, green and blue.
        let (more_red, more_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
        let (less_red, less_blue) = (more_red * red / green, more_blue * blue / green);
        let luma = [blue_to * more_blue - green_to * less_blue, red_to * more_red - green_to * less_red];
        let (blue_span, red_span) = (2.0 * (1.0 - blue_to), 2.0 * (1.0 - red_to));
        Self {
            luma: [fixed(luma[0] * 219.0 / 224.0), fixed(luma[1] * 219.0 / 224.0)],
            blue: [fixed((more_blue - luma[0]) / blue_span), fixed(-luma[1] / blue_span)],
            red: [fixed(-luma[0] / red_span), fixed((more_red - luma[1]) / red_span)],
        }
    }

    /// The six in the order of the fields.
    #[cfg(feature = "gpu")]
    pub(in crate::engine::compose) fn words(self) -> [i32; 6] {
        let Self { luma, blue, red } = self;
        [luma[0], luma[1], blue[0], blue[1], red[0], red[1]]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "shares are below 2, so 2^17")]
pub(in crate::engine::compose) const fn fixed(share: f64) -> i32 {
    let scaled = share * 65_536.0;
    (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        let yuv = |red, green, blue| Yuv::from(Rgb::new(red, green, blue));
        assert_eq!(yuv(0, 0, 0), Yuv { luma: 16, blue: 128, red: 128 });
        assert_eq!(yuv(255, 255, 255), Yuv { luma: 235, blue: 128, red: 128 });
        // Rec. ITU-R BT.601-7, section 2.5: bars of all amplitude.
        assert_eq!(yuv(255, 0, 0), Yuv { luma: 81, blue: 90, red: 240 });
        assert_eq!(yuv(0, 0, 255), Yuv { luma: 41, blue: 240, red: 110 });
    }

    #[test]
    fn conversions_are_those_of_the_recommendations() {
        assert_eq!(Conversion::of(Matrix::CANVAS), None, "cameras cost nothing");
        let there = Conversion::between(Matrix::Bt601, Matrix::Bt709);
        assert_eq!((there.luma, there.blue, there.red), ([-7573, -13627], [66758, 7512], [4918, 67196]));
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
