//! **The question:** which rooms are recorded, and who is told? Begun by the operator's rule, over HTTP, or by participants who may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::app::config::RecordingStart;
use crate::app::control::layouts::problem;
use crate::app::control::rooms::Room;
use crate::app::control::{Control, RECORDING_CLOSE};
use crate::app::workers::event::Event;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{EncodedFrame, MixTick, PeerId, RecordingTicket, RoomEpoch, RoomId};
use crate::core::access::Act;
use crate::core::scene;
use crate::core::signal::FromNode;
use crate::engine::flow::{Fan, Waker};
use crate::io::api::Refusal;
use crate::io::recording::{Reads, RecordingPlace, RecordingSetup, RecordingSummary, RoomRecording};
use crate::io::store::RecordingWish;

/// What a recording reads.
pub struct RecordingInputs<'a> {
    /// Where the room's clock stands.
    pub epoch: RoomEpoch,
    /// The composite.
    pub pictures: &'a Fan<EncodedFrame>,
    /// The mix.
    pub sounds: &'a Fan<MixTick>,
    /// Which redacted view of the room they are; 0: the shared one.
    pub view: u64,
    /// Which readers may take something.
    pub current_generation: &'a Arc<AtomicU64>,
}

impl RecordingInputs<'_> {
    /// Begins to read.
    pub fn reads(&self, waker: &Waker) -> Reads {
        let pictures = self.pictures.subscribe(limits::RECORD_FAN_LEN, waker.clone());
        let sounds = self.sounds.subscribe(limits::RECORD_FAN_LEN, waker.clone());
        let (current_generation, generation) =
            (self.current_generation.clone(), self.current_generation.load(Ordering::Acquire));
        Reads { pictures, sounds, view: self.view, current_generation, generation }
    }
}

impl Control {
    /// Records a room that is about to begin, if that is the operator's rule: from its first frame on.
    pub fn record_from_the_start(&mut self, name: &RoomId, room: &RecordingInputs<'_>) -> Option<RecordingTicket> {
        let by_itself = self.config.recording.start == RecordingStart::Automatic;
        let archive = self.archive.clone().filter(|_| by_itself).map(RecordingPlace::Sealed);
        let place = self.record_to.clone().map(RecordingPlace::File).or(archive)?;
        let recording = self.recording_of(name, room, place, RecordingWish::default());
        Some(self.begin_recording(name, recording, false))
    }

    fn begin_recording(&mut self, name: &RoomId, recording: RoomRecording, must_agree: bool) -> RecordingTicket {
        self.tickets += 1;
        let (ticket, recording) = (RecordingTicket(self.tickets), Box::new(recording));
        self.workers.package.send(PackageCommand::Begin { room: name.clone(), ticket, recording, must_agree });
        ticket
    }

    /// What is told of a recording next; what else is told meanwhile waits.
    fn answer_of(&mut self, recording: RecordingTicket) -> Option<Event> {
        let until = Instant::now() + RECORDING_CLOSE;
        loop {
            let event = self.events.recv_deadline(until).ok()?;
            match event {
                Event::RecordingBegan { ticket, .. }
                | Event::RecordingRefused { ticket, .. }
                | Event::RecordingFinished { ticket, .. }
                    if ticket == recording =>
                {
                    return Some(event);
                }
                event => self.deferred.push_back(event),
            }
        }
    }

    /// Begins to record a room; false if it is recorded already.
    ///
    /// # Errors
    /// When there is no such room, this node does not record, the wish is for longer than it keeps recordings, or too few keepers
    /// agree.
    pub fn record(&mut self, name: &RoomId, wish: RecordingWish) -> Result<bool, Refusal> {
        let (room, archive) = (self.recorded_room(name)?, self.archive.clone().ok_or(Refusal::NotRecording)?);
        if room.recording {
            return Ok(false);
        }
        let most = archive.retention();
        if wish.retention.is_some_and(|wished| wished.span() > most.span()) {
            return Err(Refusal::RetentionTooLong { hours: most.span().as_secs() / 3600 });
        }
        let masking = self.mask(name).map_err(|_| Refusal::Busy)?;
        let recording =
            self.recording_of(name, &self.recorded_room(name)?.recordable(), RecordingPlace::Sealed(archive), wish);
        let ticket = self.begin_recording(name, recording, true);
        if !matches!(self.answer_of(ticket), Some(Event::RecordingBegan { .. })) {
            self.workers.package.send(PackageCommand::Finish(ticket));
            self.unmask(name);
            return Err(Refusal::KeepersSilent);
        }
        if let Some(room) = self.rooms.get_mut(name) {
            room.ticket = ticket;
        }
        self.begin_mask(name, masking);
        self.recording_changed(name, true);
        Ok(true)
    }

