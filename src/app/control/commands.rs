//! **The question:** which room does a request concern, and may its caller ask for it?

use std::time::Instant;

use crate::app::control::entering::new_participant;
use crate::app::control::room::Input;
use crate::app::control::thread::Control;
use crate::app::control::waiting::{Comer, Via, Wanted};
use crate::base::media::{ParticipantId, RoomId};
use crate::core::access::{Caller, Scope};
use crate::io::api::{Command, Place, Refusal, Request, RoomSummary, SeatWish};
use crate::io::webrtc::PeerRole;

impl Control {
    /// One request of any door, judged first.
    pub(super) fn request(&mut self, Request { caller, command }: Request) {
        match self.setup.policy.judge(&caller, command.act(), command.room()) {
            // Nothing begins any more that would have to be ended at once.
            Ok(()) if self.is_stopping => command.refuse(Refusal::Draining),
            Ok(()) => self.command(&caller, command),
            Err(denied) => command.refuse(denied.into()),
        }
    }

    /// What follows from a command of somebody who may.
    fn command(&mut self, caller: &Caller, command: Command) {
        let who = Comer::of(caller);
        match command {
            Command::Join { room, name, offer, from, consents_to_recording, rung, seat, trace, reply } => {
                let (seat, participant) = match self.seat(&room, seat) {
                    Ok(found) => found,
                    Err(refusal) => return drop(reply.send(Err(refusal))),
                };
                let (role, display, trace, via) = (PeerRole::Participant(participant), name, Some(trace), Via::Own);
                let wanted = Wanted { room, role, who, display, consents_to_recording, rung, seat, from, trace, via };
                self.join(wanted, &offer, reply);
            }
            Command::Publish { room, name, offer, from, consents_to_recording, trace, reply } => {
                let (role, seat) = (PeerRole::Publisher(new_participant()), SeatWish::Free);
                let (display, rung, trace, via) = (name, None, Some(trace), Via::Own);
                let wanted = Wanted { room, role, who, display, consents_to_recording, rung, seat, from, trace, via };
                self.join(wanted, &offer, reply);
            }
            Command::Watch { room, minus, shows, offer, from, rung, relayed, trace, reply } => {
                let publishes = minus.zip(shows).is_some_and(|(id, token)| self.is_theirs(&room, id, token));
                let who = Comer { publishes, ..who };
                let (role, display, seat) = (PeerRole::Viewer { minus }, String::new(), SeatWish::Free);
                let (trace, consents_to_recording) = (Some(trace), true);
                // Where it came here meanwhile it is one of this node.
                let via = if relayed && !self.rooms.contains_key(&room) { Via::Relay } else { Via::Own };
                let wanted = Wanted { room, role, who, display, consents_to_recording, rung, seat, from, trace, via };
                self.join(wanted, &offer, reply);
            }
            Command::AddLeg { room, name, leg, from, reply } => {
                let role = PeerRole::Participant(new_participant());
                let wanted = Wanted {
                    room,
                    role,
                    who,
                    display: name,
                    consents_to_recording: true,
                    rung: None,
                    seat: SeatWish::Free,
                    from,
                    trace: None,
                    via: Via::Own,
                };
                self.join_leg(wanted, leg, reply);
            }
            Command::Rooms { reply } => drop(reply.send(Ok(self.room_list(caller.scope())))),
            Command::Stats { reply } => drop(reply.send(Ok(self.stats(caller.scope())))),
            Command::Lobby { room, reply } => {
                let people = self.in_lobby(&room);
                let is_known = self.rooms.contains_key(&room) || self.setup.config.rooms.lobby;
                drop(reply.send(is_known.then_some(people).ok_or(Refusal::RoomNotFound)));
            }
            Command::Moderate { room, moderation, reply } => {
                if let Err(refusal) = self.decide(&room, &moderation) {
                    return drop(reply.send(Err(refusal)));
                }
                if !self.rooms.contains_key(&room) && moderation.concerns_lobby_alone() {
                    return drop(reply.send(Ok(())));
                }
                self.command_of_one(Command::Moderate { room, moderation, reply });
            }
            Command::Usage { reply } => drop(reply.send(Ok(self.usage_told(caller.scope())))),
            Command::Find { place, reply } => drop(reply.send(self.find(&place))),
            Command::Node { reply } => drop(reply.send(Ok(self.node_state(Instant::now())))),
            Command::Drain { span, reply } => drop(reply.send(Ok(self.begin_drain(span)))),
            Command::RevokeDrain { reply } => drop(reply.send(self.revoke_drain())),
            Command::Relay { word, reply } => drop(reply.send(self.relay_says(word))),
            Command::TakeUp { baggage, fence, reply } => drop(reply.send(self.take_up(baggage, fence))),
            command => self.command_of_one(command),
        }
    }

    /// Who somebody is who wants a place: again who they were, where that is kept for them, else somebody new.
    fn seat(&self, room: &RoomId, wish: SeatWish) -> Result<(SeatWish, ParticipantId), Refusal> {
        if let SeatWish::Resume(token) = wish
            && let Some(entry) = self.rooms.get(room)
            && let Some(participant) = entry.room.seat_of(token)?
        {
            return Ok((wish, participant));
        }
        let keeps = if wish == SeatWish::Free { SeatWish::Free } else { SeatWish::Keep };
        Ok((keeps, new_participant()))
    }

    /// Whether what somebody is about to ask for is there.
    fn find(&self, place: &Place) -> Result<(), Refusal> {
        match place {
            Place::NewRoom if !self.workers.net.beats(Instant::now()) => Err(Refusal::Hung),
            Place::NewRoom => self.takes_room(),
            Place::Room(name) if self.rooms.contains_key(name) => Ok(()),
            Place::Room(_) => Err(Refusal::RoomNotFound),
            Place::Connection(resource) if self.resources.contains_key(resource) => Ok(()),
            Place::Connection(_) => Err(Refusal::ResourceNotFound),
        }
    }

    /// A command about one room or one connection that is there.
    fn command_of_one(&mut self, command: Command) {
        if let Some(resource) = command.resource() {
            let Some(peer) = self.resources.get(&resource).copied() else {
                return command.refuse(Refusal::ResourceNotFound);
            };
            return match self.peers.get(&peer).cloned() {
                Some(name) => self.input(&name, Input::AskOf(peer, command)),
                None if self.relays.has(peer) => self.command_of_guest(peer, command),
                None => self.command_of_waiting(peer, command),
            };
        }
        match command.room().cloned() {
            Some(name) if self.rooms.contains_key(&name) => self.input(&name, Input::Ask(command)),
            _ => command.refuse(Refusal::RoomNotFound),
        }
    }

    fn room_list(&self, scope: &Scope) -> Vec<RoomSummary> {
        let summary = |(name, stats): (&RoomId, crate::app::control::room::RoomStats)| RoomSummary {
            room: name.clone(),
            participants: stats.participants,
            viewers: stats.viewers,
        };
        let own = self.rooms.iter().filter(|(name, _)| scope.covers(name));
        let mut list: Vec<_> = own.map(|(name, entry)| (name, entry.room.stats())).map(summary).collect();
        list.sort_by(|a, b| a.room.cmp(&b.room));
        list
    }
}
