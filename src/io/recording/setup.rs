//! **The question:** what is a room's recording told, and what does it read?

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::base::media::{EncodedFrame, MixTick, RoomEpoch, RoomId};
use crate::engine::flow::{FanReader, Waker};
use crate::io::store::{Archive, RecordingWish};

/// Where a recording goes.
#[derive(Debug, Clone)]
pub enum RecordingPlace {
    /// Into the node's archive, sealed, with an expiry.
    Sealed(Arc<Archive>),
    /// To exactly this file, in the clear; what stood there is overwritten. Later takes and the manifest stand beside
    /// it.
    File(PathBuf),
}

/// What a room's recording is told at its start.
#[derive(Debug, Clone)]
pub struct RecordingSetup {
    /// Which room.
    pub room: RoomId,
    /// Where its clock stands.
    pub epoch: RoomEpoch,
    /// Where it goes.
    pub place: RecordingPlace,
    /// Frames a second of the rung.
    pub fps: u32,
    /// Whether the node still has the room.
    pub holds: RoomHold,
    /// What anyone who began it wished.
    pub wish: RecordingWish,
    /// Of the thread that polls it: woken when keepers, disk or store have answered.
    pub waker: Waker,
}

/// That a node of a fleet has a room, by a fence; and whether it still does. Of a node alone it always does.
#[derive(Clone, Default)]
pub struct RoomHold {
    fence: Option<i64>,
    is_over: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl RoomHold {
    /// By this fence, until `is_over` says that another node has the room by a newer one.
    #[must_use]
    pub fn new(fence: Option<i64>, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { fence, is_over: Some(Arc::new(is_over)) }
    }

    /// By which it has it; `None`: it is alone, or nobody has said so.
    #[must_use]
    pub const fn fence(&self) -> Option<i64> {
        self.fence
    }

    /// Whether another node has the room.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.as_ref().is_some_and(|is_over| is_over())
    }
}

impl fmt::Debug for RoomHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomHold").field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// What a recording reads.
#[derive(Debug)]
pub struct Reads {
    /// The composite.
    pub pictures: FanReader<EncodedFrame>,
    /// The mix.
    pub sounds: FanReader<MixTick>,
    /// Whose packets of a tick it takes: 0 the shared mix's, otherwise those of the redacted mix that carries this
    /// number.
    pub view: u64,
    /// Which readers may take something. From the moment it is another number than `generation`, nothing is taken from
    /// these, whatever is lifted later: it only rises.
    pub current_generation: Arc<AtomicU64>,
    /// The number that these readers have.
    pub generation: u64,
}
