//! **The question:** how is a still picture written as JPEG (ITU-T T.81, baseline)? Whole colour, and the tables of its annex K.

use crate::base::media::Size;

/// The order in which a block's frequencies are written.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Steps of brightness, row by row (annex K.1), at quality 50.
const LUMA_STEPS: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// Steps of colour, the first rows (annex K.2); all the others are 99.
const CHROMA_STEPS: [u8; 32] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99,
];

/// How many codes there are of each length (annex K.3, K.5), for brightness; colour takes the same, which costs it a few bytes.
const MEAN_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const WAVE_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];

/// What the codes up to 11 bits stand for; the long ones follow by number.
const WAVES_OFTEN: [u8; 37] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14,
    0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82,
];

/// A JPEG of quality 75; `rgb` holds three bytes a pixel, which is asserted, and no side is beyond 65,535.
///
/// # Panics
/// If the bytes do not fit the size.
#[must_use]
pub fn jpeg(size: Size, rgb: &[u8]) -> Vec<u8> {
    assert_eq!(rgb.len(), size.width as usize * size.height as usize * 3, "three bytes a pixel");
    let steps = [halved(&LUMA_STEPS), halved(&CHROMA_STEPS)];
    let codes = [Codes::new(&MEAN_LENGTHS, &means()), Codes::new(&WAVE_LENGTHS, &waves())];
    let mut out = head(size, &steps);
    let mut bits = Bits::default();
    let mut last = [0; 3];
    let cosines = cosines();
    for top in (0..size.height).step_by(8) {
        for left in (0..size.width).step_by(8) {
            for (part, last) in last.iter_mut().enumerate() {
                let block = frequencies(&block(size, rgb, (left, top), part), &cosines);
                write_block(&block, &steps[part.min(1)], &codes, last, &mut bits);
            }
        }
    }
    out.extend(bits.finish());
    out.extend([0xff, 0xd9]);
    out
}

/// Quality 75 halves the steps of quality 50.
fn halved(steps: &[u8]) -> [u8; 64] {
    std::array::from_fn(|at| steps.get(at).copied().unwrap_or(99).div_ceil(2))
}

/// The differences of means by their number of bits.
fn means() -> Vec<u8> {
    (0..12).collect()
}

/// Runs of zeros (upper half) and bits of what ends them (lower half), from often to seldom.
fn waves() -> Vec<u8> {
    let seldom = (0..=0xf_u8).flat_map(|run| (1..=0xa).map(move |bits| run << 4 | bits));
    WAVES_OFTEN.into_iter().chain(seldom.filter(|value| !WAVES_OFTEN.contains(value))).collect()
}

/// Everything before the first block.
fn head(size: Size, steps: &[[u8; 64]; 2]) -> Vec<u8> {
    let side = |extent: u32| u16::try_from(extent).expect("a JPEG's sides have 16 bits").to_be_bytes();
    let mut out = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        out.extend([0xff, marker]);
        out.extend(u16::try_from(body.len() + 2).expect("a short head").to_be_bytes());
        out.extend(body);
    };
    segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    for (number, steps) in (0..).zip(steps) {
        let ordered = ZIGZAG.map(|at| steps[usize::from(at)]);
        segment(0xdb, &[&[number], &ordered[..]].concat());
    }
    let [height, width] = [side(size.height), side(size.width)];
    segment(0xc0, &[&[8], &height[..], &width, &[3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1]].concat());
    segment(0xc4, &[&[0], &MEAN_LENGTHS[..], &means()].concat());
    segment(0xc4, &[&[0x10], &WAVE_LENGTHS[..], &waves()].concat());
    segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    out
}

/// One of the three parts of 8 x 8 pixels, about zero (JFIF: BT.601, full range); the last row and column go on beyond the edge.
fn block(size: Size, rgb: &[u8], (left, top): (u32, u32), part: usize) -> [f32; 64] {
    std::array::from_fn(|at| {
        let x = (left as usize + at % 8).min(size.width as usize - 1);
        let y = (top as usize + at / 8).min(size.height as usize - 1);
        let pixel = &rgb[(y * size.width as usize + x) * 3..][..3];
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
        match part {
            0 => 0.299 * red + 0.587 * green + 0.114 * blue - 128.0,
            1 => -0.168_736 * red - 0.331_264 * green + 0.5 * blue,
            _ => 0.5 * red - 0.418_688 * green - 0.081_312 * blue,
        }
    })
}

