//! **The question:** how does a GPU draw a scene? One submit a tick: changed pictures go up, one workgroup draws each
//! block that something touches (`shaders/`), the bands that changed come back. Nothing waits: a canvas is finished a
//! little later.
//!
//! `device` opens the adapter; `list` writes the plan's operations down for the device, `blocks` sorts it, `tables`
//! keeps what outlives a tick, `raster` lays the canvas out, `in_flight` owns the buffers of ticks under way. wgpu's
//! types never leave this folder. When the device is lost, the processor draws the next tick.

mod blocks;
mod device;
mod in_flight;
mod kernels;
mod list;
mod raster;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::limits;
use crate::base::media::{ComposedFrame, Damage, Pts, Size};
use crate::core::scene::Scene;
use crate::engine::compose::draw::Operation;
use crate::engine::compose::history::History;
use crate::engine::compose::plan::Planner;
use crate::engine::compose::{Compositor, FramePool, Loss, Sources, cpu};

pub use self::device::DeviceError;
pub(super) use self::device::{Device, Wanted};
use self::in_flight::{Flight, Tick};
use self::list::{Encoded, Key};
use self::raster::Raster;
use self::tables::Tables;

/// What [`Compositor::name`] says while a GPU draws.
pub(super) const NAME: &str = "gpu";

/// A compositor for one room on `canvas`, whose sides are even, by `device`.
pub(super) fn compositor(device: Arc<Device>, canvas: Size) -> Box<dyn Compositor> {
    Box::new(GpuCompositor::new(device, canvas))
}

/// As [`compositor`], writing in our own font only: it draws the same on every machine.
#[cfg(test)]
pub(super) fn with_own_font(device: Arc<Device>, canvas: Size) -> Box<dyn Compositor> {
    let mut compositor = GpuCompositor::new(device, canvas);
    compositor.planner.use_own_font();
    Box::new(compositor)
}

/// Draws on a device for as long as there is one.
struct GpuCompositor {
    canvas: Size,
    planner: Planner,
    painter: Painter,
    pool: FramePool,
    loss: Option<Loss>,
    /// Bytes of pictures' samples that went up so far.
    uploaded: u64,
}

enum Painter {
    Device(Box<Easel>),
    Processor(Box<dyn Compositor>),
}

/// A room's things on the device.
struct Easel {
    device: Arc<Device>,
    raster: Raster,
    history: History,
    encoded: Encoded,
    tables: Tables<Key>,
    flight: Flight,
    /// The canvas as it was last read back.
    mirror: Vec<u8>,
    buffers: Buffers,
}

struct Buffers {
    tick: wgpu::Buffer,
    tables: wgpu::Buffer,
    canvas: wgpu::Buffer,
    packed: wgpu::Buffer,
    group: wgpu::BindGroup,
}

/// Why a tick did not begin.
enum Refusal {
    /// All berths are under way.
    Busy,
    /// The device cannot do it, now or ever.
    Unable(String),
}

impl Compositor for GpuCompositor {
    fn name(&self) -> &'static str {
        match &self.painter {
            Painter::Device(_) => NAME,
            Painter::Processor(processor) => processor.name(),
        }
    }

    fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> bool {
        let refusal = match &mut self.painter {
            Painter::Processor(processor) => return processor.begin(scene, sources, pts),
            Painter::Device(easel) => {
                let planner = &mut self.planner;
                let drawn = easel.ready().and_then(|()| {
                    planner.plan(scene, sources);
                    easel.draw(pts, planner.operations(), planner.damage())
                });
                match drawn {
                    Ok(samples) => {
                        self.uploaded += samples;
                        return true;
                    }
                    Err(refusal) => refusal,
                }
            }
        };
        match refusal {
            Refusal::Busy => false,
            Refusal::Unable(reason) => self.give_up(reason).begin(scene, sources, pts),
        }
    }

    fn finished(&mut self) -> Option<ComposedFrame> {
        match &mut self.painter {
            Painter::Device(easel) => easel.finished(&self.pool),
            Painter::Processor(processor) => processor.finished(),
        }
    }

    fn in_flight(&self) -> usize {
        match &self.painter {
            Painter::Device(easel) => easel.flight.len(),
            Painter::Processor(processor) => processor.in_flight(),
        }
    }

    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame {
        assert_eq!(self.in_flight(), 0, "nothing else is in flight");
        let begun = self.begin(scene, sources, pts);
        assert!(begun, "an empty flight has room");
        if let Painter::Device(easel) = &self.painter {
            easel.wait();
        }
        match self.finished() {
            Some(frame) => frame,
            // The device went away while it drew.
            None => self.give_up("the device did not answer".into()).compose(scene, sources, pts),
        }
    }

    fn loss(&mut self) -> Option<Loss> {
        self.loss.take()
    }

    fn pool(&self) -> FramePool {
        self.pool.clone()
    }
}

