//! How long does it take to lay a room out, and to move it? A tick of 100 tiles has 33 ms for everything.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::media::{Outbox, ParticipantId, Pts, Size};
use tessera::core::scene::{Input, Layout, LayoutName, Motion, SceneCore};

const CANVAS: Size = Size::new(1280, 720);

fn room(people: u64) -> SceneCore {
    let (mut core, mut out, now) = (SceneCore::new(CANVAS), Outbox::new(), Instant::now());
    for id in 0..people {
        core.handle(now, Input::Joined { participant: ParticipantId(id), name: format!("Person {id}") }, &mut out);
    }
    core
}

fn scene(criterion: &mut Criterion) {
    let now = Instant::now();
    criterion.bench_function("scene/the hundredth joins and leaves", |bencher| {
        let (mut core, mut out) = (room(99), Outbox::new());
        bencher.iter(|| {
            core.handle(now, Input::Joined { participant: ParticipantId(99), name: "Ada".into() }, &mut out);
            core.handle(now, Input::Left { participant: ParticipantId(99) }, &mut out);
            black_box(out.drain().count())
        });
    });
    criterion.bench_function("scene/a tick with 100 new pictures", |bencher| {
        let (mut core, mut out) = (room(100), Outbox::new());
        bencher.iter(|| {
            core.handle(now, Input::Tick, &mut out);
            for id in 0..100 {
                core.handle(now, Input::CameraFrame { participant: ParticipantId(id) }, &mut out);
            }
            black_box(out.drain().count())
        });
    });
    let mut core = room(100);
    let grid = core.scene();
    core.handle(now, Input::Layout(Layout::from(LayoutName::Speaker)), &mut Outbox::new());
    let speaker = core.scene();
    criterion.bench_function("scene/100 tiles change their course", |bencher| {
        let mut motion = Motion::new(Duration::from_millis(300), grid.clone());
        let mut targets = [speaker.clone(), grid.clone()].into_iter().cycle();
        let mut tick = 0;
        bencher.iter(|| {
            tick += 1;
            motion.retarget(Pts(tick * 33_333_333), targets.next().expect("a cycle never ends"));
        });
    });
    criterion.bench_function("scene/100 tiles move for a tick", |bencher| {
        let mut motion = Motion::new(Duration::from_millis(300), speaker.clone());
        motion.retarget(Pts(0), grid.clone());
        bencher.iter(|| black_box(motion.scene_at(black_box(Pts(100_000_000)))).tiles.len());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = scene
}
criterion_main!(benches);
