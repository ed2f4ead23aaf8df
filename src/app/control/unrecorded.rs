//! **The question:** who does not want to be recorded, and what does the recording read then? A composite, a mix and encodes of its own,
//! made anew whenever these people change, so that nothing in them can hold somebody who had already said no.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::app::control::Control;
use crate::app::control::recording::RecordingInputs;
use crate::app::control::rooms::{Room, Rung, RungPlan};
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::event::Event;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{EncodedFrame, ParticipantId, RoomId};
use crate::core::signal::FromNode;
use crate::engine::flow::{Counter, Fan, KeyframeRequest};
use crate::engine::video::masked::MaskedWork;

/// The encode of a room without some people.
pub struct MaskedRung {
    /// Which mask, above 0.
    mask: u64,
    fan: Fan<EncodedFrame>,
    encode: JoinHandle<()>,
}

impl MaskedRung {
    /// Waits for its last frame, once the compositor let it go.
    pub fn end(self) {
        // One that panicked has told so.
        let _ = self.encode.join();
    }
}

impl Room {
    /// What a recording of the room reads.
    pub fn recordable(&self) -> RecordingInputs<'_> {
        RecordingInputs {
            epoch: self.epoch,
            pictures: self.masked.as_ref().map_or(&self.pictures, |masked| &masked.fan),
            sounds: &self.sounds,
            view: self.masked.as_ref().map_or(0, |masked| masked.mask),
            current_generation: &self.current_generation,
        }
    }
}

/// What the compose and mix threads are to be told once the recording reads what they will make.
pub struct Masking {
    people: BTreeSet<ParticipantId>,
    mask: u64,
    work: Box<MaskedWork>,
}

impl Control {
    /// A participant does not want to be recorded from now on: when this returns, nothing of theirs that comes from now on reaches a
    /// recording. Or they do again, after a while, so that nobody can have a recording cut to pieces.
    pub fn set_recordable(&mut self, name: &RoomId, participant: ParticipantId, recordable: bool) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.leaving.retain(|(leaving, _)| *leaving != participant);
        if recordable {
            return self.forget_unrecorded(name, participant);
        }
        if room.unrecorded.insert(participant) {
            self.bar_tracks_of(name, participant);
            self.remask(name);
            self.record_tracks_of(name, participant, false);
            self.broadcast_roster(name);
        }
    }

    /// Somebody left, or no longer minds: for a while they stay masked, until a tile that fades is gone.
    pub fn forget_unrecorded(&mut self, name: &RoomId, participant: ParticipantId) {
        if let Some(room) = self.rooms.get_mut(name)
            && room.unrecorded.contains(&participant)
        {
            room.leaving.push((participant, Instant::now() + limits::UNRECORDED_LINGER));
        }
    }

    /// Lifts the masks of those who are gone; says when the next is due.
    pub fn lift_masks(&mut self, now: Instant) -> Option<Instant> {
        let mut lifted = Vec::new();
        for (name, room) in &mut self.rooms {
            let gone: Vec<ParticipantId> =
                room.leaving.extract_if(.., |(_, at)| *at <= now).map(|(participant, _)| participant).collect();
            if !gone.is_empty() {
                room.unrecorded.retain(|participant| !gone.contains(participant));
                lifted.push((name.clone(), gone));
            }
        }
        for (name, gone) in lifted {
            self.remask(&name);
            gone.into_iter().for_each(|participant| self.record_tracks_of(&name, participant, true));
            self.broadcast_roster(&name);
        }
        self.rooms.values().flat_map(|room| room.leaving.iter().map(|(_, at)| *at)).min()
    }

    fn broadcast_roster(&self, name: &RoomId) {
        if let Some(room) = self.rooms.get(name) {
            self.broadcast(name, &FromNode::Room { participants: room.people() });
        }
    }

    /// Prepares what a recording of the room is to read while somebody does not want to be in it; nothing if nobody minds. Whatever
    /// was read so far is barred first.
    ///
    /// # Errors
    /// When the machine is out of threads, or the encoder cannot be set up.
    pub fn mask(&mut self, name: &RoomId) -> io::Result<Option<Masking>> {
        let Some(room) = self.rooms.get(name) else { return Ok(None) };
        if room.unrecorded.is_empty() {
            self.unmask(name);
            return Ok(None);
        }
        let people = room.unrecorded.clone();
        self.masks += 1;
        let mask = self.masks;
        room.current_generation.store(mask, Ordering::Release);
        let fan = Fan::new(self.counts.node.reader_lagged.clone());
        let plan = RungPlan {
            fan: fan.clone(),
            keyframe_requests: KeyframeRequest::new(
                self.workers.net.waker(),
                self.counts.node.wishes_superseded.clone(),
            ),
            recorded: Arc::new(AtomicBool::new(true)),
            frames_encoded: Counter::default(),
            failure: Event::RecordingFailed(name.clone()),
        };
        let Rung { encode, compositor, composed, .. } = self.start_rung(name, plan)?;
        if let Some(room) = self.rooms.get_mut(name) {
            // The one before ends by itself once the compositor has let it go.
            room.masked = Some(MaskedRung { mask, fan, encode });
        }
        let work = Box::new(MaskedWork { people: people.clone(), compositor, composed });
        Ok(Some(Masking { people, mask, work }))
    }

    /// Begins what `mask` prepared, once it is read.
    pub fn begin_mask(&self, name: &RoomId, masking: Option<Masking>) {
        let (Some(room), Some(Masking { people, mask, work })) = (self.rooms.get(name), masking) else { return };
        self.workers.compose[room.compose].send(ComposeCommand::Mask(name.clone(), Some(work)));
        self.workers.mix[room.mix].send(MixCommand::LeaveOut(name.clone(), people, mask));
    }

    /// Ends what `mask` made.
    pub fn unmask(&mut self, name: &RoomId) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if room.masked.take().is_some() {
            if room.unrecorded.is_empty() {
                // Another number than before the mask: what was read then and barred stays barred.
                self.masks += 1;
                room.current_generation.store(self.masks, Ordering::Release);
            }
            self.workers.compose[room.compose].send(ComposeCommand::Mask(name.clone(), None));
            self.workers.mix[room.mix].send(MixCommand::LeaveOut(name.clone(), [].into(), 0));
        }
    }

    /// The people changed who are left out: a recording goes on with what is made without them.
    fn remask(&mut self, name: &RoomId) {
        if !self.rooms.get(name).is_some_and(|room| room.recording) {
            return;
        }
        let masking = match self.mask(name) {
            Ok(masking) => masking,
            Err(error) => {
                tracing::error!(%error, "a recording cannot go on without somebody, so it ends");
                return self.end_recording(name);
            }
        };
        let Some(room) = self.rooms.get(name) else { return };
        let reads = room.recordable().reads(&self.workers.package.waker());
        self.workers.package.send(PackageCommand::Read(room.ticket, Box::new(reads)));
        if room.masked.is_none() {
            room.keyframe_requests.request_keyframe();
        }
        self.begin_mask(name, masking);
    }
}
