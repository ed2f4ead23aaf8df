//! **The question:** what does one tick of a whole room cost? Sixteen cameras from coded frame to coded composite:
//! decode, scene, compose, encode, packetise, on one thread; beside it each share alone. No network; `tessera demo`
//! measures with one.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use tessera::app::load::clip::{self, Clip, ClipSetup};
use tessera::base::media::{Codec, Outbox, ParticipantId, Size, VideoFrame, pts_from_tick};
use tessera::core::scene::{Input, SceneCore};
use tessera::engine::compose::{self, Compositor};
use tessera::engine::decode::{self, VideoDecoder};
use tessera::engine::encode::{self, EncoderChoice, VideoEncoder, VideoEncoderSetup};
use tessera::io::webrtc::Packetiser;

const PEOPLE: usize = 16;
const CANVAS: Size = Size::new(1280, 720);

struct Room {
    clips: Vec<Arc<Clip>>,
    decoders: Vec<Box<dyn VideoDecoder>>,
    scene: SceneCore,
    compositor: Box<dyn Compositor>,
    encoder: Box<dyn VideoEncoder>,
    packetiser: Packetiser,
    sources: BTreeMap<ParticipantId, VideoFrame>,
    tick: usize,
}

impl Room {
    fn new(clips: &[Arc<Clip>]) -> Self {
        let (mut scene, mut out) = (SceneCore::new(CANVAS), Outbox::new());
        for number in 0..PEOPLE as u64 {
            let joined = Input::Joined { participant: ParticipantId(number), name: format!("Person {number}") };
            scene.handle(Instant::now(), joined, &mut out);
        }
        let setup = VideoEncoderSetup { codec: Codec::Av1, size: CANVAS, fps: 30, bitrate: 2_500_000, threads: 1 };
        Self {
            clips: clips.to_vec(),
            decoders: (0..PEOPLE).map(|_| decode::video_decoder(Codec::Av1).expect("libdav1d opens")).collect(),
            scene,
            compositor: compose::cpu_compositor(CANVAS),
            encoder: encode::video_encoder(EncoderChoice::Aom, setup).expect("libaom opens"),
            packetiser: Packetiser::new(),
            sources: BTreeMap::new(),
            tick: 0,
        }
    }

    fn decode(&mut self) {
        let (now, mut pictures, mut out) = (Instant::now(), Vec::new(), Outbox::new());
        for (number, decoder) in self.decoders.iter_mut().enumerate() {
            let frames = &self.clips[number].frames;
            let at = self.tick % frames.len();
            decoder.decode(frames[at].coded(), &mut pictures).expect("the clips are whole");
            let participant = ParticipantId(number as u64);
            if let Some(picture) = pictures.pop() {
                self.sources.insert(participant, picture);
                self.scene.handle(now, Input::CameraFrame { participant }, &mut out);
            }
        }
    }

    fn tick(&mut self) -> usize {
        self.decode();
        let pts = pts_from_tick(self.tick as u64, 30);
        let composed = self.compositor.compose(&self.scene.scene(), &self.sources, pts);
        let mut encoded = Vec::new();
        self.encoder.encode(&composed, self.tick == 0, &mut encoded).expect("the canvas fits the encoder");
        self.compositor.pool().recycle(composed);
        self.tick += 1;
        let frames = encoded.into_iter().map(Arc::new);
        frames.map(|frame| self.packetiser.packetise(&frame).payloads.len()).sum()
    }
}

fn room(criterion: &mut Criterion) {
    let clips = clip::prepare(PEOPLE, &ClipSetup::default(), &clip::cache_folder(), &|_| {}).expect("clips are made");
    let mut group = criterion.benchmark_group("room");
    group.sample_size(20);
    let mut whole = Room::new(&clips);
    whole.tick();
    group.bench_function("16 people, 720p: a tick", |bencher| bencher.iter(|| black_box(whole.tick())));
    let mut share = Room::new(&clips);
    group.bench_function("16 people, 720p: its decodes alone", |bencher| {
        bencher.iter(|| {
            share.decode();
            share.tick += 1;
        });
    });
    group.finish();
}

criterion_group!(benches, room);
criterion_main!(benches);
