//! **The question:** how is a still picture written as JPEG (ITU-T T.81, baseline)?

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::base::media::Size;

/// Of 1 to 100.
const QUALITY: u8 = 75;

/// A JPEG with whole colour; `rgb` holds three bytes a pixel, and no side is beyond 65,535.
///
/// # Panics
/// If the bytes do not fit the size, or a side does not fit a JPEG.
#[must_use]
pub fn jpeg(size: Size, rgb: &[u8]) -> Vec<u8> {
    assert_eq!(rgb.len(), size.width as usize * size.height as usize * 3, "three bytes a pixel");
    let [width, height] =
        [size.width, size.height].map(|side| u16::try_from(side).expect("a JPEG's sides have 16 bits"));
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.encode(rgb, width, height, ColorType::Rgb).expect("a vector takes what is written to it");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Soft colours and a hard edge.
    fn picture(size: Size) -> Vec<u8> {
        let wave = |n: u32, step: f32| (128.0 + 100.0 * (n as f32 / step).sin()) as u8;
        let pixel = |x: u32, y: u32| [wave(x, 9.0), wave(y, 7.0), if x > size.width / 2 { 220 } else { 40 }];
        (0..size.height).flat_map(|y| (0..size.width).flat_map(move |x| pixel(x, y))).collect()
    }

    #[test]
    fn another_reader_sees_what_was_written() {
        for size in [Size::new(1, 1), Size::new(8, 8), Size::new(61, 35), Size::new(640, 360)] {
            let rgb = picture(size);
            let file = jpeg(size, &rgb);
            let mut reader = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(&file));
            let seen = reader.decode().unwrap();
            assert_eq!(reader.dimensions(), Some((size.width as usize, size.height as usize)));
            let squares = rgb.iter().zip(&seen).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>();
            let quality = 10.0 * (255.0_f64.powi(2) * rgb.len() as f64 / squares.max(1.0)).log10();
            assert!(quality > 33.0, "{size:?}: {quality:.1} dB");
        }
    }
}
