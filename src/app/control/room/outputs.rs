//! **The question:** which encodes does the room run, and for whom? View × rung: one encode for all who read the same,
//! none for nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::app::control::room::effect::{Effect, RungStart};
use crate::app::control::room::setup::RoomSetup;
use crate::base::limits;
use crate::base::media::{EncodedFrame, Outbox, PeerId, RungId, RungSpec, View};
use crate::core::push::PushId;
use crate::engine::flow::{Counter, Fan, KeyframeRequest, Level};

/// One encode that runs.
pub struct Rung {
    /// Its name among the workers.
    pub id: RungId,
    /// What it is.
    pub spec: RungSpec,
    /// Whom it hides.
    pub view: View,
    /// To everyone who reads it.
    pub fan: Fan<EncodedFrame>,
    /// Where its keyframes are asked for.
    pub keyframe_requests: KeyframeRequest,
    /// Whether the room's recording reads it.
    recorded: bool,
    /// Which of the room's live rungs it is, while it is packaged for them.
    live: Option<usize>,
    /// The room's pushes that it is streamed to.
    streamed: BTreeSet<PushId>,
    /// Whether it is read by anyone who needs regular keyframes.
    paced: Arc<AtomicBool>,
    viewers: Viewers,
    /// Since when nobody reads it.
    idle_since: Option<Instant>,
}

/// Who watches one encode, counted with all who watch one of its size.
struct Viewers {
    ids: BTreeSet<PeerId>,
    level: Level,
}

impl Viewers {
    fn insert(&mut self, peer: PeerId) {
        self.level.raise(u64::from(self.ids.insert(peer)));
    }

    fn remove(&mut self, peer: PeerId) -> bool {
        let watched = self.ids.remove(&peer);
        self.level.lower(u64::from(watched));
        watched
    }
}

impl Drop for Viewers {
    fn drop(&mut self) {
        self.level.lower(self.ids.len() as u64);
    }
}

impl Rung {
    fn has_readers(&self) -> bool {
        !self.viewers.ids.is_empty() || self.needs_pace()
    }

    fn needs_pace(&self) -> bool {
        self.recorded || self.live.is_some() || !self.streamed.is_empty()
    }

    /// Who reads it changed.
    fn readers_changed(&mut self, now: Instant) {
        self.paced.store(self.needs_pace(), Ordering::Relaxed);
        self.idle_since = if self.has_readers() { None } else { self.idle_since.or(Some(now)) };
    }

    /// How many watch it.
    pub fn viewers(&self) -> usize {
        self.viewers.ids.len()
    }

    /// When it stops: at once where only a recording could have read it, else a little later, for people come and go.
    fn stops_at(&self) -> Option<Instant> {
        let linger = if self.view.is_whole() { limits::RUNG_LINGER } else { std::time::Duration::ZERO };
        self.idle_since.map(|since| since + linger)
    }
}

/// All encodes of a room.
#[derive(Default)]
pub struct Outputs {
    rungs: Vec<Rung>,
}

impl Outputs {
    /// Every encode that runs.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// A connection watches `spec` from now on, and nothing else.
    pub fn watch(
        &mut self,
        now: Instant,
        peer: PeerId,
        spec: RungSpec,
        (setup, counter): (&RoomSetup, &Counter),
        out: &mut Outbox<Effect>,
    ) -> RungId {
        self.unwatch(now, peer);
        let rung = self.running(spec, View::default(), (setup, counter), out);
        rung.viewers.insert(peer);
        rung.idle_since = None;
        rung.id
    }

    /// A connection watches nothing any more.
    pub fn unwatch(&mut self, now: Instant, peer: PeerId) {
        for rung in &mut self.rungs {
            if rung.viewers.remove(peer) && !rung.has_readers() {
                rung.idle_since = Some(now);
            }
        }
    }

    /// Who watches what.
    pub fn watched(&self) -> impl Iterator<Item = (PeerId, &RungSpec)> {
        self.rungs.iter().flat_map(|rung| rung.viewers.ids.iter().map(|peer| (*peer, &rung.spec)))
    }

    /// The room's recording reads `spec` of `view` from now on, and nothing else.
    pub fn record(
        &mut self,
        now: Instant,
        spec: RungSpec,
        view: View,
        (setup, counter): (&RoomSetup, &Counter),
        out: &mut Outbox<Effect>,
    ) -> &Rung {
        // First the new one, so that one that goes on never idles.
        let id = self.running(spec, view, (setup, counter), out).id;
        self.unrecord(now);
        let rung = self.rungs.iter_mut().find(|rung| rung.id == id).expect("it was just found or begun");
        rung.recorded = true;
        rung.readers_changed(now);
        // What a recording reads begins with a keyframe.
        rung.keyframe_requests.request_keyframe();
        rung
    }

    /// What a recording reads is to begin with a keyframe now.
    pub fn request_recorded_keyframe(&self) {
        let recorded = self.rungs.iter().filter(|rung| rung.recorded);
        recorded.for_each(|rung| rung.keyframe_requests.request_keyframe());
    }

