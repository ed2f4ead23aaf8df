//! **The question:** what does a shared page of text look like to an encoder? Only tests and benches draw it.

/// A character's cell, pixels.
const CELL: (usize, usize) = (8, 16);

/// I420 samples of a white page of black letters, scrolled up by `scroll` pixels; sides are even.
pub fn page(width: usize, height: usize, scroll: usize) -> Vec<u8> {
    let mut samples = vec![128; width * height * 3 / 2];
    for (y, row) in samples[..width * height].chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            *sample = if is_ink(x, y + scroll) {
                16
            } else if x > 0 && is_ink(x - 1, y + scroll) {
                // As smoothed letters have it.
                140
            } else {
                235
            };
        }
    }
    samples
}

/// Strokes of 5×9 pixels in each cell, no two letters alike but words of one to nine of them.
fn is_ink(x: usize, y: usize) -> bool {
    let (column, row) = (x / CELL.0, y / CELL.1);
    let (at, line) = (x % CELL.0, y % CELL.1);
    let is_blank = column < 2 || (column + row * 5) % (4 + row % 6) == 0;
    if is_blank || !(1..6).contains(&at) || !(4..13).contains(&line) {
        return false;
    }
    let letter = (column * 31 + row * 17) % 26;
    // Some upright and some level strokes of each letter.
    let upright = letter * 7 % 5 == at - 1 || (letter * 3 + 2) % 5 == at - 1;
    let level = (letter * 5) % 9 == line - 4 || (letter * 11 + 4) % 9 == line - 4;
    upright || level
}