impl GpuCompositor {
    fn new(device: Arc<Device>, canvas: Size) -> Self {
        let painter = Painter::Device(Box::new(Easel::new(device, canvas)));
        Self { canvas, planner: Planner::new(canvas), painter, pool: FramePool::default(), loss: None, uploaded: 0 }
    }

    /// The processor takes over; what is in flight is gone.
    fn give_up(&mut self, reason: String) -> &mut dyn Compositor {
        if let Painter::Device(easel) = &self.painter {
            // The driver's own word, if it said one, tells more.
            let reason = easel.device.loss().reason().map_or(reason, str::to_owned);
            self.loss = Some(Loss { reason, ticks: easel.flight.len() as u64 });
            let history = easel.history.followed();
            self.painter = Painter::Processor(cpu::successor(self.canvas, history, self.pool.clone()));
        }
        match &mut self.painter {
            Painter::Processor(processor) => &mut **processor,
            Painter::Device(_) => unreachable!("replaced above"),
        }
    }

    #[cfg(test)]
    fn uploaded(&self) -> u64 {
        self.uploaded
    }
}

impl Easel {
    fn new(device: Arc<Device>, canvas: Size) -> Self {
        let raster = Raster { size: canvas };
        let buffers = Buffers::new(&device, raster, 1 << 20);
        let samples = (canvas.width * canvas.height * 3 / 2) as usize;
        Self {
            flight: Flight::new(&device, raster.packed_len()),
            history: History::new(canvas),
            encoded: Encoded::default(),
            tables: Tables::new(),
            mirror: vec![0; samples],
            buffers,
            raster,
            device,
        }
    }

    /// Why the device can no longer be used, if so. Buffers of a room that goes on and are not given back tell it too.
    fn trouble(&self) -> Option<Refusal> {
        self.device.poll();
        if self.flight.is_broken() {
            self.device.loss().note("the device did not give a buffer back".into());
        }
        self.device.loss().reason().map(|reason| Refusal::Unable(reason.into()))
    }

    /// Waits until the oldest tick can land, or the device is in trouble. The device being done is not enough: anyone
    /// who of the rooms that share it asks first hands out what all their buffers have become, and may be at it still.
    fn wait(&self) {
        loop {
            self.device.wait();
            if self.flight.has_landing() || self.trouble().is_some() {
                return;
            }
            std::hint::spin_loop();
        }
    }

