//! **The question:** how does somebody watch a room of another node here? As at its own: they are answered, come in
//! once their connection stands, get the rung that their link carries, and are told what viewers are told.

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::relay::standing::{Guest, Relay, rung};
use crate::app::control::room::{denied_message, follow, refused_message};
use crate::app::control::thread::Control;
use crate::app::control::waiting::{Waiter, Wanted};
use crate::base::limits;
use crate::base::media::{PeerId, RoomId, RungCodecs};
use crate::core::access::Act;
use crate::core::ladder::{ViewerInput, ViewerOutput, ViewerRung};
use crate::core::push::PushState;
use crate::core::signal::{FromClient, FromNode, ProblemKind, WordKind};
use crate::engine::flow::Fan;
use crate::io::api::{Command, Refusal};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, NetEvent, OfferError};

impl Control {
    /// Whether somebody may watch a room of another node here. That node judged all else before it sent them.
    pub(in crate::app::control) fn judge_guest(&self, wanted: &Wanted) -> Result<(), Refusal> {
        self.within_region(&wanted.room, wanted.who.region.as_ref())?;
        if self.drain.is_on() {
            return Err(Refusal::NoNewRooms);
        }
        let watching = match self.relays.rooms.get(&wanted.room) {
            Some(relay) => relay.guests.len(),
            None if self.placement.owner(&wanted.room).is_none() => return Err(Refusal::RoomNotFound),
            None if self.relays.rooms.len() >= limits::RELAYS_MAX => return Err(Refusal::NodeFull),
            None if self.rooms.values().any(|entry| entry.room.strained_since().is_some()) => {
                return Err(Refusal::NodeAtLimit);
            }
            None => 0,
        };
        let is_full = watching + self.waiting.viewers(&wanted.room) >= limits::VIEWERS_MAX;
        if is_full { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    /// Begins to relay a room of another node, unless that is done already.
    pub(in crate::app::control) fn begin_relay(&mut self, now: Instant, name: &RoomId) {
        let Some((node, owner, _)) = self.placement.owner(name).filter(|_| !self.relays.rooms.contains_key(name))
        else {
            return;
        };
        tracing::info!(room = %alias(name), %node, "a room of another node is shown here");
        let audio = Fan::new(self.setup.counts.node.reader_lagged.clone());
        let mut relay = Relay::new(now, owner, audio);
        self.ask_owner(now, name, &mut relay);
        self.keep_relay(name, relay);
    }

    /// Lets somebody in whose connection stands.
    pub(in crate::app::control) fn enter_relay(&mut self, id: PeerId) {
        let now = Instant::now();
        let Some(waiter) = self.waiting.get(id) else { return };
        let name = waiter.room.clone();
        // It may have ended while they were on the way.
        let Some(mut relay) = self.relays.rooms.remove(&name) else { return self.turn_away(id) };
        let Some(waiter) = self.waiting.remove(id) else { return self.keep_relay(&name, relay) };
        let Waiter { resource, trickling, rung: wish, watches: takes, has_channel: hears, .. } = waiter;
        self.relays.peers.insert(id, name.clone());
        let guest = Guest { resource, trickling, takes, wish, rung: None, line: None, hears };
        relay.guests.insert(id, guest);
        relay.idle_since = None;
        self.assign(now, &name, &mut relay, (id, false));
        if hears {
            self.welcome(&relay, id);
        }
        self.keep_relay(&name, relay);
    }

    /// What the wire saw of a relay's connections.
    pub(in crate::app::control) fn net_event_of_relay(&mut self, peer: PeerId, event: NetEvent) {
        let now = Instant::now();
        let Some(name) = self.relays.peers.get(&peer).cloned() else { return };
        let Some(mut relay) = self.relays.rooms.remove(&name) else { return };
        match relay.line_of(peer) {
            Some(id) => self.line_event(now, &name, &mut relay, (id, peer), event),
            None => self.guest_event(now, &name, &mut relay, peer, event),
        }
        self.keep_relay(&name, relay);
    }

    fn guest_event(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, peer: PeerId, event: NetEvent) {
        match event {
            NetEvent::Closed { .. } => self.remove_guest(now, relay, peer),
            NetEvent::ChannelOpen(_) => {
                relay.guests.get_mut(&peer).into_iter().for_each(|guest| guest.hears = true);
                self.welcome(relay, peer);
            }
            NetEvent::Signal { text, .. } => self.guest_says(now, relay, peer, &text),
            NetEvent::Renegotiated { answer, .. } => self.say(peer, &renegotiated(answer)),
            NetEvent::Trickled { answer, .. } => {
                if let Some(guest) = relay.guests.get_mut(&peer) {
                    guest.trickling.answered(answer);
                }
            }
            NetEvent::Link { verdict, .. } => {
                self.guest_input(now, name, relay, peer, verdict.into());
            }
            // They publish nothing.
            _ => {}
        }
    }

    /// What a door asks of one of those who watch.
    pub(in crate::app::control) fn command_of_guest(&mut self, peer: PeerId, command: Command) {
        let name = self.relays.peers.get(&peer).cloned();
        let Some((name, mut relay)) = name.and_then(|name| Some((name.clone(), self.relays.rooms.remove(&name)?)))
        else {
            return command.refuse(Refusal::ResourceNotFound);
        };
        match (command, relay.guests.get_mut(&peer)) {
            (Command::Trickle { session, fragment, reply, .. }, Some(guest)) => {
                if let Some(command) = guest.trickling.ask(peer, session.as_deref(), fragment, reply) {
                    self.workers.net.send(command);
                }
            }
            (Command::Leave { reply, .. }, Some(_)) => {
                self.dismiss_guest(Instant::now(), &mut relay, peer);
                // A caller that is gone needs no answer.
                let _ = reply.send(Ok(()));
            }
            (command, _) => command.refuse(Refusal::ResourceNotFound),
        }
        self.keep_relay(&name, relay);
    }

    /// Everybody gets the rung, in the codec, that they would get if they came now.
    pub(super) fn assign_all(&mut self, now: Instant, name: &RoomId, relay: &mut Relay) {
        for peer in relay.guests.keys().copied().collect::<Vec<_>>() {
            self.assign(now, name, relay, (peer, false));
        }
    }

    fn assign(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, (peer, at_once): (PeerId, bool)) {
        let bitrates = relay.terms.iter().flat_map(|terms| &terms.rungs).map(|rung| rung.bitrate).collect::<Vec<_>>();
        let Some(guest) = relay.guests.get_mut(&peer).filter(|_| !bitrates.is_empty()) else { return };
        if guest.wish.is_none() {
            guest.rung.get_or_insert_with(|| ViewerRung::new(bitrates));
        }
        let (before, takes, is_held) = (guest.line, guest.takes, guest.rung.as_ref().is_some_and(ViewerRung::is_held));
        let Some(wanted) = relay.guests.get(&peer).and_then(|guest| relay.wanted(guest)) else { return };
        if is_held || before.is_some() && before == relay.line(wanted) {
            return;
        }
        let id = self.line(now, name, relay, wanted);
        before.into_iter().for_each(|before| relay.leave_line(now, before, peer));
        if let (Some(line), Some(guest)) = (relay.lines.get_mut(&id), relay.guests.get_mut(&peer)) {
            line.guests.insert(peer);
            (line.idle_since, guest.line) = (None, Some(id));
        }
        let (room, watches) = (name.clone(), takes != RungCodecs::default());
        // What is watched goes on until a line that has yet to come up brings something.
        let at_once = at_once && relay.lines.get(&id).is_some_and(|line| line.push.stats().state == PushState::Live);
        self.workers.net.send(match before {
            None => NetCommand::EnterRoom { peer, room, rung: watches.then_some(rung(id)) },
            Some(_) if !watches => return,
            Some(_) => NetCommand::WatchRung { peer, rung: rung(id), at_once },
        });
    }

    fn guest_input(&mut self, now: Instant, name: &RoomId, relay: &mut Relay, peer: PeerId, input: ViewerInput) {
        let Some(follows) = relay.guests.get_mut(&peer).and_then(|guest| guest.rung.as_mut()) else { return };
        match follow(now, follows, input, &self.setup.counts.node) {
            None => {}
            Some(ViewerOutput::Hold) => self.workers.net.send(NetCommand::HoldPictures(peer)),
            Some(ViewerOutput::Show { at_once, .. }) => {
                let line = relay.guests.get(&peer).and_then(|guest| guest.line);
                self.assign(now, name, relay, (peer, at_once));
                let after = relay.guests.get(&peer).and_then(|guest| guest.line);
                if let Some(id) = after.filter(|_| line == after) {
                    // The same one, after its pictures were held.
                    self.workers.net.send(NetCommand::WatchRung { peer, rung: rung(id), at_once });
                }
            }
        }
    }

    fn guest_says(&mut self, now: Instant, relay: &mut Relay, peer: PeerId, text: &str) {
        match FromClient::parse(text) {
            Ok(Some(FromClient::Offer { sdp })) => {
                self.workers.net.send(NetCommand::Renegotiate { peer, offer: sdp });
            }
            Ok(Some(FromClient::Leave)) => self.dismiss_guest(now, relay, peer),
            Ok(Some(FromClient::State { .. } | FromClient::Recordable { .. }) | None) => {}
            Ok(Some(_)) => self.say(peer, &denied_message(Act::TakePart)),
            Err(error) => self.say(peer, &refused_message(&error)),
        }
    }

    fn say(&self, peer: PeerId, message: &FromNode) {
        let (kind, text) = (message.kind(), message.encode().into());
        self.workers.net.send(NetCommand::Signal { peer, kind, text });
    }

    /// Tells a newcomer what there is to know.
    fn welcome(&self, relay: &Relay, peer: PeerId) {
        for (kind, text) in relay.words.for_newcomer() {
            self.workers.net.send(NetCommand::Signal { peer, kind, text });
        }
    }

    /// The room's own node said who is welcome; those who came before are told.
    pub(super) fn welcome_guests(&self, relay: &Relay) {
        let hearing = relay.guests.iter().filter(|(_, guest)| guest.hears);
        hearing.for_each(|(peer, _)| self.welcome(relay, *peer));
    }

    /// Tells everybody who watches.
    pub(super) fn tell_guests(&self, relay: &Relay, kind: WordKind, text: &Arc<str>) {
        for (peer, _) in relay.guests.iter().filter(|(_, guest)| guest.hears) {
            self.workers.net.send(NetCommand::Signal { peer: *peer, kind, text: text.clone() });
        }
    }

    fn dismiss_guest(&mut self, now: Instant, relay: &mut Relay, peer: PeerId) {
        self.workers.net.send(NetCommand::RemovePeer(peer));
        self.remove_guest(now, relay, peer);
    }

    fn remove_guest(&mut self, now: Instant, relay: &mut Relay, peer: PeerId) {
        let Some(guest) = relay.guests.remove(&peer) else { return };
        guest.line.into_iter().for_each(|line| relay.leave_line(now, line, peer));
        self.relays.peers.remove(&peer);
        self.forget(peer, guest.resource);
        if relay.guests.is_empty() {
            relay.idle_since = Some(now);
        }
    }

    /// Does what is due of all relays.
    pub(in crate::app::control) fn relays_due(&mut self, now: Instant) {
        let due = self.relays.rooms.iter().filter(|(_, relay)| relay.deadline() <= now);
        for name in due.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let Some(mut relay) = self.relays.rooms.remove(&name) else { continue };
            let is_watched = !relay.guests.is_empty() || self.waiting.viewers(&name) > 0;
            relay.idle_since = if is_watched { None } else { relay.idle_since.or(Some(now)) };
            if relay.is_live() {
                relay.alive = now;
            }
            if relay.idle_since.is_some_and(|since| since + limits::RELAY_LINGER <= now) {
                self.let_relay_go(now, &name, relay, "nobody watches it here");
                continue;
            }
            if relay.alive + limits::RELAY_PATIENCE_SPAN <= now {
                self.let_relay_go(now, &name, relay, "nothing is heard of its own node");
                continue;
            }
            self.lines_due(now, &name, &mut relay);
            let is_due = |rung: &ViewerRung| rung.deadline().is_some_and(|at| at <= now);
            let rungs = relay.guests.iter().filter(|(_, guest)| guest.rung.as_ref().is_some_and(is_due));
            for peer in rungs.map(|(peer, _)| *peer).collect::<Vec<_>>() {
                self.guest_input(now, &name, &mut relay, peer, ViewerInput::Due);
            }
            self.ask_owner(now, &name, &mut relay);
            self.keep_relay(&name, relay);
        }
        self.forget_all_relays(now);
    }

    /// A relay goes on.
    pub(super) fn keep_relay(&mut self, name: &RoomId, relay: Relay) {
        self.relays.rooms.insert(name.clone(), relay);
        self.tell_relay_levels();
    }

    fn tell_relay_levels(&self) {
        let (counters, relays) = (&self.setup.counts.relay, self.relays.rooms.values());
        let lines = relays.clone().flat_map(|relay| relay.lines.values());
        counters.relays.set(self.relays.rooms.len() as u64);
        counters.viewers.set(relays.map(|relay| relay.guests.len() as u64).sum());
        counters.lines.set(lines.filter(|line| line.push.stats().state == PushState::Live).count() as u64);
    }

    /// A relay is over: those who watch are told as at the room's own node, by a goodbye.
    pub(super) fn let_relay_go(&mut self, now: Instant, name: &RoomId, mut relay: Relay, reason: &'static str) {
        tracing::info!(room = %alias(name), reason, "a room of another node is shown here no longer");
        for peer in relay.guests.keys().copied().collect::<Vec<_>>() {
            self.dismiss_guest(now, &mut relay, peer);
        }
        for id in relay.lines.keys().copied().collect::<Vec<_>>() {
            self.stop_line(name, &mut relay, id);
        }
        if relay.clock.is_some() {
            self.workers.net.send(NetCommand::RemoveRoom(name.clone()));
        }
        self.waiting.guests(name).into_iter().for_each(|id| self.turn_away(id));
        self.tell_relay_levels();
    }

    /// The same of one by its room, if there is one.
    pub(in crate::app::control) fn end_relay(&mut self, name: &RoomId, reason: &'static str) {
        if let Some(relay) = self.relays.rooms.remove(name) {
            self.let_relay_go(Instant::now(), name, relay, reason);
        }
    }

    /// The node ends.
    pub(in crate::app::control) fn end_relays(&mut self) {
        for name in self.relays.rooms.keys().cloned().collect::<Vec<_>>() {
            self.end_relay(&name, "the node is shutting down");
        }
    }
}

fn renegotiated(answer: Result<String, OfferError>) -> FromNode {
    match answer {
        Ok(sdp) => FromNode::Answer { sdp },
        Err(error) => FromNode::problem(ProblemKind::BadOffer, "The offer cannot be answered", &error.to_string()),
    }
}
