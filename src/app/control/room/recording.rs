//! **The question:** is the room recorded, what does its recording read, and who is told? Begun by the operator's rule,
//! over HTTP, or by participants who may. What it reads of those who do not want to be in it is `views`' question.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::{Asker, RecordingState, Room};
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{Outbox, PeerId, RecordingTicket, RungId, RungSpec, View};
use crate::core::access::{Act, Caller};
use crate::core::record::Event;
use crate::core::scene;
use crate::core::signal::{FromNode, ProblemKind};
use crate::io::api::{Refusal, Reply};
use crate::io::recording::{Reads, RecordingPlace, RecordingSetup, RoomHold, RoomRecording};
use crate::io::store::RecordingWish;
use crate::io::telemetry::log::alias;

impl Room {
    /// Records from the first frame on, if that is the operator's rule.
    pub(super) fn record_from_the_start(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let archive = self.setup.archive.clone().filter(|_| self.setup.records_by_itself());
        let into_file = self.setup.record_to.clone().map(RecordingPlace::File);
        let Some(place) = into_file.or(archive.map(RecordingPlace::Sealed)) else { return };
        if matches!(place, RecordingPlace::Sealed(_))
            && let Err(why) = self.may_be_stored()
        {
            // What the room's state says to everybody in it, too.
            return tracing::warn!(room = %alias(&self.name), ?why, "a room is not recorded, for its tenant's sake");
        }
        let ticket = self.begin_recording(now, place, RecordingWish::default(), false, out);
        self.recording = RecordingState::Waiting(ticket);
        self.is_to_announce = true;
    }

    /// A recording goes on that was made elsewhere until now, or here before: what was wished of it is wished again.
    pub(super) fn record_on(&mut self, now: Instant, mut wish: RecordingWish, out: &mut Outbox<Effect>) {
        let most = self.setup.archive.as_ref().map(|archive| self.retention_max(archive.retention()));
        // Where recordings are kept for less, this one is as well.
        wish.retention = wish.retention.filter(|wished| most.is_some_and(|most| wished.span() <= most.span()));
        if self.may_begin(&wish) != Ok(true) {
            return;
        }
        let archive = self.setup.archive.clone().expect("may_begin saw it");
        self.kept.wish = wish.clone();
        let ticket = self.begin_recording(now, RecordingPlace::Sealed(archive), wish, false, out);
        self.recording = RecordingState::Waiting(ticket);
        self.is_to_announce = false;
    }

    /// A door asks for a recording. It is answered false if there is one already.
    pub(super) fn record_for_door(
        &mut self,
        now: Instant,
        wish: RecordingWish,
        reply: Reply<bool>,
        out: &mut Outbox<Effect>,
    ) {
        match self.may_begin(&wish) {
            Ok(true) => self.ask_for_recording(now, wish, Asker::Door(reply), out),
            // A caller that is gone needs no answer.
            other => drop(reply.send(other)),
        }
    }

    /// A participant begins or ends the recording.
    pub(super) fn participant_records(
        &mut self,
        now: Instant,
        peer: PeerId,
        recording: bool,
        out: &mut Outbox<Effect>,
    ) {
        if !self.setup.records_on_request() {
            let detail = "Ask whoever runs this node, or a host who may.";
            return Self::send(
                peer,
                &FromNode::problem(ProblemKind::NotAllowed, "Participants do not record here", detail),
                out,
            );
        }
        let wish = RecordingWish::default();
        match self.may_begin(&wish) {
            Ok(true) if recording => self.ask_for_recording(now, wish, Asker::Peer(peer), out),
            Err(Refusal::Busy) if recording => {
                let detail = "Somebody else asked for one a moment ago; it begins as soon as the keepers agree.";
                Self::send(peer, &FromNode::problem(ProblemKind::Busy, "A recording is about to begin", detail), out);
            }
            Err(why) if recording => Self::send(peer, &unstored(&why).unwrap_or_else(no_recording), out),
            _ if recording => {}
            _ => drop(self.stop_recording(now, out)),
        }
    }

