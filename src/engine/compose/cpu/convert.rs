//! **The question:** which samples of BT.709 mean the same colours as these of BT.601? Both of limited range; luma
//! takes the colour differences that lie over it. The GPU's twin is `shaders/convert.wgsl`.

use crate::engine::compose::cpu::simd::{Kernel, fastest};

/// 16.16 fixed point, from Rec. ITU-R BT.601-7, section 2.5, and BT.709-6, section 3: blue and red differences' shares
/// in luma.
const LUMA: [i32; 2] = [-7573, -13627];
/// In the blue difference.
const BLUE: [i32; 2] = [66758, 7512];
/// In the red difference.
const RED: [i32; 2] = [4918, 67196];

/// Turns an I420 picture of BT.601, `width` columns, both sides even, into one of BT.709, in place.
pub(super) fn convert(samples: &mut [u8], width: usize) {
    let (luma, chroma) = samples.split_at_mut(samples.len() / 3 * 2);
    let (blue, red) = chroma.split_at_mut(luma.len() / 4);
    fastest(Convert { luma, blue, red, width });
}

struct Convert<'a> {
    luma: &'a mut [u8],
    blue: &'a mut [u8],
    red: &'a mut [u8],
    width: usize,
}

impl Kernel for Convert<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { luma, blue, red, width } = self;
        let chroma = blue.chunks_exact_mut(width / 2).zip(red.chunks_exact_mut(width / 2));
        for (rows, (blue, red)) in luma.chunks_exact_mut(2 * width).zip(chroma) {
            let (upper, lower) = rows.split_at_mut(width);
            for row in [upper, lower] {
                let (pairs, _) = row.as_chunks_mut::<2>();
                for ((pair, &blue), &red) in pairs.iter_mut().zip(&*blue).zip(&*red) {
                    let shift = share(LUMA, blue, red);
                    *pair = pair.map(|sample| byte(i32::from(sample) + shift));
                }
            }
            for (blue, red) in blue.iter_mut().zip(red) {
                (*blue, *red) = (byte(128 + share(BLUE, *blue, *red)), byte(128 + share(RED, *blue, *red)));
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
            let [luma, u, v] = samples(colour, (0.299, 0.114)).map(|sample| sample.round() as u8);
            let mut picture = [luma, luma, luma, luma, u, v];
            convert(&mut picture, 2);
            let want = samples(colour, (0.2126, 0.0722));
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
        convert(&mut picture, 64);
        assert_eq!(picture, before);
    }
}
