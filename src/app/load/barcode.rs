//! **The question:** whose picture is this, and which frame of it? A strip near the top of a picture that is still
//! read when the tile is 96×54 and was coded at a low bitrate.
//!
//! Two rows of 13 cells, black or white. Four cells at the corners are fixed and give the threshold; the other 22 carry
//! the participant's number (7 bits), the frame's index (9 bits) and a checksum (6 bits, CRC with polynomial x⁶ + x +
//! 1).

use std::ops::RangeInclusive;

use crate::base::media::PlaneRef;

/// Highest participant number.
pub const HIGHEST_NUMBER: u16 = 127;
/// Highest frame index.
pub const HIGHEST_FRAME: u16 = 511;

const COLUMNS: usize = 13;
const ROWS: usize = 2;
const CELLS: usize = COLUMNS * ROWS;
/// The strip takes a sixth of the picture's height,
const STRIP_PART: usize = 6;
/// below a twelfth of it and as far from its sides as this: a speaker's outline lies over the edge of a tile.
const ABOVE_PART: usize = 12;
const BESIDE_PART: usize = 20;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
/// Black and white must be so far apart to be told.
const CONTRAST_MIN: f32 = 60.0;
/// How far from the threshold a cell may lie, in parts of the contrast; one half is where a clean cell lies. What is
/// greyer than black or white, or far beyond them, belongs to no strip.
const TRUSTED: RangeInclusive<f32> = 0.15..=0.85;

/// What a strip says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Barcode {
    /// The participant's number, 0 to [`HIGHEST_NUMBER`].
    pub number: u16,
    /// The frame's index in its loop, 0 to [`HIGHEST_FRAME`].
    pub frame: u16,
}

/// Draws the strip into a picture: `luma` of `size` with `stride`, and two chroma planes of half the size.
///
/// # Panics
/// When a number is out of its range.
pub fn draw(planes: [&mut [u8]; 3], size: (usize, usize), code: Barcode) {
    assert!(code.number <= HIGHEST_NUMBER && code.frame <= HIGHEST_FRAME, "the strip has 7 and 9 bits");
    let (width, height) = size;
    let even = |part: usize| part / 2 * 2;
    let (strip, above, beside) = (even(height / STRIP_PART), even(height / ABOVE_PART), even(width / BESIDE_PART));
    let across = width - 2 * beside;
    let cells = cells_of(code);
    let [luma, u, v] = planes;
    for y in 0..strip {
        let (row, from) = (y * ROWS / strip, (above + y) * width + beside);
        for (x, sample) in luma[from..from + across].iter_mut().enumerate() {
            *sample = if cells[row * COLUMNS + x * COLUMNS / across] { WHITE } else { BLACK };
        }
    }
    let chroma = width / 2 * (above / 2)..width / 2 * ((above + strip) / 2);
    u[chroma.clone()].fill(128);
    v[chroma].fill(128);
}

/// Whether a tile of `width` by `height` pixels is large enough for its strip to be read: cells of three by two.
#[must_use]
pub fn fits(width: usize, height: usize) -> bool {
    (width - width / BESIDE_PART * 2) / COLUMNS >= 3 && height / STRIP_PART / ROWS >= 2
}

/// Reads the strip of the tile at `(x, y)` of `(width, height)` pixels; `None` when there is none to be trusted.
#[must_use]
pub fn read(plane: PlaneRef<'_>, tile: (usize, usize, usize, usize)) -> Option<Barcode> {
    let mut levels = [0.0; CELLS];
    for (at, level) in levels.iter_mut().enumerate() {
        *level = cell_level(plane, tile, at % COLUMNS, at / COLUMNS)?;
    }
    let black = (levels[0] + levels[CELLS - 1]) / 2.0;
    let white = (levels[COLUMNS - 1] + levels[COLUMNS]) / 2.0;
    let (contrast, threshold) = (white - black, (white + black) / 2.0);
    if contrast < CONTRAST_MIN || !levels.iter().all(|level| TRUSTED.contains(&((level - threshold).abs() / contrast)))
    {
        return None;
    }
    // The corners' means made the threshold; each of them must also stand on its own side of it.
    if (0..CELLS).any(|at| is_fixed(at) && (levels[at] > threshold) != is_white_corner(at)) {
        return None;
    }
    let mut bits = 0_u32;
    for (at, level) in levels.iter().enumerate() {
        if !is_fixed(at) {
            bits = bits << 1 | u32::from(*level > threshold);
        }
    }
    let (payload, check) = ((bits >> 6) as u16, (bits & 0x3f) as u8);
    (checksum(payload) == check).then_some(Barcode { number: payload >> 9, frame: payload & HIGHEST_FRAME })
}

