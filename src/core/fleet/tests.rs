//! Does every racer find the same owner, and does a node's word stay true? A store of records is stood in for, with its
//! answers as late as the seed says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::base::limits;
use crate::base::media::RoomId;

const SECOND: Duration = Duration::from_secs(1);

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn room(n: usize) -> RoomId {
    format!("room-{n}").parse().unwrap()
}

fn node(n: usize, units: u64, region: Option<&str>) -> NodeRecord {
    NodeRecord {
        url: format!("https://node-{n}.example"),
        region: region.map(label),
        units,
        reserved: 0,
        free_room100_slots: 1,
        draining: false,
        full: false,
        lease: 100 + n as i64,
        pod: None,
    }
}

fn known<T>(value: T, at: i64) -> Known<T> {
    Known { value, created: at, changed: at }
}

fn need(room: RoomId, units: u64) -> Need {
    Need { room, units, region: None, prefers: None }
}

/// What a store of such records does: it writes all of a transaction or nothing, and counts what it wrote.
#[derive(Default)]
struct Store {
    revision: i64,
    nodes: BTreeMap<Label, Known<NodeRecord>>,
    rooms: BTreeMap<RoomId, Known<RoomRecord>>,
}

impl Store {
    fn with(nodes: impl IntoIterator<Item = (Label, NodeRecord)>) -> Self {
        let nodes = nodes.into_iter().map(|(id, record)| (id, known(record, 1))).collect();
        Self { revision: 1, nodes, rooms: BTreeMap::new() }
    }

    fn read(&self) -> Fleet {
        Fleet::new(self.nodes.clone(), self.rooms.clone())
    }

    fn commit(&mut self, asked: &Transaction) -> Answer {
        let is_so = |seen: Option<i64>, now: Option<i64>| seen == now;
        let nodes = asked.nodes.iter().all(|one| is_so(one.seen, self.nodes.get(&one.id).map(|known| known.changed)));
        let rooms = asked.rooms.iter().all(|one| is_so(one.seen, self.rooms.get(&one.room).map(|known| known.changed)));
        if !(nodes && rooms) {
            return Answer::Changed {
                revision: self.revision,
                nodes: asked.nodes.iter().map(|one| (one.id.clone(), self.nodes.get(&one.id).cloned())).collect(),
                rooms: asked.rooms.iter().map(|one| (one.room.clone(), self.rooms.get(&one.room).cloned())).collect(),
            };
        }
        self.revision += 1;
        let at = self.revision;
        for one in &asked.nodes {
            let created = self.nodes.get(&one.id).map_or(at, |known| known.created);
            self.nodes.insert(one.id.clone(), Known { value: one.record.clone(), created, changed: at });
        }
        for one in &asked.rooms {
            let created = self.rooms.get(&one.room).map_or(at, |known| known.created);
            match &one.record {
                Some((record, _)) => {
                    self.rooms.insert(one.room.clone(), Known { value: record.clone(), created, changed: at });
                }
                None => drop(self.rooms.remove(&one.room)),
            }
        }
        Answer::Done(at)
    }

    /// That what nodes say is reserved is what their rooms reserve, and no more than they have.
    fn check(&self) {
        for (id, known) in &self.nodes {
            let own = self.rooms.values().filter(|room| room.value.owner == *id);
            let sum: u64 = own.map(|room| room.value.units).sum();
            assert_eq!(known.value.reserved, sum, "{id:?}");
            assert!(sum <= known.value.units, "{id:?} has {} and gave {sum}", known.value.units);
        }
    }
}

/// Places `needs` at once, each asker with a view of its own, in an order that `seed` says.
fn race(store: &mut Store, needs: Vec<Vec<Need>>, seed: u64) -> Vec<Vec<(RoomId, Outcome)>> {
    struct Racer {
        fleet: Fleet,
        batch: Batch,
        asked: Option<Transaction>,
        is_done: bool,
    }
    let racer = |(n, needs): (usize, Vec<Need>)| {
        let batch = Batch::new(needs).by(label(&format!("n{}", n % 3)), n % 2 == 1);
        Racer { fleet: store.read(), batch, asked: None, is_done: false }
    };
    let mut racers: Vec<Racer> = needs.into_iter().enumerate().map(racer).collect();
    let mut random = seed;
    while racers.iter().any(|racer| !racer.is_done) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (random >> 33) as usize % racers.len();
        let racer = &mut racers[at];
        // A round trip: what was asked arrives later than it was decided.
        match racer.asked.take() {
            Some(asked) => {
                let answer = store.commit(&asked);
                racer.batch.hear(&mut racer.fleet, asked, answer);
                store.check();
            }
            None => match racer.batch.ask(&racer.fleet) {
                Some(asked) => racer.asked = Some(asked),
                None => racer.is_done = true,
            },
        }
    }
    racers.into_iter().map(|racer| racer.batch.outcomes()).collect()
}