    /// Ends the recording, if there is one; it becomes final at once.
    ///
    /// # Errors
    /// When this node does not record.
    pub(super) fn stop_recording(&mut self, now: Instant, out: &mut Outbox<Effect>) -> Result<(), Refusal> {
        if !self.setup.records_on_request() {
            return Err(Refusal::NotRecording);
        }
        self.end_recording(now, out);
        Ok(())
    }

    /// Whether a recording can begin: false if there is one already.
    fn may_begin(&self, wish: &RecordingWish) -> Result<bool, Refusal> {
        let archive = self.setup.archive.as_ref().filter(|_| self.setup.records_on_request());
        let most = self.retention_max(archive.ok_or(Refusal::NotRecording)?.retention());
        if self.setup.placement.is_gone(&self.name) {
            return Err(Refusal::RoomNotFound);
        }
        match self.recording {
            RecordingState::On(_) => return Ok(false),
            RecordingState::Asked(..) | RecordingState::Waiting(_) => return Err(Refusal::Busy),
            RecordingState::Off => {}
        }
        if wish.retention.is_some_and(|wished| wished.span() > most.span()) {
            return Err(Refusal::RetentionTooLong { hours: most.span().as_secs() / 3600 });
        }
        self.may_be_stored()?;
        Ok(true)
    }

    /// The keepers are asked; the answer comes as an event.
    fn ask_for_recording(&mut self, now: Instant, wish: RecordingWish, asker: Asker, out: &mut Outbox<Effect>) {
        let archive = self.setup.archive.clone().expect("may_begin saw it");
        self.kept.wish = wish.clone();
        let ticket = self.begin_recording(now, RecordingPlace::Sealed(archive), wish, true, out);
        self.recording = RecordingState::Asked(ticket, asker);
    }

    /// It is stored from now on: the keepers agreed, or the store takes it again.
    pub(super) fn recording_began(&mut self, now: Instant, ticket: RecordingTicket, out: &mut Outbox<Effect>) {
        if self.recording.ticket() != Some(ticket) || self.recording.is_on() {
            return;
        }
        tracing::info!(room = %alias(&self.name), "a recording is stored");
        out.push(Effect::Stored(ticket));
        if matches!(self.recording, RecordingState::Waiting(_)) {
            self.recording = RecordingState::On(ticket);
            self.recording_changed(out);
            return self.announce_if_due(now, out);
        }
        if let RecordingState::Asked(_, Asker::Door(reply)) =
            std::mem::replace(&mut self.recording, RecordingState::On(ticket))
        {
            // A client that hung up has its recording all the same.
            let _ = reply.send(Ok(true));
        }
        // What came before they agreed is not recorded; it begins with the next keyframe.
        self.outputs.request_recorded_keyframe();
        self.recording_changed(out);
        self.record_tracks(out);
        self.announce_recording(now, out);
    }

    /// Nothing is stored for now: everybody is told, and it is tried on.
    pub(super) fn recording_stalled(&mut self, ticket: RecordingTicket, out: &mut Outbox<Effect>) {
        if self.recording.ticket() == Some(ticket) && self.recording.is_on() {
            tracing::error!(room = %alias(&self.name), "nothing of a recording is stored for now");
            self.setup.counts.record.stalled.add(1);
            self.recording = RecordingState::Waiting(ticket);
            self.recording_changed(out);
        }
    }

    /// It was erased while it was made; or its clock leapt or was put right, and what is recorded from now on may have
    /// an hour of its own.
    pub(super) fn recording_erased(
        &mut self,
        now: Instant,
        ticket: RecordingTicket,
        wanted: bool,
        out: &mut Outbox<Effect>,
    ) {
        if self.recording.ticket() == Some(ticket) {
            let room = alias(&self.name);
            tracing::warn!(%room, wanted, "a recording was erased, or lost to a clock, while it was made, so it ends");
            self.end_recording(now, out);
            if !wanted {
                self.record_from_the_start(now, out);
            }
        }
    }

    /// A worker panicked over it; another one that began meanwhile goes on.
    pub(super) fn recording_failed(&mut self, now: Instant, ticket: RecordingTicket, out: &mut Outbox<Effect>) {
        if self.recording.ticket() == Some(ticket) {
            tracing::error!(room = %alias(&self.name), "a recording ends by a fault of ours");
            self.setup.counts.record.failed.add(1);
            self.end_recording(now, out);
        }
    }

