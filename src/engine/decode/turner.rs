//! **The question:** how is a picture seen whose sender turned their phone, perhaps just now?

use crate::base::limits;
use crate::base::media::{Orientation, VideoFrame};
use crate::engine::decode::reshape::{Reshape, Reshaper};

/// Turns the pictures of one track as each of them says.
#[derive(Debug, Default)]
pub struct Turner(Option<(Orientation, Reshaper)>);

impl Turner {
    /// The picture as it is to be seen; an upright one is the decoder's own.
    #[must_use]
    pub fn show(&mut self, orientation: Orientation, frame: VideoFrame) -> VideoFrame {
        if orientation.is_upright() {
            self.0 = None;
            return frame;
        }
        let kept = self.0.take().filter(|(of, _)| *of == orientation);
        let Orientation { mirrored, turns } = orientation;
        let reshape = Reshape { mirrored, turns, ..Reshape::default() };
        let (_, reshaper) =
            self.0.insert(kept.unwrap_or_else(|| (orientation, Reshaper::new(reshape, limits::INGEST_SIDE_MAX))));
        reshaper.show(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::media::{Matrix, Size};
    use crate::engine::decode::packed::PackedPool;

    #[test]
    fn case_17_video_orientation_turns_each_picture_as_it_says() {
        let size = Size::new(4, 2);
        let picture = Arc::new(PackedPool::new().picture(size, |out| out.extend(0..12)));
        let matrix = Matrix::default();
        let frame = VideoFrame { size, full_range: false, matrix, arrival: None, picture };
        let mut turner = Turner::default();
        let mut shown = |mirrored, turns| {
            let seen = turner.show(Orientation { mirrored, turns }, frame.clone());
            ((seen.size.width, seen.size.height), seen.picture.plane(0).data[..8].to_vec())
        };
        assert_eq!(shown(false, 0), ((4, 2), vec![0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(shown(false, 1), ((2, 4), vec![4, 0, 5, 1, 6, 2, 7, 3]));
        assert_eq!(shown(false, 1), shown(false, 1));
        assert_eq!(shown(false, 3), ((2, 4), vec![3, 7, 2, 6, 1, 5, 0, 4]));
        assert_eq!(shown(true, 0), ((4, 2), vec![3, 2, 1, 0, 7, 6, 5, 4]));
        assert_eq!(shown(false, 0).0, (4, 2), "upright again");
    }
}
