//! **The question:** where is the room sent on to, and what follows from how that goes? By WHIP a push is a viewer's
//! connection that this node began: it reads a rung that others may read too, and its link decides which, as any
//! viewer's does. By RTMP and SRT it is a stream of one rung, as it was asked for.

use std::sync::Arc;
use std::time::Instant;

use rand::Rng as _;

use crate::app::control::room::effect::{Effect, PushCall, PushOffer};
use crate::app::control::room::input::Joining;
use crate::app::control::room::pushes::{Line, PeerLine, Place, PushEntry};
use crate::app::control::room::state::Room;
use crate::app::control::trickling::Trickling;
use crate::app::workers::event::PushLine;
use crate::base::limits;
use crate::base::media::{Codec, Outbox, PeerId, RungCodecs, RungName, RungSpec, SoundCodec};
use crate::core::flv;
use crate::core::push::{Push, PushId, PushInput, PushOutput, PushState};
use crate::engine::flow::Counter;
use crate::io::api::{PushShown, PushWish, Refusal, ResourceToken, SeatWish, SoundWish};
use crate::io::push::{PushError, PushProtocol, PushTarget, StreamFeed, StreamLine, StreamTold};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{CloseReason, NetCommand, PeerRole};

impl Room {
    /// Somebody wants the room sent on. The first try begins at once.
    ///
    /// # Errors
    /// When there are too many, or this one cannot be.
    pub(super) fn begin_push(
        &mut self,
        now: Instant,
        wish: &PushWish,
        out: &mut Outbox<Effect>,
    ) -> Result<PushShown, Refusal> {
        let (url, token) = (wish.url.reveal(), wish.token.as_ref().map(|token| token.reveal().as_str()));
        let target = PushTarget::parse(url, token, self.setup.config.push.allow_private);
        let target = target.map_err(|why| Refusal::BadPush(why.to_string()))?;
        if wish.rung.is_some_and(|rung| !self.setup.rungs.iter().any(|spec| spec.name() == rung)) {
            return Err(Refusal::RungNotFound(self.setup.rung_names()));
        }
        let counters = &self.setup.counts.push;
        let is_full = self.pushes.0.len() >= limits::PUSHES_PER_ROOM_MAX;
        if is_full || counters.pushes.get() >= limits::PUSHES_MAX {
            return Err(Refusal::PushesFull);
        }
        let offer = self.push_offer(target.protocol(), wish).map_err(|why| Refusal::BadPush(why.to_owned()))?;
        let entry = PushEntry {
            target: Arc::new(target),
            rung: wish.rung,
            offer,
            push: Push::new(now, rand::rng().random()),
            line: None,
            sent: Counter::default(),
            place: Place::take(counters),
        };
        let id = PushId(self.setup.next_push());
        tracing::info!(room = %alias(&self.name), push = %id, "a room is to be sent on to another server");
        self.pushes.0.insert(id.0, entry);
        self.step_push(now, id, PushInput::Due, out);
        self.pushes_shown(now).into_iter().find(|shown| shown.push == id.to_string()).ok_or(Refusal::PushNotFound)
    }

    /// How all of them stand.
    pub(super) fn pushes_shown(&self, now: Instant) -> Vec<PushShown> {
        let shown = |(id, entry): (&u64, &PushEntry)| {
            let stats = entry.push.stats();
            let peer = entry.line.as_ref().and_then(Line::peer);
            let watched = self.outputs.watched().find(|(watches, _)| Some(*watches) == peer).map(|(_, spec)| spec);
            let sound = match entry.offer {
                PushOffer::Stream { sound, .. } => sound.map_or("none", SoundCodec::name),
                PushOffer::Peer(_) => SoundCodec::Opus.name(),
            };
            PushShown {
                push: PushId(*id).to_string(),
                target: entry.target.shown().to_owned(),
                rung: entry.rung.map(|rung| rung.to_string()),
                codec: watched.or(self.outputs.streamed(PushId(*id))).map(|spec| spec.codec.name()),
                sound,
                state: stats.state.name(),
                seconds: now.saturating_duration_since(stats.since).as_secs(),
                tries: stats.tries,
                failures: stats.failures,
                last_error: stats.last_error.map(str::to_owned),
                bytes: entry.sent.get(),
            }
        };
        self.pushes.0.iter().map(shown).collect()
    }

    /// Nobody wants it any more.
    ///
    /// # Errors
    /// When there is no such push.
    pub(super) fn end_push(&mut self, now: Instant, id: PushId, out: &mut Outbox<Effect>) -> Result<(), Refusal> {
        let mut entry = self.pushes.0.remove(&id.0).ok_or(Refusal::PushNotFound)?;
        self.let_line_go(now, id, &mut entry, out);
        if entry.push.stats().state == PushState::Live {
            self.broadcast_each(|caller| self.state_message(caller), out);
        }
        tracing::info!(room = %alias(&self.name), push = %id, "a push ends");
        self.tell_push(id, entry.target.shown(), "ended", out);
        Ok(())
    }

