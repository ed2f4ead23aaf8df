//! **The question:** what is a sender asked for, given the tile it fills? Sizes in steps, more at once, less only after
//! a while, so that a layout that moves does not make encoders start over.

use std::time::{Duration, Instant};

use crate::base::media::{Outbox, Size};

/// What a sender is asked to send; its tile needs no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendTarget {
    /// Largest useful picture.
    pub size: Size,
    /// Frames a second.
    pub fps: u32,
    /// Bits a second.
    pub bitrate: u32,
}

/// The steps, with the bits a second of each at 30 frames/s. Real-time AV1 needs fewer bits a pixel as pictures grow.
const STEPS: [(Size, u32); 8] = [
    (Size::new(160, 90), 80_000),
    (Size::new(320, 180), 200_000),
    (Size::new(480, 270), 350_000),
    (Size::new(640, 360), 550_000),
    (Size::new(960, 540), 1_000_000),
    (Size::new(1280, 720), 1_600_000),
    (Size::new(1920, 1080), 3_000_000),
    (Size::new(2560, 1440), 4_500_000),
];
/// A tile may exceed a step by an eighth before the next is asked for: nobody sees that much scaling.
const STRETCH: u32 = 8;
/// Frames a second of someone who is not seen: enough to come back quickly.
const HIDDEN_FPS: u32 = 5;
/// The frame rate at which the steps' bitrates are given.
const STEP_FPS: u32 = 30;

/// What to ask of a sender whose tile is `tile` on a canvas of `fps`; `None` for one who is not seen.
#[must_use]
pub fn target_for(tile: Option<Size>, fps: u32) -> SendTarget {
    let Some(tile) = tile else {
        return SendTarget {
            size: STEPS[0].0,
            fps: HIDDEN_FPS.min(fps),
            bitrate: scaled(STEPS[0].1, HIDDEN_FPS.min(fps)),
        };
    };
    // The picture is cropped or letterboxed into the tile, so the longer of the two ratios counts.
    let fits = |step: Size| {
        step.width + step.width / STRETCH >= tile.width && step.height + step.height / STRETCH >= tile.height
    };
    let largest = STEPS[STEPS.len() - 1];
    let (size, bitrate) = STEPS.iter().copied().find(|(step, _)| fits(*step)).unwrap_or(largest);
    SendTarget { size, fps, bitrate: scaled(bitrate, fps) }
}

/// Half the bits go with the frame rate, the other half stay: slower pictures differ more from each other.
fn scaled(bitrate: u32, fps: u32) -> u32 {
    bitrate / 2 + bitrate / 2 * fps / STEP_FPS
}

/// What the layout tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UplinkInput {
    /// What the track is shown as.
    Tile {
        /// The tile that it fills; `None` when it is not seen.
        size: Option<Size>,
        /// The canvas' frames a second.
        fps: u32,
        /// How long a smaller target must last before it is asked for.
        patience: Duration,
    },
    /// The deadline came.
    Due,
}

/// What was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UplinkStats {
    /// Targets sent.
    pub asked: u64,
    /// Smaller targets that did not last.
    pub suppressed: u64,
}

/// Decides when the target of one sender changes.
#[derive(Debug, Default)]
pub struct UplinkTarget {
    asked: Option<SendTarget>,
    /// A smaller target, and when it will be asked for.
    shrinking: Option<(SendTarget, Instant)>,
    stats: UplinkStats,
}

impl UplinkTarget {
    /// Nothing asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input; pushes the target to ask for, if it changes now.
    pub fn handle(&mut self, now: Instant, input: UplinkInput, out: &mut Outbox<SendTarget>) {
        if let UplinkInput::Tile { size, fps, patience } = input {
            self.consider(now, target_for(size, fps), patience, out);
        }
        if let Some((target, at)) = self.shrinking
            && at <= now
        {
            self.ask(target, out);
        }
    }