    /// Ends a room's recording, if it has one; it becomes final at once.
    ///
    /// # Errors
    /// When there is no such room, or this node does not record.
    pub fn stop_recording(&mut self, name: &RoomId) -> Result<(), Refusal> {
        if self.recorded_room(name)?.recording {
            self.end_recording(name);
        }
        Ok(())
    }

    /// Ends a room's recording; nobody waits for its summary.
    pub fn end_recording(&mut self, name: &RoomId) {
        if let Some(room) = self.rooms.get(name) {
            self.workers.package.send(PackageCommand::Finish(room.ticket));
        }
        self.unmask(name);
        self.recording_changed(name, false);
    }

    /// A participant begins or ends the recording of their room.
    pub fn participant_records(&mut self, peer: PeerId, recording: bool) {
        let Some(entry) = self.peers.get(peer) else { return };
        let name = entry.room.clone();
        if self.policy.judge(self.caller(peer), Act::Record).is_err() || !self.may_record() {
            let detail = "Ask whoever runs this node, or a host who may.";
            return self.send(peer, &problem("not-allowed", "Participants do not record here", detail));
        }
        let done = if recording {
            self.record(&name, RecordingWish::default()).map(|_| ())
        } else {
            self.stop_recording(&name)
        };
        let (kind, detail) = match done {
            Ok(()) => return,
            Err(Refusal::Busy) => ("busy", "The node is too busy to leave somebody out of it; try again later."),
            // The room exists, the node records, nothing longer was wished for: so it is the keepers.
            Err(_) => ("keepers-silent", "Too few keepers of recordings answer; try again later."),
        };
        self.send(peer, &problem(kind, "No recording can begin", detail));
    }

    /// What a room does, as everyone in it is told.
    pub fn state_message(&self, room: &Room) -> FromNode {
        let size = self.config.video.size();
        FromNode::State {
            recording: room.recording,
            codec: "av1".into(),
            width: size.width,
            height: size.height,
            fps: self.config.video.fps.get(),
            may_record: self.may_record(),
        }
    }

    /// Everybody in a room is told that its recording began or ended.
    fn recording_changed(&mut self, name: &RoomId, recording: bool) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.recording = recording;
        room.recorded.store(recording, Ordering::Relaxed);
        let Some(room) = self.rooms.get(name) else { return };
        self.broadcast(name, &self.state_message(room));
        self.mark_recorded(name, recording);
        if recording {
            self.record_tracks(name);
            self.announce_recording(name);
        }
    }

    /// Shows the mark of a recording, or takes it away.
    pub fn mark_recorded(&self, name: &RoomId, recording: bool) {
        self.to_scene(name, scene::Input::Recorded(recording && self.config.recording.mark));
    }

    /// Plays what was configured for a recording's beginning.
    pub fn announce_recording(&self, name: &RoomId) {
        if let Some(blocks) = self.announcement.clone() {
            // The room exists.
            let _ = self.announce(name, blocks);
        }
    }

    /// Closes a room's recording and waits for what it holds.
    pub fn finish_recording(&mut self, ticket: RecordingTicket) -> Option<RecordingSummary> {
        self.workers.package.send(PackageCommand::Finish(ticket));
        match self.answer_of(ticket) {
            Some(Event::RecordingFinished { summary, .. }) => summary,
            _ => None,
        }
    }

    fn may_record(&self) -> bool {
        self.policy.participants_may_record && self.archive.is_some() && self.record_to.is_none()
    }

    /// A room whose recording may begin and end.
    fn recorded_room(&self, name: &RoomId) -> Result<&Room, Refusal> {
        let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
        // What is recorded into one file is recorded from beginning to end.
        if self.archive.is_none() || self.record_to.is_some() { Err(Refusal::NotRecording) } else { Ok(room) }
    }

    fn recording_of(
        &self,
        name: &RoomId,
        room: &RecordingInputs<'_>,
        place: RecordingPlace,
        wish: RecordingWish,
    ) -> RoomRecording {
        let waker = self.workers.package.waker();
        let reads = room.reads(&waker);
        let fps = self.config.video.fps.get();
        let setup = RecordingSetup { room: name.clone(), epoch: room.epoch, place, fps, wish, waker };
        RoomRecording::new(Instant::now(), setup, reads, self.counts.record.clone())
    }
}
