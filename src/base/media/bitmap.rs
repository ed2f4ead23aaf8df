//! **The question:** what is a still picture, drawn once and shown often?

use std::fmt;
use std::sync::Arc;

use crate::base::media::Size;

/// A still picture: sRGB, straight alpha, 4 bytes a pixel (red, green, blue, alpha), rows packed. Cloning shares it,
/// and two are equal when they are the same memory: a still is compared at every tick and changes at none.
#[derive(Clone)]
pub struct Bitmap(Arc<Pixels>);

struct Pixels {
    size: Size,
    rgba: Box<[u8]>,
}

impl Bitmap {
    /// A picture of `size`; `rgba` holds `width * height * 4` bytes, which is asserted.
    #[must_use]
    pub fn new(size: Size, rgba: Vec<u8>) -> Self {
        assert_eq!(rgba.len(), size.width as usize * size.height as usize * 4, "four bytes a pixel");
        Self(Arc::new(Pixels { size, rgba: rgba.into() }))
    }

    /// Its extent.
    #[must_use]
    pub fn size(&self) -> Size {
        self.0.size
    }

    /// Its bytes.
    #[must_use]
    pub fn rgba(&self) -> &[u8] {
        &self.0.rgba
    }
}

impl PartialEq for Bitmap {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Bitmap {}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitmap({}x{})", self.0.size.width, self.0.size.height)
    }
}
