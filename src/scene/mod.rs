//! **The question:** who is seen where? Floor 1: joins, leaves and cameras go in, a [`Scene`] of [`Tile`]s comes out.
//!
//! Doors: [`SceneCore`] (`handle`, `deadline`, `stats`); [`layout`] holds the policy (today: one clean grid), [`identity`]
//! what a person without a picture looks like.

mod core;
mod identity;
mod layout;

use std::sync::Arc;

use crate::media::{ParticipantId, Size};

pub use self::core::{Input, Output, SceneCore, Stats};
pub use self::identity::{Rgb, colour_of, initials_of};
pub use self::layout::{Grid, grid_for};

/// A rectangle of canvas pixels; every field is even, so that it falls on whole chroma samples too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Rect {
    /// The first column right of it.
    #[must_use]
    pub const fn right(&self) -> u32 {
        self.x + self.width
    }

    /// The first row below it.
    #[must_use]
    pub const fn bottom(&self) -> u32 {
        self.y + self.height
    }

    /// Whether both cover at least one common pixel.
    #[must_use]
    pub const fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// What a tile shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TilePicture {
    /// The person's camera; the compositor shows the placeholder of `identity` until its first frame is there.
    Camera,
    /// Initials on a panel.
    Placeholder,
}

/// How a person without a picture is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// At most two letters, upper case; empty when the name has none.
    pub initials: Arc<str>,
    /// The panel's colour, derived from the participant's id.
    pub colour: Rgb,
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
    /// What it shows when there is no picture.
    pub identity: Identity,
    /// Whether the person speaks now.
    pub speaking: bool,
}

/// A layout's result: everything the compositor must know for one tick besides the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// Extent of the output; even.
    pub canvas: Size,
    /// What lies behind and between the tiles.
    pub background: Rgb,
    /// In seat order.
    pub tiles: Vec<Tile>,
}
