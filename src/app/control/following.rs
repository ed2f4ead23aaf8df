//! **The question:** how long did each step of a join and of a recording take? What the control thread sees of them,
//! handed on as spans; where no collector is named, nothing is kept.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use crate::app::control::waiting::Wanted;
use crate::app::workers::event::Event;
use crate::base::limits;
use crate::base::media::{ParticipantId, PeerId, RecordingTicket, RoomId, Wallclock};
use crate::core::trace::{Trace, TraceStart, TraceValue};
use crate::io::recording::RecordingSummary;
use crate::io::telemetry::log::alias;
use crate::io::traces::Tracer;
use crate::io::webrtc::{NetEvent, PeerRole};

/// The offer is read and answered.
const OFFER: &str = "offer";
/// ICE and DTLS.
const CONNECT: &str = "connect";
/// From there to the first packet of a track.
const FIRST_PACKET: &str = "first_packet";
/// From there until a picture is in everybody's.
const FIRST_PICTURE: &str = "first_picture";
/// Keepers agree, and the first segment is sealed and stored.
const START: &str = "start";
/// Segments are stored.
const STORE: &str = "store";
/// None can be, for now.
const STALL: &str = "stall";
/// What is left is stored, and the recording is closed.
const CLOSE: &str = "close";

/// What is followed.
#[derive(Default)]
pub(super) struct Following {
    tracer: Tracer,
    joins: HashMap<PeerId, Join>,
    recordings: HashMap<RecordingTicket, Trace>,
}

struct Join {
    trace: Trace,
    /// Whose picture is waited for; nobody's of those who watch.
    participant: Option<ParticipantId>,
}

impl Following {
    pub(super) fn new(tracer: Tracer) -> Self {
        Self { tracer, ..Self::default() }
    }

    /// Somebody asks to be let in.
    pub(super) fn asked(&self, now: Instant, wanted: &Wanted) -> Option<Trace> {
        let start = wanted.trace.as_ref()?;
        let mut trace = self.begin("join", &wanted.room, start, now)?;
        let role = match wanted.role {
            PeerRole::Participant(_) => "participant",
            PeerRole::Publisher(_) => "publisher",
            PeerRole::Viewer { .. } => "viewer",
        };
        trace.says("role", TraceValue::Word(role));
        trace.enter(now, OFFER);
        Some(trace)
    }

    /// They were answered, or refused.
    pub(super) fn answered(&mut self, trace: Option<Trace>, answered: Option<(PeerId, Option<ParticipantId>)>) {
        let (Some(mut trace), now) = (trace, Instant::now()) else { return };
        match answered {
            Some((peer, participant)) => {
                trace.enter(now, CONNECT);
                self.joins.insert(peer, Join { trace, participant });
            }
            None => self.tracer.send(trace.end(now, Some("refused"))),
        }
    }

    /// What the wire saw.
    pub(super) fn net(&mut self, event: &NetEvent) {
        let Some((peer, join)) = event.peer().and_then(|peer| Some((peer, self.joins.get_mut(&peer)?))) else { return };
        let now = Instant::now();
        match event {
            NetEvent::Connected(_) if join.participant.is_none() => self.end_join(now, peer, None),
            NetEvent::Connected(_) => join.trace.enter(now, FIRST_PACKET),
            NetEvent::TrackStarted { codec, .. } if join.trace.phase() == Some(FIRST_PACKET) => {
                join.trace.phase_says("codec", TraceValue::Word(codec.name()));
                join.trace.enter(now, FIRST_PICTURE);
            }
            NetEvent::Closed { .. } => self.gone(peer),
            _ => {}
        }
    }

    /// What another worker saw.
    pub(super) fn worker(&mut self, event: &Event) {
        match event {
            Event::Pictured { track, .. } => self.pictured(track.participant),
            Event::RecordingBegan { ticket, .. } => self.recording_enters(*ticket, STORE),
            Event::RecordingStalled { ticket, .. } => self.recording_enters(*ticket, STALL),
            Event::RecordingRefused { ticket, .. } => self.recording_fails(*ticket, "the keepers did not agree"),
            Event::RecordingErased { ticket, .. } => self.recording_fails(*ticket, "erased"),
            Event::RecordingFailed { ticket, .. } => self.recording_fails(*ticket, "a fault of ours"),
            _ => {}
        }
    }

