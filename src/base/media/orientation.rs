//! **The question:** which way up is a picture?

/// What is done to a picture so that it is seen upright: it is mirrored, then turned clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Orientation {
    /// Left and right are exchanged.
    pub mirrored: bool,
    /// Quarter turns clockwise, 0 to 3.
    pub turns: u8,
}

impl Orientation {
    /// Whether it is seen as it is.
    #[must_use]
    pub const fn is_upright(self) -> bool {
        !self.mirrored && self.turns == 0
    }
}
