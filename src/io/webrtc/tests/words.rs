//! What is said to a client that does not listen.

use super::*;

#[test]
fn who_acknowledges_nothing_is_told_little_and_later_all_that_waited_in_order() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    drive(&mut node, &mut [&mut client], |node, _| node.has(|event| matches!(event, NetEvent::ChannelOpen(_))));
    node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: "welcome".into() });
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].texts.len() == 1);
    // The client sleeps: of these, the first few are on their way, and the next few wait.
    let length = limits::SIGNAL_UNACKNOWLEDGED_MAX * 3 / 10;
    let (said, waiting, lost) = (4, limits::PROBLEMS_WAITING_MAX, 3);
    for n in 0..said + waiting + lost {
        let text = format!("{n:0length$}").into();
        node.command(NetCommand::Signal { peer, kind: WordKind::Problem, text });
    }
    drive(&mut node, &mut [], |node, _| node.counters.signals_discarded.get() == lost as u64);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].texts.len() == 1 + said + waiting);
    let numbers: Vec<usize> = client.texts.iter().skip(1).map(|text| text.parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..said + waiting), "{numbers:?}");
}