fn is_fixed(cell: usize) -> bool {
    matches!(cell, 0 | 12 | 13 | 25)
}

fn is_white_corner(cell: usize) -> bool {
    matches!(cell, 12 | 13)
}

fn cells_of(code: Barcode) -> [bool; CELLS] {
    let payload = code.number << 9 | code.frame;
    let bits = u32::from(payload) << 6 | u32::from(checksum(payload));
    let mut cells = [false; CELLS];
    let mut next = 22;
    for (at, cell) in cells.iter_mut().enumerate() {
        *cell = if is_fixed(at) {
            is_white_corner(at)
        } else {
            next -= 1;
            bits >> next & 1 == 1
        };
    }
    cells
}

/// CRC-6 of 16 bits, begun at all ones so that an empty strip is no code.
fn checksum(payload: u16) -> u8 {
    let mut register = 0x3f_u8;
    for at in (0..16).rev() {
        let feedback = (register >> 5 & 1) ^ (payload >> at & 1) as u8;
        register = register << 1 & 0x3f;
        if feedback == 1 {
            register ^= 0b00_0011;
        }
    }
    register
}

/// The mean of a cell's inner half.
fn cell_level(
    plane: PlaneRef<'_>,
    (x, y, width, height): (usize, usize, usize, usize),
    column: usize,
    row: usize,
) -> Option<f32> {
    let (strip, above) = (height as f32 / STRIP_PART as f32, height as f32 / ABOVE_PART as f32);
    let beside = width as f32 / BESIDE_PART as f32;
    let inner = |cell: usize, cells: usize, span: f32, offset: f32| {
        let size = span / cells as f32;
        let from = offset + (cell as f32 + 0.25) * size;
        let first = from.round() as usize;
        (first, ((from + size / 2.0).round() as usize).max(first + 1))
    };
    let (left, right) = inner(column, COLUMNS, width as f32 - 2.0 * beside, x as f32 + beside);
    let (top, bottom) = inner(row, ROWS, strip, y as f32 + above);
    let mut sum = 0_u32;
    for line in top..bottom {
        let samples = plane.data.get(line * plane.stride + left..line * plane.stride + right)?;
        sum += samples.iter().map(|sample| u32::from(*sample)).sum::<u32>();
    }
    Some(sum as f32 / ((right - left) * (bottom - top)) as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{Codec, ComposedFrame, Size, pts_from_tick};
    use crate::engine::decode;
    use crate::engine::encode::{self, EncoderChoice, VideoEncoderSetup};

    const SIZE: (usize, usize) = (320, 180);

    fn picture(code: Barcode, grey: u8) -> Vec<u8> {
        let mut luma = vec![grey; SIZE.0 * SIZE.1];
        let (mut u, mut v) = (vec![0; SIZE.0 * SIZE.1 / 4], vec![0; SIZE.0 * SIZE.1 / 4]);
        draw([&mut luma, &mut u, &mut v], SIZE, code);
        luma
    }

    /// The mean over each target pixel's area, as an antialiasing scaler makes it.
    fn shrink(luma: &[u8], width: usize, height: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (x0, x1) = (x * SIZE.0 / width, ((x + 1) * SIZE.0).div_ceil(width));
                let (y0, y1) = (y * SIZE.1 / height, ((y + 1) * SIZE.1).div_ceil(height));
                let sum: usize = (y0..y1)
                    .map(|r| luma[r * SIZE.0 + x0..r * SIZE.0 + x1].iter().map(|s| *s as usize).sum::<usize>())
                    .sum();
                out.push((sum / ((x1 - x0) * (y1 - y0))) as u8);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn every_code_is_read_from_a_small_noisy_tile(
            number in 0..=HIGHEST_NUMBER, frame in 0..=HIGHEST_FRAME, grey: u8, seed: u64, small in 0..3_usize
        ) {
            let (width, height) = [(96, 54), (126, 70), (320, 180)][small];
            let code = Barcode { number, frame };
            let mut tile = shrink(&picture(code, grey), width, height);
            let mut state = seed | 1;
            for sample in &mut tile {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let noise = (state >> 58) as i16 - 32;
                *sample = (i16::from(*sample) + noise).clamp(0, 255) as u8;
            }
            let plane = PlaneRef { data: &tile, stride: width };
            prop_assert_eq!(read(plane, (0, 0, width, height)), Some(code));
        }
    }

    /// A 5 × 5 grid of tiles of 96×54 and what each of them says, through libaom at 150 kb/s and back.
    #[test]
    fn every_tile_of_a_coarsely_coded_composite_is_read() {
        let (size, grid, tile) = (Size::new(480, 270), 5, (96, 54));
        let setup = VideoEncoderSetup { codec: Codec::Av1, size, fps: 30, bitrate: 150_000, threads: 1 };
        let mut encoder = encode::video_encoder(EncoderChoice::Aom, setup).unwrap();
        let mut decoder = decode::video_decoder(Codec::Av1).unwrap();
        for tick in 0..20_u16 {
            let code = |at: usize| Barcode { number: at as u16 * 5, frame: tick * 19 + at as u16 };
            let mut samples = vec![128; 480 * 270 * 3 / 2];
            for at in 0..grid * grid {
                let small = shrink(&picture(code(at), (40 + at * 7) as u8), tile.0, tile.1);
                for (y, row) in small.chunks(tile.0).enumerate() {
                    let from = (at / grid * tile.1 + y) * 480 + at % grid * tile.0;
                    samples[from..from + tile.0].copy_from_slice(row);
                }
            }
            let (mut units, mut pictures) = (Vec::new(), Vec::new());
            let frame = ComposedFrame::new(size, pts_from_tick(u64::from(tick), 30), samples);
            encoder.encode(&frame, tick == 0, &mut units).unwrap();
            decoder.decode(units.remove(0).coded(), &mut pictures).unwrap();
            let plane = pictures[0].picture.plane(0);
            for at in 0..grid * grid {
                let place = (at % grid * tile.0, at / grid * tile.1, tile.0, tile.1);
                assert_eq!(read(plane, place), Some(code(at)), "tile {at} of picture {tick}");
            }
        }
    }

    #[test]
    fn a_tile_placed_one_pixel_off_is_read() {
        let code = Barcode { number: 93, frame: 341 };
        let small = shrink(&picture(code, 90), 96, 54);
        let mut around = vec![128; 100 * 58];
        for (y, row) in small.chunks(96).enumerate() {
            around[(y + 2) * 100 + 2..][..96].copy_from_slice(row);
        }
        for (x, y) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)] {
            assert_eq!(read(PlaneRef { data: &around, stride: 100 }, (x, y, 96, 54)), Some(code), "at {x}, {y}");
        }
    }

    #[test]
    fn a_strip_with_a_corner_on_the_wrong_side_is_none() {
        let code = Barcode { number: 5, frame: 77 };
        for corner in (0..CELLS).filter(|at| is_fixed(*at)) {
            let mut luma = picture(code, 90);
            let wrong = if is_white_corner(corner) { BLACK } else { WHITE };
            // The strip lies 16 from the left and 14 from the top, 288 wide and 30 high.
            let (left, top) = (16 + corner % COLUMNS * 288 / COLUMNS, 14 + corner / COLUMNS * 15);
            for row in luma.chunks_mut(SIZE.0).skip(top).take(15) {
                row[left..left + 22].iter_mut().for_each(|sample| *sample = wrong);
            }
            assert_eq!(read(PlaneRef { data: &luma, stride: SIZE.0 }, (0, 0, SIZE.0, SIZE.1)), None, "corner {corner}");
        }
    }

    #[test]
    fn what_is_no_strip_is_seldom_taken_for_one() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let (mut taken, pictures) = (0, 100_000);
        for _ in 0..pictures {
            // Flat patches as large as a strip's cells: fine noise would have no contrast left in a cell's mean.
            let (wide, high) = (4 + random() % 20, 2 + random() % 8);
            let patches: Vec<u8> = (0..24 * 27).map(|_| random() as u8).collect();
            let tile: Vec<u8> = (0..96 * 54).map(|at| patches[at / 96 / high * 24 + at % 96 / wide]).collect();
            taken += u32::from(read(PlaneRef { data: &tile, stride: 96 }, (0, 0, 96, 54)).is_some());
        }
        assert!(taken * 10_000 < pictures, "{taken} of {pictures} patchworks were read");
        let flat = vec![128; 96 * 54];
        assert_eq!(read(PlaneRef { data: &flat, stride: 96 }, (0, 0, 96, 54)), None);
        assert_eq!(read(PlaneRef { data: &flat, stride: 96 }, (90, 50, 96, 54)), None, "outside is no panic");
    }

    #[test]
    fn a_hundredth_of_640_by_360_is_read_and_one_of_320_by_180_is_not() {
        assert!(fits(64, 36) && fits(128, 72));
        assert!(!fits(32, 18) && !fits(0, 0) && !fits(640, 20));
    }
}
