//! **The question:** which stills are kept, and may one more be drawn in this tick?

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::core::scene::Rgb;
use crate::engine::compose::overlays::marks::Mark;
use crate::engine::compose::overlays::still::Still;

/// A still that someone wants, as a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// Of the still, or of the tile it is for.
    pub(super) size: Size,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Label { name: Arc<str>, mark: Mark },
    Portrait { initials: Arc<str>, colour: Rgb, avatar: Option<Same> },
    Stalled,
    Cover(Same),
    Contain(Same),
    Text { text: Arc<str>, colour: Rgb, panel: Option<(Rgb, u8)> },
}

/// A bitmap as a key: the same memory, which stays its own as long as this holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Same(pub(super) Bitmap);

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.rgba().as_ptr().hash(state);
    }
}

/// What is kept: at most `limits::STILLS_MAX` of `limits::STILLS_LEN_MAX` bytes, the longest unasked-for goes first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: HashMap<Wanted, (Arc<Still>, u64)>,
    len: usize,
    tick: u64,
    drawn: usize,
    pixels: usize,
    postponed: bool,
}

impl Shelf {
    /// Whether the last tick postponed anything.
    pub(super) fn tick(&mut self) -> bool {
        self.tick += 1;
        (self.drawn, self.pixels) = (0, 0);
        std::mem::take(&mut self.postponed)
    }

    pub(super) fn find(&mut self, wanted: &Wanted) -> Option<Arc<Still>> {
        let (still, asked) = self.kept.get_mut(wanted)?;
        *asked = self.tick;
        Some(still.clone())
    }

    /// Takes one drawing from the tick's allowance. The first one is always allowed, however large.
    pub(super) fn may_draw(&mut self, wanted: &Wanted) -> bool {
        let pixels = wanted.size.width as usize * wanted.size.height as usize;
        let pixels = match &wanted.kind {
            // A label is asked for by its tile, of which it takes a strip.
            Kind::Label { .. } => pixels / 16,
            // Scaling an uploaded picture costs by what is read, too.
            Kind::Portrait { avatar: Some(Same(source)), .. } | Kind::Contain(Same(source)) => {
                pixels + source.rgba().len() / 16
            }
            _ => pixels,
        };
        let allowed = self.drawn == 0
            || (self.drawn < limits::INK_STILLS_A_TICK && self.pixels + pixels <= limits::INK_PIXELS_A_TICK);
        if allowed {
            self.drawn += 1;
            self.pixels += pixels;
        } else {
            self.postpone();
        }
        allowed
    }

    /// Takes one drawing of so many pixels from the allowance, whatever is left of it.
    pub(super) fn spend(&mut self, pixels: usize) {
        self.drawn += 1;
        self.pixels += pixels;
    }

    pub(super) fn postpone(&mut self) {
        self.postponed = true;
    }

    pub(super) fn keep(&mut self, wanted: Wanted, still: Still) -> Arc<Still> {
        let still = Arc::new(still);
        self.len += still.len();
        if let Some((before, _)) = self.kept.insert(wanted, (still.clone(), self.tick)) {
            self.len -= before.len();
        }
        while self.kept.len() > limits::STILLS_MAX || (self.len > limits::STILLS_LEN_MAX && self.kept.len() > 1) {
            let oldest = self.kept.iter().min_by_key(|(_, (_, asked))| *asked).map(|(wanted, _)| wanted.clone());
            let oldest = oldest.expect("more than one is kept");
            let (gone, _) = self.kept.remove(&oldest).expect("found above");
            self.len -= gone.len();
        }
        still
    }

    /// How many are kept, and their bytes.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.kept.len(), self.len)
    }
}