    /// A picture of somebody's is in everybody's picture for the first time.
    fn pictured(&mut self, participant: ParticipantId) {
        let shown = |(_, join): &(&PeerId, &Join)| {
            join.participant == Some(participant) && join.trace.phase() == Some(FIRST_PICTURE)
        };
        if let Some(peer) = self.joins.iter().find(shown).map(|(peer, _)| *peer) {
            self.end_join(Instant::now(), peer, None);
        }
    }

    /// A connection is over, or will never be.
    pub(super) fn gone(&mut self, peer: PeerId) {
        let why = match self.joins.get(&peer).map(|join| join.trace.phase()) {
            Some(Some(CONNECT)) => "never connected",
            Some(_) => "left",
            None => return,
        };
        self.end_join(Instant::now(), peer, Some(why));
    }

    /// Gives up waiting for pictures that do not come; says when the next one is to be.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        let at = |join: &Join| join.trace.began() + limits::TRACE_JOIN_SPAN;
        let is_over = |join: &Join| join.trace.phase() != Some(CONNECT) && at(join) <= now;
        let over: Vec<PeerId> = self.joins.iter().filter(|(_, join)| is_over(join)).map(|(peer, _)| *peer).collect();
        for peer in over {
            if let Some(join) = self.joins.get_mut(&peer) {
                // A microphone alone is a whole join.
                join.trace.forget_phase();
                join.trace.says("pictured", TraceValue::Flag(false));
            }
            self.end_join(now, peer, None);
        }
        // Who never connects is turned away by those who wait for them.
        self.joins.values().filter(|join| join.trace.phase() != Some(CONNECT)).map(at).min()
    }

    fn end_join(&mut self, now: Instant, peer: PeerId, failed: Option<&'static str>) {
        if let Some(join) = self.joins.remove(&peer) {
            self.tracer.send(join.trace.end(now, failed));
        }
    }

    /// A recording is to begin.
    pub(super) fn recording_begins(&mut self, room: &RoomId, ticket: RecordingTicket) {
        let now = Instant::now();
        if let Some(mut trace) = self.begin("recording", room, &TraceStart { at: now, parent: None }, now) {
            trace.enter(now, START);
            self.recordings.insert(ticket, trace);
        }
    }

    /// It is to be closed.
    pub(super) fn recording_closes(&mut self, ticket: RecordingTicket) {
        self.recording_enters(ticket, CLOSE);
    }

    fn recording_enters(&mut self, ticket: RecordingTicket, phase: &'static str) {
        let Some(trace) = self.recordings.get_mut(&ticket) else { return };
        // What was said before it was to be closed may come after.
        if ![Some(phase), Some(CLOSE)].contains(&trace.phase()) {
            trace.enter(Instant::now(), phase);
        }
    }

    /// It is closed.
    pub(super) fn recording_closed(&mut self, ticket: RecordingTicket, summary: Option<&RecordingSummary>) {
        let Some(mut trace) = self.recordings.remove(&ticket) else { return };
        let failed = match summary {
            Some(summary) => {
                trace.says("duration_ms", TraceValue::Number(summary.duration.as_millis() as u64));
                trace.says("bytes", TraceValue::Number(summary.bytes));
                summary.trouble.as_ref().map(|_| "not closed whole")
            }
            None => Some("lost"),
        };
        self.tracer.send(trace.end(Instant::now(), failed));
    }

    /// It never was, or is no more.
    fn recording_fails(&mut self, ticket: RecordingTicket, why: &'static str) {
        if let Some(trace) = self.recordings.remove(&ticket) {
            self.tracer.send(trace.end(Instant::now(), Some(why)));
        }
    }

    fn begin(&self, name: &'static str, room: &RoomId, start: &TraceStart, now: Instant) -> Option<Trace> {
        if !self.tracer.is_on() {
            return None;
        }
        if self.joins.len() + self.recordings.len() >= limits::TRACES_OPEN_MAX {
            self.tracer.leave_out();
            return None;
        }
        let clock = (now, Wallclock::from_system_time(SystemTime::now()));
        let mut trace = Trace::begin(name, start, clock, self.tracer.seed())?;
        trace.says("room", TraceValue::Alias(alias(room).number()));
        Some(trace)
    }
}
