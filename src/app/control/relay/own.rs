//! **The question:** who of those who want to watch a room of this node is sent to another one, and which nodes may
//! show it? The room's own node decides both, so that nobody watches who would not be let in here.

use std::time::Instant;

use crate::app::control::thread::Control;
use crate::app::control::waiting::{Comer, Via, Wanted};
use crate::base::limits;
use crate::base::media::{RoomId, RungSpec, pts_from_instant};
use crate::core::fleet::{Label, RelayAnswer, RelayRung, RelaySeen, RelayTerms, RelayWord};
use crate::io::api::{Refusal, SeatWish};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::PeerRole;

impl Control {
    /// Whether another node may show the room to them: who only watches, and is nobody in it.
    pub(in crate::app::control) fn may_send_on(&self, wanted: &Wanted) -> bool {
        let only_watches = wanted.role == PeerRole::Viewer { minus: None };
        wanted.via == Via::Own && only_watches && self.mover.is_able()
    }

    /// Sends somebody who may watch to another node, where as many watch here as may.
    ///
    /// # Errors
    /// Where to, or why nowhere.
    pub(in crate::app::control) fn send_on(&mut self, now: Instant, wanted: &Wanted) -> Result<(), Refusal> {
        let Some(entry) = self.rooms.get(&wanted.room).filter(|_| self.may_send_on(wanted)) else { return Ok(()) };
        let here = entry.room.own_viewers() + self.waiting.viewers(&wanted.room);
        let is_full = entry.room.takes(wanted.role).is_err();
        if here < self.setup.config.fleet.viewers_here() && !is_full {
            return Ok(());
        }
        self.forget_relays(now, &wanted.room);
        let regions = self.regions_of(&wanted.room, wanted.who.region.as_ref());
        let known = self.relays.known.entry(wanted.room.clone()).or_default();
        let seen: Vec<RelaySeen> = known.iter().map(|(seen, _)| seen.clone()).collect();
        let counters = &self.setup.counts.relay;
        let (node, url) = self.placement.relay(&regions, &seen).map_err(|why| {
            counters.refused.add(1);
            Refusal::NoRelay(why)
        })?;
        counters.sent_on.add(1);
        match known.iter_mut().find(|(seen, _)| seen.node == node) {
            // Until it says so itself.
            Some((seen, _)) => seen.places = seen.places.saturating_sub(1),
            None => {
                tracing::info!(room = %alias(&wanted.room), %node, "a room is shown by one node more");
                let places = u32::try_from(limits::VIEWERS_MAX - 1).unwrap_or(u32::MAX);
                known.push((RelaySeen { node: node.clone(), viewers: 0, places }, now));
            }
        }
        Err(Refusal::WatchElsewhere { node, url })
    }

    /// A word of a node that shows a room of this one, or wants to.
    ///
    /// # Errors
    /// When it may not, or there is no such room.
    pub(in crate::app::control) fn relay_says(&mut self, word: RelayWord) -> Result<RelayAnswer, Refusal> {
        let now = Instant::now();
        match word {
            RelayWord::Tell { room, node, viewers, places } => {
                self.may_relay(&room, &node)?;
                self.note_relay(now, &room, RelaySeen { node, viewers, places });
                Ok(RelayAnswer::Terms(self.relay_terms(now, &room)?))
            }
            RelayWord::Watch { room, node, rung, offer } => {
                self.may_relay(&room, &node)?;
                let rung = rung.parse().map_err(|_| Refusal::RungNotFound(self.setup.rung_names()))?;
                let wanted = Wanted {
                    room: room.clone(),
                    role: PeerRole::Viewer { minus: None },
                    // It is let in wherever those are whom it shows it to, who were judged one by one.
                    who: Comer { publishes: true, ..Comer::default() },
                    display: String::new(),
                    consents_to_recording: true,
                    rung: Some(rung),
                    seat: SeatWish::Free,
                    from: None,
                    trace: None,
                    via: Via::Node,
                };
                let (_, joined) = self.admit_offer(now, wanted, &offer)?;
                let location = format!("/whep/{room}/{}", joined.resource);
                Ok(RelayAnswer::Watches { sdp: joined.answer, location })
            }
        }
    }

    /// Whether a room of this node may be shown by that one.
    fn may_relay(&self, room: &RoomId, node: &Label) -> Result<(), Refusal> {
        if !self.rooms.contains_key(room) || self.placement.is_gone(room) {
            return Err(Refusal::RoomNotFound);
        }
        let stands = self.placement.region_of(node).flatten();
        let regions = self.regions_of(room, None);
        let outside = regions.into_iter().find(|region| stands.as_ref() != Some(region));
        outside.map_or(Ok(()), |region| Err(Refusal::OutsideRegion(region)))
    }

    /// Where a room has to be, with whatever `wanted` asks for.
    fn regions_of(&self, room: &RoomId, wanted: Option<&Label>) -> Vec<Label> {
        let of_tenant = self.setup.tenancy.tenants.region(room);
        let of_people = self.rooms.get(room).map_or(&[][..], |entry| entry.room.bound_to());
        of_tenant.into_iter().chain(of_people).chain(wanted).cloned().collect()
    }

    fn note_relay(&mut self, now: Instant, room: &RoomId, told: RelaySeen) {
        let known = self.relays.known.entry(room.clone()).or_default();
        match known.iter_mut().find(|(seen, _)| seen.node == told.node) {
            Some(seen) => *seen = (told, now),
            None => known.push((told, now)),
        }
        known.truncate(limits::RELAYS_PER_ROOM_MAX);
        self.forget_relays(now, room);
    }

    /// Nodes that said nothing for long are none that show it.
    fn forget_relays(&mut self, now: Instant, room: &RoomId) {
        let rooms = &self.rooms;
        self.relays.known.retain(|known, _| rooms.contains_key(known));
        let Some(known) = self.relays.known.get_mut(room) else { return };
        known.retain(|(_, told)| now < *told + limits::RELAY_FORGET_SPAN);
        let viewers = known.iter().map(|(seen, _)| seen.viewers as usize).sum();
        self.account(room, now);
        if let Some(entry) = self.rooms.get_mut(room) {
            entry.room.set_relayed(viewers);
        }
    }

    /// Relays of this node's rooms that told nothing of late.
    pub(super) fn forget_all_relays(&mut self, now: Instant) {
        let rooms: Vec<RoomId> = self.relays.known.keys().cloned().collect();
        rooms.iter().for_each(|room| self.forget_relays(now, room));
    }

    fn relay_terms(&self, now: Instant, room: &RoomId) -> Result<RelayTerms, Refusal> {
        let entry = self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
        let (epoch, setup) = (entry.room.epoch(), &self.setup);
        let rung = |spec: &RungSpec| RelayRung { name: spec.name().to_string(), fps: spec.fps, bitrate: spec.bitrate };
        let codec = entry.room.codec().codec().name().to_owned();
        let rungs = setup.rungs.iter().map(rung).collect();
        Ok(RelayTerms { began: epoch.wallclock.0, now: pts_from_instant(&epoch, now).0, rungs, codec })
    }
}