    /// The keepers did not agree: whoever asked is told, and nothing is recorded.
    pub(super) fn recording_refused(&mut self, now: Instant, ticket: RecordingTicket, out: &mut Outbox<Effect>) {
        if self.recording.ticket() != Some(ticket) {
            return;
        }
        let asked = std::mem::replace(&mut self.recording, RecordingState::Off);
        tracing::warn!(room = %alias(&self.name), "a recording that was asked for does not begin");
        self.stop_reading(now, out);
        match asked {
            RecordingState::Asked(_, Asker::Door(reply)) => drop(reply.send(Err(Refusal::KeepersSilent))),
            RecordingState::Asked(_, Asker::Peer(peer)) => Self::send(peer, &no_recording(), out),
            _ => self.recording_changed(out),
        }
    }

    /// Ends the recording; nobody waits for its summary.
    pub(super) fn end_recording(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let state = std::mem::replace(&mut self.recording, RecordingState::Off);
        let Some(ticket) = state.ticket() else { return };
        tracing::info!(room = %alias(&self.name), "a recording ends");
        out.push(Effect::Package(PackageCommand::Finish(ticket)));
        self.stop_reading(now, out);
        match state {
            RecordingState::Asked(_, Asker::Door(reply)) => drop(reply.send(Ok(false))),
            RecordingState::Asked(_, Asker::Peer(_)) | RecordingState::Off => {}
            RecordingState::Waiting(_) | RecordingState::On(_) => self.recording_changed(out),
        }
    }

    /// An encode could not begin, so nobody can have what it was for.
    pub(super) fn rung_failed(&mut self, now: Instant, rung: RungId, why: &str, out: &mut Outbox<Effect>) {
        let Some(rung) = self.outputs.remove(rung) else { return };
        if rung.view.is_whole() {
            tracing::error!(room = %alias(&self.name), why, "an encode could not begin, so the room ends");
            self.end(now, "an encode could not begin", out);
        } else {
            tracing::error!(room = %alias(&self.name), why, "a recording cannot go on without somebody, so it ends");
            self.setup.counts.record.failed.add(1);
            self.end_recording(now, out);
        }
    }

    /// What the room does, as `caller` in it is told.
    pub(super) fn state_message(&self, caller: &Caller) -> FromNode {
        let may_record = self.setup.policy.judge(caller, Act::Record, Some(&self.name)).is_ok();
        let spec = RungSpec { codec: self.codec.codec(), ..self.setup.rungs[0] };
        FromNode::State {
            recording: self.recording.is_on(),
            codec: spec.codec.name().into(),
            width: spec.size.width,
            height: spec.size.height,
            fps: spec.fps,
            may_record: may_record && self.setup.records_on_request(),
            pushed: self.pushes.live().map(str::to_owned).collect(),
            captioned: self.captioned.is_on(),
        }
    }

