//! **The question:** which signs stand beside and over a person? Strokes and discs, drawn at any size; no font is
//! asked.

use crate::core::scene::Rgb;
use crate::engine::compose::overlays::pixmap::{Sheet, disc, rounded, stroke};

/// What stands before a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A quiet microphone: nothing to tell, and the name stays in its place when there is.
    Quiet,
    /// A struck microphone.
    Muted,
    /// Three bars of a voice.
    Speaking,
}

impl Mark {
    /// The mark of someone who is muted or speaks; muted wins, for a muted person's voice is not heard.
    #[must_use]
    pub fn of(muted: bool, speaking: bool) -> Self {
        match (muted, speaking) {
            (true, _) => Self::Muted,
            (false, true) => Self::Speaking,
            (false, false) => Self::Quiet,
        }
    }
}

const QUIET: Rgb = Rgb::new(0x9a, 0xa2, 0xad);
const MUTED: Rgb = Rgb::new(0xff, 0x7a, 0x70);
const SPEAKING: Rgb = Rgb::new(0x4c, 0xd9, 0x8a);

/// Draws `mark` in a square of `side` pixels whose middle is at `x`, `y`.
pub(super) fn draw(sheet: &mut Sheet, mark: Mark, x: f32, y: f32, side: f32) {
    match mark {
        Mark::Quiet => microphone(sheet, QUIET, x, y, side),
        Mark::Muted => {
            microphone(sheet, MUTED, x, y, side);
            let reach = side * 0.40;
            sheet.fill(MUTED, 255, stroke((x - reach, y - reach), (x + reach, y + reach), side * 0.12));
        }
        Mark::Speaking => {
            for (offset, height) in [(-0.28, 0.22), (0.0, 0.42), (0.28, 0.30)] {
                let (at, half) = (x + offset * side, height * side);
                sheet.fill(SPEAKING, 255, stroke((at, y - half), (at, y + half), side * 0.15));
            }
        }
    }
}

/// A capsule in a cup on a foot.
fn microphone(sheet: &mut Sheet, colour: Rgb, x: f32, y: f32, side: f32) {
    let thin = (side * 0.09).max(1.0);
    let capsule = rounded(x - side * 0.15, y - side * 0.45, x + side * 0.15, y + side * 0.10, side * 0.15);
    sheet.fill(colour, 255, capsule);
    let (cup_y, cup) = (y - side * 0.05, side * 0.29);
    sheet.fill(colour, 255, move |px, py| {
        let ring = ((px - x).hypot(py - cup_y) - cup).abs() - thin / 2.0;
        ring.max(cup_y - py)
    });
    sheet.fill(colour, 255, stroke((x, cup_y + cup), (x, y + side * 0.40), thin));
    sheet.fill(colour, 255, stroke((x - side * 0.16, y + side * 0.42), (x + side * 0.16, y + side * 0.42), thin));
}

/// Three dots on a dark disc: a picture that is waited for. The disc fills a square of `side` pixels.
pub(super) fn waiting(sheet: &mut Sheet, side: f32) {
    let half = side / 2.0;
    sheet.fill(Rgb::new(0x0c, 0x0e, 0x12), 168, disc(half, half, half - 0.5));
    for offset in [-0.21, 0.0, 0.21] {
        sheet.fill(Rgb::new(0xf4, 0xf6, 0xf8), 255, disc(half + offset * side, half, side * 0.065));
    }
}

/// A head and shoulders inside the disc of `radius` at `x`, `y`.
pub(super) fn silhouette(sheet: &mut Sheet, colour: Rgb, x: f32, y: f32, radius: f32) {
    let rim = disc(x, y, radius * 0.94);
    let head = disc(x, y - 0.22 * radius, 0.36 * radius);
    let body = disc(x, y + 0.98 * radius, 0.66 * radius);
    sheet.fill(colour, 255, move |px, py| head(px, py).min(body(px, py)).max(rim(px, py)));
}
