//! Is a pod with rooms ever said to be free, and are as many nodes wanted as are needed?

use proptest::prelude::*;

use super::*;
use crate::core::fleet::{Fleet, Known, NodeRecord, RoomRecord};

const HERE: &str = "calls";

/// A node in the pod of its number.
fn node(n: u32, units: u64, reserved: u64) -> NodeRecord {
    NodeRecord {
        url: format!("https://node-{n}.example"),
        region: None,
        units,
        reserved,
        free_room100_slots: units.saturating_sub(reserved) / 100,
        draining: false,
        full: false,
        lease: i64::from(n) + 1,
        pod: Some(format!("{HERE}/tessera-cpu-{n}").parse().unwrap()),
    }
}

fn known<T>(value: T) -> Known<T> {
    Known { value, created: 1, changed: 1 }
}

fn fleet(nodes: Vec<NodeRecord>, rooms: &[usize]) -> Fleet {
    let nodes = nodes.into_iter().enumerate().map(|(n, node)| (format!("n{n}").parse().unwrap(), known(node)));
    let room = |(n, at): (usize, &usize)| {
        let owner = format!("n{at}").parse().unwrap();
        let record = RoomRecord { owner, url: String::new(), region: None, units: 0, fence: None };
        (format!("room-{n}").parse().unwrap(), known(record))
    };
    Fleet::new(nodes, rooms.iter().enumerate().map(room))
}

fn pod(n: u32, deletion_cost: Option<i32>, safe_to_evict: Option<bool>) -> PodSeen {
    PodSeen {
        name: format!("tessera-cpu-{n}"),
        uid: format!("uid-{n}"),
        pool: Some("cpu".into()),
        ordinal: Some(n),
        is_ending: false,
        marks: Marks { deletion_cost, safe_to_evict },
    }
}

/// By the pod's number: its cost and whether it is safe, where that changes.
fn planned(fleet: Option<&Fleet>, pods: &[PodSeen]) -> Vec<(String, Option<i32>, Option<bool>)> {
    let told = |change: Change| {
        let number = change.pod.rsplit('-').next().unwrap().to_owned();
        assert_eq!(change.uid, format!("uid-{number}"));
        (number, change.marks.deletion_cost, change.marks.safe_to_evict)
    };
    plan(fleet, HERE, pods).into_iter().map(told).collect()
}

#[test]
fn the_emptiest_is_the_cheapest_and_only_one_without_a_room_is_safe() {
    let all = fleet(vec![node(0, 300, 51), node(1, 300, 0), node(2, 300, 200), node(3, 300, 0)], &[3]);
    let pods = [0, 1, 2, 3].map(|n| pod(n, None, None));
    let told = planned(Some(&all), &pods);
    // A room that reserves nothing is a room.
    let of =
        |n: &str| told.iter().find(|(number, ..)| number == n).map(|(_, cost, safe)| (cost.unwrap(), safe.unwrap()));
    assert_eq!([of("0"), of("1"), of("2"), of("3")], [(4, false), (0, true), (13, false), (1, false)].map(Some));
    assert_eq!(told.last().map(|(number, ..)| number.as_str()), Some("1"), "what protects comes first");
    let marked = [pod(0, Some(4), Some(false)), pod(1, Some(0), Some(true)), pod(2, Some(13), Some(false))];
    assert_eq!(planned(Some(&all), &marked), [], "nothing is written twice");
    let nearly = [pod(0, Some(5), Some(false)), pod(2, Some(11), Some(false))];
    assert_eq!(planned(Some(&all), &nearly), [("2".to_owned(), Some(13), None)], "nor for a person more");
}

#[test]
fn what_is_not_known_is_not_safe_and_what_ends_is_left_alone() {
    let nobody = fleet(vec![], &[]);
    let marked = [pod(0, Some(3), Some(true)), pod(1, None, Some(false)), pod(2, None, None)];
    let withdrawn = [("0".to_owned(), None, Some(false))];
    assert_eq!(planned(Some(&nobody), &marked), withdrawn, "a node that is not registered may have calls");
    assert_eq!(planned(None, &marked), withdrawn, "nor is anything known without etcd");
    let ending = PodSeen { is_ending: true, ..pod(0, None, Some(true)) };
    assert_eq!(planned(None, &[ending]), []);
    let elsewhere = NodeRecord { pod: Some("others/tessera-cpu-0".parse().unwrap()), ..node(0, 300, 0) };
    assert_eq!(planned(Some(&fleet(vec![elsewhere], &[])), &marked), withdrawn, "a namesake in another namespace");
    // One that changed its name, until its old lease is over.
    let twice = fleet(vec![node(0, 300, 60), node(0, 300, 0)], &[]);
    assert_eq!(planned(Some(&twice), &[pod(0, None, Some(true))]), [("0".to_owned(), Some(4), Some(false))]);
    let forged = fleet(vec![NodeRecord { reserved: u64::MAX, ..node(0, 1, 0) }, node(0, 1, 1)], &[]);
    assert_eq!(planned(Some(&forged), &[pod(0, None, None)]), [("0".to_owned(), Some(i32::MAX), Some(false))]);
}

