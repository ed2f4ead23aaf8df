//! Whose place is kept when a connection breaks.

use super::*;
use crate::io::api::{Moderation, PersonSound};
use crate::io::webrtc::CloseReason;

/// Somebody joins whose place is to be kept; what names their connection.
fn sit(room: &mut Room, now: Instant, number: u64, seat: SeatWish) -> ResourceToken {
    let who = joining(number, PeerRole::Participant(ParticipantId(number)));
    let resource = who.resource;
    handle(room, now, Input::Join(Box::new(Joining { seat, ..who })));
    resource
}

/// They come again, by another connection.
fn come_back(room: &mut Room, now: Instant, peer: u64, who: u64, token: ResourceToken) -> Vec<Effect> {
    let who = joining(peer, PeerRole::Participant(ParticipantId(who)));
    handle(room, now, Input::Join(Box::new(Joining { seat: SeatWish::Resume(token), ..who })))
}

fn lose(room: &mut Room, now: Instant, peer: u64) -> Vec<Effect> {
    handle(room, now, Input::Net(NetEvent::Closed { peer: PeerId(peer), reason: CloseReason::Lost }))
}

/// Id, name, hand and whether they are away, in the order of the roster.
fn roster(room: &Room) -> Vec<(u64, String, bool, bool)> {
    room.people().into_iter().map(|person| (person.id.0, person.name, person.hand, person.away)).collect()
}

fn leaves_the_scene(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Scene(scene::Input::Left { .. })))
}

#[test]
fn a_locked_room_opens_to_hosts_and_to_who_is_here() {
    use crate::core::access::Role;
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let token = sit(&mut room, now, 1, SeatWish::Keep);
    let lock = |locked| Moderation { locked: Some(locked), ..Moderation::default() };
    let moderate = |room: &mut Room, wanted| room.moderate(now, &wanted, &mut Outbox::new());
    assert_eq!(room.opens(None, false), Ok(()));
    moderate(&mut room, lock(true)).expect("it names nobody");
    for standing in [None, Some(Role::Speaker), Some(Role::Viewer), Some(Role::Recorder)] {
        assert_eq!(room.opens(standing, false), Err(Refusal::RoomLocked), "{standing:?}");
    }
    assert_eq!((room.opens(Some(Role::Host), false), room.opens(Some(Role::Admin), false)), (Ok(()), Ok(())));
    assert_eq!(room.opens(None, true), Ok(()), "who publishes by one connection watches by another");
    // That it is theirs they show by what names it; everybody knows their id.
    assert!(room.is_theirs(ParticipantId(1), token) && !room.is_theirs(ParticipantId(2), token));
    assert!(!room.is_theirs(ParticipantId(1), ResourceToken::random()));
    // Another rule leaves it as it is.
    moderate(&mut room, Moderation { mute_on_entry: Some(true), ..Moderation::default() }).expect("likewise");
    assert_eq!(room.opens(None, false), Err(Refusal::RoomLocked));
    moderate(&mut room, lock(false)).expect("likewise");
    assert_eq!(room.opens(None, false), Ok(()));
}

#[test]
fn who_comes_back_in_time_has_their_place_name_and_hand() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let token = sit(&mut room, now, 1, SeatWish::Keep);
    sit(&mut room, now, 2, SeatWish::Keep);
    let hand = FromClient::Hand { raised: true }.encode();
    handle(&mut room, now, Input::Net(NetEvent::Signal { peer: PeerId(1), text: hand }));
    let effects = lose(&mut room, now, 1);
    assert!(!leaves_the_scene(&effects), "the tile stays");
    assert!(effects.iter().any(|e| matches!(e, Effect::Forget(PeerId(1), of) if *of == token)));
    assert_eq!(roster(&room)[0], (1, "Person 1".into(), true, true));
    assert_eq!(room.seat_of(token), Ok(Some(ParticipantId(1))));
    let later = now + limits::SEAT_SPAN / 2;
    come_back(&mut room, later, 9, 1, token);
    assert_eq!(roster(&room)[0], (1, "Person 1".into(), true, false), "the name is the one that was known");
    assert!(room.has(PeerId(9)));
    assert_eq!(room.seat_of(token), Ok(None), "a token is good for once");
    // It is not taken from them when the time is over, and the new connection keeps it too.
    handle(&mut room, now + limits::SEAT_SPAN, Input::Due);
    assert_eq!(room.stats().participants, 2);
    lose(&mut room, now + limits::SEAT_SPAN, 9);
    assert_eq!(room.stats().participants, 2);
}

