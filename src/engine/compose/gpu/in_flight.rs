//! **The question:** which ticks are under way on the device, and what goes up and comes down with each?
//!
//! A tick in flight owns one of [`limits::GPU_TICKS_MAX`] berths: a buffer that its list and pictures are written to,
//! and one that its canvas is read back from. Both are mapped as soon as the device is done with them; nothing here
//! waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::base::limits;
use crate::base::media::{Damage, Pts};
use crate::engine::compose::gpu::device::Device;

/// The smallest upload buffer, bytes; they grow by doubling.
const UPLOAD_LEN_MIN: u64 = 1 << 20;

/// The berths of one room's compositor.
pub(super) struct Flight {
    berths: Vec<Berth>,
    /// Ticks under way, oldest first.
    order: VecDeque<Leg>,
}

/// One tick under way.
enum Leg {
    /// On the device, in this berth.
    Berth(usize),
    /// Nothing changed, so nothing is drawn; it only keeps its place in the order.
    Still(Tick),
}

/// What one tick in flight owns.
struct Berth {
    upload: wgpu::Buffer,
    upload_map: MapState,
    readback: wgpu::Buffer,
    readback_map: MapState,
    tick: Option<Tick>,
}

/// What is known of a tick when it starts.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) pts: Pts,
    pub(super) damage: Damage,
}

/// A berth on its way out: its upload buffer is mapped for writing.
pub(super) struct Boarding<'a> {
    device: &'a Device,
    berth: &'a mut Berth,
}

/// How far `map_async` has come.
#[derive(Debug, Clone, Default)]
struct MapState(Arc<AtomicU8>);

const UNMAPPED: u8 = 0;
const MAPPED: u8 = 1;
const REFUSED: u8 = 2;

impl MapState {
    fn is_mapped(&self) -> bool {
        self.0.load(Ordering::Acquire) == MAPPED
    }

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Release);
    }

    /// Maps `buffer` once the device is done with it. A refusal is this buffer's own: a room that ends while a tick is
    /// in flight lets go of its buffers, which says nothing about the device.
    fn ask(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode) {
        let state = self.clone();
        buffer.map_async(mode, .., move |result| state.set(if result.is_ok() { MAPPED } else { REFUSED }));
    }

    fn is_refused(&self) -> bool {
        self.0.load(Ordering::Acquire) == REFUSED
    }
}

impl Flight {
    /// Berths for canvases of `canvas_len` bytes.
    pub(super) fn new(device: &Device, canvas_len: u64) -> Self {
        let berth = |_| {
            let upload_map = MapState::default();
            upload_map.set(MAPPED);
            Berth {
                upload: upload_buffer(device, UPLOAD_LEN_MIN),
                upload_map,
                readback: device.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("read-back"),
                    size: canvas_len,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                }),
                readback_map: MapState::default(),
                tick: None,
            }
        };
        Self { berths: (0..limits::GPU_TICKS_MAX).map(berth).collect(), order: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether a tick can start now.
    pub(super) fn has_room(&self) -> bool {
        self.order.len() < limits::GPU_TICKS_MAX && self.berths.iter().any(Berth::is_free)
    }

    /// Whether the oldest tick can land, if there is one.
    pub(super) fn has_landing(&self) -> bool {
        match self.order.front() {
            Some(Leg::Berth(index)) => self.berths[*index].readback_map.is_mapped(),
            Some(Leg::Still(_)) | None => true,
        }
    }

    /// Whether a buffer will never be mapped again: the device can no longer be used by this room.
    pub(super) fn is_broken(&self) -> bool {
        self.berths.iter().any(|berth| berth.upload_map.is_refused() || berth.readback_map.is_refused())
    }

    /// A tick that changes nothing.
    pub(super) fn pass(&mut self, tick: Tick) {
        self.order.push_back(Leg::Still(tick));
    }

    /// A free berth whose upload buffer holds `upload_len` bytes at least; `None` when all are under way.
    pub(super) fn board<'a>(&'a mut self, device: &'a Device, upload_len: u64) -> Option<Boarding<'a>> {
        let index = self.berths.iter().position(Berth::is_free)?;
        self.order.push_back(Leg::Berth(index));
        let berth = &mut self.berths[index];
        if berth.upload.size() < upload_len {
            berth.upload = upload_buffer(device, upload_len.next_power_of_two());
        }
        Some(Boarding { device, berth })
    }

    /// Forgets the tick that began last: it is drawn elsewhere. Only for a device that is lost, whose berths are not
    /// used again.
    pub(super) fn retract(&mut self) {
        self.order.pop_back();
    }

    /// The oldest tick's bytes, if they are there: `read` sees them (none when nothing changed), and the berth is free
    /// again.
    pub(super) fn land<T>(&mut self, read: impl FnOnce(Tick, &[u8]) -> T) -> Option<T> {
        let index = match self.order.front()? {
            Leg::Berth(index) if !self.berths[*index].readback_map.is_mapped() => return None,
            Leg::Berth(index) => *index,
            Leg::Still(_) => match self.order.pop_front() {
                Some(Leg::Still(tick)) => return Some(read(tick, &[])),
                _ => unreachable!("the front was seen"),
            },
        };
        let berth = &mut self.berths[index];
        // Refused only when the device went away meanwhile; then the berth keeps its tick, which counts as lost.
        let bytes = berth.readback.get_mapped_range(..).ok()?;
        self.order.pop_front();
        let tick = berth.tick.take().expect("a berth under way has a tick");
        let result = read(tick, &bytes);
        drop(bytes);
        berth.readback.unmap();
        berth.readback_map.set(UNMAPPED);
        Some(result)
    }
}

impl Berth {
    fn is_free(&self) -> bool {
        self.tick.is_none() && self.upload_map.is_mapped()
    }
}

impl Boarding<'_> {
    /// Fills the upload buffer: `write` is given what puts a piece at its place in bytes.
    pub(super) fn write(&self, write: impl FnOnce(&mut dyn FnMut(usize, &[u8]))) {
        match self.berth.upload.get_mapped_range_mut(..) {
            Ok(mut view) => write(&mut |at, piece| view.slice(at..at + piece.len()).copy_from_slice(piece)),
            Err(error) => self.device.loss().note(format!("an upload buffer was not mapped: {error}")),
        }
        self.berth.upload.unmap();
    }

    /// Where the tick's bytes were written to.
    pub(super) fn upload(&self) -> &wgpu::Buffer {
        &self.berth.upload
    }

    /// Where its canvas is copied to.
    pub(super) fn readback(&self) -> &wgpu::Buffer {
        &self.berth.readback
    }

    /// Sends the commands off; from here on the device owns both buffers until they are mapped again.
    pub(super) fn depart(self, commands: wgpu::CommandBuffer, tick: Tick) {
        self.berth.tick = Some(tick);
        self.berth.upload_map.set(UNMAPPED);
        self.device.queue.submit([commands]);
        self.berth.readback_map.ask(&self.berth.readback, wgpu::MapMode::Read);
        self.berth.upload_map.ask(&self.berth.upload, wgpu::MapMode::Write);
    }
}

fn upload_buffer(device: &Device, size: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("upload"),
        size,
        usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    })
}
