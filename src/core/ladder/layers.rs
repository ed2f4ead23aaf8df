//! **The question:** which simulcast layer of a track is taken? The smallest that covers its tile, from a keyframe of
//! it on; until that is there, the one before.

use std::time::Instant;

use crate::base::limits;
use crate::base::media::Size;

/// A layer may be smaller than its target by a ninth on each side: nobody sees that much scaling.
const COVERS: (u64, u64) = (81, 64);

/// The layers of one track, each known by its SSRC, and which of them is wished for.
#[derive(Debug, Default)]
pub struct LayerChoice {
    /// The largest useful picture.
    target: Option<Size>,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    ssrc: u32,
    /// Of its newest keyframe.
    size: Option<Size>,
    heard: Instant,
    /// When it was last asked for a keyframe.
    asked: Option<Instant>,
}

impl LayerChoice {
    /// The largest useful picture is `target` from now on.
    pub fn aim(&mut self, target: Size) {
        self.target = Some(target);
    }

    /// The same target, and no layer known.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { target: self.target, layers: Vec::new() }
    }

    /// A packet of a layer came; `size` is that of the keyframe which begins with it, if one does.
    pub fn hear(&mut self, now: Instant, ssrc: u32, size: Option<Size>) {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.ssrc == ssrc) {
            layer.heard = now;
            layer.size = size.or(layer.size);
            return;
        }
        if self.layers.len() == limits::LAYERS_MAX {
            let oldest = self.layers.iter().enumerate().min_by_key(|(_, layer)| layer.heard).map(|(at, _)| at);
            oldest.map(|at| self.layers.swap_remove(at));
        }
        self.layers.push(Layer { ssrc, size, heard: now, asked: None });
    }

    /// The layer to take, of those that flow and whose size is known: the smallest that covers the target, else the
    /// largest.
    #[must_use]
    pub fn best(&self, now: Instant) -> Option<u32> {
        let wanted = self.target.map_or(u64::MAX, pixels);
        let known = self.layers.iter().filter(|layer| layer.flows(now));
        let sized = known.filter_map(|layer| Some((pixels(layer.size?), layer.ssrc)));
        let covers = |(have, _): &(u64, u32)| {
            u128::from(*have) * u128::from(COVERS.0) >= u128::from(wanted) * u128::from(COVERS.1)
        };
        let smallest = sized.clone().filter(covers).min();
        smallest.or_else(|| sized.max()).map(|(_, ssrc)| ssrc)
    }

    /// The layer that is to be asked for a keyframe now, while `taken` is: the one wished for, once a
    /// [`limits::KEYFRAME_SPACING`]; one of which no size is known yet, once a [`limits::KEYFRAME_INTERVAL`].
    pub fn ask(&mut self, now: Instant, taken: u32) -> Option<u32> {
        let best = self.best(now).filter(|best| *best != taken);
        let due = |layer: &&mut Layer| {
            let spacing = if best == Some(layer.ssrc) {
                limits::KEYFRAME_SPACING
            } else if layer.size.is_none() && layer.ssrc != taken && layer.flows(now) {
                limits::KEYFRAME_INTERVAL
            } else {
                return false;
            };
            layer.asked.is_none_or(|at| now >= at + spacing)
        };
        let layer = self.layers.iter_mut().find(due)?;
        layer.asked = Some(now);
        Some(layer.ssrc)
    }
}

impl Layer {
    fn flows(&self, now: Instant) -> bool {
        now < self.heard + limits::LAYER_DRY_SPAN
    }
}

fn pixels(size: Size) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIZES: [Size; 3] = [Size::new(320, 180), Size::new(640, 360), Size::new(1280, 720)];

    fn three(now: Instant) -> LayerChoice {
        let mut layers = LayerChoice::default();
        for (ssrc, size) in (1..).zip(SIZES) {
            layers.hear(now, ssrc, Some(size));
        }
        layers
    }

    #[test]
    fn the_smallest_layer_that_covers_the_tile_is_taken() {
        let now = Instant::now();
        let mut layers = three(now);
        assert_eq!(layers.best(now), Some(3), "nobody said how large the tile is");
        for ((width, height), best) in
            [((160, 90), 1), ((320, 180), 1), ((480, 270), 2), ((640, 360), 2), ((960, 540), 3), ((2560, 1440), 3)]
        {
            layers.aim(Size::new(width, height));
            assert_eq!(layers.best(now), Some(best), "{width}x{height}");
        }
    }

    #[test]
    fn a_layer_that_dries_up_gives_way_to_the_next_best() {
        let start = Instant::now();
        let mut layers = three(start);
        let later = start + limits::LAYER_DRY_SPAN;
        layers.hear(later, 1, None);
        layers.hear(later, 2, None);
        assert_eq!(layers.best(later), Some(2));
        layers.hear(later, 3, None);
        assert_eq!(layers.best(later), Some(3), "it came back");
    }

    #[test]
    fn the_wished_layer_is_asked_once_a_second_and_an_unknown_one_now_and_then() {
        let start = Instant::now();
        let mut layers = three(start);
        layers.aim(SIZES[1]);
        assert_eq!(layers.ask(start, 2), None, "it is taken");
        assert_eq!((layers.ask(start, 3), layers.ask(start, 3)), (Some(2), None));
        let later = start + limits::KEYFRAME_SPACING;
        (1..4).for_each(|ssrc| layers.hear(later, ssrc, None));
        assert_eq!(layers.ask(later, 3), Some(2));
        layers.hear(later, 9, None);
        assert_eq!((layers.ask(later, 2), layers.ask(later, 2)), (Some(9), None), "nobody knows how large it is");
        assert_eq!(layers.ask(later + limits::KEYFRAME_INTERVAL - Duration::from_millis(1), 2), None);
    }

    #[test]
    fn any_number_of_layers_is_bounded() {
        let (now, mut layers) = (Instant::now(), LayerChoice::default());
        for ssrc in 0..1000 {
            layers.hear(now + Duration::from_millis(ssrc.into()), ssrc, Some(SIZES[0]));
        }
        assert_eq!(layers.layers.len(), limits::LAYERS_MAX);
        assert!(layers.layers.iter().any(|layer| layer.ssrc == 999), "the newest is among them");
    }
}
