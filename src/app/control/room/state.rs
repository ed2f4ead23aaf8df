//! **The question:** what is a room, and by which doors is it asked?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::app::control::report::{RoomCounters, RoomReport};
use crate::app::control::room::captioned::Captioned;
use crate::app::control::room::effect::{Effect, RoomEnd};
use crate::app::control::room::input::{Input, MovedTo};
use crate::app::control::room::kept::Kept;
use crate::app::control::room::outputs::Outputs;
use crate::app::control::room::peers::Peers;
use crate::app::control::room::pushes::Pushes;
use crate::app::control::room::refusers::Refusers;
use crate::app::control::room::seats::Seats;
use crate::app::control::room::setup::RoomSetup;
use crate::app::workers::event::Event;

use crate::base::limits;
use crate::base::media::{
    MixTick, Outbox, ParticipantId, PeerId, RecordingTicket, RoomEpoch, RoomId, TrackId, TrackKind,
};
use crate::core::access::{self, OverQuota};
use crate::core::fleet::Label;
use crate::core::ladder::{CodecChoice, Relief, UplinkInput, room_units};
use crate::core::room::{Chat, Member, RoomCore, RoomInput};
use crate::core::scene::{self, Layout, Passage, Scene};
use crate::core::signal::{FromNode, Knocker, Person};
use crate::core::webhook::Happening;
use crate::engine::flow::Fan;
use crate::io::api::{Refusal, Reply, ResourceToken};
use crate::io::live::LiveRoom;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, PeerRole};

/// A room, from its first member to its last.
pub struct Room {
    pub(super) name: RoomId,
    pub(super) setup: Arc<RoomSetup>,
    pub(super) epoch: RoomEpoch,
    pub(super) core: RoomCore,
    pub(super) peers: Peers,
    pub(super) outputs: Outputs,
    /// In what those are sent pictures who take both codecs.
    pub(super) codec: CodecChoice,
    /// What is heard in it.
    pub(super) audio: Fan<MixTick>,
    pub(super) recording: RecordingState,
    /// What can be watched by HLS, if anything.
    pub(super) live: Option<Arc<LiveRoom>>,
    pub(super) refusers: Refusers,
    pub(super) view: ViewState,
    pub(super) roster: RosterState,
    /// Which of the readers that recordings had may take something: the newest ones. It only rises.
    pub(super) current_generation: Arc<AtomicU64>,
    /// Generations so far.
    pub(super) generations: u64,
    /// Whether its first listener is still to hear that it is recorded.
    pub(super) is_to_announce: bool,
    pub(super) layout: LayoutState,
    /// The picture as last laid out.
    pub(super) scene: Option<Arc<Scene>>,
    /// What everybody was told of where the tiles lie.
    pub(super) places: PlacesState,
    /// What is given up while its ticks or decoders do not keep up.
    pub(super) relief: Relief,
    /// Since when that is all there is.
    pub(super) strained_since: Option<Instant>,
    /// Who speaks, as last told.
    pub(super) speaking: Vec<ParticipantId>,
    /// Where it is sent on to.
    pub(super) pushes: Pushes,
    /// Of those whose connections broke.
    pub(super) seats: Seats,
    /// What people wrote.
    pub(super) chat: Chat,
    /// Who writes down what they say.
    pub(super) captioned: Captioned,
    /// When the node ends it, if it will.
    pub(super) ends_at: Option<Instant>,
    /// Who waits to be let in, as its hosts know.
    pub(super) waiting: Vec<Knocker>,
    /// Whether its tenant may have one more recording.
    pub(super) recording_quota: Result<(), OverQuota>,
    /// Where it has to be, as tokens said of those who came.
    pub(super) bound_to: Vec<Label>,
    /// What was asked of it and stands nowhere else, for a node that it goes to.
    pub(super) kept: Kept,
    /// How many watch it at other nodes, as far as those told.
    pub(super) relayed: usize,
    /// Where it goes on, and until when its people may take to leave.
    pub(super) moved: Option<(MovedTo, Instant)>,
    pub(super) counters: RoomCounters,
    /// It is over: nothing follows from anything any more.
    pub(super) ended: bool,
}

