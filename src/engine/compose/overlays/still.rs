//! **The question:** what does a still look like to a canvas? I420 samples and how much of each is seen.

use std::sync::Arc;

use crate::base::media::{Bitmap, Matrix, Size};
use crate::engine::compose::colour::fixed;
use crate::engine::compose::draw::{Mask, Shared};

/// A picture drawn once: limited-range 4:2:0 of the canvas's matrix and its coverage, both sides even. To blend:
/// `canvas + (sample − canvas) × mask / 255`, plane by plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// Extent in luma samples.
    pub size: Size,
    /// Y, then U, then V, rows packed.
    pub(in crate::engine::compose) samples: Shared<Vec<u8>>,
    /// How much of each sample is seen; `None` when all of all of them is.
    pub(in crate::engine::compose) mask: Option<Shared<Mask>>,
}

impl Still {
    /// `bitmap`, which has even sides. A chroma sample is the mean of its four pixels weighed by their alpha, so that
    /// no colour of unseen pixels bleeds in.
    #[must_use]
    pub fn from_bitmap(bitmap: &Bitmap) -> Self {
        let mut draft = Draft::new(bitmap.clone());
        let _ = draft.advance(usize::MAX);
        draft.finish()
    }

    /// Bytes of memory it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.0.len() + self.mask.as_ref().map_or(0, |mask| mask.0.luma.len() + mask.0.chroma.len())
    }

    /// Never: a still has at least one pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.0.is_empty()
    }
}

/// A still on its way: a large picture is made into one over several ticks, some rows at each.
pub(super) struct Draft {
    bitmap: Bitmap,
    /// As the still's.
    samples: Vec<u8>,
    /// As the still's; kept until all is seen to be opaque.
    mask: Mask,
    /// Pairs of rows that are done.
    done: usize,
    opaque: bool,
}

impl Draft {
    /// Of a bitmap with even sides; nothing is done yet.
    pub(super) fn new(bitmap: Bitmap) -> Self {
        let size = bitmap.size();
        assert!(size.width.is_multiple_of(2) && size.height.is_multiple_of(2), "4:2:0 needs even sides");
        let pixels = size.width as usize * size.height as usize;
        let mask = Mask { luma: vec![0; pixels], chroma: vec![0; pixels / 4] };
        Self { bitmap, samples: vec![0; pixels * 3 / 2], mask, done: 0, opaque: true }
    }

    /// Works on about so many pixels more, at least one pair of rows; whether all is done.
    pub(super) fn advance(&mut self, pixels: usize) -> bool {
        let (width, luma_len) = (self.bitmap.size().width as usize, self.mask.luma.len());
        let (luma, chroma) = self.samples.split_at_mut(luma_len);
        let (blue, red) = chroma.split_at_mut(luma_len / 4);
        let turn = (pixels / (2 * width)).max(1);
        for rows in self.bitmap.rgba().chunks_exact(width * 8).skip(self.done).take(turn) {
            let first = self.done * 2 * width;
            for (at, pixel) in (first..).zip(rows.chunks_exact(4)) {
                luma[at] = dot(LUMA, pixel_of(pixel), 16);
                self.mask.luma[at] = pixel[3];
                self.opaque &= pixel[3] == 255;
            }
            let (upper, lower) = rows.split_at(width * 4);
            for (at, (above, below)) in (first / 4..).zip(upper.chunks_exact(8).zip(lower.chunks_exact(8))) {
                let (mean, alpha) = mean_of_four([&above[..4], &above[4..], &below[..4], &below[4..]]);
                (blue[at], red[at]) = (dot(BLUE, mean, 128), dot(RED, mean, 128));
                self.mask.chroma[at] = alpha;
            }
            self.done += 1;
        }
        self.done * 2 == self.bitmap.size().height as usize
    }

    /// The still, once all is done.
    pub(super) fn finish(self) -> Still {
        assert_eq!(self.done * 2, self.bitmap.size().height as usize, "every row is done");
        let mask = (!self.opaque).then(|| Shared(Arc::new(self.mask)));
        Still { size: self.bitmap.size(), samples: Shared(Arc::new(self.samples)), mask }
    }
}

// The canvas's matrix, scaled to limited range, in 1/65536. Each row's sum is 219/255 of one, or 0.
const LUMA: [i32; 3] = {
    let [red, _, blue] = Matrix::CANVAS.weights();
    let (red, blue) = (fixed(red * 219.0 / 255.0), fixed(blue * 219.0 / 255.0));
    [red, 56_284 - red - blue, blue]
};
const BLUE: [i32; 3] = {
    let [red, green, blue] = Matrix::CANVAS.weights();
    let span = 112.0 / 255.0 / (1.0 - blue);
    let (red, green) = (fixed(-red * span), fixed(-green * span));
    [red, green, -red - green]
};
const RED: [i32; 3] = {
    let [red, green, blue] = Matrix::CANVAS.weights();
    let span = 112.0 / 255.0 / (1.0 - red);
    let (green, blue) = (fixed(-green * span), fixed(-blue * span));
    [-green - blue, green, blue]
};

fn dot(weights: [i32; 3], pixel: [i32; 3], zero: i32) -> u8 {
    let sum = weights[0] * pixel[0] + weights[1] * pixel[1] + weights[2] * pixel[2];
    u8::try_from((zero + ((sum + 32_768) >> 16)).clamp(16, 240)).expect("clamped")
}

fn pixel_of(pixel: &[u8]) -> [i32; 3] {
    [pixel[0].into(), pixel[1].into(), pixel[2].into()]
}

/// The mean colour, weighed by alpha, and the mean alpha.
fn mean_of_four(pixels: [&[u8]; 4]) -> ([i32; 3], u8) {
    let alpha: i32 = pixels.iter().map(|pixel| i32::from(pixel[3])).sum();
    let weigh = |channel: usize| {
        let sum: i32 = pixels.iter().map(|pixel| i32::from(pixel[channel]) * i32::from(pixel[3])).sum();
        (sum + alpha / 2).checked_div(alpha).unwrap_or(0)
    };
    ([weigh(0), weigh(1), weigh(2)], u8::try_from((alpha + 2) / 4).expect("a mean of bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_limited_and_masks_are_means() {
        let pixels: Vec<u8> = [[255, 255, 255, 255], [255, 0, 0, 255], [0, 0, 0, 0], [0, 0, 255, 0]].concat();
        let still = Still::from_bitmap(&Bitmap::new(Size::new(2, 2), pixels));
        assert_eq!(still.samples.0[..4], [235, 81, 16, 41]);
        let mask = still.mask.expect("two pixels are clear");
        assert_eq!((mask.0.luma.as_slice(), mask.0.chroma.as_slice()), (&[255, 255, 0, 0][..], &[128][..]));
        // White and red, the clear ones without weight: (255, 128, 128).
        assert_eq!(still.samples.0[4..], [109, 184]);
        let opaque = Still::from_bitmap(&Bitmap::new(Size::new(2, 2), vec![255; 16]));
        assert_eq!((opaque.samples.0.as_slice(), opaque.mask), (&[235, 235, 235, 235, 128, 128][..], None));
    }
}
