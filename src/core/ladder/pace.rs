//! **The question:** how often is a tile's picture renewed? In a crowded grid those who listen are small, and are
//! renewed together at every second tick or so: what is not renewed costs neither decoding nor encoding. A node that
//! cannot keep up renews everybody who does not speak more seldom.

use crate::base::media::Size;
use crate::core::ladder::relief::Relief;

/// A tile is small when so many of its size fill the canvas: a grid of seven by seven.
const SMALL: u64 = 49;

/// How a room's tiles are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Ticks a second.
    fps: u32,
    /// Frames a second of small tiles.
    crowd_fps: u32,
}

/// A tile as far as its pace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacedTile {
    /// Its extent on the canvas.
    pub size: Size,
    /// Whether its person speaks, or it is a shared screen: what people look at.
    pub leads: bool,
}

impl Pace {
    /// Of a room of `fps` ticks a second that renews small tiles `crowd_fps` times a second.
    #[must_use]
    pub fn new(fps: u32, crowd_fps: u32) -> Self {
        Self { fps: fps.max(1), crowd_fps: crowd_fps.clamp(1, fps.max(1)) }
    }

    /// Ticks from one picture of `tile` to the next, at least 1.
    #[must_use]
    pub fn spacing(&self, canvas: Size, tile: PacedTile, relief: Relief) -> u32 {
        if tile.leads {
            return 1;
        }
        let area = |size: Size| u64::from(size.width) * u64::from(size.height);
        let is_small = area(tile.size) * SMALL <= area(canvas);
        let usual = if is_small { self.fps / self.crowd_fps } else { 1 };
        // Below the usual rate of cameras twice as seldom; what is seldom already, not so much that it stutters.
        if relief >= Relief::TileRate { usual.max(1) * 2 } else { usual.max(1) }
    }

    /// Frames a second that a sender whose tile it is should send.
    #[must_use]
    pub fn fps(&self, canvas: Size, tile: PacedTile, relief: Relief) -> u32 {
        (self.fps / self.spacing(canvas, tile, relief)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANVAS: Size = Size::new(1280, 720);

    fn tile(width: u32, height: u32, leads: bool) -> PacedTile {
        PacedTile { size: Size::new(width, height), leads }
    }

    #[test]
    fn crowded_listeners_are_renewed_at_half_the_rate_and_who_speaks_never_is() {
        let pace = Pace::new(30, 15);
        let fps = |tile| pace.fps(CANVAS, tile, Relief::None);
        assert_eq!(fps(tile(128, 72, false)), 15, "one of a hundred");
        assert_eq!(fps(tile(182, 102, false)), 15, "one of forty-nine");
        assert_eq!(fps(tile(212, 120, false)), 30, "one of thirty-six");
        assert_eq!(fps(tile(128, 72, true)), 30);
        assert_eq!(Pace::new(30, 30).fps(CANVAS, tile(128, 72, false), Relief::None), 30, "switched off");
        assert_eq!(Pace::new(15, 30).fps(CANVAS, tile(128, 72, false), Relief::None), 15);
    }

    #[test]
    fn a_node_that_cannot_keep_up_renews_listeners_half_as_often_and_nobody_else() {
        let pace = Pace::new(30, 15);
        let fps = |tile| pace.fps(CANVAS, tile, Relief::TileRate);
        assert_eq!((fps(tile(640, 360, false)), fps(tile(128, 72, false))), (15, 7));
        assert_eq!(fps(tile(640, 360, true)), 30);
    }
}