/// Whether the room is recorded.
pub(super) enum RecordingState {
    Off,
    /// The keepers are asked; until they agree nothing is recorded.
    Asked(RecordingTicket, Asker),
    /// It is recorded as soon as something can be stored; nothing is now.
    Waiting(RecordingTicket),
    On(RecordingTicket),
}

/// Who waits for a recording to begin.
pub(super) enum Asker {
    Door(Reply<bool>),
    Peer(PeerId),
}

impl RecordingState {
    /// Whether something is stored: what everybody is told.
    pub(super) const fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// The recording that takes what happens in the room, whether it can be stored now or waits.
    pub(super) const fn running(&self) -> Option<RecordingTicket> {
        match self {
            Self::On(ticket) | Self::Waiting(ticket) => Some(*ticket),
            Self::Off | Self::Asked(..) => None,
        }
    }

    /// The recording that is on or about to be.
    pub(super) const fn ticket(&self) -> Option<RecordingTicket> {
        match self {
            Self::Off => None,
            Self::Asked(ticket, _) | Self::Waiting(ticket) | Self::On(ticket) => Some(*ticket),
        }
    }
}

/// The recording's view without those who do not want to be in it.
#[derive(Debug, Default)]
pub(super) struct ViewState {
    /// When it was last made anew.
    pub(super) made: Option<Instant>,
    /// Others are to be hidden by now.
    pub(super) is_stale: bool,
}

impl ViewState {
    /// From when on it may be made anew: at once for the first time, and then for everyone who said no meanwhile.
    pub(super) fn next(&self) -> Option<Instant> {
        self.made.map(|made| made + limits::VIEW_SPACING)
    }

    /// When it is to be made anew.
    fn due(&self) -> Option<Instant> {
        self.next().filter(|_| self.is_stale)
    }
}

/// What everyone knows of who is here.
#[derive(Debug, Default)]
pub(super) struct RosterState {
    /// When they were told.
    pub(super) told: Option<Instant>,
    /// It is not so any more.
    pub(super) is_stale: bool,
}

impl RosterState {
    /// From when on they may be told again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.told.map(|told| told + limits::SIGNAL_SPACING)
    }

    /// When they are to be told.
    fn due(&self) -> Option<Instant> {
        self.next().filter(|_| self.is_stale)
    }
}

/// What everyone knows of where the tiles lie.
#[derive(Debug, Default)]
pub(super) struct PlacesState {
    /// How everything comes to where the scene has it.
    pub(super) passage: Passage,
    /// What they were told, and when.
    pub(super) told: Option<(Instant, FromNode)>,
    /// It is not so any more.
    pub(super) is_stale: bool,
}

impl PlacesState {
    /// When they are to be told: ten times a second at most.
    pub(super) fn due(&self) -> Option<Instant> {
        self.told.as_ref().map(|(told, _)| *told + limits::SIGNAL_SPACING).filter(|_| self.is_stale)
    }
}

/// How a room is laid out, as far as its people know.
#[derive(Debug, Default)]
pub(super) struct LayoutState {
    /// The layout asked for.
    pub(super) layout: Layout,
    /// The page shown, from 0.
    pub(super) page: usize,
    /// How many there are; 0 before the first scene.
    pub(super) pages: usize,
    /// When it last was laid out as somebody asked.
    pub(super) asked: Option<Instant>,
    /// What was asked for since.
    pub(super) wanted: Wanted,
    /// The minute since 1970 that the room's clock shows; `None`: no clock.
    pub(super) clock: Option<u64>,
    /// Those whose tiles bear the mark of a muted microphone.
    pub(super) muted: Vec<ParticipantId>,
    /// Cameras and screens of which their owners say that they are off: nothing of them is shown.
    pub(super) said_off: Vec<TrackId>,
}

