//! **The question:** where do banner, logo and clock stand, and which text may be drawn?

use std::sync::Arc;

use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::core::scene::rect::even;
use crate::core::scene::stage::contained;
use crate::core::scene::{Overlay, OverlayContent, Rect, Rgb};

const WHITE: Rgb = Rgb::new(0xf4, 0xf6, 0xf8);
/// Behind words, and how much it hides.
const PANEL: (Rgb, u8) = (Rgb::new(0x12, 0x14, 0x18), 176);
/// Behind the mark of a recording.
const RED: (Rgb, u8) = (Rgb::new(0xc2, 0x22, 0x22), 232);
/// The mark of a recording, the same in every language.
const RECORDED: &str = "REC";

/// What is laid over all tiles.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    pub(super) banner: Option<Arc<str>>,
    pub(super) logo: Option<Bitmap>,
    pub(super) clock: Option<Arc<str>>,
    pub(super) recorded: bool,
}

impl Overlays {
    /// Their places on `canvas`: the banner below, the logo in the upper right corner, the clock in the upper left one,
    /// the mark of a recording in the lower right one.
    pub(super) fn on(&self, canvas: Size) -> Vec<Overlay> {
        let short = canvas.width.min(canvas.height);
        let margin = even(short / 36);
        let mut overlays = Vec::new();
        let mut floor = canvas.height - margin;
        if let Some(text) = &self.banner {
            let height = even(canvas.height / 14).max(16);
            let rect = Rect { x: 0, y: even(floor - height), width: canvas.width, height };
            floor = rect.y - margin;
            overlays.push(Overlay { rect, content: words(text) });
        }
        if let Some(picture) = &self.logo {
            let most = Size::new(even(canvas.width / 6).max(2), even(canvas.height / 10).max(2));
            let area = Rect { x: 0, y: margin, width: most.width, height: most.height };
            let size = contained(area, picture.size());
            let rect = Rect { x: even(canvas.width - margin - size.width), y: margin, ..size };
            overlays.push(Overlay { rect, content: OverlayContent::Picture(picture.clone()) });
        }
        let height = even(canvas.height / 22).max(12);
        if let Some(text) = &self.clock {
            let rect = Rect { x: margin, y: margin, width: even(canvas.width / 8).max(16), height };
            overlays.push(Overlay { rect, content: words(text) });
        }
        if self.recorded {
            let width = even(canvas.width / 16).max(16);
            let rect = Rect { x: even(canvas.width - margin - width), y: even(floor - height), width, height };
            let content = OverlayContent::Text { text: RECORDED.into(), colour: WHITE, panel: Some(RED) };
            overlays.push(Overlay { rect, content });
        }
        overlays
    }
}

fn words(text: &Arc<str>) -> OverlayContent {
    OverlayContent::Text { text: text.clone(), colour: WHITE, panel: Some(PANEL) }
}

/// `text` as it may be drawn: one line, no control characters, none that turn the direction of writing, at most
/// `bytes`. `None` when nothing is left.
pub(super) fn drawable(text: &str, bytes: usize) -> Option<Arc<str>> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line = String::new();
    // A text of megabytes is not even walked through.
    for c in text.trim().chars().take(bytes * 2) {
        let c = if c.is_whitespace() { ' ' } else { c };
        if c.is_control() || turns(c) {
            continue;
        }
        if line.len() + c.len_utf8() > bytes {
            break;
        }
        line.push(c);
    }
    let line = line.trim();
    (!line.is_empty()).then(|| line.into())
}

/// A display name as it may be drawn.
pub(super) fn drawable_name(name: &str) -> Option<Arc<str>> {
    drawable(name, limits::DISPLAY_NAME_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_text_is_bounded_and_harmless() {
        assert_eq!(drawable("  Ada\u{7}\u{202e} Lovelace\n", 64).as_deref(), Some("Ada Lovelace"));
        assert_eq!(drawable(" \u{0}\u{1b} ", 64), None);
        assert_eq!(drawable(&"ä".repeat(10_000), 9).as_deref(), Some("ääää"));
        assert_eq!(drawable("नमस्ते 👩‍👩‍👧", 64).as_deref(), Some("नमस्ते 👩‍👩‍👧"), "joiners stay");
    }

    #[test]
    fn overlays_are_even_and_inside() {
        let logo = Bitmap::new(Size::new(301, 77), vec![0; 301 * 77 * 4]);
        let all =
            Overlays { banner: Some("Hello".into()), logo: Some(logo), clock: Some("12:00".into()), recorded: true };
        for canvas in [Size::new(1280, 720), Size::new(160, 160), Size::new(720, 1280), Size::new(3840, 2160)] {
            let overlays = all.on(canvas);
            assert_eq!(overlays.len(), 4);
            for Overlay { rect, .. } in overlays {
                assert!([rect.x, rect.y, rect.width, rect.height].iter().all(|v| v % 2 == 0), "{rect:?}");
                assert!(rect.right() <= canvas.width && rect.bottom() <= canvas.height, "{rect:?} on {canvas:?}");
                assert!(rect.width > 0 && rect.height > 0);
            }
        }
    }
}
