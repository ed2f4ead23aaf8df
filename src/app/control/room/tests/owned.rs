//! What a room owes to whose it is, and what its hosts say of who may come in.

use super::chat::read;
use super::*;
use crate::app::config::TenantConfig;
use crate::core::access::{BearerId, OverQuota, QuotaOf, Role};
use crate::core::record::Event as Recorded;
use crate::core::signal::Knocker;
use crate::io::api::{Moderation, PersonSound};

fn moderate(room: &mut Room, now: Instant, moderation: Moderation) -> (Result<(), Refusal>, Vec<Effect>) {
    let (reply, mut answer) = oneshot::channel();
    let name = "tested".parse().unwrap();
    let effects = handle(room, now, Input::Ask(Command::Moderate { room: name, moderation, reply }));
    (answer.try_recv().unwrap(), effects)
}

fn enter(room: &mut Room, now: Instant, number: u64, role: PeerRole, bearer: Option<BearerId>) {
    let who = Joining { bearer, ..joining(number, role) };
    handle(room, now, Input::Join(Box::new(who)));
}

#[test]
fn whom_a_host_bans_is_out_by_every_connection_of_theirs_and_who_showed_nothing_is_removed() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let (ada, eve) = (BearerId([1; 32]), BearerId([2; 32]));
    let person = |n| PeerRole::Participant(ParticipantId(n));
    enter(&mut room, now, 1, person(1), Some(ada));
    enter(&mut room, now, 2, person(2), Some(eve));
    enter(&mut room, now, 3, PeerRole::Viewer { minus: None }, Some(eve));
    enter(&mut room, now, 4, person(4), None);
    let ban = |n| {
        let sound = PersonSound { ban: true, ..PersonSound::default() };
        Moderation { participants: [(ParticipantId(n), sound)].into(), ..Moderation::default() }
    };
    assert_eq!(moderate(&mut room, now, ban(2)).0, Ok(()));
    assert!(!room.has(PeerId(2)) && !room.has(PeerId(3)), "nor do they watch");
    assert!(room.is_banned(Some(eve)) && !room.is_banned(Some(ada)) && !room.is_banned(None));
    assert_eq!(moderate(&mut room, now, ban(4)).0, Ok(()));
    assert!(!room.has(PeerId(4)) && room.has(PeerId(1)), "one who showed nothing is removed alone");
    assert_eq!(moderate(&mut room, now, ban(9)).0, Err(Refusal::ParticipantNotFound));
}

#[test]
fn hosts_alone_are_told_who_waits_and_once_for_each_change() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    for (number, standing) in [(1, Some(Role::Host)), (2, Some(Role::Speaker)), (3, None)] {
        let who = Joining { standing, ..joining(number, PeerRole::Participant(ParticipantId(number))) };
        handle(&mut room, now, Input::Join(Box::new(who)));
    }
    assert_eq!(room.hosts(), 1);
    let waits = |waited_s| vec![Knocker { id: "k0000000000000001".into(), name: "Grace".into(), waited_s }];
    let told = |effects: &[Effect]| read(effects, WordKind::Lobby).iter().map(|(peer, _)| peer.0).collect::<Vec<_>>();
    assert_eq!(told(&handle(&mut room, now, Input::Lobby(waits(0)))), [1]);
    assert!(told(&handle(&mut room, now, Input::Lobby(waits(3)))).is_empty(), "the same people");
    let who = Joining { standing: Some(Role::Admin), ..joining(4, PeerRole::Participant(ParticipantId(4))) };
    handle(&mut room, now, Input::Join(Box::new(who)));
    assert_eq!(told(&handle(&mut room, now, Input::Net(NetEvent::ChannelOpen(PeerId(4))))), [4], "who comes later");
    assert!(told(&handle(&mut room, now, Input::Net(NetEvent::ChannelOpen(PeerId(2))))).is_empty());
    assert_eq!(told(&handle(&mut room, now, Input::Lobby(Vec::new()))), [1, 4]);
    let lobby = Moderation { lobby: Some(true), ..Moderation::default() };
    let (done, effects) = moderate(&mut room, now, lobby);
    assert!(done.is_ok() && room.has_lobby());
    let rules = read(&effects, WordKind::Rules);
    assert!(rules.iter().all(|(_, told)| matches!(told, FromNode::Rules { lobby: true, .. })) && rules.len() == 4);
}

