//! How long does a tick take on a GPU, from pictures in memory to the canvas in memory, and what does it cost the
//! compose thread?
//!
//! `TESSERA_ADAPTER` names the adapter by a part of its name (`TESSERA_ADAPTER=llvmpipe`); unset: the best that is
//! hardware, and where there is none the bench says so and ends well. `benches/gpu.sh` is the script for a machine with
//! a GPU.

#![expect(clippy::print_stdout, reason = "figures that criterion does not know")]

mod stage;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::media::{Pts, Size, pts_from_tick};
use tessera::core::scene::Scene;
use tessera::engine::compose::{Compositor, CompositorChoice, Compositors};

use stage::{FULL_HD, HD, Pictures, pictures, scene};

/// A row of the table.
struct Case {
    name: &'static str,
    canvas: Size,
    people: u64,
    source: Size,
    /// How many of the pictures are new at every tick.
    changed: u64,
}

const CASES: [Case; 6] = [
    Case {
        name: "100 tiles 320x180 to 720p, all changed",
        canvas: HD,
        people: 100,
        source: Size::new(320, 180),
        changed: 100,
    },
    Case {
        name: "100 tiles 320x180 to 720p, one changed",
        canvas: HD,
        people: 100,
        source: Size::new(320, 180),
        changed: 1,
    },
    Case {
        name: "100 tiles 320x180 to 720p, none changed",
        canvas: HD,
        people: 100,
        source: Size::new(320, 180),
        changed: 0,
    },
    Case {
        name: "25 tiles 640x360 to 1080p, all changed",
        canvas: FULL_HD,
        people: 25,
        source: Size::new(640, 360),
        changed: 25,
    },
    Case {
        name: "100 tiles 320x180 to 1080p, all changed",
        canvas: FULL_HD,
        people: 100,
        source: Size::new(320, 180),
        changed: 100,
    },
    Case {
        name: "100 tiles of their size to 1080p, all changed",
        canvas: FULL_HD,
        people: 100,
        source: Size::new(0, 0),
        changed: 100,
    },
];

impl Case {
    /// Two sets of pictures that differ in `changed` of them; one set when nothing does.
    fn sets(&self, scene: &Scene) -> Vec<Pictures> {
        let rect = &scene.tiles[0].rect;
        let size = if self.source.width == 0 { Size::new(rect.width, rect.height) } else { self.source };
        let first = pictures(self.people, size, 1);
        let mut second = first.clone();
        second.extend(pictures(self.changed, size, 1000));
        if self.changed == 0 { vec![first] } else { vec![first, second] }
    }
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

/// One tick as a compose thread does it, but without its sleeps: begin, then ask until the picture is there.
fn tick(compositor: &mut dyn Compositor, scene: &Scene, sources: &Pictures, number: u64) {
    assert!(compositor.begin(scene, sources, pts_from_tick(number, 30)), "nothing else is in flight");
    let frame = loop {
        match compositor.finished() {
            Some(frame) => break frame,
            None => std::thread::yield_now(),
        }
    };
    compositor.pool().recycle(black_box(frame));
}

/// Processor time of one tick on the compose thread: begin and take, the waiting between them left out.
fn thread_share(compositor: &mut dyn Compositor, scene: &Scene, sources: &Pictures) -> Duration {
    let start = processor_time();
    assert!(compositor.begin(scene, sources, Pts(0)), "nothing else is in flight");
    let begun = processor_time() - start;
    // Until it is surely there: what is asked too early costs a look more.
    let mut taken = Duration::ZERO;
    while compositor.in_flight() > 0 {
        std::thread::sleep(Duration::from_millis(20));
        let start = processor_time();
        if let Some(frame) = compositor.finished() {
            compositor.pool().recycle(frame);
        }
        taken += processor_time() - start;
    }
    begun + taken
}

fn compose(criterion: &mut Criterion) {
    let adapter = std::env::var("TESSERA_ADAPTER").unwrap_or_default();
    let compositors = match Compositors::open(CompositorChoice::Gpu, &adapter) {
        Ok(compositors) => compositors,
        Err(error) => return println!("compose_gpu: {error}; nothing to measure"),
    };
    println!("compose_gpu: {}", compositors.reason());
    for case in &CASES {
        let scene = scene(case.canvas, case.people);
        let sets = case.sets(&scene);
        let mut compositor = compositors.make(case.canvas);
        let (mut next, mut number) = (sets.iter().cycle(), 0);
        criterion.bench_function(&format!("compose_gpu/{}", case.name), |bencher| {
            bencher.iter(|| {
                tick(&mut *compositor, &scene, next.next().expect("a cycle never ends"), number);
                number += 1;
            });
        });
        let mut shares: Vec<Duration> =
            (0..9).map(|_| thread_share(&mut *compositor, &scene, next.next().expect("a cycle never ends"))).collect();
        shares.sort_unstable();
        println!("compose_gpu/{}: compose thread {:.3} ms of processor time", case.name, shares[4].as_secs_f64() * 1e3);
        assert_eq!(compositor.name(), "gpu", "the device held");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = compose
}
criterion_main!(benches);