#[test]
fn who_comes_back_before_the_old_connection_is_missed_ends_it() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let token = sit(&mut room, now, 1, SeatWish::Keep);
    let effects = come_back(&mut room, now, 9, 1, token);
    assert!(effects.iter().any(|e| matches!(e, Effect::Net(NetCommand::RemovePeer(PeerId(1))))));
    assert!(!leaves_the_scene(&effects) && !room.has(PeerId(1)) && room.has(PeerId(9)));
    // What the old connection still tells is nobody's any more.
    lose(&mut room, now, 1);
    assert_eq!(roster(&room), [(1, "Person 1".into(), false, false)]);
}

#[test]
fn nobody_takes_a_seat_by_another_token_and_an_old_one_is_free_again() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let token = sit(&mut room, now, 1, SeatWish::Keep);
    sit(&mut room, now, 2, SeatWish::Free);
    sit(&mut room, now, 3, SeatWish::Keep);
    lose(&mut room, now, 1);
    assert_eq!(room.seat_of(ResourceToken::random()), Ok(None));
    come_back(&mut room, now, 8, 1, ResourceToken::random());
    assert!(!room.has(PeerId(8)), "that place is somebody's");
    // Two who have the token: the first has the place, the other none.
    come_back(&mut room, now, 9, 1, token);
    come_back(&mut room, now, 10, 1, token);
    assert!(room.has(PeerId(9)) && !room.has(PeerId(10)));
    lose(&mut room, now, 2);
    assert_eq!(room.stats().participants, 2, "who asked for no seat is gone at once");
    lose(&mut room, now, 3);
    let effects = handle(&mut room, now + limits::SEAT_SPAN, Input::Due);
    assert!(leaves_the_scene(&effects));
    assert_eq!(roster(&room).len(), 1);
}

#[test]
fn a_room_waits_for_the_last_of_its_people_and_no_longer() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let token = sit(&mut room, now, 1, SeatWish::Keep);
    assert!(!lose(&mut room, now, 1).iter().any(|effect| matches!(effect, Effect::End(_))));
    let effects = handle(&mut room, now + limits::SEAT_SPAN, Input::Due);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::End(_))));
    assert!(come_back(&mut room, now, 9, 1, token).is_empty(), "it is over");
}

#[test]
fn whom_a_host_removes_does_not_come_back_to_their_seat() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let tokens: Vec<_> = (1..=3).map(|number| sit(&mut room, now, number, SeatWish::Keep)).collect();
    lose(&mut room, now, 2);
    let remove = PersonSound { remove: true, ..PersonSound::default() };
    let participants = [(ParticipantId(1), remove), (ParticipantId(2), remove)].into_iter().collect();
    let (reply, mut answer) = oneshot::channel();
    let moderation = Moderation { participants, ..Moderation::default() };
    let asked = Command::Moderate { room: "tested".parse().unwrap(), moderation, reply };
    let effects = handle(&mut room, now, Input::Ask(asked));
    assert_eq!(answer.try_recv().unwrap(), Ok(()));
    let is_told = |effect: &Effect| match effect {
        Effect::Net(NetCommand::Signal { peer: PeerId(1), text, .. }) => text.contains("problem:removed"),
        _ => false,
    };
    let told = effects.iter().any(is_told);
    assert!(told && effects.iter().any(|e| matches!(e, Effect::Net(NetCommand::RemovePeer(PeerId(1))))));
    assert_eq!(roster(&room).len(), 1);
    assert_eq!((room.seat_of(tokens[0]), room.seat_of(tokens[1])), (Err(Refusal::Removed), Err(Refusal::Removed)));
    // Their return was under way; of one, by a token that another return had used up.
    for (peer, who, token) in [(8, 2, tokens[1]), (9, 1, ResourceToken::random())] {
        let who = joining(peer, PeerRole::Participant(ParticipantId(who)));
        let fresh = who.resource;
        handle(&mut room, now, Input::Join(Box::new(Joining { seat: SeatWish::Resume(token), ..who })));
        assert!(!room.has(PeerId(peer)) && roster(&room).len() == 1);
        assert_eq!(room.seat_of(fresh), Err(Refusal::Removed), "nor by the next one");
    }
}
