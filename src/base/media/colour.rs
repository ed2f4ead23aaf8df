//! **The question:** what do a picture's samples mean? How luma and two colour differences make red, green and blue, by
//! ITU-T H.273, and what is meant where nobody says.

/// How luma and the two colour differences follow from red, green and blue (ITU-T H.273, `MatrixCoefficients`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Matrix {
    /// Rec. ITU-R BT.601 (and BT.470 System B, G; the older FCC's differs by less than a level), and whatever does not
    /// say: it is what libwebrtc and Firefox mean by video without a word about its colours.
    #[default]
    Bt601,
    /// Rec. ITU-R BT.709.
    Bt709,
    /// SMPTE ST 240.
    Smpte240,
    /// Rec. ITU-R BT.2020, of either luminance: the constant one is taken for the other.
    Bt2020,
}

impl Matrix {
    /// What the canvas, and so every composite and recording, is written in: cameras come in it and need no conversion,
    /// and it looks alike in Firefox, which shows all WebRTC video by it whatever the stream says (measured, 153), in
    /// Chromium, and in players that read what the stream says.
    pub const CANVAS: Self = Self::Bt601;

    /// By H.273's number, table 4; `None` for "unspecified" and for matrices that are no weighing of red, green and
    /// blue.
    #[must_use]
    pub const fn of(coefficients: u32) -> Option<Self> {
        match coefficients {
            1 => Some(Self::Bt709),
            4..=6 => Some(Self::Bt601),
            7 => Some(Self::Smpte240),
            9 | 10 => Some(Self::Bt2020),
            _ => None,
        }
    }

    /// H.273's number.
    #[must_use]
    pub const fn coefficients(self) -> u8 {
        match self {
            Self::Bt601 => 6,
            Self::Bt709 => 1,
            Self::Smpte240 => 7,
            Self::Bt2020 => 9,
        }
    }

    /// The shares of red, green and blue in luma; their sum is one.
    #[must_use]
    pub const fn weights(self) -> [f64; 3] {
        let (red, blue) = match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Smpte240 => (0.212, 0.087),
            Self::Bt2020 => (0.2627, 0.0593),
        };
        [red, 1.0 - red - blue, blue]
    }
}

/// What a picture's samples mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Colour {
    /// How they make colours.
    pub matrix: Matrix,
    /// Whether they use the whole range 0..=255; otherwise 16..=235 (H.273, `VideoFullRangeFlag`).
    pub full_range: bool,
}

impl Colour {
    /// By H.273's numbers; an unspecified matrix is [`Matrix::default`].
    #[must_use]
    pub fn of(coefficients: u32, full_range: bool) -> Self {
        Self { matrix: Matrix::of(coefficients).unwrap_or_default(), full_range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_means_bt_601_of_limited_range() {
        assert_eq!(Colour::of(2, false), Colour { matrix: Matrix::Bt601, full_range: false });
        assert_eq!(Colour::default(), Colour::of(2, false));
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240, Matrix::Bt2020] {
            assert_eq!(Matrix::of(matrix.coefficients().into()), Some(matrix));
            assert!((matrix.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(Matrix::of(0), None, "red, green and blue as they are");
    }
}
