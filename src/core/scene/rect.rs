//! **The question:** which pixels of the canvas? Even ones, so that chroma has a sample for each.

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

/// The even number at or below.
pub(super) const fn even(value: u32) -> u32 {
    value & !1
}
