//! A room's picture, tick by tick.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Canvas, CanvasSetup, OutputSetup};
use crate::base::allocations::allocations;
use crate::base::media::{
    Matrix, Outbox, ParticipantId, Picture, PlaneRef, RoomEpoch, RungId, Size, TrackId, TrackKind, VideoFrame,
    Wallclock, pts_from_tick,
};
use crate::core::ladder::Pace;
use crate::core::scene::{Input, SceneCore};
use crate::engine::compose::cpu_compositor;
use crate::engine::flow::{Counter, FrameSlot};

const FPS: u32 = 30;
const CANVAS: Size = Size::new(640, 360);
const CAMERA: Size = Size::new(128, 72);

/// One grey, all over.
struct Plain(Vec<u8>);

impl Picture for Plain {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        let width = if index == 0 { CAMERA.width } else { CAMERA.width / 2 };
        PlaneRef { data: &self.0, stride: width as usize }
    }
}

#[test]
fn a_thousand_ticks_of_a_room_allocate_nothing() {
    let now = Instant::now();
    let epoch = RoomEpoch { instant: now, wallclock: Wallclock(0) };
    let mut canvas = Canvas::new(CanvasSetup {
        epoch,
        fps: FPS,
        pace: Pace::new(FPS, 15),
        scene: SceneCore::new(CANVAS),
        motion: Duration::ZERO,
        ticks: [Counter::default(), Counter::default()],
        ticks_skipped: [Counter::default(), Counter::default()],
    });
    let compositor = cpu_compositor(CANVAS);
    let pool = compositor.pool();
    let (composed, encoder) = crossbeam_channel::bounded(2);
    let hidden = std::collections::BTreeSet::new();
    canvas.add_output(OutputSetup { rung: RungId(1), hidden, size: CANVAS, fps: FPS, compositor, composed });
    let mut out = Outbox::new();
    // As many as make small tiles, so that the pace of a crowd is at work.
    let cameras: Vec<_> = (0..64)
        .map(|number| {
            let (participant, slot) = (ParticipantId(number), FrameSlot::default());
            canvas.arrange(now, Input::Joined { participant, name: format!("Person {number}") }, &mut out);
            canvas.add_source(TrackId { participant, kind: TrackKind::Camera }, slot.clone());
            slot
        })
        .collect();
    let shades: Vec<Arc<dyn Picture>> = [40, 160]
        .map(|shade| Arc::new(Plain(vec![shade; (CAMERA.width * CAMERA.height) as usize])) as Arc<dyn Picture>)
        .into();
    let (mut drawn, mut worst) = (0, 0);
    for tick in 0..1_200 {
        for (number, slot) in cameras.iter().enumerate() {
            let picture = shades[(tick as usize / 2 + number) % 2].clone();
            let frame =
                VideoFrame { size: CAMERA, full_range: false, matrix: Matrix::default(), arrival: None, picture };
            drop(slot.publish(Box::new(frame)));
        }
        let at = epoch.instant_at(pts_from_tick(tick, FPS));
        let allocated = allocations(|| {
            canvas.tick_if_due(at, &mut out);
        });
        // The first ones fill the pool, and come with the scene of all who joined.
        if tick >= 200 {
            worst = worst.max(allocated);
            assert!(out.is_empty(), "nothing changed at tick {tick}");
        }
        out.drain().for_each(drop);
        for frame in encoder.try_iter() {
            drawn += usize::from(!frame.damage.is_none());
            pool.recycle(frame);
        }
    }
    // Small tiles are renewed at every second tick.
    assert_eq!((drawn, worst), (600, 0));
}