    /// When `handle` must be called again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.shrinking.map(|(_, at)| at)
    }

    /// What was asked so far.
    #[must_use]
    pub fn stats(&self) -> UplinkStats {
        self.stats
    }

    fn consider(&mut self, now: Instant, target: SendTarget, patience: Duration, out: &mut Outbox<SendTarget>) {
        let Some(asked) = self.asked else { return self.ask(target, out) };
        if target == asked {
            self.stats.suppressed += u64::from(self.shrinking.take().is_some());
            return;
        }
        if target.size > asked.size || (target.size == asked.size && target.fps > asked.fps) {
            return self.ask(target, out);
        }
        let at = self.shrinking.map_or(now + patience, |(_, at)| at.min(now + patience));
        self.shrinking = Some((target, at));
    }

    fn ask(&mut self, target: SendTarget, out: &mut Outbox<SendTarget>) {
        self.shrinking = None;
        self.asked = Some(target);
        self.stats.asked += 1;
        out.push(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_a_grid_ask_for_sensible_steps() {
        let asked = |width, height| target_for(Some(Size::new(width, height)), 30).size;
        assert_eq!(asked(128, 72), Size::new(160, 90), "100 seats");
        assert_eq!(asked(320, 180), Size::new(320, 180), "16 seats");
        assert_eq!(asked(426, 240), Size::new(480, 270), "9 seats");
        assert_eq!(asked(640, 360), Size::new(640, 360), "4 seats");
        assert_eq!(asked(640, 720), Size::new(1280, 720), "2 seats side by side, cropped");
        assert_eq!(asked(4096, 4096), Size::new(2560, 1440));
        let hidden = target_for(None, 30);
        assert!(hidden.fps == 5 && hidden.bitrate < 60_000);
    }

    #[test]
    fn more_pixels_never_mean_fewer_bits() {
        for pair in STEPS.windows(2) {
            assert!(pair[1].0 > pair[0].0 && pair[1].1 > pair[0].1);
            let per_pixel = |(size, bits): (Size, u32)| f64::from(bits) / f64::from(size.width * size.height);
            assert!(per_pixel(pair[1]) < per_pixel(pair[0]));
        }
    }

    const USUAL: Duration = Duration::from_secs(3);

    fn shown(size: Option<Size>, fps: u32, patience: Duration) -> UplinkInput {
        UplinkInput::Tile { size, fps, patience }
    }

    #[test]
    fn growth_is_asked_at_once_and_a_flapping_layout_is_spared() {
        let start = Instant::now();
        let (mut ask, mut out) = (UplinkTarget::new(), Outbox::new());
        let (small, large) = (Some(Size::new(320, 180)), Some(Size::new(1280, 720)));
        ask.handle(start, shown(small, 30, USUAL), &mut out);
        ask.handle(start, shown(large, 30, USUAL), &mut out);
        assert_eq!(out.drain().count(), 2);
        for n in 0..10 {
            let now = start + Duration::from_secs(n);
            ask.handle(now, shown(if n % 2 == 0 { small } else { large }, 30, USUAL), &mut out);
        }
        assert!(out.is_empty());
        assert_eq!(ask.stats().suppressed, 5);
        let now = start + Duration::from_secs(20);
        ask.handle(now, shown(small, 30, USUAL), &mut out);
        let due = ask.deadline().unwrap();
        ask.handle(due, UplinkInput::Due, &mut out);
        assert_eq!(out.drain().map(|t| t.size).collect::<Vec<_>>(), [Size::new(320, 180)]);
        assert_eq!(ask.deadline(), None);
    }

    #[test]
    fn less_is_asked_as_soon_as_whoever_has_the_least_patience_wants_it() {
        let now = Instant::now();
        let (mut ask, mut out) = (UplinkTarget::new(), Outbox::new());
        let (tile, soon) = (Some(Size::new(320, 180)), Duration::from_millis(300));
        ask.handle(now, shown(tile, 30, USUAL), &mut out);
        ask.handle(now, shown(tile, 20, USUAL), &mut out);
        ask.handle(now, shown(tile, 15, soon), &mut out);
        ask.handle(now, shown(tile, 15, USUAL), &mut out);
        assert_eq!((out.drain().count(), ask.deadline()), (1, Some(now + soon)));
        // A node that cannot carry more does not wait.
        ask.handle(now, shown(tile, 10, Duration::ZERO), &mut out);
        ask.handle(now, shown(tile, 10, Duration::ZERO), &mut out);
        assert_eq!(out.drain().map(|target| target.fps).collect::<Vec<_>>(), [10]);
        assert_eq!(ask.deadline(), None);
    }
}
