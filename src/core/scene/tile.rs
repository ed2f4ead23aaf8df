//! **The question:** what is seen at one tick? Tiles between a background and overlays.

use std::sync::Arc;

use crate::base::media::{Bitmap, ParticipantId, Size, TrackId, TrackKind};
use crate::core::ladder::PacedTile;
use crate::core::scene::identity::Rgb;
use crate::core::scene::rect::Rect;

/// What a tile shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TilePicture {
    /// The person's camera; the compositor shows the placeholder of `identity` until its first frame is there.
    Camera,
    /// The person's shared screen.
    Screen,
    /// The avatar, or initials on a panel.
    Placeholder,
}

/// How a picture of another shape meets its tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// All of it is seen, bars fill the rest. Pictures within 4 % of the tile's shape fill it.
    #[default]
    Contain,
    /// The tile is filled; what stands out is cut off, the same on both sides.
    Cover,
}

/// A line around a tile, drawn inside its rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// Thickness in pixels, even.
    pub width: u32,
    /// Its colour.
    pub colour: Rgb,
}

/// How a person without a picture is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// At most two letters, upper case; empty when the name has none.
    pub initials: Arc<str>,
    /// The panel's colour, derived from the participant's id.
    pub colour: Rgb,
    /// A picture to show in place of the initials.
    pub avatar: Option<Bitmap>,
}

/// One placed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Whose it is.
    pub participant: ParticipantId,
    /// Where it lies; even-aligned, inside the canvas.
    pub rect: Rect,
    /// Higher is nearer to the eye; the grid never overlaps, so all are 0 there.
    pub z: i32,
    /// What it shows.
    pub picture: TilePicture,
    /// How the picture meets the rectangle.
    pub fit: Fit,
    /// Radius of its rounded corners in pixels; 0 is square.
    pub corner_radius: u32,
    /// A line around it.
    pub border: Option<Border>,
    /// 255 hides what is below, 0 is not seen at all.
    pub opacity: u8,
    /// What it shows when there is no picture.
    pub identity: Identity,
    /// The display name drawn into it; `None` draws none.
    pub label: Option<Arc<str>>,
    /// Whether the person speaks now.
    pub speaking: bool,
    /// Whether the person's microphone is muted: a mark beside the label.
    pub muted: bool,
    /// Whether its source sends nothing new: a mark over the last picture.
    pub stalled: bool,
}

impl Tile {
    /// The track whose pictures it shows; `None` while it shows none.
    #[must_use]
    pub fn track(&self) -> Option<TrackId> {
        let kind = match self.picture {
            TilePicture::Camera => TrackKind::Camera,
            TilePicture::Screen => TrackKind::Screen,
            TilePicture::Placeholder => return None,
        };
        Some(TrackId { participant: self.participant, kind })
    }

    /// What its pace goes by.
    #[must_use]
    pub fn paced(&self) -> PacedTile {
        let size = Size::new(self.rect.width, self.rect.height);
        PacedTile { size, leads: self.speaking || self.picture == TilePicture::Screen }
    }
}

/// What lies behind and between the tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    /// A flat colour.
    pub colour: Rgb,
    /// A picture over it that covers the canvas.
    pub image: Option<Bitmap>,
}

/// Something drawn over the tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Where; even-aligned, inside the canvas.
    pub rect: Rect,
    /// What.
    pub content: OverlayContent,
}

/// What an overlay shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlayContent {
    /// A picture (a logo), scaled to fit the rectangle, alpha kept.
    Picture(Bitmap),
    /// A line of text (a banner, a clock), as high as the rectangle allows, on a panel if one is named.
    Text {
        /// The words, any script.
        text: Arc<str>,
        /// Their colour.
        colour: Rgb,
        /// The panel behind them and its opacity.
        panel: Option<(Rgb, u8)>,
    },
}

/// A layout's result: everything the compositor must know for one tick besides the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// Extent of the output; even.
    pub canvas: Size,
    /// What lies behind and between the tiles.
    pub background: Background,
    /// In seat order; painted by ascending `z`, equal ones in this order.
    pub tiles: Vec<Tile>,
    /// Over all tiles, in this order.
    pub overlays: Vec<Overlay>,
}
