//! **The question:** which of the canvas's samples mean the same colours as these of another matrix? Both of limited
//! range; luma takes the colour differences that lie over it. The GPU's twin is `shaders/convert.wgsl`.

use crate::engine::compose::colour::Conversion;
use crate::engine::compose::cpu::simd::{Kernel, fastest};

/// Turns an I420 picture, `width` columns, both sides even, into one of the canvas's matrix, in place.
pub(super) fn convert(samples: &mut [u8], width: usize, by: Conversion) {
    let (luma, chroma) = samples.split_at_mut(samples.len() / 3 * 2);
    let (blue, red) = chroma.split_at_mut(luma.len() / 4);
    fastest(Convert { luma, blue, red, width, by });
}

struct Convert<'a> {
    luma: &'a mut [u8],
    blue: &'a mut [u8],
    red: &'a mut [u8],
    width: usize,
    by: Conversion,
}

impl Kernel for Convert<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { luma, blue, red, width, by } = self;
        let chroma = blue.chunks_exact_mut(width / 2).zip(red.chunks_exact_mut(width / 2));
        for (rows, (blue, red)) in luma.chunks_exact_mut(2 * width).zip(chroma) {
            let (upper, lower) = rows.split_at_mut(width);
            for row in [upper, lower] {
                let (pairs, _) = row.as_chunks_mut::<2>();
                for ((pair, &blue), &red) in pairs.iter_mut().zip(&*blue).zip(&*red) {
                    let shift = share(by.luma, blue, red);
                    *pair = pair.map(|sample| byte(i32::from(sample) + shift));
                }
            }
            for (blue, red) in blue.iter_mut().zip(red) {
                (*blue, *red) = (byte(128 + share(by.blue, *blue, *red)), byte(128 + share(by.red, *blue, *red)));
            }
        }
    }
}

#[inline(always)]
fn share(factors: [i32; 2], blue: u8, red: u8) -> i32 {
    (factors[0] * (i32::from(blue) - 128) + factors[1] * (i32::from(red) - 128) + 32_768) >> 16
}

#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::Matrix;

    /// Samples of limited range from red, green and blue, 0 to 1, by a matrix's weights of red and blue.
    fn samples([red, green, blue]: [f64; 3], (red_share, blue_share): (f64, f64)) -> [f64; 3] {
        let luma = red_share * red + (1.0 - red_share - blue_share) * green + blue_share * blue;
        let difference = |colour: f64, share: f64| 128.0 + 224.0 * (colour - luma) / (2.0 * (1.0 - share));
        [16.0 + 219.0 * luma, difference(blue, blue_share), difference(red, red_share)]
    }

    #[test]
    fn colours_keep_their_looks() {
        let steps = || (0..=4).map(|step| f64::from(step) / 4.0);
        for (red, green, blue) in steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| (r, g, b)))) {
            let colour = [red, green, blue];
            let shares = |matrix: Matrix| (matrix.weights()[0], matrix.weights()[2]);
            let [luma, u, v] = samples(colour, shares(Matrix::Bt709)).map(|sample| sample.round() as u8);
            let mut picture = [luma, luma, luma, luma, u, v];
            convert(&mut picture, 2, Conversion::of(Matrix::Bt709).unwrap());
            let want = samples(colour, shares(Matrix::CANVAS));
            for (got, want) in
                [picture[0], picture[3], picture[4], picture[5]].iter().zip([want[0], want[0], want[1], want[2]])
            {
                assert!((f64::from(*got) - want).abs() <= 1.5, "{colour:?}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn grey_stays_as_it_is() {
        let mut picture: Vec<u8> = (0..64 * 4).map(|n| n as u8).chain([128; 128]).collect();
        let before = picture.clone();
        convert(&mut picture, 64, Conversion::of(Matrix::Bt2020).unwrap());
        assert_eq!(picture, before);
    }
}