    /// What the other server said to one of its calls.
    pub(super) fn push_called(
        &mut self,
        now: Instant,
        (id, attempt): (PushId, u64),
        answer: Result<PushLine, PushError>,
        out: &mut Outbox<Effect>,
    ) {
        let entry = self.pushes.0.get_mut(&id.0);
        let waits = |entry: &&mut PushEntry| {
            let stats = entry.push.stats();
            stats.state == PushState::Calling && stats.tries == attempt
        };
        // What comes too late ends where it was made: nobody connects to it.
        let Some(entry) = entry.filter(waits) else { return };
        match answer {
            Ok(PushLine { peer, socket, session }) => {
                let resource = ResourceToken::random();
                let line = PeerLine { peer: peer.id(), resource, watches: peer.watches(), _session: session };
                entry.line = Some(Line::Peer(line));
                self.step_push(now, id, PushInput::Answered, out);
                out.push(Effect::Dial(peer, socket));
            }
            Err(why) => self.step_push(now, id, PushInput::Failed(why.to_string()), out),
        }
    }

    /// How the stream of one of them goes. What comes of an earlier try ends where it was made.
    pub(super) fn push_streams(
        &mut self,
        now: Instant,
        (id, attempt): (PushId, u64),
        told: StreamTold,
        out: &mut Outbox<Effect>,
    ) {
        let Some(stats) = self.pushes.0.get(&id.0).map(|entry| entry.push.stats()) else { return };
        if stats.tries != attempt || stats.state == PushState::Waiting {
            return;
        }
        match told {
            StreamTold::Up(line) if stats.state == PushState::Calling => {
                self.step_push(now, id, PushInput::Answered, out);
                self.stream(now, id, line, out);
                self.step_push(now, id, PushInput::Connected, out);
            }
            StreamTold::Up(_) => {}
            StreamTold::Ended(why) => self.step_push(now, id, PushInput::Failed(why.to_string()), out),
        }
    }

    /// The connection of one of them stands: it watches from now on.
    pub(super) fn push_connected(&mut self, now: Instant, peer: PeerId, out: &mut Outbox<Effect>) {
        let Some(id) = self.pushes.of(peer) else { return };
        let Some(entry) = self.pushes.0.get(&id.0) else { return };
        let Some(Line::Peer(line)) = &entry.line else { return };
        let joining = Joining {
            peer,
            role: PeerRole::Viewer { minus: None },
            standing: None,
            bearer: None,
            region: None,
            display: String::new(),
            consents_to_recording: true,
            rung: entry.rung,
            seat: SeatWish::Free,
            resource: line.resource,
            trickling: Trickling::new(String::new()),
            avatar: None,
            leg: None,
            watches: line.watches,
            relays: false,
        };
        self.join(now, joining, out);
        let input = match self.peers.get(peer) {
            Some(_) => PushInput::Connected,
            None => PushInput::Failed("the room has all the viewers that it may have".into()),
        };
        self.step_push(now, id, input, out);
    }

    /// A connection is no more; it may have been one of theirs.
    pub(super) fn push_lost(&mut self, now: Instant, peer: PeerId, reason: CloseReason, out: &mut Outbox<Effect>) {
        let Some(id) = self.pushes.of(peer) else { return };
        let why = match reason {
            CloseReason::Closed => "it ended the connection",
            CloseReason::NeverConnected => "it answered, and no connection came up: look at firewalls between",
            CloseReason::Lost => "nothing was heard of it any more",
            CloseReason::Handshake => "the DTLS handshake with it failed",
            CloseReason::Broken => "the connection with it broke",
        };
        self.step_push(now, id, PushInput::Failed(why.into()), out);
    }

