//! **The question:** who was answered and has not come yet? They have no place, no room, no encoder and no say in what
//! is recorded: a short list, bounded in all and for each address, from which those go first who let others wait.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use crate::app::control::room::effect::LegShown;
use crate::app::control::trickling::Trickling;
use crate::base::limits;
use crate::base::media::{Bitmap, ParticipantId, PeerId, RoomId, RungCodecs, RungName};
use crate::core::access::{BearerId, Caller, Role};
use crate::core::fleet::Label;
use crate::core::trace::TraceStart;
use crate::io::api::{Refusal, ResourceToken, SeatWish};
use crate::io::webrtc::PeerRole;

/// Somebody whose offer was answered, or a leg whose port is bound.
pub(super) struct Waiter {
    /// Where they want to go; it need not be there yet.
    pub(super) room: RoomId,
    pub(super) role: PeerRole,
    pub(super) who: Comer,
    pub(super) via: Via,
    pub(super) display: String,
    pub(super) consents_to_recording: bool,
    pub(super) rung: Option<RungName>,
    pub(super) seat: SeatWish,
    pub(super) resource: ResourceToken,
    pub(super) trickling: Trickling,
    /// What they sent to be shown while their camera is off.
    pub(super) avatar: Option<Bitmap>,
    /// It is a leg.
    pub(super) leg: Option<LegShown>,
    /// What they may be sent pictures in.
    pub(super) watches: RungCodecs,
    /// ICE and DTLS stand; only those who watch wait on, until whom they watch is there.
    pub(super) connected: bool,
    /// Their data channel is open.
    pub(super) has_channel: bool,
    since: Instant,
    source: Option<IpAddr>,
}

/// What the token says of somebody that they showed, if they did.
#[derive(Debug, Clone, Default)]
pub(super) struct Comer {
    /// What it makes of them.
    pub(super) standing: Option<Role>,
    /// By what they are known again.
    pub(super) bearer: Option<BearerId>,
    /// Where a room has to be that they come into.
    pub(super) region: Option<Label>,
    /// They are in the room already, by a connection that they named by what only they know.
    pub(super) publishes: bool,
}

impl Comer {
    pub(super) fn of(caller: &Caller) -> Self {
        let (standing, bearer, region) = (caller.role(), caller.bearer(), caller.region().cloned());
        Self { standing, bearer, region, publishes: false }
    }
}

/// Whose room somebody comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Via {
    /// One of this node.
    #[default]
    Own,
    /// One of another node, which sent them here to watch it.
    Relay,
    /// One of this node, which another one watches to show it to others.
    Node,
}

/// What somebody wants who asks to be let in.
pub(super) struct Wanted {
    pub(super) room: RoomId,
    pub(super) role: PeerRole,
    pub(super) who: Comer,
    pub(super) display: String,
    pub(super) consents_to_recording: bool,
    pub(super) rung: Option<RungName>,
    /// The place they want.
    pub(super) seat: SeatWish,
    /// The address they ask from, if that is known.
    pub(super) from: Option<IpAddr>,
    /// When they asked over HTTP, and as a part of which trace.
    pub(super) trace: Option<TraceStart>,
    /// Whose room it is.
    pub(super) via: Via,
}

impl Waiter {
    pub(super) fn new(now: Instant, wanted: Wanted, resource: ResourceToken, ufrag: String) -> Self {
        let Wanted { room, role, who, via, display, consents_to_recording, rung, seat, from, .. } = wanted;
        Self {
            room,
            role,
            who,
            via,
            display,
            consents_to_recording,
            rung,
            seat,
            resource,
            trickling: Trickling::new(ufrag),
            avatar: None,
            leg: None,
            watches: RungCodecs::default(),
            connected: false,
            has_channel: false,
            since: now,
            source: network(from),
        }
    }
}

/// Everyone who waits, in the order in which they asked.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<PeerId, Waiter>);

