//! **The question:** where do tiles lie in a frame of the composite? The node tells it scene by scene, each with the
//! frame from which on it holds and with the way on which tiles come to their places (`docs/signalling.md`).

use std::collections::VecDeque;

use crate::base::limits;
use crate::base::media::Size;
use crate::core::signal::{FromNode, TilePlace};

/// Units of RTP time in a millisecond.
const TIME_PER_MS: u32 = 90;

/// Where tiles come to lie, as the node told it once.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// RTP timestamp of the last frame that is as before.
    pub after: u32,
    /// How long the way takes from there.
    pub motion_ms: u32,
    /// For what canvas the tiles are laid out; a rung may be smaller.
    pub canvas: Size,
    /// In the canvas' pixels.
    pub tiles: Vec<TilePlace>,
}

impl Told {
    /// What a message tells of tiles, if it does.
    pub fn of(message: FromNode) -> Option<Self> {
        match message {
            FromNode::Scene { width, height, after, motion_ms, tiles } => {
                Some(Self { after, motion_ms, canvas: Size::new(width, height), tiles })
            }
            _ => None,
        }
    }

    /// Left edge, upper edge, columns and rows of a tile in the frame of RTP timestamp `time`.
    pub fn place(&self, tile: &TilePlace, time: u32) -> [u32; 4] {
        let there = [tile.x, tile.y, tile.width, tile.height];
        let passed = time.wrapping_sub(self.after);
        let span = self.motion_ms.saturating_mul(TIME_PER_MS);
        let Some(from) = tile.from.filter(|_| passed < span) else { return there };
        let made = 1.0 - (1.0 - f64::from(passed) / f64::from(span)).powi(3);
        // Even, as compositors place them.
        std::array::from_fn(|at| {
            (f64::from(from[at]) + (f64::from(there[at]) - f64::from(from[at])) * made) as u32 & !1
        })
    }

    fn holds_at(&self, time: u32) -> bool {
        time.wrapping_sub(self.after).cast_signed() > 0
    }
}

/// The scene of the newest frame, and those that are told already and hold later.
#[derive(Debug, Default)]
pub(super) struct Places {
    told: VecDeque<Told>,
}

impl Places {
    /// The node tells where tiles will lie.
    pub fn tell(&mut self, told: Told) {
        if self.told.len() == limits::LOAD_SCENES_MAX {
            self.told.pop_front();
        }
        self.told.push_back(told);
    }

    /// A frame of RTP timestamp `time` is shown: whether it is laid out otherwise than the one before.
    pub fn come_to(&mut self, time: u32) -> bool {
        let before = self.told.len();
        while self.told.get(1).is_some_and(|next| next.holds_at(time)) {
            self.told.pop_front();
        }
        self.told.len() < before
    }

    /// What holds in the newest frame; before the first one, what was told first.
    pub fn now(&self) -> Option<&Told> {
        self.told.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::ParticipantId;
    use crate::core::signal::VideoTrack;

    fn tile(x: u32, from: Option<[u32; 4]>) -> TilePlace {
        let (participant, track) = (ParticipantId(1), VideoTrack::Camera);
        TilePlace { participant, track, x, y: 0, width: 320, height: 180, z: 0, from }
    }

    fn told(after: u32, x: u32, from: Option<[u32; 4]>) -> Told {
        Told { after, motion_ms: 300, canvas: Size::new(1280, 720), tiles: vec![tile(x, from)] }
    }

    #[test]
    fn a_scene_holds_from_the_frame_after_the_one_it_names_also_where_timestamps_wrap() {
        let mut places = Places::default();
        assert!(places.now().is_none() && !places.come_to(5));
        places.tell(told(u32::MAX - 10_000, 0, None));
        places.tell(told(u32::MAX - 2_999, 100, None));
        places.tell(told(3_000, 200, None));
        let mut x = |time| (places.come_to(time), places.now().unwrap().tiles[0].x);
        let times = [u32::MAX - 5_999, u32::MAX - 2_999, 0, 3_000, 6_000, 9_000];
        let seen = [(false, 0), (false, 0), (true, 100), (false, 100), (true, 200), (false, 200)];
        assert_eq!(times.map(&mut x), seen);
    }

    #[test]
    fn a_tile_is_on_its_way_for_as_long_as_was_told_and_no_more_are_kept_than_may_be() {
        let on_the_way = told(90_000, 640, Some([0, 360, 640, 360]));
        let place = |ms: u32| on_the_way.place(&on_the_way.tiles[0], 90_000 + ms * TIME_PER_MS);
        assert_eq!(place(0), [0, 360, 640, 360]);
        // Seven eighths of the way at half of the time.
        assert_eq!(place(150), [560, 44, 360, 202]);
        assert_eq!((place(300), place(10_000)), ([640, 0, 320, 180], [640, 0, 320, 180]));
        let mut places = Places::default();
        (0..10_000).for_each(|at| places.tell(told(at, at, None)));
        assert_eq!(places.told.len(), limits::LOAD_SCENES_MAX);
    }
}
