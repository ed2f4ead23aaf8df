//! **The question:** who is seen where? Floor 2: joins, leaves, cameras, screens and wishes go in, a [`Scene`] of
//! [`Tile`]s comes out.
//!
//! Doors: [`SceneCore`] (`handle`, `deadline`, `stats`) says what is seen; [`Layout`] is the document that chooses
//! how (`docs/layout.md`); [`Motion`] says what is seen at one tick while a scene turns into the next, and by which
//! [`Passage`]; [`ContentWatch`] says whether that is cameras or a screen. Inside: `seats` (who sits where),
//! `floor` (who comes to the front), `places` with `grid` and `stage` (where everything lies), `overlay` (banner,
//! logo, clock), `identity` (what a person without a picture looks like), `rect` and `tile` (what is seen, and on
//! which pixels), `value` (numbers and colours of documents).

mod content;
mod core;
mod document;
mod floor;
mod grid;
mod identity;
mod motion;
mod overlay;
mod places;
mod rect;
mod redacted;
mod scaled;
mod seats;
mod stage;
mod tile;
mod value;

pub use self::content::ContentWatch;
pub use self::core::{Input, Output, SceneCore, Stats};
pub use self::document::{
    CornerRadius, Depth, Edge, Extent, Layout, LayoutError, LayoutName, Region, RegionBorder, RegionFit, RegionRect,
    Thickness, TileCount, Who,
};
pub use self::grid::{Grid, grid_for};
pub use self::identity::{Rgb, colour_of, initials_of};
pub use self::motion::{Motion, Passage};
pub use self::rect::Rect;
pub use self::redacted::redacted;
pub use self::scaled::scaled;
pub use self::tile::{Background, Border, Fit, Identity, Overlay, OverlayContent, Scene, Tile, TilePicture};
pub use self::value::{Colour, Fraction, Whole};