/// `[frequency][place]` of the cosine transform, with its scale.
fn cosines() -> [[f32; 8]; 8] {
    std::array::from_fn(|frequency| {
        let scale = if frequency == 0 { 0.5_f32.sqrt() / 2.0 } else { 0.5 };
        std::array::from_fn(|place| {
            let turn = (2 * place + 1) as f32 * frequency as f32 * std::f32::consts::PI / 16.0;
            scale * turn.cos()
        })
    })
}

/// The cosine transform, rows first.
fn frequencies(block: &[f32; 64], cosines: &[[f32; 8]; 8]) -> [f32; 64] {
    let rows: [f32; 64] =
        std::array::from_fn(|at| (0..8).map(|place| block[at / 8 * 8 + place] * cosines[at % 8][place]).sum());
    std::array::from_fn(|at| (0..8).map(|place| rows[place * 8 + at % 8] * cosines[at / 8][place]).sum())
}

fn write_block(block: &[f32; 64], steps: &[u8; 64], [means, waves]: &[Codes; 2], last: &mut i32, bits: &mut Bits) {
    let level = |at: u8| (block[usize::from(at)] / f32::from(steps[usize::from(at)])).round() as i32;
    let mean = level(0);
    bits.signed(means, 0, mean - *last);
    *last = mean;
    let mut run = 0;
    for at in &ZIGZAG[1..] {
        let value = level(*at);
        if value == 0 {
            run += 1;
            continue;
        }
        // Sixteen zeros have a code of their own.
        (0..run / 16).for_each(|_| bits.put(waves, 0xf0));
        bits.signed(waves, run % 16, value);
        run = 0;
    }
    if run > 0 {
        bits.put(waves, 0x00);
    }
}

/// For each value its code and the code's length (annex C).
struct Codes([(u16, u8); 256]);

impl Codes {
    fn new(lengths: &[u8; 16], values: &[u8]) -> Self {
        let (mut codes, mut values, mut next) = ([(0, 0); 256], values.iter(), 0_u16);
        for (length, count) in (1..).zip(lengths) {
            for value in values.by_ref().take(usize::from(*count)) {
                codes[usize::from(*value)] = (next, length);
                next += 1;
            }
            next <<= 1;
        }
        Self(codes)
    }
}

/// Bits, the first one highest; a byte of ones is followed by an empty one, so that it is no marker.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    waiting: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, codes: &Codes, value: u8) {
        let (code, length) = codes.0[usize::from(value)];
        self.push(u32::from(code), u32::from(length));
    }

    /// `value` after a code for `run` and its number of bits; a negative one is written one less.
    fn signed(&mut self, codes: &Codes, run: u8, value: i32) {
        let length = 32 - value.unsigned_abs().leading_zeros();
        self.put(codes, run << 4 | u8::try_from(length).expect("at most 12"));
        let bits = if value < 0 { value - 1 } else { value };
        self.push(bits.cast_unsigned() & ((1 << length) - 1), length);
    }

    fn push(&mut self, bits: u32, length: u32) {
        self.waiting = self.waiting << length | bits;
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.waiting >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.push(0x7f, 7);
        self.out
    }
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
            assert!(quality > 36.0, "{size:?}: {quality:.1} dB");
        }
    }

    #[test]
    fn every_code_of_the_standard_is_there_once() {
        let mut waves = waves();
        assert_eq!(waves.len(), WAVE_LENGTHS.iter().map(|n| usize::from(*n)).sum::<usize>());
        assert_eq!(waves[37..43], [0x09, 0x0a, 0x16, 0x17, 0x18, 0x19]);
        waves.sort_unstable();
        waves.dedup();
        assert_eq!(waves.len(), 162);
    }

    #[test]
    fn what_changes_from_pixel_to_pixel_fits_too() {
        // The largest numbers there can be: every second pixel black, every second one white.
        let size = Size::new(32, 32);
        let rgb: Vec<u8> = (0..32 * 32).flat_map(|n| [if (n + n / 32) % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let file = jpeg(size, &rgb);
        let seen = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(&file)).decode().unwrap();
        assert!(rgb.iter().zip(&seen).all(|(a, b)| a.abs_diff(*b) < 48), "blacks stay black and whites white");
    }
}
