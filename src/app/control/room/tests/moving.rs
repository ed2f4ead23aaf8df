//! How a room goes to another node, and who finds what there.

use super::*;
use crate::app::control::room::input::MovedTo;
use crate::core::handover::Baggage;
use crate::core::scene::Layout;
use crate::io::api::{Moderation, PersonSound};

fn to_elsewhere() -> Input {
    Input::Moved(Box::new(MovedTo { url: "https://node-2.example".into(), trust: None }))
}

/// Somebody with a data channel; what names their connection.
fn sit(room: &mut Room, now: Instant, number: u64, consents_to_recording: bool) -> ResourceToken {
    let who = joining(number, PeerRole::Participant(ParticipantId(number)));
    let resource = who.resource;
    handle(room, now, Input::Join(Box::new(Joining { consents_to_recording, ..who })));
    handle(room, now, Input::Net(NetEvent::ChannelOpen(PeerId(number))));
    resource
}

fn packed(room: &mut Room, now: Instant) -> Baggage {
    let packed = handle(room, now, Input::Pack).into_iter().find_map(|effect| match effect {
        Effect::HandOver(baggage) => Some(*baggage),
        _ => None,
    });
    packed.expect("it is handed over")
}

/// Whom the effects tell where the room is, and whom they send off.
fn told_and_sent_off(effects: &[Effect]) -> (Vec<u64>, Vec<u64>) {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Net(NetCommand::Signal { peer, kind: WordKind::Moved, text }) => {
            assert!(text.contains("https://node-2.example") && !text.contains("pass"), "{text}");
            Some(peer.0)
        }
        _ => None,
    });
    let sent_off = effects.iter().filter_map(|effect| match effect {
        Effect::Net(NetCommand::RemovePeer(peer)) => Some(peer.0),
        _ => None,
    });
    (told.collect(), sent_off.collect())
}

#[test]
fn people_find_their_seats_and_what_was_said_of_them_and_of_the_room() {
    let now = Instant::now();
    let mut before = room(now, setup(None));
    let (ada, bob) = (sit(&mut before, now, 1, true), sit(&mut before, now, 2, false));
    let hand = FromClient::Hand { raised: true }.encode();
    handle(&mut before, now, Input::Net(NetEvent::Signal { peer: PeerId(1), text: hand }));
    let line = FromClient::Chat { text: "hello".into(), to: None }.encode();
    handle(&mut before, now, Input::Net(NetEvent::Signal { peer: PeerId(1), text: line.clone() }));
    let mute = PersonSound { muted: Some(true), volume_percent: Some(50), ..PersonSound::default() };
    let participants = [(ParticipantId(2), mute)].into();
    let wanted = Moderation { locked: Some(true), mute_on_entry: Some(true), participants, ..Moderation::default() };
    before.moderate(now, &wanted, &mut Outbox::new()).unwrap();
    // Who comes now is hushed until they ask to talk.
    sit(&mut before, now, 3, true);
    let layout = Layout::from_value(&serde_json::json!({ "layout": "speaker" })).unwrap();
    before.set_layout(now, layout.clone(), &mut Outbox::new());
    let people = before.people();

    let baggage = packed(&mut before, now);
    let text = serde_json::to_string(&baggage).unwrap();
    assert!(text.len() < limits::MOVE_LEN_MAX && baggage.check().is_ok());
    let mut after = room(now, setup(None));
    handle(&mut after, now, Input::Begin(Some(Box::new(serde_json::from_str(&text).unwrap()))));
    assert!(after.people().iter().all(|person| person.away), "nobody is there yet");
    assert_eq!((after.core.rules(), &after.layout.layout), (before.core.rules(), &layout));
    assert_eq!(after.chat.kept(), before.chat.kept());
    assert!(after.refusers.contains(ParticipantId(2)), "before anything of theirs is there");
    assert_eq!(after.kept.volumes, before.kept.volumes);
    for (number, token) in [(1, ada), (2, bob)] {
        assert_eq!(after.seat_of(token), Ok(Some(ParticipantId(number))));
        let who = joining(number + 10, PeerRole::Participant(ParticipantId(number)));
        handle(&mut after, now, Input::Join(Box::new(Joining { seat: SeatWish::Resume(token), ..who })));
    }
    let mut there = after.people();
    assert!(there[2].away && there[2].host_muted && !there[0].host_muted && there[1].host_muted);
    there[2].away = false;
    assert_eq!(there, people, "in their order, as they were");
    // Lines are counted on.
    handle(&mut after, now, Input::Net(NetEvent::Signal { peer: PeerId(11), text: line }));
    assert_eq!(after.chat.kept().0.iter().map(|line| line.id).collect::<Vec<_>>(), [1, 2]);
    let late = now + limits::SEAT_SPAN;
    handle(&mut after, late, Input::Due);
    assert_eq!(after.people().len(), 2, "who does not come in time has no seat");
}

#[test]
fn those_who_hear_it_are_told_and_all_others_sent_off_and_nobody_stays_for_ever() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    sit(&mut room, now, 1, true);
    handle(&mut room, now, Input::Join(Box::new(joining(2, PeerRole::Viewer { minus: None }))));
    handle(&mut room, now, Input::Join(Box::new(joining(3, PeerRole::Publisher(ParticipantId(3))))));
    assert_eq!(packed(&mut room, now).people.len(), 1, "who hears nothing comes as anybody does");
    assert_eq!(told_and_sent_off(&handle(&mut room, now, to_elsewhere())), (vec![1], vec![2, 3]));
    // Somebody who was answered before comes after that.
    handle(&mut room, now, Input::Join(Box::new(joining(4, PeerRole::Participant(ParticipantId(4))))));
    let late = handle(&mut room, now, Input::Net(NetEvent::ChannelOpen(PeerId(4))));
    assert_eq!(told_and_sent_off(&late).0, [4]);
    let due = now + limits::MOVE_FOLLOW_SPAN;
    assert!(room.deadline().is_some_and(|at| at <= due));
    let ended = handle(&mut room, due, Input::Due);
    assert!(ended.iter().any(|effect| matches!(effect, Effect::End(_))));
    assert_eq!(told_and_sent_off(&ended).1, [1, 4]);
}

#[test]
fn a_room_to_which_nobody_comes_ends() {
    let now = Instant::now();
    let mut before = room(now, setup(None));
    handle(&mut before, now, Input::Join(Box::new(joining(3, PeerRole::Publisher(ParticipantId(3))))));
    let baggage = packed(&mut before, now);
    let mut after = room(now, setup(None));
    handle(&mut after, now, Input::Begin(Some(Box::new(baggage))));
    assert!(handle(&mut after, now, Input::Due).iter().all(|effect| !matches!(effect, Effect::End(_))));
    let due = after.deadline().expect("it waits");
    let ended = handle(&mut after, due.max(now + limits::SEAT_SPAN), Input::Due);
    assert!(ended.iter().any(|effect| matches!(effect, Effect::End(_))));
}