    /// Whether a tick can begin now.
    fn ready(&self) -> Result<(), Refusal> {
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        if self.flight.has_room() { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Sends `operations` off as the tick at `pts`, which has room; says how many bytes of samples go up with it.
    fn draw(&mut self, pts: Pts, operations: &[Operation], damage: &Damage) -> Result<u64, Refusal> {
        let tick = Tick { pts, damage: damage.clone() };
        if operations.is_empty() {
            self.flight.pass(tick);
            return Ok(0);
        }
        if self.encoded.encode(self.raster, operations, &mut self.tables).is_err() {
            self.tables.forget();
            let again = self.encoded.encode(self.raster, operations, &mut self.tables);
            again.map_err(|_| Refusal::Unable("one tick's masks and stills exceed the tables".into()))?;
        }
        self.fit_tick()?;
        self.send(tick);
        let samples = self.encoded.sample_bytes();
        self.encoded.clear();
        // A submit that failed was noted; the tick is drawn again by the processor, not lost.
        match self.trouble() {
            Some(trouble) => {
                self.flight.retract();
                Err(trouble)
            }
            None => Ok(samples),
        }
    }

    /// Makes the tick's buffer large enough.
    fn fit_tick(&mut self) -> Result<(), Refusal> {
        let needed = self.encoded.len() as u64;
        let most = self.device.tick_len_max();
        if needed > most {
            return Err(Refusal::Unable(format!("a tick of {needed} bytes exceeds the device's {most}")));
        }
        if needed > self.buffers.tick.size() {
            self.buffers.grow(&self.device, needed.next_power_of_two().min(most));
        }
        Ok(())
    }

    fn send(&mut self, tick: Tick) {
        let (settled, fresh) = self.tables.fresh();
        let (tick_len, fresh_len) = (self.encoded.len() as u64, fresh.len() as u64 * 4);
        let boarding = self.flight.board(&self.device, tick_len + fresh_len).expect("there was room");
        boarding.write(|piece| {
            self.encoded.write(&mut *piece);
            piece(self.encoded.len(), bytemuck::cast_slice(fresh));
        });
        let mut commands = self.device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let Buffers { tick: tick_buffer, tables, canvas, packed, group } = &self.buffers;
        commands.copy_buffer_to_buffer(boarding.upload(), 0, tick_buffer, 0, tick_len);
        if fresh_len > 0 {
            commands.copy_buffer_to_buffer(boarding.upload(), tick_len, tables, settled as u64 * 4, fresh_len);
        }
        {
            let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_bind_group(0, group, &[]);
            pass.set_pipeline(&self.device.kernels.place);
            pass.dispatch_workgroups(self.encoded.blocks(), 1, 1);
            if !self.raster.is_packed() {
                pass.set_pipeline(&self.device.kernels.pack);
                let words = self.raster.packed_len().div_ceil(4).div_ceil(64);
                let groups = u32::try_from(words).expect("a canvas is far below 2^32 words");
                pass.dispatch_workgroups(groups, 1, 1);
            }
        }
        let drawn = if self.raster.is_packed() { canvas } else { packed };
        for range in self.raster.damaged(&tick.damage) {
            commands.copy_buffer_to_buffer(
                drawn,
                range.start,
                boarding.readback(),
                range.start,
                range.end - range.start,
            );
        }
        boarding.depart(commands.finish(), tick);
        self.tables.end_tick();
    }

    /// The oldest tick's frame, if it came back.
    fn finished(&mut self, pool: &FramePool) -> Option<ComposedFrame> {
        if self.flight.len() == 0 {
            return None;
        }
        self.device.poll();
        let (raster, mirror, history) = (self.raster, &mut self.mirror, &mut self.history);
        self.flight.land(|tick, bytes| {
            for range in raster.damaged(&tick.damage) {
                let range = usize::try_from(range.start).expect("in memory")..mirror.len().min(range.end as usize);
                mirror[range.clone()].copy_from_slice(&bytes[range]);
            }
            history.note(&tick.damage);
            pool.frame_of(raster.size, tick.pts, mirror, history, &tick.damage)
        })
    }
}

impl Buffers {
    fn new(device: &Device, raster: Raster, tick_len: u64) -> Self {
        let storage = |label, size, usage| {
            let usage = usage | wgpu::BufferUsages::STORAGE;
            let setup = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            device.device.create_buffer(&setup)
        };
        let packed_len = if raster.is_packed() { 4 } else { raster.packed_len() };
        let tick = storage("tick", tick_len, wgpu::BufferUsages::COPY_DST);
        let tables = storage("tables", limits::GPU_TABLES_LEN, wgpu::BufferUsages::COPY_DST);
        let canvas = storage("canvas", raster.len(), wgpu::BufferUsages::COPY_SRC);
        let packed = storage("packed", packed_len, wgpu::BufferUsages::COPY_SRC);
        let group = bind(device, [&tick, &tables, &canvas, &packed]);
        Self { tick, tables, canvas, packed, group }
    }

    /// A larger buffer for ticks; those in flight keep the old one until they are done.
    fn grow(&mut self, device: &Device, tick_len: u64) {
        self.tick = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("tick"),
            size: tick_len,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.group = bind(device, [&self.tick, &self.tables, &self.canvas, &self.packed]);
    }
}

fn bind(device: &Device, buffers: [&wgpu::Buffer; 4]) -> wgpu::BindGroup {
    let mut entries = Vec::with_capacity(buffers.len());
    for (binding, buffer) in (0..).zip(buffers) {
        entries.push(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
    }
    device.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("kernels"),
        layout: &device.kernels.layout,
        entries: &entries,
    })
}
