//! **The question:** how does what is watched here come from the room's own node? One connection for each rung and
//! codec that somebody needs; one that breaks is made again after a pause, and that node is asked how the room stands,
//! or the one to which it went.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::app::control::relay::standing::{Line, Relay, rung};
use crate::app::control::relay::words::Heard;
use crate::app::control::thread::Control;
use crate::app::workers::event::{Event, PushLine};
use crate::base::limits;
use crate::base::media::{
    Codec, Outbox, PeerId, RoomEpoch, RoomId, RungId, Size, TrackKind, Wallclock, pts_from_instant,
};
use crate::core::fleet::{RelayAnswer, RelayTerms, RelayWord};
use crate::core::ladder::SendTarget;
use crate::core::push::{Push, PushInput, PushOutput, PushState};
use crate::engine::flow::{Fan, KeyframeRequest};
use crate::io::fleet::RelayError;
use crate::io::push::PushSession;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{
    NetCommand, NetEvent, OwnSocket, Peer, PeerRole, PeerSetup, RelaySink, RelayedPictures, RelayedSound,
};

impl Control {
    /// Says to the room's own node that it is shown here, once that is due.
    pub(super) fn ask_owner(&mut self, now: Instant, name: &RoomId, relay: &mut Relay) {
        let waits = relay.asked.is_some_and(|asked| now < asked + limits::RELAY_CALL_SPAN * 3);
        let Some(node) = self.placement.own_id().filter(|_| !waits && relay.ask_at <= now) else { return };
        (relay.asked, relay.ask_at) = (Some(now), now + limits::RELAY_TELL_SPACING);
        let taken = relay.guests.len() + self.waiting.viewers(name);
        let places = if self.drain.is_on() { 0 } else { limits::VIEWERS_MAX.saturating_sub(taken) };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (viewers, places) = (count(relay.guests.len()), count(places));
        let word = RelayWord::Tell { room: name.clone(), node, viewers, places };
        let (reports, room) = (self.reports.clone(), name.clone());
        self.relays.relayer.ask(relay.owner.clone(), word, move |answered| {
            let outcome = match answered {
                Ok(RelayAnswer::Terms(terms)) if terms.are_usable() => Ok(terms),
                Ok(_) => Err(RelayError::Silent("what it answers makes no sense".into())),
                Err(why) => Err(why),
            };
            reports.send(Event::RelayTold { room, outcome });
        });
    }

    /// What that node says.
    pub(in crate::app::control) fn relay_told(
        &mut self,
        now: Instant,
        name: &RoomId,
        outcome: Result<RelayTerms, RelayError>,
    ) {
        let Some(mut relay) = self.relays.rooms.remove(name) else { return };
        relay.asked = None;
        let over = match outcome {
            Ok(terms) => {
                (relay.alive, relay.gone) = (now, 0);
                self.take_terms(now, name, &mut relay, terms);
                None
            }
            Err(why) => {
                self.setup.counts.relay.failures.add(1);
                tracing::debug!(room = %alias(name), %why, "the node of a room that is watched here");
                self.untold(now, name, &mut relay, &why)
            }
        };
        match over {
            Some(reason) => self.let_relay_go(now, name, relay, reason),
            None => self.keep_relay(name, relay),
        }
    }

