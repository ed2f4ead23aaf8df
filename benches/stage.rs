//! What do compositor benches show? Scenes of people who all have a camera, and pictures of noise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tessera::base::media::{Matrix, Outbox, ParticipantId, Picture, PlaneRef, Size, VideoFrame};
use tessera::core::scene::{Input, Scene, SceneCore};

pub const HD: Size = Size::new(1280, 720);
pub const FULL_HD: Size = Size::new(1920, 1080);

/// What each one's camera shows.
pub type Pictures = BTreeMap<ParticipantId, VideoFrame>;

struct Planes([Vec<u8>; 3], usize);

impl Picture for Planes {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.0[index], stride: if index == 0 { self.1 } else { self.1 / 2 } }
    }
}

/// Noise, another one for each seed.
pub fn picture(size: Size, seed: u64) -> VideoFrame {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut plane = |length: usize| {
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            16 + u8::try_from(state >> 56).expect("a byte") % 200
        };
        (0..length).map(next).collect::<Vec<u8>>()
    };
    let planes = [plane(width * height), plane(width * height / 4), plane(width * height / 4)];
    VideoFrame {
        size,
        full_range: false,
        matrix: Matrix::default(),
        arrival: None,
        picture: Arc::new(Planes(planes, width)),
    }
}

/// Those of so many people, with seeds from `seed` on.
pub fn pictures(people: u64, size: Size, seed: u64) -> Pictures {
    (0..people).zip(seed..).map(|(id, seed)| (ParticipantId(id), picture(size, seed))).collect()
}

/// A grid of so many.
pub fn scene(canvas: Size, people: u64) -> Arc<Scene> {
    let (mut core, mut out, now) = (SceneCore::new(canvas), Outbox::new(), Instant::now());
    for id in 0..people {
        let participant = ParticipantId(id);
        core.handle(now, Input::Joined { participant, name: format!("Person {id}") }, &mut out);
        core.handle(now, Input::CameraFrame { participant }, &mut out);
    }
    core.scene()
}