fn owner(outcome: &Outcome) -> Option<(Label, Fence)> {
    match outcome {
        Outcome::Lives { record, fence, .. } => Some((record.owner.clone(), *fence)),
        _ => None,
    }
}

#[test]
fn the_fullest_that_has_room_takes_it_and_equally_full_ones_share_by_name() {
    let full = |reserved| NodeRecord { reserved, ..node(1, 140, None) };
    let of = |records: [NodeRecord; 3]| {
        Fleet::new((1..).zip(records).map(|(n, r)| (label(&n.to_string()), known(r, 1))), [])
    };
    let at = |fleet: &Fleet, need: &Need| fleet.choose(need).map(|reserve| reserve.node.as_str().to_owned());
    let fleet = of([full(0), full(60), full(100)]);
    assert_eq!(at(&fleet, &need(room(1), 50)), Ok("2".into()), "the third has too little left");
    assert_eq!(at(&fleet, &need(room(1), 40)), Ok("3".into()));
    assert_eq!(at(&fleet, &need(room(1), 100)), Ok("1".into()));
    let large = fleet.choose(&need(room(1), 500)).unwrap();
    assert_eq!((large.node, large.units), (label("1"), 140), "an empty one takes any room, and has no more to give");
    assert_eq!(at(&of([full(1), full(60), full(100)]), &need(room(1), 140)), Err(Nowhere::Full));
    let here = Need { prefers: Some(label("1")), ..need(room(1), 50) };
    assert_eq!(at(&fleet, &here), Ok("1".into()), "whoever asks cannot go elsewhere");
    let empty = of([full(0), full(0), full(0)]);
    let chosen: BTreeSet<_> = (0..32).map(|n| at(&empty, &need(room(n), 50)).unwrap()).collect();
    assert_eq!(chosen.len(), 3, "none is everybody's first");
}

#[test]
fn neither_one_that_drains_nor_one_of_another_region_takes_a_room() {
    let drains = NodeRecord { draining: true, ..node(1, 140, Some("eu")) };
    let full = NodeRecord { full: true, ..node(2, 140, Some("eu")) };
    let fleet = |records: &[NodeRecord]| {
        Fleet::new((1..).zip(records).map(|(n, record)| (label(&format!("n{n}")), known(record.clone(), 1))), [])
    };
    let of_region = |region: &str| Need { region: Some(label(region)), ..need(room(1), 50) };
    let other = node(3, 140, Some("us"));
    let all = fleet(&[drains.clone(), full, other]);
    assert_eq!(all.choose(&need(room(1), 50)).unwrap().node, label("n3"));
    assert_eq!(all.choose(&of_region("us")).unwrap().node, label("n3"));
    assert_eq!(all.choose(&of_region("eu")), Err(Nowhere::Full));
    assert_eq!(all.choose(&of_region("ap")), Err(Nowhere::Region));
    assert_eq!(fleet(&[drains]).choose(&of_region("eu")), Err(Nowhere::Draining));
    assert_eq!(fleet(&[]).choose(&need(room(1), 50)), Err(Nowhere::Empty));
    let lives =
        RoomRecord { owner: label("n3"), url: String::new(), region: Some(label("us")), units: 50, fence: None };
    let placed = Fleet::new([], [(room(1), known(lives, 7))]);
    let mut batch = Batch::new(vec![of_region("eu")]);
    assert_eq!(batch.ask(&placed), None);
    assert_eq!(batch.outcomes(), [(room(1), Outcome::OtherRegion)]);
}

