//! **The question:** which room's picture is due? A `compose-n` thread owns the canvases of its rooms; their ticks are
//! shifted against one another.

use std::collections::HashMap;
use std::time::Instant;

use crate::app::workers::counters::NodeCounters;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Mailbox, Reports, earlier, guard};
use crate::base::media::{Outbox, RoomId, RungId, TrackId};
use crate::core::scene;
use crate::engine::flow::FrameSlot;
use crate::engine::video::{Canvas, CanvasEvent, CanvasSetup, OutputSetup};
use crate::io::telemetry::log::alias;

/// What the control thread tells a compose thread.
pub enum ComposeCommand {
    /// A room begins.
    AddRoom(RoomId, Box<CanvasSetup>),
    /// A room ends.
    RemoveRoom(RoomId),
    /// The roster changed.
    Scene(RoomId, scene::Input),
    /// The pictures of a camera or screen come through this slot from now on.
    AddSource(RoomId, TrackId, FrameSlot),
    /// A camera or screen ended.
    RemoveSource(RoomId, TrackId),
    /// The room is drawn for this encode too.
    AddOutput(RoomId, Box<OutputSetup>),
    /// It is drawn for this encode no longer.
    RemoveOutput(RoomId, RungId),
}

/// The body of a `compose-n` thread.
pub fn run(mailbox: &Mailbox<ComposeCommand>, reports: &Reports<Event>, counters: &NodeCounters) {
    let (reports, counters) = (reports.clone(), counters.clone());
    let mut worker = ComposeWorker { rooms: HashMap::new(), reports, counters, events: Outbox::new() };
    while mailbox.drain(|command| worker.command(command)) {
        let deadline = worker.round();
        mailbox.waker.sleep_until(deadline);
    }
}

struct ComposeWorker {
    rooms: HashMap<RoomId, Canvas>,
    reports: Reports<Event>,
    counters: NodeCounters,
    events: Outbox<CanvasEvent>,
}

impl ComposeWorker {
    fn command(&mut self, command: ComposeCommand) {
        let now = Instant::now();
        match command {
            ComposeCommand::AddRoom(room, setup) => drop(self.rooms.insert(room, Canvas::new(*setup))),
            ComposeCommand::RemoveRoom(room) => drop(self.rooms.remove(&room)),
            ComposeCommand::Scene(room, input) => self.with(&room, |canvas, out| canvas.arrange(now, input, out)),
            ComposeCommand::AddSource(room, track, slot) => {
                self.with(&room, |canvas, _| canvas.add_source(track, slot));
            }
            ComposeCommand::RemoveSource(room, track) => {
                self.with(&room, |canvas, out| canvas.remove_source(now, track, out));
            }
            ComposeCommand::AddOutput(room, output) => self.with(&room, |canvas, _| canvas.add_output(*output)),
            ComposeCommand::RemoveOutput(room, rung) => self.with(&room, |canvas, _| canvas.remove_output(rung)),
        }
    }

    /// A room that ended meanwhile needs nothing; one over which this panics ends.
    fn with(&mut self, room: &RoomId, act: impl FnOnce(&mut Canvas, &mut Outbox<CanvasEvent>)) {
        let Some(canvas) = self.rooms.get_mut(room) else { return };
        let events = &mut self.events;
        if guard(room, || act(canvas, events)).is_none() {
            return self.give_up(room);
        }
        report(room, &mut self.events, &self.reports, &self.counters);
    }

    /// Paints every room whose tick is due; says when the next is.
    fn round(&mut self) -> Option<Instant> {
        let mut deadline = None;
        let mut panicked = Vec::new();
        for (room, canvas) in &mut self.rooms {
            let events = &mut self.events;
            match guard(room, || canvas.tick_if_due(Instant::now(), events)) {
                Some(next) => deadline = earlier(deadline, Some(next)),
                None => panicked.push(room.clone()),
            }
            report(room, &mut self.events, &self.reports, &self.counters);
        }
        panicked.iter().for_each(|room| self.give_up(room));
        deadline
    }

    fn give_up(&mut self, room: &RoomId) {
        self.rooms.remove(room);
        self.events = Outbox::new();
        self.reports.send(Event::RoomFailed(room.clone()));
    }
}

fn report(room: &RoomId, events: &mut Outbox<CanvasEvent>, reports: &Reports<Event>, counters: &NodeCounters) {
    for event in events.drain() {
        match event {
            CanvasEvent::Scene { scene, passage, page, pages } => {
                reports.send(Event::SceneChanged { room: room.clone(), scene, passage, page, pages });
            }
            CanvasEvent::Pictured(track) => reports.send(Event::Pictured { room: room.clone(), track }),
            CanvasEvent::Relief(relief) => reports.send(Event::Relief { room: room.clone(), relief }),
            CanvasEvent::GpuLost(reason) => {
                counters.compositors_replaced.add(1);
                tracing::warn!(room = %alias(room), reason, "the GPU is lost; the processor draws on");
            }
        }
    }
}
