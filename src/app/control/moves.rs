//! **The question:** how far is each room that goes to another node, and when is something due of it?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::io::fleet::Destination;

/// The rooms that go.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) rooms: BTreeMap<RoomId, Move>,
    /// Those that went since the drain began.
    pub(super) moved: u64,
    /// Until when the door stays open for those who were sent off, and ask again.
    pub(super) linger_until: Option<Instant>,
    /// Why the one stayed that was tried last.
    pub(super) why: Option<String>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) stage: Stage,
    /// Times that it was asked for.
    pub(super) tries: u32,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// A node and etcd are asked; that can be called off.
    Asking(Arc<AtomicBool>),
    /// Etcd gave it to another node, which is given what goes along; or it comes back.
    Handing(Destination),
    /// Nobody took it; it is tried again then.
    Stays(Instant),
    /// It is there; its people leave.
    Gone,
}

impl Moves {
    pub(super) fn count(&self, is_so: impl Fn(&Stage) -> bool) -> usize {
        self.rooms.values().filter(|one| is_so(&one.stage)).count()
    }

    pub(super) fn under_way(&self) -> usize {
        self.count(|stage| matches!(stage, Stage::Asking(_) | Stage::Handing(_)))
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let is_free = self.under_way() < limits::MOVES_AT_ONCE;
        let tries = self.rooms.values().filter_map(|one| match one.stage {
            Stage::Stays(until) if is_free => Some(until),
            _ => None,
        });
        tries.chain(self.linger_until).min()
    }

    /// Whether somebody who was sent off may still ask where to.
    pub(super) fn lingers(&mut self, now: Instant) -> bool {
        self.linger_until.take_if(|until| *until <= now);
        self.linger_until.is_some()
    }
}