    /// Those whose next try comes, or that waited for long enough.
    pub(super) fn pushes_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let due = self.pushes.0.iter().filter(|(_, entry)| entry.push.deadline().is_some_and(|at| at <= now));
        for id in due.map(|(id, _)| PushId(*id)).collect::<Vec<_>>() {
            self.step_push(now, id, PushInput::Due, out);
        }
    }

    /// The room is over: nothing of it goes anywhere any more.
    pub(super) fn end_pushes(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        for (id, mut entry) in std::mem::take(&mut self.pushes).0 {
            self.let_line_go(now, PushId(id), &mut entry, out);
            self.tell_push(PushId(id), entry.target.shown(), "ended", out);
        }
    }

    fn step_push(&mut self, now: Instant, id: PushId, input: PushInput, out: &mut Outbox<Effect>) {
        let Some(mut entry) = self.pushes.0.remove(&id.0) else { return };
        let (before, mut follows) = (entry.push.stats().state, Outbox::new());
        entry.push.handle(now, input, &mut follows);
        for output in follows.drain() {
            match output {
                PushOutput::Call => {
                    entry.place.counters.tries.add(1);
                    let (target, offer, sent) = (entry.target.clone(), entry.offer, entry.sent.clone());
                    let attempt = entry.push.stats().tries;
                    out.push(Effect::Call(Box::new(PushCall { push: id, attempt, target, offer, sent })));
                }
                PushOutput::LetGo => {
                    entry.place.counters.failures.add(1);
                    let why = entry.push.stats().last_error;
                    // What fails again and again is told once.
                    if before == PushState::Live || entry.push.stats().failures == 1 {
                        self.tell_push(id, entry.target.shown(), "waiting", out);
                    }
                    tracing::warn!(room = %alias(&self.name), push = %id, why, "a push fails; it is tried again");
                    self.let_line_go(now, id, &mut entry, out);
                }
            }
        }
        let (was_live, is_live) = (before == PushState::Live, entry.push.stats().state == PushState::Live);
        entry.place.set_live(is_live);
        if is_live && !was_live {
            tracing::info!(room = %alias(&self.name), push = %id, "a push is up");
            self.tell_push(id, entry.target.shown(), "live", out);
        }
        self.pushes.0.insert(id.0, entry);
        if is_live != was_live {
            // Whoever is in the room knows whether others see it.
            self.broadcast_each(|caller| self.state_message(caller), out);
        }
    }

    /// What is offered by that protocol, or why nothing can be.
    fn push_offer(&self, protocol: PushProtocol, wish: &PushWish) -> Result<PushOffer, &'static str> {
        let carries = match protocol {
            PushProtocol::Whip if wish.sound.is_some() => return Err("'sound' is for RTMP and SRT; WHIP has Opus"),
            PushProtocol::Whip => {
                let all = [Codec::Av1, Codec::H264, Codec::Vp8];
                let offered = all.into_iter().filter(|codec| wish.codec.is_none_or(|wished| wished == *codec));
                return Ok(PushOffer::Peer(offered.fold(RungCodecs::default(), RungCodecs::with)));
            }
            PushProtocol::Rtmp => flv::is_carried,
            PushProtocol::Srt => |codec| codec == Codec::H264,
        };
        let pictures = wish.codec.unwrap_or(Codec::H264);
        if !carries(pictures) {
            return Err("RTMP takes 'codec' h264 or av1, SRT h264");
        }
        if pictures == Codec::H264 && self.setup.encode_costs.h264.is_none() {
            return Err("this node was built without an H.264 encoder (cargo feature 'h264')");
        }
        let sound = match wish.sound.unwrap_or(SoundWish::Aac) {
            SoundWish::Aac => Some(SoundCodec::Aac),
            SoundWish::Opus => Some(SoundCodec::Opus),
            SoundWish::None => None,
        };
        Ok(PushOffer::Stream { pictures, sound, fps: self.streamed_rung(wish.rung, pictures).fps })
    }

    /// The rung that a stream is made of.
    fn streamed_rung(&self, name: Option<RungName>, codec: Codec) -> RungSpec {
        let named = self.setup.rungs.iter().find(|spec| Some(spec.name()) == name);
        RungSpec { codec, ..*named.unwrap_or(&self.setup.rungs[0]) }
    }

    /// A server takes a stream, and is sent it from now on.
    fn stream(&mut self, now: Instant, id: PushId, line: StreamLine, out: &mut Outbox<Effect>) {
        let Some(entry) = self.pushes.0.get(&id.0) else { return };
        let PushOffer::Stream { pictures, .. } = entry.offer else { return };
        let spec = self.streamed_rung(entry.rung, pictures);
        let frames = self.counters.frames_encoded.clone();
        let running = self.outputs.stream(now, (spec, id), (&self.setup, &frames), out);
        let pictures = running.fan.subscribe(limits::PUSH_FAN_LEN, line.waker.clone());
        let sounds = self.audio.subscribe(limits::PUSH_FAN_LEN, line.waker.clone());
        let end = line.feed(StreamFeed { pictures, sounds });
        if let Some(entry) = self.pushes.0.get_mut(&id.0) {
            entry.line = Some(Line::Stream(end));
        }
    }

    fn let_line_go(&mut self, now: Instant, id: PushId, entry: &mut PushEntry, out: &mut Outbox<Effect>) {
        // Its session, or its stream, ends with it.
        let (peer, resource) = match entry.line.take() {
            Some(Line::Peer(PeerLine { peer, resource, .. })) => (peer, resource),
            Some(Line::Stream(_)) => return self.outputs.unstream(now, id),
            None => return,
        };
        if self.peers.get(peer).is_some() {
            self.dismiss(now, peer, "its push ends or begins anew", out);
        } else {
            out.push(Effect::Net(NetCommand::RemovePeer(peer)));
            out.push(Effect::Forget(peer, resource));
        }
    }
}
