//! **The question:** what is packaged as live HLS? One packager for each rung that is watched so, on the package
//! thread, beside the recordings.

use std::collections::HashMap;
use std::time::Instant;

use crate::app::workers::event::Event;
use crate::app::workers::worker::{Reports, guard};
use crate::base::media::{RoomId, RungId};
use crate::io::live::LivePackager;

/// Every packager of the node.
#[derive(Default)]
pub struct Packagers(HashMap<RungId, (RoomId, Box<LivePackager>)>);

impl Packagers {
    /// A rung is packaged.
    pub fn begin(&mut self, room: RoomId, rung: RungId, packager: Box<LivePackager>) {
        self.0.insert(rung, (room, packager));
    }

    /// A rung is packaged no longer, and nothing is left of it.
    pub fn end(&mut self, rung: RungId) {
        self.0.remove(&rung);
    }

    /// Lets each go on; says when one wants to be called again, even if nothing wakes the thread.
    pub fn advance(&mut self, now: Instant, reports: &Reports<Event>) -> Option<Instant> {
        self.0.retain(|rung, (room, packager)| {
            let goes_on = guard(room, || packager.poll(now));
            if goes_on.is_none() {
                reports.send(Event::LiveFailed { room: room.clone(), rung: *rung });
            }
            goes_on == Some(true)
        });
        self.0.values().filter_map(|(_, packager)| packager.deadline()).min()
    }
}