impl LayoutState {
    /// When what is asked for holds, if it has to wait.
    pub(super) fn due(&self) -> Option<Instant> {
        self.asked.map(|asked| asked + limits::LAYOUT_SPACING).filter(|_| !self.wanted.is_nothing())
    }
}

/// A layout or a page that somebody asked for and that does not hold yet.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) layout: Option<Layout>,
    /// From 1.
    pub(super) page: Option<u32>,
}

impl Wanted {
    pub(super) fn is_nothing(&self) -> bool {
        self.layout.is_none() && self.page.is_none()
    }

    /// Another wish takes the place of an older one; pages are those of the layout they were asked with.
    pub(super) fn choose(&mut self, layout: Option<Layout>, page: Option<u32>) {
        if layout.is_some() {
            *self = Self { layout, page };
        } else {
            self.page = page.or(self.page);
        }
    }
}

/// How a room stands.
#[derive(Debug, Clone)]
pub struct RoomStats {
    /// People in it.
    pub participants: usize,
    /// Those who only watch.
    pub viewers: usize,
    /// Whether it is recorded.
    pub recording: bool,
    /// Its counts.
    pub counters: RoomCounters,
    /// Encodes that run.
    pub rungs: usize,
}

impl Room {
    /// A room that begins at `epoch`, sounds as `audio` and is laid out as the operator chose.
    #[must_use]
    pub fn new(
        name: RoomId,
        setup: Arc<RoomSetup>,
        epoch: RoomEpoch,
        audio: Fan<MixTick>,
        counters: RoomCounters,
    ) -> Self {
        let dress = setup.tenancy.dress(&name);
        let layout = dress.map_or(&setup.config.video.layout, |dress| &dress.layout).layout().clone();
        setup.rooms_running.fetch_add(1, Ordering::Relaxed);
        let codec = setup.first_codec();
        let live = setup.live.begin(&name, epoch, &setup.live_rungs());
        let mut room = Self {
            name,
            setup,
            epoch,
            core: RoomCore::new(),
            peers: Peers::default(),
            outputs: Outputs::default(),
            codec,
            audio,
            recording: RecordingState::Off,
            live,
            refusers: Refusers::default(),
            view: ViewState::default(),
            roster: RosterState::default(),
            current_generation: Arc::default(),
            generations: 0,
            is_to_announce: false,
            layout: LayoutState { layout, ..LayoutState::default() },
            scene: None,
            places: PlacesState::default(),
            relief: Relief::default(),
            strained_since: None,
            speaking: Vec::new(),
            pushes: Pushes::default(),
            seats: Seats::default(),
            chat: Chat::default(),
            captioned: Captioned::default(),
            ends_at: None,
            waiting: Vec::new(),
            recording_quota: Ok(()),
            bound_to: Vec::new(),
            kept: Kept::default(),
            relayed: 0,
            moved: None,
            counters,
            ended: false,
        };
        room.layout.clock = room.branding().clock.then(|| room.minute(epoch.instant));
        room
    }

