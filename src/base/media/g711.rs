//! **The question:** which sample does a byte of G.711 stand for? ITU-T G.711 (11/88), both laws, on 16-bit linear
//! samples.

/// One of the two laws by which G.711 makes a byte of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law (PCMA), scaled from 13 bits to 16.
    A,
    /// µ-law (PCMU), scaled from 14 bits to 16.
    Mu,
}

/// Added to µ-law's magnitudes, so that every segment begins at a power of two.
const MU_BIAS: i32 = 0x84;
/// µ-law's largest magnitude before the bias is added.
const MU_LARGEST: i32 = 32_635;
/// A-law's bytes are sent with their even bits inverted (G.711 table 1a, note 2).
const A_INVERTED: u8 = 0x55;

impl Law {
    /// The sample that `byte` stands for (G.711 tables 1a to 2b).
    #[must_use]
    pub fn expand(self, byte: u8) -> i16 {
        let byte = if self == Self::A { byte ^ A_INVERTED } else { !byte };
        let (segment, step) = (u32::from(byte >> 4 & 7), i32::from(byte & 0xf));
        let magnitude = match (self, segment) {
            (Self::A, 0) => (step << 4) + 8,
            (Self::A, _) => ((step << 4) + 0x108) << (segment - 1),
            (Self::Mu, _) => (((step << 3) + MU_BIAS) << segment) - MU_BIAS,
        };
        // After the inversions A-law's sign bit says positive, µ-law's negative.
        let negative = (byte & 0x80 != 0) == (self == Self::Mu);
        let sample = if negative { -magnitude } else { magnitude };
        i16::try_from(sample).expect("G.711's largest magnitudes are 32,256 and 32,124")
    }

    /// The byte in whose interval `sample` lies (G.711 tables 1a to 2b, decision values).
    #[must_use]
    pub fn compress(self, sample: i16) -> u8 {
        let wide = i32::from(sample);
        match self {
            Self::A => {
                // One's complement, so that the step below zero is as wide as the one above it.
                let magnitude = if wide < 0 { !wide } else { wide };
                let sign = if wide < 0 { 0 } else { 0x80 };
                (magnitude_byte(magnitude, 7, magnitude >= 0x100) | sign) ^ A_INVERTED
            }
            Self::Mu => {
                let magnitude = wide.abs().min(MU_LARGEST) + MU_BIAS;
                let sign = if wide < 0 { 0x80 } else { 0 };
                !(magnitude_byte(magnitude, 7, true) | sign)
            }
        }
    }
}

/// Segment and step of a magnitude: segments begin at powers of two from `lowest` bits on; the lowest may be linear.
fn magnitude_byte(magnitude: i32, lowest: u32, segmented: bool) -> u8 {
    if !segmented {
        return u8::try_from(magnitude >> 4).expect("below 256, a sixteenth is below 16");
    }
    let segment = magnitude.ilog2() - lowest;
    let step = magnitude >> (segment + 3) & 0xf;
    u8::try_from(i32::try_from(segment).expect("at most 7") << 4 | step).expect("three bits and four")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recommendations_values_stand_at_their_bytes() {
        // G.711 tables 1a and 2a: the largest, the smallest, and the first of a segment, scaled to 16 bits.
        for (law, byte, sample) in [
            (Law::A, 0xd5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xaa, 32_256),
            (Law::A, 0x2a, -32_256),
            (Law::A, 0xc5, 264),
            (Law::Mu, 0xff, 0),
            (Law::Mu, 0x7f, 0),
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::Mu, 0xfe, 8),
            (Law::Mu, 0xef, 132),
        ] {
            assert_eq!(law.expand(byte), sample, "{law:?} {byte:#04x}");
        }
    }

    #[test]
    fn every_byte_survives_but_mus_negative_zero() {
        for law in [Law::A, Law::Mu] {
            for byte in 0..=u8::MAX {
                let again = law.compress(law.expand(byte));
                let expected = if law == Law::Mu && byte == 0x7f { 0xff } else { byte };
                assert_eq!(again, expected, "{law:?} {byte:#04x}");
            }
        }
    }

    /// G.711's decision values lie at multiples of the step, its samples in the middle between two.
    #[test]
    fn every_sample_becomes_a_byte_within_half_a_step_and_louder_ones_never_quieter_ones() {
        for law in [Law::A, Law::Mu] {
            let mut below = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let byte = law.compress(sample);
                let got = law.expand(byte);
                let segment = u32::from(if law == Law::A { byte ^ A_INVERTED } else { !byte } >> 4 & 7);
                let step = if law == Law::A { 16 << segment.saturating_sub(1) } else { 8 << segment };
                // Beyond the last decision value everything is the last sample.
                let within = i32::from(sample).clamp(-MU_LARGEST, MU_LARGEST);
                let error = (i32::from(got) - if law == Law::A { i32::from(sample) } else { within }).abs();
                assert!(error <= step / 2, "{law:?} {sample} became {got}");
                assert!(got >= below, "{law:?} {sample} became {got}, its neighbour {below}");
                below = got;
            }
        }
    }
}
