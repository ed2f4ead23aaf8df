//! **The question:** how does the node stand: what runs on it, what more would it take, and does it take anything?

use std::time::Instant;

use crate::app::control::thread::{Control, Entry};
use crate::core::fleet::Load;
use crate::core::ladder::Capacity;
use crate::core::webhook::Happening;
use crate::io::api::{NodeState, Refusal, Standing};

impl Control {
    /// What `GET /v1/node` tells beside what stays.
    pub(super) fn node_state(&self, now: Instant) -> NodeState {
        let (rooms, people) = self.census();
        let state = match self.takes_room() {
            _ if self.drain.is_leaving() => Standing::Leaving,
            _ if self.drain.is_on() => Standing::Draining,
            Err(_) => Standing::Full,
            Ok(()) => Standing::Open,
        };
        let drain = self.drain_shown(now);
        let unsent_bytes = self.setup.counts.archive.upload.spool_bytes.get();
        let capacity = self.capacity();
        NodeState { state, rooms, people, finishing: self.endings.len(), unsent_bytes, capacity, drain }
    }

    /// The same for whoever scrapes metrics, which asks nobody, and for whoever is told when little is left.
    pub(super) fn tell_levels(&mut self, now: Instant) {
        let (rooms, people) = self.census();
        let Capacity { units, reserved_units, free_room100_slots } = self.capacity();
        // A node that drains takes no room however much is free, and has said so.
        let takes_room = self.drain.is_on() || self.takes_room().is_ok();
        let little = self.capacity_watch.note(now, units, reserved_units, takes_room);
        if let Some(little) = little {
            self.webhooks.tell(&match little {
                true => Happening::CapacityLow { units, reserved_units },
                false => Happening::CapacityRestored { units, reserved_units },
            });
        }
        let levels = &self.setup.counts.node.standing;
        levels.rooms.set(rooms as u64);
        levels.people.set(people as u64);
        levels.draining.set(u64::from(self.drain.is_on()));
        levels.capacity_units.set(units);
        levels.reserved_units.set(reserved_units);
        levels.free_room100_slots.set(free_room100_slots);
        self.tell_fleet();
    }

    /// The same for whoever places rooms.
    fn tell_fleet(&self) {
        if self.placement.is_alone() {
            return;
        }
        let Capacity { units, free_room100_slots, .. } = self.capacity();
        let units_of = |entry: &Entry| entry.room.units().ceil() as u64;
        self.placement.tell(Load {
            units,
            free_room100_slots,
            draining: self.drain.is_on(),
            full: self.takes_room().is_err_and(|why| why != Refusal::NoNewRooms),
            rooms: self.rooms.iter().map(|(name, entry)| (name.clone(), units_of(entry))).collect(),
            coming: self.waiting.rooms().cloned().collect(),
        });
    }

    /// Rooms, and people in them.
    pub(super) fn census(&self) -> (usize, usize) {
        (self.rooms.len(), self.rooms.values().map(|entry| entry.room.people_count()).sum())
    }

    /// How much the machine carries, and what is left of it: nothing while admission lets no room begin.
    fn capacity(&self) -> Capacity {
        let reserved = self.rooms.values().map(|entry| entry.room.units()).sum();
        self.budget.capacity(self.rooms.len(), reserved, self.takes_room().is_ok())
    }
}