    /// That node tells nothing; why the relay is over, if it is.
    fn untold(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, why: &RelayError) -> Option<&'static str> {
        let owner = self.placement.owner(name).map(|(_, url, _)| url);
        if let Some(url) = owner.clone().filter(|url| *url != relay.owner) {
            (relay.owner, relay.ask_at, relay.gone) = (url, now, 0);
            return None;
        }
        relay.ask_at = now + limits::RELAY_RETRY_SPACING;
        match why {
            RelayError::Gone => {
                relay.gone += 1;
                (owner.is_none() || relay.gone > limits::RELAY_GONE_MAX).then_some("the room is over")
            }
            // Its region, or what nodes know each other by.
            RelayError::Refused(403 | 409) => Some("the room's own node does not let it be shown here"),
            RelayError::Refused(_) | RelayError::Silent(_) => {
                relay.ask_at = now + limits::RELAY_TELL_SPACING;
                None
            }
        }
    }

    fn take_terms(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, terms: RelayTerms) {
        let is_same =
            relay.terms.as_ref().is_some_and(|known| (known.began, &known.rungs) == (terms.began, &terms.rungs));
        if !is_same {
            relay.lines.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| self.stop_line(name, relay, id));
            relay.words.forget();
            let ahead = |epoch: &RoomEpoch| ms(pts_from_instant(epoch, now).0) - ms(terms.now);
            relay.clock = Some(match relay.clock {
                // By the same clock as there, so that what is said of it holds here.
                None => match now.checked_sub(Duration::from_nanos(terms.now)) {
                    Some(instant) => (RoomEpoch { instant, wallclock: Wallclock(terms.began) }, 0),
                    None => (RoomEpoch { instant: now, wallclock: Wallclock(terms.began) }, -ms(terms.now)),
                },
                // Another one has it, and goes by another clock: here it goes on.
                Some((epoch, _)) => (epoch, ahead(&epoch) + 1),
            });
            if relay.terms.is_none()
                && let Some((epoch, _)) = relay.clock
            {
                let audio = relay.audio.clone();
                self.workers.net.send(NetCommand::AddRoom { room: name.clone(), epoch, audio });
            }
        }
        relay.terms = Some(terms);
        self.assign_all(now, name, relay);
    }

    /// The line that brings a rung in a codec; it begins, if there is none.
    pub(super) fn line(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, wanted: (usize, Codec)) -> u64 {
        if let Some(id) = relay.line(wanted) {
            return id;
        }
        let (id, node) = (self.setup.next_rung().0, &self.setup.counts.node);
        let fan = Fan::new(node.reader_lagged.clone());
        let keyframe_requests = KeyframeRequest::new(self.setup.net.clone(), node.wishes_superseded.clone());
        let (video, requests) = (fan.clone(), keyframe_requests.clone());
        self.workers.net.send(NetCommand::AddRung {
            room: name.clone(),
            rung: rung(id),
            video,
            keyframe_requests: requests,
        });
        let (at, codec) = wanted;
        let line = Line {
            at,
            codec,
            fan,
            keyframe_requests,
            push: Push::new(now, id),
            peer: None,
            session: None,
            sounds: false,
            speaks: false,
            guests: BTreeSet::new(),
            idle_since: Some(now),
        };
        relay.lines.insert(id, line);
        self.step_line(now, name, relay, id, PushInput::Due);
        id
    }

    /// Lines whose next try comes, that waited for long enough, or that nobody needs any more.
    pub(super) fn lines_due(&mut self, now: Instant, name: &RoomId, relay: &mut Relay) {
        for id in relay.lines.keys().copied().collect::<Vec<_>>() {
            let idle = relay.lines.get(&id).and_then(|line| line.idle_since);
            if idle.is_some_and(|since| since + limits::RELAY_LINGER <= now) {
                self.stop_line(name, relay, id);
            } else {
                self.step_line(now, name, relay, id, PushInput::Due);
            }
        }
    }

    fn step_line(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, id: u64, input: PushInput) {
        let Some(line) = relay.lines.get_mut(&id) else { return };
        let mut follows = Outbox::new();
        line.push.handle(now, input, &mut follows);
        for output in follows.drain() {
            match output {
                PushOutput::Call => self.call_owner(now, name, relay, id),
                PushOutput::LetGo => {
                    self.setup.counts.relay.failures.add(1);
                    let why = relay.lines.get(&id).and_then(|line| line.push.stats().last_error.map(str::to_owned));
                    tracing::warn!(room = %alias(name), why, "a relay's connection fails; it is made again");
                    self.let_line_go(relay, id);
                    // It may be over, or elsewhere.
                    relay.ask_at = now;
                }
            }
        }
    }

    /// Offers a connection to the room's own node.
    fn call_owner(&mut self, now: Instant, name: &RoomId, relay: &Relay, id: u64) {
        let (Some(line), Some(terms)) = (relay.lines.get(&id), &relay.terms) else { return };
        let (attempt, codec) = (line.push.stats().tries, line.codec);
        let (reports, room) = (self.reports.clone(), name.clone());
        let report = move |answer| {
            reports.send(Event::RelayLine { room, line: rung(id), attempt, answer: Box::new(answer) });
        };
        let named = terms.rungs.get(line.at).map(|rung| rung.name.clone()).zip(self.placement.own_id());
        let Some((rung, node)) = named else { return report(Err(RelayError::Gone)) };
        let media = &self.setup.config.media;
        let mut socket = match OwnSocket::bind(media.listen.ip(), &media.advertise) {
            Ok(socket) => socket,
            Err(error) => return report(Err(RelayError::Silent(format!("this node has no socket left: {error}")))),
        };
        let setup = PeerSetup {
            id: self.next_peer(),
            role: PeerRole::Viewer { minus: None },
            certificate: &self.certificate,
            candidates: socket.candidates(),
            tcp_candidates: &[],
            red: false,
        };
        let (mut peer, offer) = Peer::offer_to_watch(&setup, codec, now);
        let word = RelayWord::Watch { room: name.clone(), node, rung, offer };
        let (relayer, owner) = (self.relays.relayer.clone(), relay.owner.clone());
        self.relays.relayer.ask(owner.clone(), word, move |answered| {
            report(answered.and_then(|answer| {
                let RelayAnswer::Watches { sdp, location } = answer else {
                    return Err(RelayError::Silent("what it answers makes no sense".into()));
                };
                let session = Some(PushSession::new(move || relayer.hang_up(&owner, &location)));
                let accepted = peer.accept_to_watch(&sdp, Instant::now());
                accepted.map_err(|why| RelayError::Silent(format!("its answer is of no use: {why}")))?;
                socket.expect(&sdp);
                Ok(PushLine { peer: Box::new(peer), socket: Box::new(socket), session })
            }));
        });
    }

    /// What became of an offer. What comes of an earlier try ends where it was made.
    pub(in crate::app::control) fn relay_answered(
        &mut self,
        now: Instant,
        name: &RoomId,
        (line, attempt): (RungId, u64),
        answer: Result<PushLine, RelayError>,
    ) {
        let Some(mut relay) = self.relays.rooms.remove(name) else { return };
        let stats = relay.lines.get(&line.0).map(|line| line.push.stats());
        if stats.is_some_and(|stats| stats.tries == attempt && stats.state == PushState::Calling) {
            match answer {
                Ok(PushLine { peer, socket, session }) => {
                    self.relays.peers.insert(peer.id(), name.clone());
                    if let Some(line) = relay.lines.get_mut(&line.0) {
                        (line.peer, line.session) = (Some(peer.id()), session);
                    }
                    self.workers.net.send(NetCommand::AddCaller { peer, socket });
                    self.step_line(now, name, &mut relay, line.0, PushInput::Answered);
                }
                Err(why) => self.step_line(now, name, &mut relay, line.0, PushInput::Failed(why.to_string())),
            }
        }
        self.keep_relay(name, relay);
    }

    /// What the wire saw of a connection to the room's own node.
    pub(super) fn line_event(
        &mut self,
        now: Instant,
        name: &RoomId,
        relay: &mut Relay,
        (id, peer): (u64, PeerId),
        event: NetEvent,
    ) {
        match event {
            NetEvent::Connected(_) => self.step_line(now, name, relay, id, PushInput::Connected),
            NetEvent::TrackStarted { kind: TrackKind::Camera, codec, .. } => {
                self.attach_pictures(relay, (id, peer), codec);
            }
            NetEvent::TrackStarted { kind: TrackKind::Microphone, .. } => {
                relay.lines.get_mut(&id).into_iter().for_each(|line| line.sounds = true);
                if relay.heard.is_none_or(|heard| heard == id) {
                    self.attach_sound(relay);
                }
            }
            NetEvent::ChannelOpen(_) => relay.lines.get_mut(&id).into_iter().for_each(|line| line.speaks = true),
            NetEvent::Signal { text, .. } => self.owner_says(now, name, relay, id, &text),
            NetEvent::Closed { reason, .. } => {
                self.relays.peers.remove(&peer);
                relay.lines.get_mut(&id).into_iter().for_each(|line| line.peer = None);
                self.step_line(now, name, relay, id, PushInput::Failed(reason.to_string()));
            }
            // It sends nothing, and its tracks end with it.
            _ => {}
        }
    }

    fn attach_pictures(&self, relay: &Relay, (id, peer): (u64, PeerId), codec: Codec) {
        let (Some(line), Some(clock)) = (relay.lines.get(&id), relay.relay_clock()) else { return };
        let of = relay.terms.as_ref().and_then(|terms| terms.rungs.get(line.at));
        if let (Some(of), true) = (of, codec == line.codec) {
            let size = of.size().unwrap_or(Size::new(0, 0));
            let target = SendTarget { size, fps: of.fps, bitrate: of.bitrate };
            self.workers.net.send(NetCommand::Aim { peer, kind: TrackKind::Camera, target });
            let (requests, counters) = (line.keyframe_requests.clone(), self.setup.counts.relay.clone());
            let pictures = RelayedPictures::new(line.fan.clone(), requests, clock, counters);
            let (kind, sink) = (TrackKind::Camera, Box::new(RelaySink::Pictures(pictures)));
            self.workers.net.send(NetCommand::AttachRelay { peer, kind, sink });
        }
    }

    /// The sound of one of the lines is heard from now on.
    fn attach_sound(&self, relay: &mut Relay) {
        let sounding = relay.lines.iter().find_map(|(id, line)| Some((*id, line.peer.filter(|_| line.sounds)?)));
        relay.heard = sounding.map(|(id, _)| id);
        if let (Some((_, peer)), Some(clock)) = (sounding, relay.relay_clock()) {
            let sound = RelayedSound::new(relay.audio.clone(), clock, self.setup.counts.relay.clone());
            let (kind, sink) = (TrackKind::Microphone, Box::new(RelaySink::Sound(sound)));
            self.workers.net.send(NetCommand::AttachRelay { peer, kind, sink });
        }
    }

    /// What the room's own node says to its viewers; it says so by each line.
    fn owner_says(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, id: u64, text: &str) {
        if relay.lines.iter().find(|(_, line)| line.speaks).is_none_or(|(first, _)| *first != id) {
            return;
        }
        let was_welcome = relay.words.for_newcomer().next().is_some();
        match relay.words.hear(text, relay.clock.map_or(0, |(_, ahead_ms)| ahead_ms)) {
            Heard::Tell(kind, text) if was_welcome => self.tell_guests(relay, kind, &text),
            Heard::Moved => {
                if let Some((_, url, _)) = self.placement.owner(name) {
                    relay.owner = url;
                }
                relay.ask_at = now;
            }
            Heard::Tell(..) | Heard::Kept | Heard::Nothing => {}
        }
        let is_welcome = relay.words.for_newcomer().next().is_some();
        if is_welcome && !was_welcome {
            self.welcome_guests(relay);
        }
    }

    /// Lets go of a line's connection.
    fn let_line_go(&mut self, relay: &mut Relay, id: u64) {
        let Some(line) = relay.lines.get_mut(&id) else { return };
        // What it made there ends with it.
        (line.session, line.sounds, line.speaks) = (None, false, false);
        if let Some(peer) = line.peer.take() {
            self.relays.peers.remove(&peer);
            self.workers.net.send(NetCommand::RemovePeer(peer));
        }
        if relay.heard == Some(id) {
            self.attach_sound(relay);
        }
    }

    /// Nobody watches by a line any more, or the room goes on without it.
    pub(super) fn stop_line(&mut self, name: &RoomId, relay: &mut Relay, id: u64) {
        self.let_line_go(relay, id);
        if let Some(line) = relay.lines.remove(&id) {
            self.workers.net.send(NetCommand::RemoveRung { room: name.clone(), rung: rung(id) });
            for peer in line.guests {
                relay.guests.get_mut(&peer).into_iter().for_each(|guest| guest.line = None);
            }
        }
    }
}

fn ms(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000).unwrap_or(0)
}