    /// Takes one input and pushes what follows from it.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox<Effect>) {
        if self.ended {
            return refuse(input);
        }
        match input {
            Input::Begin(baggage) => {
                self.tell(Happening::RoomBegan { room: self.name.clone() }, out);
                self.log_codec();
                self.lobby_from_the_start(now, out);
                let recorded = baggage.and_then(|baggage| self.settle(now, *baggage, out));
                self.record_from_the_start(now, out);
                self.package_from_the_start(now, out);
                if let Some(wish) = recorded {
                    self.record_on(now, wish, out);
                }
            }
            Input::Pack => self.pack(now, out),
            Input::Stay => self.stay(now, out),
            Input::Moved(to) => self.moved(now, *to, out),
            Input::Join(joining) => self.join(now, *joining, out),
            Input::Net(event) => self.net_event(now, event, out),
            Input::Leg(event) => self.leg_event(now, event, out),
            Input::Worker(event) => self.worker_event(now, event, out),
            Input::Ask(command) => self.command(now, command, out),
            Input::AskOf(peer, command) => self.command_of(now, peer, command, out),
            Input::RungFailed(rung, why) => self.rung_failed(now, rung, &why, out),
            Input::Lobby(waiting) => self.lobby_changed(waiting, out),
            Input::NodeEnds(at) => self.node_ends(now, at, out),
            Input::End(reason) => self.end(now, reason, out),
            Input::Due => self.due(now, out),
        }
    }

    /// When `handle` must be called again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let all = [
            self.core.deadline(),
            self.peers.ask_deadline(),
            self.refusers.deadline(),
            self.seats.deadline(),
            self.pushes.deadline(),
            self.outputs.deadline(),
            self.package_deadline(),
            self.codec.deadline(),
            self.peers.rung_deadline(),
            self.clock_deadline(),
            self.view.due(),
            self.roster.due(),
            self.places.due(),
            self.layout.due(),
            self.moved.as_ref().map(|(_, until)| *until),
        ];
        all.into_iter().flatten().min()
    }

    /// How the room stands.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        let stats = self.core.stats();
        RoomStats {
            participants: stats.participants,
            viewers: self.own_viewers(),
            recording: self.recording.is_on(),
            counters: self.counters.clone(),
            rungs: self.outputs.rungs().len(),
        }
    }

    /// People in it, and those who only watch, here or at other nodes.
    #[must_use]
    pub fn headcount(&self) -> (usize, usize) {
        (self.core.stats().participants, self.own_viewers() + self.relayed)
    }

    /// Those who only watch by this node: nodes that show it to others are none of them.
    #[must_use]
    pub fn own_viewers(&self) -> usize {
        let relays = self.peers.iter().filter(|(_, entry)| entry.relays).count();
        self.core.stats().viewers.saturating_sub(relays)
    }

    /// So many watch it at other nodes.
    pub const fn set_relayed(&mut self, viewers: usize) {
        self.relayed = viewers;
    }

    /// Where it has to be, as tokens said of those who came.
    #[must_use]
    pub fn bound_to(&self) -> &[Label] {
        &self.bound_to
    }

    /// When its clock stood at 0.
    #[must_use]
    pub const fn epoch(&self) -> RoomEpoch {
        self.epoch
    }

    /// Whether something of it is stored, or about to be.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recording.ticket().is_some()
    }

    /// How many watch it by HLS, as far as their requests tell.
    #[must_use]
    pub fn hls_viewers(&self, now: Instant) -> u64 {
        self.live.as_ref().map_or(0, |live| live.viewers(now))
    }

    /// People in it.
    #[must_use]
    pub fn people_count(&self) -> usize {
        self.core.members().len()
    }

    /// What it takes of the machine, media units.
    #[must_use]
    pub fn units(&self) -> f64 {
        room_units(self.people_count(), self.outputs.rungs().iter().map(|rung| rung.spec))
    }

    /// Everyone here, as the room may know them.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        let person = |member: &Member| Person {
            id: member.participant,
            name: member.name.clone(),
            camera: member.has(TrackKind::Camera),
            microphone: member.has(TrackKind::Microphone),
            screen: member.has(TrackKind::Screen),
            muted: !member.has(TrackKind::Microphone),
            host_muted: self.core.is_host_muted(member.participant),
            hand: self.core.has_hand_up(member.participant),
            unrecorded: self.refusers.contains(member.participant),
            away: member.away,
        };
        self.core.members().iter().map(person).collect()
    }

    /// Whether somebody could come in now.
    ///
    /// # Errors
    /// What they are told if not.
    pub fn takes(&self, role: PeerRole) -> Result<(), Refusal> {
        let stats = self.core.stats();
        let known = |id| self.core.members().iter().any(|member| member.participant == id);
        match role {
            // Who comes back has a place.
            PeerRole::Participant(id) if known(id) => Ok(()),
            PeerRole::Viewer { minus: Some(id) } if !known(id) => Err(Refusal::ParticipantNotFound),
            PeerRole::Viewer { .. } if stats.viewers >= limits::VIEWERS_MAX => Err(Refusal::RoomFull),
            PeerRole::Participant(_) | PeerRole::Publisher(_) if stats.participants >= limits::PARTICIPANTS_MAX => {
                Err(Refusal::RoomFull)
            }
            _ => Ok(()),
        }
    }

    /// Whether somebody of such standing may come to its door: hosts and operators may where it is locked, and whoever
    /// `publishes` in it already and wants to watch as well.
    ///
    /// # Errors
    /// When it is locked for them.
    pub fn opens(&self, standing: Option<access::Role>, publishes: bool) -> Result<(), Refusal> {
        let has_key = matches!(standing, Some(access::Role::Host | access::Role::Admin));
        if self.core.rules().locked && !has_key && !publishes { Err(Refusal::RoomLocked) } else { Ok(()) }
    }

    /// Whether `token` names a connection of that person's. Ids are told to everybody, this to its client alone.
    #[must_use]
    pub fn is_theirs(&self, person: ParticipantId, token: ResourceToken) -> bool {
        self.peers.iter().any(|(_, entry)| entry.resource == token && entry.role.participant() == Some(person))
    }

    /// Since when it gives up all there is to give up, if it does.
    #[must_use]
    pub fn strained_since(&self) -> Option<Instant> {
        self.strained_since
    }

    /// Whether a connection is of this room.
    #[must_use]
    pub fn has(&self, peer: PeerId) -> bool {
        self.peers.get(peer).is_some()
    }

    /// In what those are sent pictures who take both codecs.
    #[must_use]
    pub fn codec(&self) -> &CodecChoice {
        &self.codec
    }

    /// What is heard in the room, for legs that come.
    #[must_use]
    pub fn audio(&self) -> &Fan<MixTick> {
        &self.audio
    }

    fn due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.core.deadline().is_some_and(|at| at <= now) {
            self.room_input(now, RoomInput::Due, out);
        }
        for (peer, track) in self.peers.asks_due(now) {
            self.ask_sender(now, peer, track, UplinkInput::Due, out);
        }
        self.update_clock(now, out);
        self.lift_refusers(now, out);
        self.clear_seats(now, out);
        self.pushes_due(now, out);
        if self.view.due().is_some_and(|at| at <= now) {
            self.remake_view(now, out);
        }
        if self.roster.due().is_some_and(|at| at <= now) {
            self.tell_roster(now, out);
        }
        if self.places.due().is_some_and(|at| at <= now) {
            self.tell_places(now, out);
        }
        self.choices_due(now, out);
        if self.moved.as_ref().is_some_and(|(_, until)| *until <= now) {
            return self.end(now, "it goes on at another node", out);
        }
        self.codec_due(now, out);
        self.rungs_due(now, out);
        self.end_idle_packages(now, out);
        self.outputs.stop_idle(now, out);
    }

    fn worker_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Effect>) {
        match event {
            Event::SceneChanged { scene, passage, page, pages, .. } => {
                self.scene_changed(now, (scene, passage), page, pages, out);
            }
            Event::Relief { relief, .. } => self.relieve(now, relief, out),
            Event::Speech { speaking, dominant, .. } => {
                self.room_input(now, RoomInput::Speech { speaking, dominant }, out);
            }
            Event::PicturesBroken { track, .. } => {
                // A screen stands still more often than not, so its last picture stays until the keyframe is there.
                if track.kind == TrackKind::Camera {
                    out.push(Effect::Scene(scene::Input::CameraEnded { participant: track.participant }));
                }
            }
            Event::DecoderFailed { track, error, .. } => {
                let room = alias(&self.name);
                tracing::error!(%room, kind = ?track.kind, %error, "a track cannot be decoded and is not shown");
                if track.kind == TrackKind::Camera {
                    out.push(Effect::Scene(scene::Input::CameraEnded { participant: track.participant }));
                }
            }
            Event::PicturesRefused { track, why, .. } => self.pictures_refused(now, track, why, out),
            Event::RecordingBegan { ticket, .. } => self.recording_began(now, ticket, out),
            Event::RecordingRefused { ticket, .. } => self.recording_refused(now, ticket, out),
            Event::RecordingStalled { ticket, .. } => self.recording_stalled(ticket, out),
            Event::RecordingErased { ticket, wanted, .. } => self.recording_erased(now, ticket, wanted, out),
            Event::RecordingFailed { ticket, .. } => self.recording_failed(now, ticket, out),
            Event::LiveFailed { rung, .. } => self.package_failed(now, rung, out),
            Event::RungFailed { rung, .. } => self.rung_failed(now, rung, "its worker panicked", out),
            Event::Push { push, attempt, answer, .. } => self.push_called(now, (push, attempt), *answer, out),
            Event::PushStream { push, attempt, told, .. } => self.push_streams(now, (push, attempt), told, out),
            Event::RoomFailed(_) => {
                self.setup.counts.node.rooms_failed.add(1);
                self.end(now, "a fault of ours", out);
            }
            Event::RoomTaken(_) => self.end(now, "another node has it", out),
            // About what the room no longer has, or has nothing to do with.
            Event::RecordingFinished { .. }
            | Event::RungEnded { .. }
            | Event::Pictured { .. }
            | Event::Leg(_)
            | Event::MovePlaced { .. }
            | Event::MoveDone { .. }
            | Event::RelayTold { .. }
            | Event::RelayLine { .. } => {}
        }
    }

    /// Ends the room: every connection is closed, its encodes and its recording are let go.
    pub(super) fn end(&mut self, now: Instant, reason: &str, out: &mut Outbox<Effect>) {
        if self.ended {
            return;
        }
        // Before the people leave, so that leaving does not end the room once more.
        self.ended = true;
        self.setup.rooms_running.fetch_sub(1, Ordering::Relaxed);
        self.end_pushes(now, out);
        self.tell_all_left(out);
        self.end_all_captions();
        let peers: Vec<_> = self.peers.iter().map(|(id, _)| id).collect();
        for id in peers {
            let Some(entry) = self.peers.remove(id) else { continue };
            for kind in &entry.tracks {
                let Some(participant) = entry.role.participant() else { continue };
                out.push(Effect::RemoveTrack(TrackId { participant, kind: *kind }));
            }
            out.push(if entry.leg.is_some() { Effect::RemoveLeg(id) } else { Effect::Net(NetCommand::RemovePeer(id)) });
            out.push(Effect::Forget(id, entry.resource));
        }
        let state = std::mem::replace(&mut self.recording, RecordingState::Off);
        let recording = state.ticket();
        if let RecordingState::Asked(_, Asker::Door(reply)) = state {
            // A caller that is gone needs no answer.
            let _ = reply.send(Err(Refusal::RoomNotFound));
        }
        if let Some(live) = self.live.take() {
            self.setup.live.end(&self.name, &live, now);
        }
        let rungs = self.outputs.stop_all(out);
        let video = &self.setup.config.video;
        let report = RoomReport {
            room: self.name.clone(),
            size: video.size(),
            fps: video.fps.get(),
            encoder: self.setup.engines.0,
            compositor: self.setup.engines.1,
            counters: self.counters.clone(),
            duration_s: now.saturating_duration_since(self.epoch.instant).as_secs_f64(),
            recording: None,
        };
        out.push(Effect::End(Box::new(RoomEnd { report, reason: reason.to_owned(), rungs, recording })));
    }
}

/// Whoever asks a room that is over is told so.
fn refuse(input: Input) {
    match input {
        Input::Ask(command) | Input::AskOf(_, command) => command.refuse(Refusal::RoomNotFound),
        _ => {}
    }
}