impl Waiting {
    /// Whether one more from an address may wait, and who has to go for it.
    ///
    /// # Errors
    /// When nobody has waited so long that they had to make room.
    pub(super) fn place(&self, now: Instant, from: Option<IpAddr>) -> Result<Option<PeerId>, Refusal> {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        self.0.values().for_each(|waiter| *counts.entry(waiter.source).or_default() += 1);
        let own = network(from);
        let (source, refusal) = if counts.get(&own).is_some_and(|count| *count >= limits::WAITING_PER_ADDRESS_MAX) {
            (own, Refusal::ManyJoiningHere)
        } else if self.0.len() >= limits::WAITING_MAX {
            let most = counts.into_iter().max_by_key(|(_, count)| *count);
            (most.and_then(|(source, _)| source), Refusal::ManyJoining)
        } else {
            return Ok(None);
        };
        // Ids rise, so the first one waits longest.
        let first = self.0.iter().find(|(_, waiter)| waiter.source == source);
        let yields = first.filter(|(_, waiter)| waiter.since + limits::WAITING_YIELDS_AFTER <= now);
        yields.map(|(id, _)| Some(*id)).ok_or(refusal)
    }

    pub(super) fn insert(&mut self, id: PeerId, waiter: Waiter) {
        self.0.insert(id, waiter);
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Waiter> {
        self.0.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Waiter> {
        self.0.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<Waiter> {
        self.0.remove(&id)
    }

    /// Everyone.
    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.0.keys().copied().collect()
    }

    /// Whether somebody is on their way who would begin the room, or who is that person.
    pub(super) fn awaits(&self, room: &RoomId, person: Option<ParticipantId>) -> bool {
        let mut coming = self.0.values().filter(|waiter| waiter.room == *room).filter_map(|w| w.role.participant());
        coming.any(|id| person.is_none_or(|person| id == person))
    }

    /// Those who are on their way to watch that room of another node.
    pub(super) fn guests(&self, room: &RoomId) -> Vec<PeerId> {
        let is_one = |waiter: &Waiter| waiter.room == *room && waiter.via == Via::Relay;
        self.0.iter().filter(|(_, waiter)| is_one(waiter)).map(|(id, _)| *id).collect()
    }

    /// How many are on their way who only watch that room, people that is.
    pub(super) fn viewers(&self, room: &RoomId) -> usize {
        let is_one = |waiter: &&Waiter| {
            waiter.room == *room && waiter.via != Via::Node && waiter.role == PeerRole::Viewer { minus: None }
        };
        self.0.values().filter(is_one).count()
    }

    /// Whether that person is on their way by the connection that `token` names.
    pub(super) fn is_theirs(&self, room: &RoomId, person: ParticipantId, token: ResourceToken) -> bool {
        let mut coming = self.0.values().filter(|waiter| waiter.room == *room && waiter.resource == token);
        coming.any(|waiter| waiter.role.participant() == Some(person))
    }

    /// Rooms to which somebody is on the way who would begin them.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.0.values().filter(|waiter| waiter.role.participant().is_some()).map(|waiter| &waiter.room)
    }

    /// Those who could come in as soon as their room, or whoever they are in it, is there.
    pub(super) fn at_the_door(&self, room: &RoomId) -> Vec<PeerId> {
        let ready = self.0.iter().filter(|(_, waiter)| waiter.connected && waiter.room == *room);
        ready.map(|(id, _)| *id).collect()
    }

    /// Those who stand at the door for too long. All others are ended by whoever listens for them.
    pub(super) fn expired(&self, now: Instant) -> Vec<PeerId> {
        let late = |waiter: &Waiter| waiter.connected && waiter.since + limits::CONNECT_SPAN <= now;
        self.0.iter().filter(|(_, waiter)| late(waiter)).map(|(id, _)| *id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let connected = self.0.values().filter(|waiter| waiter.connected);
        connected.map(|waiter| waiter.since + limits::CONNECT_SPAN).min()
    }

    /// Whether one more avatar may be kept.
    pub(super) fn has_room_for_avatar(&self) -> bool {
        self.0.values().filter(|waiter| waiter.avatar.is_some()).count() < limits::WAITING_AVATARS_MAX
    }
}

/// Whose address it is: of IPv6 the network, for whoever has one address of it has all.
pub(super) fn network(from: Option<IpAddr>) -> Option<IpAddr> {
    Some(match from?.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(now: Instant, from: &str, role: PeerRole) -> Waiter {
        let wanted = Wanted {
            room: "tested".parse().unwrap(),
            role,
            who: Comer::default(),
            display: String::new(),
            consents_to_recording: true,
            rung: None,
            seat: SeatWish::Free,
            from: Some(from.parse().unwrap()),
            trace: None,
            via: Via::Own,
        };
        Waiter::new(now, wanted, ResourceToken::random(), "ufrag".into())
    }

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    const GUEST: PeerRole = PeerRole::Viewer { minus: None };

    #[test]
    fn an_address_fills_its_own_part_of_the_list_and_its_oldest_make_room_after_a_while() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        for n in 0..limits::WAITING_PER_ADDRESS_MAX as u64 {
            assert_eq!(waiting.place(now, from("192.0.2.1")), Ok(None));
            waiting.insert(PeerId(n), waiter(now, "192.0.2.1", GUEST));
        }
        assert_eq!(waiting.place(now, from("192.0.2.1")), Err(Refusal::ManyJoiningHere));
        assert_eq!(waiting.place(now, from("::ffff:192.0.2.1")), Err(Refusal::ManyJoiningHere), "the same address");
        assert_eq!(waiting.place(now, from("192.0.2.2")), Ok(None));
        let later = now + limits::WAITING_YIELDS_AFTER;
        assert_eq!(waiting.place(later, from("192.0.2.1")), Ok(Some(PeerId(0))));
    }

    #[test]
    fn a_full_list_lets_the_greediest_make_room() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let greedy = limits::WAITING_PER_ADDRESS_MAX as u64;
        for n in 0..limits::WAITING_MAX as u64 {
            // IPv6 is counted by its networks.
            let own = if n < greedy { format!("2001:db8::{n:x}") } else { format!("192.0.{}.{}", n / 256, n % 256) };
            waiting.insert(PeerId(n), waiter(now, &own, GUEST));
        }
        assert_eq!(waiting.place(now, from("2001:db8::ffff")), Err(Refusal::ManyJoiningHere));
        assert_eq!(waiting.place(now, from("198.51.100.1")), Err(Refusal::ManyJoining));
        let later = now + limits::WAITING_YIELDS_AFTER;
        assert_eq!(waiting.place(later, from("198.51.100.1")), Ok(Some(PeerId(0))), "of the address with the most");
    }

    #[test]
    fn who_watches_somebody_on_the_way_waits_for_them_and_not_for_ever() {
        let (mut waiting, now, ada) = (Waiting::default(), Instant::now(), ParticipantId(7));
        let room: RoomId = "tested".parse().unwrap();
        assert!(!waiting.awaits(&room, None));
        waiting.insert(PeerId(1), waiter(now, "192.0.2.1", PeerRole::Publisher(ada)));
        assert!(waiting.awaits(&room, None) && waiting.awaits(&room, Some(ada)));
        assert!(!waiting.awaits(&room, Some(ParticipantId(8))));
        waiting.insert(PeerId(2), waiter(now, "192.0.2.1", PeerRole::Viewer { minus: Some(ada) }));
        assert_eq!((waiting.at_the_door(&room), waiting.deadline()), (vec![], None));
        waiting.get_mut(PeerId(2)).unwrap().connected = true;
        assert_eq!(waiting.at_the_door(&room), [PeerId(2)]);
        assert_eq!(waiting.deadline(), Some(now + limits::CONNECT_SPAN));
        assert!(waiting.expired(now).is_empty());
        assert_eq!(waiting.expired(now + limits::CONNECT_SPAN), [PeerId(2)]);
    }
}
