//! **The question:** what do joins cost that never connect, and words that nobody needs? Real offers over HTTP that are
//! answered and then left alone, and one client that raises its hand without end.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use str0m::media::{Direction, MediaKind};
use str0m::{Candidate, Rtc};

use super::harness::{CALL, Siege, block_on, get, metric};
use crate::browser::driver::client;
use crate::browser::node::Node;
use crate::client::{Client, PATIENCE, wait_until};

/// An offer of a person with camera, microphone and both ways back, who is nowhere.
fn offer() -> String {
    let rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).enable_av1(true);
    let mut rtc = rtc.build(Instant::now());
    rtc.add_local_candidate(Candidate::host("192.0.2.1:9".parse().unwrap(), "udp").unwrap());
    let mut api = rtc.sdp_api();
    for direction in [Direction::SendOnly, Direction::RecvOnly] {
        api.add_media(MediaKind::Video, direction, None, None, None);
        api.add_media(MediaKind::Audio, direction, None, None, None);
    }
    api.add_channel("tessera".to_owned());
    api.apply().expect("five lines are new").0.to_sdp_string()
}

/// What a POST of an offer is answered: the status, `Location`, and the seconds of `Retry-After`.
fn post(node: &Node, path: &str, offer: &str) -> (StatusCode, String, Option<u64>) {
    let request = client().post(format!("{}{path}", node.url)).header("content-type", "application/sdp");
    block_on(async {
        let response = request.body(offer.to_owned()).send().await.expect("the node answers");
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        (response.status(), header("location").to_owned(), header("retry-after").parse().ok())
    })
}

fn delete(node: &Node, location: &str) -> StatusCode {
    let url = format!("{}{}", node.url, location.trim_start_matches('/'));
    block_on(async { client().delete(url).send().await.expect("the node answers").status() })
}

/// Waits until an offer is taken, and takes it back: there is a place for somebody who connects.
fn wait_for_a_place(node: &Node, path: &str, offer: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, location, again) = post(node, path, offer);
        if status == StatusCode::CREATED {
            assert_eq!(delete(node, &location), StatusCode::OK, "who never came may leave");
            return;
        }
        assert!(again.is_some() && Instant::now() < until, "{status} for ever");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn joins_that_never_connect_take_no_place_no_room_and_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let siege = Siege::begin(&["--recordings", store.to_str().unwrap()], "");
    let (node, offer) = (&siege.node, offer());
    let gap = metric(node, "tessera_record_gap_ms_total");
    let full = (0..100).map(|n| format!("v1/rooms/filled/participants?name={n}"));
    let rooms = (0..64).map(|n| format!("whip/room-{n}"));
    let unrecorded = (0..98).map(|n| format!("v1/rooms/{CALL}/participants?name={n}&record=no"));
    let (mut taken, mut refused) = (0, 0);
    for path in full.chain(rooms).chain(unrecorded) {
        match post(node, &path, &offer) {
            (StatusCode::CREATED, location, _) => taken += u32::from(location.starts_with('/')),
            (StatusCode::TOO_MANY_REQUESTS, _, Some(1..)) => refused += 1,
            other => panic!("{path}: {other:?}"),
        }
    }
    println!("{taken} offers wait, {refused} were refused");
    assert!(taken >= 64 && refused > 0 && taken + refused == 262);
    let listed = get(node, "v1/rooms");
    assert_eq!(listed["rooms"].as_array().map(Vec::len), Some(1), "no room began: {listed}");
    let room = get(node, &format!("v1/rooms/{CALL}"));
    assert_eq!(room["participants"].as_array().map(Vec::len), Some(5), "nobody is in the call but the five: {room}");
    // Whoever connects comes in, from the very address that the others came from.
    wait_for_a_place(node, "v1/rooms/filled/participants", &offer);
    siege.lifted();
    let mut ada = [Client::join(&node.url, "filled", "Ada", 0)];
    wait_until(&mut ada, "she is told who is there", |ada| ada[0].person(&ada[0].participant)["name"] == "Ada");
    assert_eq!(metric(node, "tessera_record_gap_ms_total"), gap, "the recording lacks nothing");
    drop(ada);
    siege.end();
}

/// Joins and leaves of one of those who come and go, so many a second in all.
const A_SECOND: u32 = 100;
/// So many of them come and go beside each other.
const BESIDE: u32 = 4;