    /// No recording reads anything any more.
    pub fn unrecord(&mut self, now: Instant) {
        for rung in &mut self.rungs {
            if std::mem::take(&mut rung.recorded) {
                rung.readers_changed(now);
            }
        }
    }

    /// `spec` is packaged as the room's live rung `live` from now on; `None` if it is already.
    pub fn package(
        &mut self,
        now: Instant,
        (spec, live): (RungSpec, usize),
        (setup, counter): (&RoomSetup, &Counter),
        out: &mut Outbox<Effect>,
    ) -> Option<&Rung> {
        let rung = self.running(spec, View::default(), (setup, counter), out);
        if rung.live.replace(live).is_some() {
            return None;
        }
        rung.readers_changed(now);
        // What is packaged begins with a keyframe.
        rung.keyframe_requests.request_keyframe();
        Some(rung)
    }

    /// What is packaged for which of the room's live rungs.
    pub fn packaged(&self) -> impl Iterator<Item = (RungId, usize)> {
        self.rungs.iter().filter_map(|rung| rung.live.map(|live| (rung.id, live)))
    }

    /// It is packaged no longer; for which live rung it was.
    pub fn unpackage(&mut self, now: Instant, id: RungId) -> Option<usize> {
        let rung = self.rungs.iter_mut().find(|rung| rung.id == id)?;
        let live = rung.live.take()?;
        rung.readers_changed(now);
        Some(live)
    }

    /// `spec` is streamed to another server from now on.
    pub fn stream(
        &mut self,
        now: Instant,
        (spec, push): (RungSpec, PushId),
        (setup, counter): (&RoomSetup, &Counter),
        out: &mut Outbox<Effect>,
    ) -> &Rung {
        let rung = self.running(spec, View::default(), (setup, counter), out);
        rung.streamed.insert(push);
        rung.readers_changed(now);
        // A stream begins with a keyframe.
        rung.keyframe_requests.request_keyframe();
        rung
    }

    /// What is streamed to which push.
    pub fn streamed(&self, push: PushId) -> Option<&RungSpec> {
        self.rungs.iter().find(|rung| rung.streamed.contains(&push)).map(|rung| &rung.spec)
    }

    /// Nothing is streamed there any more.
    pub fn unstream(&mut self, now: Instant, push: PushId) {
        for rung in &mut self.rungs {
            if rung.streamed.remove(&push) {
                rung.readers_changed(now);
            }
        }
    }

    /// Stops what nobody has read for a while.
    pub fn stop_idle(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let idle = |rung: &mut Rung| rung.stops_at().is_some_and(|at| at <= now);
        for rung in self.rungs.extract_if(.., idle) {
            out.push(Effect::StopRung(rung.id));
        }
    }

    /// When the next one stops.
    pub fn deadline(&self) -> Option<Instant> {
        self.rungs.iter().filter_map(Rung::stops_at).min()
    }

    /// Stops everything; which encodes ran.
    pub fn stop_all(&mut self, out: &mut Outbox<Effect>) -> Vec<RungId> {
        let ids: Vec<RungId> = self.rungs.drain(..).map(|rung| rung.id).collect();
        ids.iter().for_each(|id| out.push(Effect::StopRung(*id)));
        ids
    }

    /// An encode is gone by itself; what it was.
    pub fn remove(&mut self, id: RungId) -> Option<Rung> {
        self.rungs.extract_if(.., |rung| rung.id == id).next()
    }

    fn running(
        &mut self,
        spec: RungSpec,
        view: View,
        (setup, counter): (&RoomSetup, &Counter),
        out: &mut Outbox<Effect>,
    ) -> &mut Rung {
        let found = self.rungs.iter().position(|rung| rung.spec == spec && rung.view == view);
        let at = found.unwrap_or_else(|| {
            let (rung, effect) = begin(spec, view, setup, counter);
            out.push(Effect::StartRung(Box::new(effect)));
            self.rungs.push(rung);
            self.rungs.len() - 1
        });
        &mut self.rungs[at]
    }
}

fn begin(spec: RungSpec, view: View, setup: &RoomSetup, counter: &Counter) -> (Rung, RungStart) {
    let (id, node) = (setup.next_rung(), &setup.counts.node);
    let fan = Fan::new(node.reader_lagged.clone());
    let keyframe_requests = KeyframeRequest::new(setup.net.clone(), node.wishes_superseded.clone());
    let paced = Arc::new(AtomicBool::new(false));
    // What is made for a recording alone is no frame of the room's.
    let frames_encoded = if view.is_whole() { counter.clone() } else { Counter::default() };
    let start = RungStart {
        rung: id,
        spec,
        view: view.clone(),
        fan: fan.clone(),
        keyframe_requests: keyframe_requests.clone(),
        recorded: paced.clone(),
        frames_encoded,
    };
    let place = setup.rungs.iter().position(|rung| rung.size == spec.size).unwrap_or_default();
    let viewers = Viewers { ids: BTreeSet::new(), level: node.rung_viewers[place.min(limits::RUNGS_MAX - 1)].clone() };
    let (recorded, live, streamed) = (false, None, BTreeSet::new());
    let rung =
        Rung { id, spec, view, fan, keyframe_requests, recorded, live, streamed, paced, viewers, idle_since: None };
    (rung, start)
}