#[test]
fn of_eight_who_race_for_one_room_one_places_it_and_all_are_told_the_same() {
    for seed in 0..200 {
        let mut store = Store::with((0..3).map(|n| (label(&format!("n{n}")), node(n, 140, None))));
        let needs = (0..8).map(|n| {
            // Each would rather have it where it asks.
            vec![Need { prefers: Some(label(&format!("n{}", n % 3))), ..need(room(1), 51) }]
        });
        let outcomes = race(&mut store, needs.collect(), seed);
        let owners: BTreeSet<_> = outcomes.iter().flatten().map(|(_, outcome)| owner(outcome)).collect();
        assert!(owners.len() == 1 && owners.first().unwrap().is_some(), "seed {seed}: {owners:?}");
        let new = outcomes.iter().flatten().filter(|(_, o)| matches!(o, Outcome::Lives { is_new: true, .. })).count();
        assert_eq!((new, store.rooms.len()), (1, 1), "seed {seed}");
    }
}

#[test]
fn who_was_too_late_has_its_rooms_itself_and_stays_out_of_the_others_way() {
    let full = |n, reserved| (label(&format!("n{n}")), NodeRecord { reserved, ..node(n, 1000, None) });
    let asked = |is_crowded| {
        let mut fleet = Store::with([full(0, 0), full(1, 500)]).read();
        let mut batch = Batch::new(vec![need(room(1), 51)]).by(label("n0"), is_crowded);
        let mut asked = Vec::new();
        for at in 2..5 {
            assert_eq!(batch.conflicts(), asked.len() as u32);
            let transaction = batch.ask(&fleet).unwrap();
            let id = transaction.nodes[0].id.clone();
            let nodes = vec![(id.clone(), fleet.node(&id).map(|known| Known { changed: at, ..known.clone() }))];
            batch.hear(&mut fleet, transaction, Answer::Changed { revision: at, nodes, rooms: vec![(room(1), None)] });
            asked.push(id);
        }
        asked
    };
    assert_eq!(asked(false), ["n1", "n0", "n0"].map(label));
    assert_eq!(asked(true), ["n0", "n0", "n0"].map(label));
    // Where the node itself takes none, rooms spread by their names, not by how full the others are.
    let all = Store::with([full(0, 1000), full(1, 500), full(2, 0), full(3, 0)]).read();
    let chosen = |n| {
        let mut batch = Batch::new(vec![need(room(n), 51)]).by(label("n0"), true);
        batch.ask(&all).unwrap().nodes[0].id.clone()
    };
    let nodes: BTreeSet<Label> = (0..32).map(chosen).collect();
    assert_eq!(nodes, ["n1", "n2", "n3"].map(label).into());
}

#[test]
fn a_store_that_always_changes_is_given_up_on() {
    let mut fleet = Store::with([(label("n0"), node(0, 1000, None))]).read();
    let mut batch = Batch::new(vec![need(room(1), 51)]);
    let mut at = 1;
    while let Some(asked) = batch.ask(&fleet) {
        at += 1;
        let nodes = vec![(label("n0"), Some(known(node(0, 1000, None), at)))];
        batch.hear(&mut fleet, asked, Answer::Changed { revision: at, nodes, rooms: vec![(room(1), None)] });
    }
    assert_eq!(at, 1 + i64::from(limits::FLEET_TRIES_MAX));
    assert_eq!(batch.outcomes(), [(room(1), Outcome::Conflict)]);
}

fn member() -> Member {
    let (id, region) = (label("n0"), Some(label("eu")));
    Member::new(MemberSetup { id, url: "https://node-0.example".into(), region, pod: None })
}

fn load(rooms: &[(usize, u64)]) -> Load {
    let rooms = rooms.iter().map(|(n, units)| (room(*n), *units)).collect();
    Load { units: 140, free_room100_slots: 1, rooms, ..Load::default() }
}

/// Tells, until there is nothing to tell.
fn told(member: &mut Member, now: Instant, store: &mut Store, fleet: &mut Fleet) -> usize {
    let mut count = 0;
    while let Some(asked) = member.tell(now, fleet) {
        let answer = store.commit(&asked);
        fleet.hear(&asked, &answer);
        member.see(now, fleet);
        store.check();
        count += 1;
        assert!(count < 10, "it ends");
    }
    count
}