/// A node of these regions with a tenant, whose rooms are called `tested~…`.
fn owned(region: Option<&str>, stored_in: &str) -> Arc<RoomSetup> {
    let tenant = TenantConfig {
        region: region.map(|region| region.parse().unwrap()),
        layout: Some("speaker".to_owned().try_into().unwrap()),
        retention_hours: "2".parse().ok(),
        ..TenantConfig::new("tested".parse().unwrap())
    };
    let mut config = Config { tenant: vec![tenant], ..Config::default() };
    config.recording.region = stored_in.into();
    let wakers = (Waker::new().unwrap(), Waker::new().unwrap());
    let costs = EncodeCosts { av1: Duration::from_millis(18), h264: None };
    Arc::new(RoomSetup::new(config, Counts::default(), wakers, (None, None), ("aom", "cpu"), costs))
}

fn room_of(setup: Arc<RoomSetup>, name: &str) -> Room {
    let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(1_790_000_000_000_000_000) };
    Room::new(name.parse().unwrap(), setup, epoch, Fan::new(Counter::default()), RoomCounters::default())
}

#[test]
fn a_room_is_stored_where_its_tenant_and_its_people_want_it_or_nowhere() {
    let outside = |region: &str| Err(Refusal::StoredOutside(region.parse().unwrap()));
    for (region, stored_in, told) in [
        (Some("eu"), "eu", Ok(())),
        (Some("eu"), "us", outside("eu")),
        (Some("eu"), "", outside("eu")),
        (None, "", Ok(())),
    ] {
        assert_eq!(room_of(owned(region, stored_in), "tested~a").may_be_stored(), told, "{region:?} {stored_in}");
        assert_eq!(room_of(owned(region, stored_in), "tested").may_be_stored(), Ok(()), "the operator's own");
    }
    let mut room = room_of(owned(None, "eu"), "tested~a");
    room.bind_to(Some("us".parse().unwrap()));
    assert_eq!(room.may_be_stored(), outside("us"), "somebody's token wants so");
    let mut room = room_of(owned(None, "eu"), "tested~a");
    let over = OverQuota { of: QuotaOf::Recordings, most: 1 };
    room.set_recording_quota(Err(over));
    assert_eq!(room.may_be_stored(), Err(Refusal::OverQuota(over)));
    let kept = room.own_wish(crate::io::store::RecordingWish::default());
    assert_eq!(kept.retention.unwrap().span(), Duration::from_secs(2 * 3600));
    assert_eq!(serde_json::to_value(&room.layout.layout).unwrap()["layout"], "speaker");
    let others = room_of(owned(None, "eu"), "elsewhere");
    assert_eq!(serde_json::to_value(&others.layout.layout).unwrap()["layout"], "grid");
}

#[test]
fn a_recording_is_told_by_id_who_is_in_it_and_never_who_does_not_want_to_be() {
    let now = Instant::now();
    let mut room = room(now, setup(Some("unwritten.mp4")));
    let mut effects = handle(&mut room, now, Input::Begin(None));
    effects.extend(come(&mut room, now, 1, true));
    effects.extend(come(&mut room, now, 2, false));
    effects.extend(come(&mut room, now, 3, true));
    effects.extend(chat::say(&mut room, now, 3, &FromClient::Recordable { recordable: false }));
    effects.extend(chat::say(&mut room, now, 1, &FromClient::Leave));
    let mut told = Vec::new();
    for effect in &effects {
        match effect {
            Effect::Package(PackageCommand::Event(_, _, Recorded::Came(who))) => told.push((who.0, true)),
            Effect::Package(PackageCommand::Event(_, _, Recorded::Went(who))) => told.push((who.0, false)),
            _ => {}
        }
    }
    assert_eq!(told, [(1, true), (3, true), (3, false), (1, false)]);
}
