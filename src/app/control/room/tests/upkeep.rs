//! Who is told that the node goes down, and when.

use super::*;

/// What the node says of itself, and to whom.
fn told(effects: &[Effect]) -> Vec<(u64, String)> {
    let words = effects.iter().filter_map(|effect| match effect {
        Effect::Net(NetCommand::Signal { peer, kind: WordKind::Node, text }) => Some((peer.0, text.to_string())),
        _ => None,
    });
    words.collect()
}

#[test]
fn people_are_told_once_when_the_node_ends_their_room_and_so_is_whoever_comes_later() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let ends = |seconds| Input::NodeEnds(Some(now + Duration::from_secs(seconds)));
    come(&mut room, now, 1, true);
    assert_eq!(told(&handle(&mut room, now, Input::Net(NetEvent::ChannelOpen(PeerId(1))))), []);
    let word = r#"{"v":1,"type":"node","ends_in_s":480}"#.to_owned();
    assert_eq!(told(&handle(&mut room, now, ends(480))), [(1, word)]);
    assert_eq!(told(&handle(&mut room, now, ends(480))), [], "they know");
    let later = now + Duration::from_secs(60);
    come(&mut room, later, 2, true);
    let welcomed = handle(&mut room, later, Input::Net(NetEvent::ChannelOpen(PeerId(2))));
    assert_eq!(told(&welcomed), [(2, r#"{"v":1,"type":"node","ends_in_s":420}"#.to_owned())]);
    let stays = told(&handle(&mut room, later, Input::NodeEnds(None)));
    let word = r#"{"v":1,"type":"node"}"#;
    assert_eq!(stays, [(1, word.to_owned()), (2, word.to_owned())]);
    come(&mut room, later, 3, true);
    assert_eq!(told(&handle(&mut room, later, Input::Net(NetEvent::ChannelOpen(PeerId(3))))), []);
    assert_eq!(room.stats().participants, 3, "who is told is not sent away");
}
