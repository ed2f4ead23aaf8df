//! What the role of somebody's token lets them do in the call, over their data channel.

use super::chat::{read, say};
use super::*;
use crate::core::access::{Policy, Role};
use crate::core::scene::Layout;

const NONE: &[Option<Role>] = &[None, Some(Role::Speaker)];
const SOME: &[Option<Role>] = &[Some(Role::Host), Some(Role::Admin)];

fn strict(policy: Policy) -> Arc<RoomSetup> {
    let mut setup = Arc::into_inner(setup(None)).unwrap();
    setup.policy = policy;
    Arc::new(setup)
}

fn enter(room: &mut Room, now: Instant, number: u64, standing: Option<Role>) -> Vec<Effect> {
    let who = Joining { standing, ..joining(number, PeerRole::Participant(ParticipantId(number))) };
    handle(room, now, Input::Join(Box::new(who)));
    handle(room, now, Input::Net(NetEvent::ChannelOpen(PeerId(number))))
}

fn may_choose(effects: &[Effect]) -> Vec<bool> {
    let told = read(effects, WordKind::Layout);
    told.iter().map(|(_, told)| matches!(told, FromNode::Layout { may_choose: true, .. })).collect()
}

#[test]
fn hosts_lay_the_room_out_whatever_participants_may_and_each_is_told_what_they_may() {
    let now = Instant::now();
    let mut room = room(now, strict(Policy::default()));
    for (number, (standing, may)) in
        NONE.iter().map(|one| (one, false)).chain(SOME.iter().map(|one| (one, true))).enumerate()
    {
        let (number, now) = (number as u64 + 1, now + limits::LAYOUT_SPACING * 2 * (number as u32 + 1));
        assert_eq!(may_choose(&enter(&mut room, now, number, *standing)), [may], "{standing:?}");
        let wanted = FromClient::Layout { layout: Some(serde_json::json!({ "layout": "speaker" })), page: None };
        let effects = say(&mut room, now, number, &wanted);
        let refused = read(&effects, WordKind::Problem);
        assert_eq!(refused.is_empty(), may, "{standing:?}: {refused:?}");
        assert!(may == effects.iter().any(|effect| matches!(effect, Effect::Scene(_))), "{standing:?}");
    }
    let told = say(
        &mut room,
        now + limits::LAYOUT_SPACING * 20,
        3,
        &FromClient::Layout { layout: Some(serde_json::json!({ "layout": "grid" })), page: None },
    );
    assert_eq!(may_choose(&told), [false, false, true, true], "all are told anew, each what they may");
}

#[test]
fn who_lays_the_room_out_a_moment_after_somebody_did_has_their_turn_soon() {
    let now = Instant::now();
    let open = Policy { participants_choose_layout: true, ..Policy::default() };
    let mut room = room(now, strict(open));
    enter(&mut room, now, 1, None);
    let asks = |layout: &str, page| {
        let layout = (!layout.is_empty()).then(|| serde_json::json!({ "layout": layout }));
        FromClient::Layout { layout, page }
    };
    let told = |effects: &[Effect]| read(effects, WordKind::Layout).len();
    let pages = |effects: &[Effect]| {
        let page = |effect: &Effect| match effect {
            Effect::Scene(scene::Input::Page(page)) => Some(*page),
            _ => None,
        };
        effects.iter().filter_map(page).collect::<Vec<_>>()
    };
    assert_eq!(told(&say(&mut room, now, 1, &asks("speaker", None))), 1, "at once");
    let then = now + limits::LAYOUT_SPACING / 4;
    for wish in [asks("single", Some(7)), asks("grid", None), asks("", Some(3)), asks("", None)] {
        let effects = say(&mut room, then, 1, &wish);
        assert!(told(&effects) == 0 && read(&effects, WordKind::Problem).is_empty(), "each waits");
    }
    let turn = now + limits::LAYOUT_SPACING;
    assert!(room.deadline().is_some_and(|at| at <= turn));
    assert_eq!(told(&handle(&mut room, turn - Duration::from_millis(1), Input::Due)), 0);
    let effects = handle(&mut room, turn, Input::Due);
    assert_eq!((told(&effects), pages(&effects)), (1, vec![2]), "the last wish, with its page");
    assert_eq!(room.layout.layout.to_value()["layout"], "grid");
    assert_eq!(told(&handle(&mut room, turn + limits::LAYOUT_SPACING * 2, Input::Due)), 0, "once");
    // Who runs the room has it their way, whatever waits.
    say(&mut room, turn + limits::LAYOUT_SPACING * 3, 1, &asks("single", None));
    say(&mut room, turn + limits::LAYOUT_SPACING * 3, 1, &asks("grid", None));
    let speaker = Layout::from_value(&serde_json::json!({ "layout": "speaker" })).unwrap();
    room.set_layout(turn + limits::LAYOUT_SPACING * 3, speaker, &mut Outbox::new());
    handle(&mut room, turn + limits::LAYOUT_SPACING * 5, Input::Due);
    assert_eq!(room.layout.layout.to_value()["layout"], "speaker");
    // A wrong document is refused at once, and what waits is not lost by it.
    let wrong = say(&mut room, turn + limits::LAYOUT_SPACING * 5, 1, &asks("nonsense", None));
    assert_eq!(read(&wrong, WordKind::Problem).len(), 1);
}

#[test]
fn whoever_only_publishes_or_watches_steers_nothing_whatever_their_token() {
    let now = Instant::now();
    let open = Policy { participants_may_record: true, participants_choose_layout: true, ..Policy::default() };
    let mut room = room(now, strict(open));
    come(&mut room, now, 1, true);
    let guests = [(2, PeerRole::Publisher(ParticipantId(2))), (3, PeerRole::Viewer { minus: None })];
    for (number, role) in guests {
        let who = Joining { standing: Some(Role::Host), ..joining(number, role) };
        handle(&mut room, now, Input::Join(Box::new(who)));
        for message in [FromClient::Record { recording: true }, FromClient::Layout { layout: None, page: Some(2) }] {
            let effects = say(&mut room, now, number, &message);
            assert!(effects.len() == 1 && read(&effects, WordKind::Problem).len() == 1, "{role:?} {message:?}");
        }
    }
    let effects = say(&mut room, now, 3, &FromClient::Hand { raised: true });
    assert!(effects.len() == 1 && read(&effects, WordKind::Problem).len() == 1, "who watches has no hand to raise");
}
