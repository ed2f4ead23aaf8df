//! **The question:** what does a crowded canvas look like to an encoder? A mosaic of drifting textures, whose bits,
//! PSNR and encoding time come close to those of a hundred videos scaled down.

use crate::base::media::{ComposedFrame, Size, pts_from_tick};

/// Side of the texture that all tiles look into; it repeats.
const TEXTURE: usize = 256;
/// Side of an octave's cells and its weight. What is scaled down has much detail: with less, pictures that look alike
/// take half the bits of real ones (measured at 1280×720, 10×10 tiles).
const OCTAVES: [(usize, i32); 5] = [(32, 40), (16, 30), (8, 25), (4, 25), (2, 30)];

/// Pictures of `side`×`side` tiles, each with a drift of its own.
pub struct Mosaic {
    size: Size,
    side: usize,
    texture: Vec<u8>,
}

impl Mosaic {
    /// A mosaic of this extent, whose sides are even.
    #[must_use]
    pub fn new(size: Size, side: usize) -> Self {
        let cells = (0..TEXTURE * TEXTURE).map(|at| sample(at % TEXTURE, at / TEXTURE));
        Self { size, side: side.max(1), texture: cells.collect() }
    }

    /// Its picture at tick `n` of `fps` a second; grey, for colour costs little.
    #[must_use]
    pub fn frame(&self, n: u64, fps: u32) -> ComposedFrame {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let mut samples = vec![128_u8; width * height * 3 / 2];
        let time = usize::try_from(n % TEXTURE as u64).expect("below the texture's side");
        for (y, row) in samples[..width * height].chunks_exact_mut(width).enumerate() {
            let line = y * self.side / height;
            for column in 0..self.side {
                let tile = line * self.side + column;
                let from = (column * width).div_ceil(self.side);
                let to = ((column + 1) * width).div_ceil(self.side);
                // -2 to 2 samples a tick across, -1 to 1 down.
                let (x, y) =
                    (61 * tile + time * (tile % 5 + TEXTURE - 2), y + 37 * tile + time * (tile % 3 + TEXTURE - 1));
                let line = &self.texture[y % TEXTURE * TEXTURE..][..TEXTURE];
                for (at, sample) in row[from..to].iter_mut().enumerate() {
                    *sample = line[(x + from + at) % TEXTURE];
                }
            }
        }
        ComposedFrame::new(self.size, pts_from_tick(n, fps), samples)
    }
}

/// Value noise: random lattices of each octave, between whose points is drawn straight.
fn sample(x: usize, y: usize) -> u8 {
    let mut sum = 126 * 1024;
    for (octave, (cell, weight)) in (0_u32..).zip(OCTAVES) {
        let count = TEXTURE / cell;
        let corner = |across: usize, down: usize| {
            let (column, row) = ((x / cell + across) % count, (y / cell + down) % count);
            let seed = octave * 131_071 + u32::try_from(row * count + column).expect("a small lattice");
            i32::from(scattered(seed).to_le_bytes()[0]) - 128
        };
        let [step, right, down] = [cell, x % cell, y % cell].map(|part| i32::try_from(part).expect("a cell's side"));
        let top = corner(0, 0) * (step - right) + corner(1, 0) * right;
        let bottom = corner(0, 1) * (step - right) + corner(1, 1) * right;
        sum += (top * (step - down) + bottom * down) / step * weight * 8 / step;
    }
    u8::try_from((sum / 1024).clamp(16, 235)).expect("clamped to a byte")
}

/// A number with no likeness to its neighbours' (the finaliser of a hash).
const fn scattered(n: u32) -> u32 {
    let n = (n ^ n >> 16).wrapping_mul(0x7feb_352d);
    let n = (n ^ n >> 15).wrapping_mul(0x846c_a68b);
    n ^ n >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_moves_by_a_way_of_its_own() {
        let mosaic = Mosaic::new(Size::new(320, 180), 5);
        let (one, two) = (mosaic.frame(0, 30), mosaic.frame(1, 30));
        let row = |frame: &ComposedFrame, y: usize| frame.samples[y * 320..][..320].to_vec();
        // The first tile of the first row drifts 2 to the right and 1 down.
        assert_eq!(row(&one, 10)[..60], row(&two, 11)[2..62]);
        assert_ne!(row(&one, 10)[64..124], row(&two, 11)[66..126]);
        assert_eq!((one.samples.len(), two.pts), (320 * 180 * 3 / 2, pts_from_tick(1, 30)));
    }
}