#[test]
fn a_room_that_grows_reserves_more_and_one_that_is_over_gives_it_back() {
    let (mut member, mut now) = (member(), Instant::now());
    let (mut store, mut fleet) = (Store::default(), Fleet::default());
    assert_eq!(member.tell(now, &fleet), None, "nothing without a lease");
    member.set_lease(Some(7));
    member.set_load(now, load(&[]));
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1);
    assert_eq!(store.nodes[&label("n0")].value.region, Some(label("eu")));
    let mut batch = Batch::new(vec![need(room(1), 51)]);
    let asked = batch.ask(&fleet).unwrap();
    let answer = store.commit(&asked);
    batch.hear(&mut fleet, asked, answer);
    assert_eq!(member.see(now, &fleet), []);
    assert!(member.is_asked_for(now, &room(1)) && !member.is_asked_for(now, &room(2)));
    let first = store.rooms[&room(1)].clone();

    now += SECOND * 2;
    member.set_load(now, load(&[(1, 34)]));
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 0, "what was reserved at first stays so");
    member.set_load(now, load(&[(1, 95)]));
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1);
    let grown = &store.rooms[&room(1)];
    assert_eq!((grown.value.units, grown.fence()), (95, first.fence()), "who grows stays who it is");
    member.set_load(now, load(&[(1, 97)]));
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 0, "not each time somebody comes");
    now += SECOND;
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1);
    member.set_load(now, load(&[]));
    now += SECOND;
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1);
    assert!(store.rooms.is_empty() && !member.holds(&room(1)));
    assert_eq!(store.nodes[&label("n0")].value.reserved, 0);
    member.set_load(now, Load { draining: true, ..load(&[]) });
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1, "that it drains it says at once");
}

#[test]
fn a_room_for_which_nobody_comes_is_given_back_after_a_while() {
    let (mut member, now) = (member(), Instant::now());
    let (mut store, mut fleet) = (Store::default(), Fleet::default());
    member.set_lease(Some(7));
    member.set_load(now, load(&[]));
    told(&mut member, now, &mut store, &mut fleet);
    for n in [1, 2] {
        let mut batch = Batch::new(vec![need(room(n), 51)]);
        let asked = batch.ask(&fleet).unwrap();
        let answer = store.commit(&asked);
        batch.hear(&mut fleet, asked, answer);
    }
    member.see(now, &fleet);
    let soon = now + limits::FLEET_CLAIM_SPAN - SECOND;
    assert_eq!(told(&mut member, soon, &mut store, &mut fleet), 0);
    member.set_load(soon, Load { coming: [room(2)].into(), ..load(&[]) });
    told(&mut member, now + limits::FLEET_CLAIM_SPAN, &mut store, &mut fleet);
    assert_eq!(store.rooms.keys().collect::<Vec<_>>(), [&room(2)], "somebody is on the way to it");
}

#[test]
fn after_a_lost_lease_it_tells_all_again_and_yields_what_a_newer_one_has() {
    let (mut member, mut now) = (member(), Instant::now());
    let (mut store, mut fleet) = (Store::default(), Fleet::default());
    member.set_lease(Some(7));
    member.set_load(now, load(&[(1, 60), (2, 60)]));
    told(&mut member, now, &mut store, &mut fleet);
    assert_eq!(store.rooms.len(), 2);
    // The lease is over; another node was given one of its rooms.
    now += SECOND * 20;
    store.nodes.clear();
    store.rooms.clear();
    store.revision += 5;
    let other =
        RoomRecord { owner: label("n1"), url: "https://node-1.example".into(), region: None, units: 51, fence: None };
    store.rooms.insert(room(2), known(other.clone(), store.revision));
    store.nodes.insert(label("n1"), known(NodeRecord { reserved: 51, ..node(1, 140, None) }, store.revision));
    fleet = store.read();
    assert_eq!(member.see(now, &fleet), [room(2)], "a newer fence was seen");
    assert_eq!(member.see(now, &fleet), [], "once");
    member.set_lease(Some(8));
    member.set_whole();
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 1);
    assert_eq!(store.rooms[&room(1)].value.owner, label("n0"));
    assert_eq!(store.rooms[&room(2)].value, other);
    assert_eq!((store.nodes[&label("n0")].value.lease, store.nodes[&label("n0")].value.reserved), (8, 60));
    // What it hears late of somebody before it ends nothing.
    let older = RoomRecord { owner: label("n2"), ..other };
    let stale = Fleet::new([], [(room(1), known(older, 1))]);
    assert_eq!(member.see(now, &stale), []);
}