/// How many of these the node's process has.
fn count(node: &Node, what: &str) -> usize {
    std::fs::read_dir(format!("/proc/{}/{what}", node.pid())).expect("the node runs").count()
}

/// Joins, and leaves at once, so many times; how often that was refused.
async fn come_and_go(url: String, offer: String, times: u32) -> u32 {
    let (client, mut refused) = (client(), 0);
    let mut pace = tokio::time::interval(Duration::from_secs(1) * BESIDE / A_SECOND);
    for n in 0..times {
        pace.tick().await;
        let place = format!("{url}v1/rooms/passing-{}/participants?name={n}", n % 10);
        let joined = client.post(place).header("content-type", "application/sdp");
        let joined = joined.body(offer.clone()).send().await.expect("the node answers");
        let Some(location) = joined.headers().get("location").and_then(|place| place.to_str().ok()) else {
            assert_eq!(joined.status(), StatusCode::TOO_MANY_REQUESTS);
            refused += 1;
            continue;
        };
        let place = format!("{url}{}", location.trim_start_matches('/'));
        let left = client.delete(place).send().await.expect("the node answers");
        assert_eq!(left.status(), StatusCode::OK, "who came may leave");
    }
    refused
}

/// A hundred a second: five seconds of them, or as many as TESSERA_CHURN_SECONDS says.
#[test]
fn a_hundred_who_come_and_go_each_second_cost_a_call_no_tick_and_leave_nothing_behind() {
    let seconds = std::env::var("TESSERA_CHURN_SECONDS").ok().map_or(5, |text| text.parse().expect("seconds"));
    let siege = Siege::begin(&[], "");
    let (node, offer) = (&siege.node, offer());
    // What the first ones leave is what the door keeps ready.
    assert_eq!(block_on(come_and_go(node.url.clone(), offer.clone(), 20)), 0);
    let before = ["fd", "task"].map(|what| count(node, what));
    let began = Instant::now();
    let refused = block_on(async {
        let each = (0..BESIDE).map(|_| come_and_go(node.url.clone(), offer.clone(), seconds * A_SECOND / BESIDE));
        futures_util::future::join_all(each).await.into_iter().sum::<u32>()
    });
    let all = seconds * A_SECOND;
    println!("{all} came and went in {:.1} s, {refused} were refused", began.elapsed().as_secs_f64());
    assert!(refused * 10 < all, "{refused} of {all} were refused");
    // Connections that stand idle are the client's, and go with it.
    let until = Instant::now() + PATIENCE;
    let more = || ["fd", "task"].map(|what| count(node, what)).iter().zip(before).any(|(now, then)| *now > then + 4);
    while more() {
        assert!(Instant::now() < until, "descriptors and threads: {before:?} before");
        std::thread::sleep(Duration::from_millis(100));
    }
    let listed = get(node, "v1/rooms");
    assert_eq!(listed["rooms"].as_array().map(Vec::len), Some(1), "no room began: {listed}");
    siege.lifted();
    siege.end();
}

#[test]
fn a_hand_that_goes_up_and_down_without_end_is_told_now_and_then_and_at_last() {
    let node = Node::start();
    let mut clients = [Client::join(&node.url, "hands", "Ada", 0), Client::join(&node.url, "hands", "Bert", 1)];
    let ada = clients[0].participant.clone();
    clients.iter_mut().for_each(|client| client.told.clear());
    let begin = Instant::now();
    for n in 0..300 {
        clients[0].say("hand", json!({ "raised": n % 2 == 1 }));
    }
    let too_often = |client: &Client| {
        client.told.iter().filter(|told| told["kind"].as_str().is_some_and(|kind| kind.ends_with("too-often"))).count()
    };
    wait_until(&mut clients, "all know the last state", |clients| {
        clients.iter().all(|client| client.person(&ada)["hand"] == true) && too_often(&clients[0]) == 1
    });
    // What was said last is what holds, and comes last.
    let seconds = begin.elapsed().as_secs() as usize + 1;
    let rosters = clients[1].told.iter().filter(|told| told["type"] == "room").count();
    assert!(rosters <= seconds * 10 + 1, "{rosters} rosters in {seconds} s");
    assert!(metric(&node, "tessera_signals_refused_total") > 100);
    assert_eq!(metric(&node, "tessera_signals_discarded_total"), 0);
    node.stop();
}
