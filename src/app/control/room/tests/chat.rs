//! Who reads what is written in a room.

use super::*;

/// What those told read, by connection.
pub(super) fn read(effects: &[Effect], wanted: WordKind) -> Vec<(PeerId, FromNode)> {
    let mut told = Vec::new();
    for effect in effects {
        if let Effect::Net(NetCommand::Signal { peer, kind, text }) = effect
            && *kind == wanted
        {
            told.push((*peer, FromNode::parse(text).unwrap().unwrap()));
        }
    }
    told
}

pub(super) fn say(room: &mut Room, now: Instant, peer: u64, message: &FromClient) -> Vec<Effect> {
    handle(room, now, Input::Net(NetEvent::Signal { peer: PeerId(peer), text: message.encode() }))
}

fn write(text: &str, to: Option<u64>) -> FromClient {
    FromClient::Chat { text: text.into(), to: to.map(ParticipantId) }
}

#[test]
fn everyone_reads_what_is_written_and_two_alone_what_is_for_one() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    for number in 1..=3 {
        come(&mut room, now, number, true);
    }
    let told = read(&say(&mut room, now, 1, &write("<i>hello</i>", None)), WordKind::Chat);
    assert_eq!(told.iter().map(|(peer, _)| peer.0).collect::<Vec<_>>(), [1, 2, 3]);
    let FromNode::Chat { lines } = &told[2].1 else { panic!("{told:?}") };
    let line = &lines[0];
    assert_eq!((line.from, &*line.name, &*line.text), (ParticipantId(1), "Person 1", "<i>hello</i>"));
    assert_eq!(line.at_ms, 1_790_000_000_000);
    let told = read(&say(&mut room, now, 2, &write("for you", Some(3))), WordKind::Chat);
    assert_eq!(told.iter().map(|(peer, _)| peer.0).collect::<Vec<_>>(), [2, 3]);
    // Who comes late reads what was for everyone, after the welcome.
    come(&mut room, now, 4, true);
    let greeted = handle(&mut room, now, Input::Net(NetEvent::ChannelOpen(PeerId(4))));
    let told = read(&greeted, WordKind::Chat);
    assert!(matches!(&told[..], [(PeerId(4), FromNode::Chat { lines })] if lines.len() == 1), "{told:?}");
    let clap = FromClient::Reaction { reaction: crate::core::signal::Reaction::Clap };
    assert_eq!(read(&say(&mut room, now, 3, &clap), WordKind::Reaction).len(), 4);
}

#[test]
fn what_cannot_be_said_is_answered_to_whoever_said_it_alone() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    come(&mut room, now, 1, true);
    come(&mut room, now, 2, true);
    handle(&mut room, now, Input::Join(Box::new(joining(3, PeerRole::Viewer { minus: None }))));
    let long = "x".repeat(limits::CHAT_TEXT_CHARS_MAX + 1);
    for (peer, message) in
        [(1, write(&long, None)), (1, write(" ", None)), (1, write("hi", Some(9))), (3, write("hi", None))]
    {
        let effects = say(&mut room, now, peer, &message);
        let problems = read(&effects, WordKind::Problem);
        assert!(problems.len() == 1 && problems[0].0.0 == peer && effects.len() == 1, "{problems:?}");
    }
    let said = (0..50).filter(|_| !read(&say(&mut room, now, 1, &write("hi", None)), WordKind::Chat).is_empty());
    assert_eq!(said.count(), limits::CHAT_BURST as usize);
    assert!(!read(&say(&mut room, now, 2, &write("hi", None)), WordKind::Chat).is_empty());
}
