//! How long does the compositor's CPU twin take for a tick, beside the copy of as many bytes?

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use tessera::compose::cpu_compositor;
use tessera::media::{Outbox, ParticipantId, Picture, PlaneRef, Pts, Size, VideoFrame};
use tessera::scene::{Input, Scene, SceneCore};

const CANVAS: Size = Size::new(1280, 720);

struct Planes([Vec<u8>; 3], usize);

impl Picture for Planes {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.0[index], stride: if index == 0 { self.1 } else { self.1 / 2 } }
    }
}

fn picture(size: Size, seed: u32) -> VideoFrame {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut plane = |length: usize| {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            16 + u8::try_from(state >> 24).expect("a byte") % 200
        };
        (0..length).map(next).collect::<Vec<u8>>()
    };
    let planes = [plane(width * height), plane(width * height / 4), plane(width * height / 4)];
    VideoFrame { size, full_range: false, arrival: Instant::now(), picture: Arc::new(Planes(planes, width)) }
}

fn scene(people: u64) -> Arc<Scene> {
    let (mut core, mut out, now) = (SceneCore::new(CANVAS), Outbox::new(), Instant::now());
    for id in 0..people {
        let participant = ParticipantId(id);
        core.handle(now, Input::Joined { participant, name: format!("Person {id}") }, &mut out);
        core.handle(now, Input::CameraFrame { participant }, &mut out);
    }
    core.scene()
}

type Pictures = BTreeMap<ParticipantId, VideoFrame>;

fn pictures(people: u64, size: Size, seed: u32) -> Pictures {
    (0..people).zip(seed..).map(|(id, seed)| (ParticipantId(id), picture(size, seed))).collect()
}

fn tick(criterion: &mut Criterion, name: &str, people: u64, size: Size, sets: &[Pictures]) {
    let scene = scene(people);
    assert!(sets[0].values().all(|frame| frame.size == size));
    let mut compositor = cpu_compositor(CANVAS);
    let pool = compositor.pool();
    let mut next = sets.iter().cycle();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let sources = next.next().expect("a cycle never ends");
            pool.recycle(black_box(compositor.compose(&scene, sources, Pts(0))));
        });
    });
}

fn compose(criterion: &mut Criterion) {
    let small = Size::new(320, 180);
    let (one, two) = (pictures(100, small, 1), pictures(100, small, 1000));
    let mut one_changed = one.clone();
    one_changed.insert(ParticipantId(50), picture(small, 7));
    tick(criterion, "compose/100 tiles, all changed", 100, small, &[one.clone(), two]);
    tick(criterion, "compose/100 tiles, one changed", 100, small, &[one.clone(), one_changed]);
    tick(criterion, "compose/100 tiles, none changed", 100, small, &[one]);
    let sets = [pictures(16, small, 1), pictures(16, small, 1000)];
    tick(criterion, "compose/16 tiles of 320x180, all changed", 16, small, &sets);
    let large = Size::new(640, 360);
    let sets = [pictures(4, large, 1), pictures(4, large, 1000)];
    tick(criterion, "compose/4 tiles of 640x360, all changed", 4, large, &sets);
    let (from, mut to) = (vec![7_u8; 1280 * 720 * 3 / 2], vec![0_u8; 1280 * 720 * 3 / 2]);
    criterion.bench_function("compose/limit: copy of a canvas", |bencher| {
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = compose
}
criterion_main!(benches);