    /// Announces a recording of the room from its first frame on: once it is stored and somebody is there to hear it.
    pub(super) fn announce_if_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let is_heard = self.peers.iter().any(|(_, entry)| entry.veil.is_none() && entry.role.participant().is_some());
        if self.recording.is_on() && is_heard && std::mem::take(&mut self.is_to_announce) {
            self.announce_recording(now, out);
        }
    }

    /// Plays what was configured for a recording's beginning.
    pub(super) fn announce_recording(&self, _now: Instant, out: &mut Outbox<Effect>) {
        if let Some(blocks) = self.setup.announcement.clone() {
            self.announce(blocks, out);
        }
    }

    /// Everybody here is told that the recording began or ended.
    fn recording_changed(&self, out: &mut Outbox<Effect>) {
        self.broadcast_each(|caller| self.state_message(caller), out);
        self.mark_recorded(out);
    }

    /// Shows the mark of a recording, or takes it away.
    fn mark_recorded(&self, out: &mut Outbox<Effect>) {
        let marked = self.recording.is_on() && self.setup.config.recording.mark;
        out.push(Effect::Scene(scene::Input::Recorded(marked)));
    }

    /// That this node has the room, as its recording asks.
    fn hold(&self) -> RoomHold {
        let (placement, name) = (self.setup.placement.clone(), self.name.clone());
        let fence = placement.fence(&name).map(|fence| fence.0);
        RoomHold::new(fence, move || placement.is_gone(&name))
    }

    fn begin_recording(
        &mut self,
        now: Instant,
        place: RecordingPlace,
        wish: RecordingWish,
        must_agree: bool,
        out: &mut Outbox<Effect>,
    ) -> RecordingTicket {
        let ticket = self.setup.next_ticket();
        let wish = self.own_wish(wish);
        let fps = self.setup.rungs[0].fps;
        let setup = RecordingSetup {
            room: self.name.clone(),
            epoch: self.epoch,
            place,
            fps,
            holds: self.hold(),
            wish,
            waker: self.setup.package.clone(),
        };
        let mut begun = Outbox::new();
        let reads = self.read_without_refusers(now, &mut begun);
        let recording = Box::new(RoomRecording::new(now, setup, reads, self.setup.counts.record.clone()));
        out.push(Effect::Package(PackageCommand::Begin { room: self.name.clone(), ticket, recording, must_agree }));
        begun.drain().for_each(|effect| out.push(effect));
        let here = self.core.members().iter().map(|member| member.participant);
        for participant in here.filter(|participant| !self.refusers.contains(*participant)) {
            out.push(Effect::Package(PackageCommand::Event(ticket, now, Event::Came(participant))));
        }
        self.unveil(now, out);
        ticket
    }

    /// Begins to read the view that hides exactly those who do not want to be recorded. Whatever was read so far is
    /// barred first.
    pub(super) fn read_without_refusers(&mut self, now: Instant, out: &mut Outbox<Effect>) -> Reads {
        let generation = self.bar_what_is_read();
        self.view.is_stale = false;
        let hidden = self.refusers.people().clone();
        let view = View { generation: if hidden.is_empty() { 0 } else { generation }, hidden: hidden.clone() };
        let spec = RungSpec { codec: self.codec.codec(), ..self.setup.rungs[0] };
        let frames = self.counters.frames_encoded.clone();
        let number = view.generation;
        let rung = self.outputs.record(now, spec, view, (&self.setup, &frames), out);
        let package = &self.setup.package;
        let reads = Reads {
            pictures: rung.fan.subscribe(limits::RECORD_FAN_LEN, package.clone()),
            sounds: self.audio.subscribe(limits::RECORD_FAN_LEN, package.clone()),
            view: number,
            current_generation: self.current_generation.clone(),
            generation,
        };
        self.outputs.stop_idle(now, out);
        out.push(Effect::Mix(MixCommand::LeaveOut(self.name.clone(), hidden, number)));
        reads
    }

    /// Nothing is read any more.
    fn stop_reading(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.outputs.unrecord(now);
        self.outputs.stop_idle(now, out);
        out.push(Effect::Mix(MixCommand::LeaveOut(self.name.clone(), [].into(), 0)));
        self.view.is_stale = false;
        self.unveil(now, out);
    }
}

/// Why it is its tenant who has no recording of it, or who came to it by a token that wants it stored nowhere else.
fn unstored(why: &Refusal) -> Option<FromNode> {
    let (title, detail) = match why {
        Refusal::OverQuota(over) => {
            let detail = format!("{} rooms of yours may be recorded at once; end another recording first.", over.most);
            ("There are as many recordings as may be", detail)
        }
        Refusal::StoredOutside(region) => {
            let detail =
                format!("The room is bound to the region {region}, and recordings of this node lie elsewhere.");
            ("This room is not recorded here", detail)
        }
        _ => return None,
    };
    Some(FromNode::problem(ProblemKind::NotAllowed, title, &detail))
}

/// The room exists, the node records, nothing longer was wished for: so it is the keepers.
fn no_recording() -> FromNode {
    FromNode::problem(
        ProblemKind::KeepersSilent,
        "No recording can begin",
        "Too few keepers of recordings answer, or the clock is in doubt; try again later.",
    )
}