#[test]
fn what_others_reserve_meanwhile_is_not_forgotten() {
    let (mut member, now) = (member(), Instant::now());
    let (mut store, mut fleet) = (Store::default(), Fleet::default());
    member.set_lease(Some(7));
    member.set_load(now, load(&[(1, 40)]));
    told(&mut member, now, &mut store, &mut fleet);
    // Another node places a room here, of which this one has not heard.
    let mut theirs = store.read();
    let mut batch = Batch::new(vec![need(room(2), 51)]);
    let asked = batch.ask(&theirs).unwrap();
    let answer = store.commit(&asked);
    batch.hear(&mut theirs, asked, answer);
    member.set_load(now, Load { draining: true, ..load(&[(1, 40)]) });
    assert_eq!(told(&mut member, now, &mut store, &mut fleet), 2, "asked again, by what was answered");
    assert_eq!(store.nodes[&label("n0")].value.reserved, 91);
}

#[test]
fn strange_records_are_told_from_ours() {
    let ours = node(1, 140, Some("eu"));
    assert!(!String::from_utf8_lossy(&ours.write()).contains("pod"), "older ones read what they wrote");
    let in_a_pod = NodeRecord { pod: Some("calls/node-1".parse().unwrap()), ..ours.clone() };
    for one in [ours, in_a_pod] {
        assert_eq!(NodeRecord::read(&one.write()), Ok(one));
    }
    assert!(matches!(NodeRecord::read(b"{}"), Err(RecordError::Unreadable(_))));
    assert!(matches!(RoomRecord::read(b"\xff"), Err(RecordError::Unreadable(_))));
    assert_eq!(RoomRecord::read(&[b' '; 5000]), Err(RecordError::Long(5000)));
    for bad in ["", "a b", "a/b", &"a".repeat(65), "\u{e4}"] {
        assert_eq!(bad.parse::<Label>(), Err(LabelError), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_node_gives_more_than_it_has_and_no_region_is_left(
        seed in 0_u64..u64::MAX,
        sizes in proptest::collection::vec(0_u64..300, 1..5),
        asked in proptest::collection::vec((0_usize..6, 1_u64..120, 0_usize..3), 1..24),
    ) {
        let regions = [None, Some("eu"), Some("us")];
        let record = |(n, units): (usize, &u64)| (label(&format!("n{n}")), node(n, *units, regions[n % 3]));
        let nodes = sizes.iter().enumerate().map(record);
        let mut store = Store::with(nodes);
        let mut needs: Vec<Vec<Need>> = vec![Vec::new(); 8];
        for (n, (name, units, region)) in asked.iter().enumerate() {
            let own = &mut needs[n % 8];
            if own.iter().all(|need| need.room != room(*name)) {
                own.push(Need { region: regions[*region].map(label), ..need(room(*name), *units) });
            }
        }
        let wanted = needs.clone();
        let outcomes = race(&mut store, needs, seed);
        for (needs, told) in wanted.iter().zip(&outcomes) {
            prop_assert_eq!(needs.len(), told.len(), "each is told something, once");
            for need in needs {
                let (_, outcome) = told.iter().find(|(room, _)| *room == need.room).expect("all are told");
                let Outcome::Lives { record, fence, .. } = outcome else { continue };
                prop_assert!(need.region.is_none() || need.region == record.region);
                let stands = &store.rooms[&need.room];
                prop_assert_eq!((&stands.value.owner, stands.fence()), (&record.owner, *fence));
            }
        }
    }
}

#[test]
fn a_room_that_moves_takes_its_reservation_along_and_has_a_greater_fence_each_time() {
    let all = (0..3).map(|n| (label(&format!("n{n}")), node(n, 140, None)));
    let (mut store, mut now) = (Store::with(all), Instant::now());
    let mut fleet = store.read();
    let mut batch = Batch::new(vec![Need { prefers: Some(label("n0")), ..need(room(1), 51) }]);
    let asked = batch.ask(&fleet).unwrap();
    let answer = store.commit(&asked);
    batch.hear(&mut fleet, asked, answer);
    let mut before = store.rooms[&room(1)].fence();
    let mut member = member();
    member.set_lease(Some(100));
    member.set_load(now, load(&[(1, 60)]));
    assert_eq!(member.see(now, &fleet), []);
    for (from, to, is_return) in [("n0", "n1", false), ("n1", "n2", false), ("n2", "n1", true)] {
        let shift = Shift { room: room(1), from: label(from), to: label(to), is_return };
        let (asked, fence) = shift.ask(&fleet).unwrap();
        let answer = store.commit(&asked);
        fleet.hear(&asked, &answer);
        store.check();
        let known = &store.rooms[&room(1)];
        assert_eq!((known.value.owner.as_str(), known.fence()), (to, fence));
        assert!(fence > before && fence.0 <= known.changed, "{fence:?} after {before:?}");
        before = fence;
        assert_eq!(shift.ask(&fleet), Err(Stays::Lost), "it is there no more");
    }
    assert_eq!(member.see(now, &fleet), [room(1)], "its first node sees that it is another's");
    member.set_load(now, load(&[(1, 60)]));
    assert!(!member.holds(&room(1)) && member.is_gone(&room(1)), "people are still here, and new ones go there");
    now += SECOND;
    told(&mut member, now, &mut store, &mut fleet);
    assert_eq!(store.rooms[&room(1)].value.owner, label("n1"), "nobody takes it back by telling how it stands");
    member.set_load(now, load(&[]));
    assert!(!member.is_gone(&room(1)));
}

/// Two nodes, and a room at the second that is to go to the first.
fn about_to_move() -> (Store, Fleet, Shift) {
    let mut store = Store::with([(label("n0"), node(0, 140, None)), (label("n1"), node(1, 140, None))]);
    let mut fleet = store.read();
    let mut batch = Batch::new(vec![Need { prefers: Some(label("n1")), ..need(room(1), 51) }]);
    let asked = batch.ask(&fleet).unwrap();
    let answer = store.commit(&asked);
    batch.hear(&mut fleet, asked, answer);
    (store, fleet, Shift { room: room(1), from: label("n1"), to: label("n0"), is_return: false })
}

#[test]
fn a_room_moves_to_no_node_that_drains_or_is_full_and_keeps_its_fence_as_it_grows() {
    let (mut store, mut fleet, shift) = about_to_move();
    let now = Instant::now();
    let with = |change: fn(&mut NodeRecord)| {
        let mut known = store.nodes[&label("n0")].clone();
        change(&mut known.value);
        known.changed += 100;
        let mut fleet = fleet.clone();
        fleet.see_node(label("n0"), known);
        shift.ask(&fleet).map(drop)
    };
    assert_eq!(with(|node| node.draining = true), Err(Stays::Nowhere(Nowhere::Draining)));
    assert_eq!(with(|node| node.reserved = 100), Err(Stays::Nowhere(Nowhere::Full)));
    let (asked, fence) = shift.ask(&fleet).unwrap();
    let answer = store.commit(&asked);
    fleet.hear(&asked, &answer);
    let mut member = member();
    member.set_lease(Some(100));
    member.take_up(now, &room(1), fence);
    assert!(member.holds(&room(1)), "before it read so");
    member.see(now, &fleet);
    member.set_load(now, load(&[(1, 90)]));
    told(&mut member, now, &mut store, &mut fleet);
    let known = &store.rooms[&room(1)];
    assert_eq!((known.value.units, known.fence(), member.fence(&room(1))), (90, fence, Some(fence)));
}

#[test]
fn what_was_reserved_stays_so_for_a_room_that_was_handed_over_before_etcd_said_so() {
    let (mut store, mut fleet, shift) = about_to_move();
    let mut now = Instant::now();
    let (asked, fence) = shift.ask(&fleet).unwrap();
    let answer = store.commit(&asked);
    let mut member = member();
    member.set_lease(Some(100));
    member.take_up(now, &room(1), fence);
    fleet.hear(&asked, &answer);
    member.see(now, &fleet);
    member.set_load(now, load(&[(1, 7)]));
    now += SECOND;
    told(&mut member, now, &mut store, &mut fleet);
    assert_eq!(store.rooms[&room(1)].value.units, 51, "its people are still on their way");
}