#[test]
fn nodes_are_wanted_until_so_much_is_free_and_given_back_from_the_end() {
    let wanted = |all: &Fleet, pods: &[PodSeen], headroom| {
        capacity(all, HERE, Some(pods), None, headroom).unwrap().wanted_nodes.unwrap()
    };
    let pods = [0, 1, 2].map(|n| pod(n, None, None));
    let busy = fleet(vec![node(0, 300, 250), node(1, 300, 260), node(2, 300, 290)], &[0, 1, 2]);
    assert_eq!(wanted(&busy, &pods, 1), 4);
    assert_eq!(wanted(&busy, &pods, 3), 6, "what an empty one brings is not known");
    assert_eq!(wanted(&busy, &pods, 0), 3);
    let mixed = fleet(vec![node(0, 300, 250), node(1, 300, 0), node(2, 300, 0)], &[0]);
    assert_eq!([4, 6, 7, 12].map(|headroom| wanted(&mixed, &pods, headroom)), [3, 3, 4, 5]);
    assert_eq!([3, 1, 0].map(|headroom| wanted(&mixed, &pods, headroom)), [2, 2, 1], "those of the highest numbers");
    let middle = fleet(vec![node(0, 300, 0), node(1, 300, 0), node(2, 300, 50)], &[2]);
    assert_eq!(wanted(&middle, &pods, 1), 3, "the one that would go has a room");
    let draining = fleet(vec![NodeRecord { draining: true, ..node(0, 300, 0) }, node(1, 300, 250)], &[1]);
    assert_eq!(wanted(&draining, &pods[..2], 1), 3, "one that drains takes no room, and is there all the same");
    let ends = [pods[0].clone(), PodSeen { is_ending: true, ..pods[1].clone() }];
    let told = capacity(&mixed, HERE, Some(&ends), None, 3).unwrap();
    assert_eq!((told.nodes, told.free_room100_slots), (2, 3), "its successor is not thought to be there yet");
    assert_eq!(wanted(&fleet(vec![], &[]), &[], 0), 1);
    // An etcd that was wiped, or another one's prefix, is no reason to take nodes away; one that starts is.
    assert_eq!(wanted(&fleet(vec![], &[]), &pods, 1), 3);
    let starting = [&pods[..], &[pod(3, None, None)]].concat();
    assert_eq!([1, 4, 7].map(|headroom| wanted(&mixed, &starting, headroom)), [4, 4, 4], "it is waited for");
}

#[test]
fn a_pool_is_told_apart_and_without_the_cluster_nothing_is_said_of_it() {
    let pods = [pod(0, None, None), PodSeen { pool: Some("gpu".into()), ..pod(1, None, None) }];
    let full = NodeRecord { full: true, ..node(2, 300, 100) };
    let all = fleet(vec![node(0, 300, 100), node(1, 500, 0), full], &[0, 2]);
    let of = |pods: Option<&[PodSeen]>, pool| capacity(&all, HERE, pods, pool, 1);
    let whole = of(Some(&pods), None).unwrap();
    assert_eq!((whole.free_room100_slots, whole.reserved, whole.capacity, whole.rooms), (7, 200, 1100, 2));
    let cpu = of(Some(&pods), Some("cpu")).unwrap();
    assert_eq!((cpu.free_room100_slots, cpu.reserved, cpu.nodes, cpu.rooms), (2, 100, 1, 1));
    assert_eq!(of(None, Some("cpu")), None);
    let alone = of(None, None).unwrap();
    assert_eq!((alone.free_room100_slots, alone.wanted_nodes), (7, None), "what etcd says holds without the cluster");
}

proptest! {
    #[test]
    fn no_pod_with_a_room_is_ever_safe_and_what_was_written_is_not_written_again(
        reserved in proptest::collection::vec(0_u64..400, 1..6),
        rooms in proptest::collection::vec(0_usize..6, 0..6),
        marked in proptest::collection::vec((proptest::option::of(-3_i32..30), proptest::option::of(any::<bool>())), 8),
    ) {
        let rooms: Vec<usize> = rooms.into_iter().filter(|at| *at < reserved.len()).collect();
        let nodes = reserved.iter().zip(0..).map(|(reserved, n)| node(n, 400, *reserved)).collect();
        let all = fleet(nodes, &rooms);
        // Two more pods than nodes.
        let mut pods: Vec<PodSeen> =
            (0..).take(reserved.len() + 2).zip(&marked).map(|(n, (cost, safe))| pod(n, *cost, *safe)).collect();
        for change in plan(Some(&all), HERE, &pods) {
            let own = pods.iter_mut().find(|pod| pod.name == change.pod).unwrap();
            own.marks.deletion_cost = change.marks.deletion_cost.or(own.marks.deletion_cost);
            own.marks.safe_to_evict = change.marks.safe_to_evict.or(own.marks.safe_to_evict);
        }
        prop_assert_eq!(plan(Some(&all), HERE, &pods), []);
        for (n, pod) in pods.iter().enumerate() {
            let is_empty = reserved.get(n).is_some_and(|reserved| *reserved == 0) && !rooms.contains(&n);
            prop_assert_eq!(pod.marks.safe_to_evict == Some(true), is_empty);
            prop_assert!(n >= reserved.len() || (pod.marks.deletion_cost == Some(0)) == is_empty);
        }
    }
}
