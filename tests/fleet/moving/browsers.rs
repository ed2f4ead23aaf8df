//! **The question:** do people in browsers stay in their call while its node goes down? Chromium and Firefox take part,
//! another only watches, and a simulated person is beside them.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::block_in_place;

use super::{Crowd, ask, ask_json, keys, owner, people};
use crate::browser::driver::{Browser, Driver};
use crate::browser::enter;
use crate::fleet::etcd::Etcd;
use crate::fleet::{Fleet, TOKEN_OF_NODES};
use crate::keepers::process;

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Notes the longest while without another picture, and how many there were; a page that is loaded again has no notes.
const FOLLOW: &str = r"
const [video] = document.querySelectorAll('#composite, #video');
window.seen = { pictures: 0, gap: 0 };
let last = performance.now();
const look = () => {
  const now = performance.now();
  seen.gap = Math.max(seen.gap, now - last);
  seen.pictures += 1;
  last = now;
  video.requestVideoFrameCallback(look);
};
video.requestVideoFrameCallback(look);
return true;
";

/// What the page asked last, and how that was answered.
const ASKED: &str = "return performance.getEntriesByType('resource').slice(-8) \
     .map((one) => `${one.responseStatus} ${one.name} ${Math.round(one.startTime)}`);";

/// Whether the hand of somebody with a strange name is up.
const RAISED: &str = "return tessera.participants.some((one) => one.hand && one.name === '<i>Grace</i>');";

async fn joined(browser: &Browser, name: &str, people: usize) {
    enter(browser, name).await;
    let all = format!(
        "return tessera.connected && tessera.participants.length === {people} \
         && document.getElementById('waiting').hidden;"
    );
    browser.wait_for("the call", &all, PATIENCE).await;
}

async fn says(from: &Browser, to: &Browser, text: &str) {
    from.fill("#chat-text", text).await;
    from.click("#chat-send").await;
    let read = format!("return tessera.lines.some((line) => line.text === '{text}');");
    to.wait_for("it is read", &read, PATIENCE).await;
}

/// Ten pictures later; how long the longest while was without one, in ms. The page is the same one all along.
async fn gap(browser: &Browser) -> f64 {
    browser.script("window.before = window.seen?.pictures ?? 0;").await;
    browser.wait_for("pictures go on", "return window.seen?.pictures > window.before + 10;", PATIENCE).await;
    browser.script("return window.seen.gap;").await.as_f64().expect("milliseconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_in_browsers_follow_their_room_and_keep_their_seats() {
    let folder = tempfile::tempdir().unwrap();
    let etcd = block_in_place(Etcd::start);
    let fleet = block_in_place(|| Fleet::start(&etcd, ["", "", ""], &keys(folder.path())));
    let from = block_in_place(|| fleet.owner(0, "moving", "").unwrap_or_else(|answer| panic!("{}", answer.text)));
    let (node, other) = (&fleet.nodes[from], (from + 1) % 3);
    let crowd = Crowd::start(node, 1, 0, folder.path());
    block_in_place(|| process::wait_until("somebody is in", || people(node).len() == 1));

    let page =
        |node: &crate::browser::node::Node, kind: &str| format!("{}{kind}/moving#token={TOKEN_OF_NODES}", node.url);
    let driver = Driver::start().await;
    // By another node than the room's: its page leads there.
    let ada = driver.open(&page(&fleet.nodes[other], "r")).await;
    let (grace, viewer) = (Browser::firefox(&page(node, "r")).await, driver.open(&page(node, "w")).await);
    joined(&ada, "Ada", 2).await;
    joined(&grace, "<i>Grace</i>", 3).await;
    let watches = "return tessera.phase === 'watching' && tessera.way === 'whep' && tessera.framesShown > 10;";
    viewer.wait_for("pictures for who watches", watches, PATIENCE).await;
    for browser in [&ada, &grace] {
        browser.click("#chat-toggle").await;
    }
    says(&ada, &grace, "said at the first node").await;
    grace.click("#hand").await;
    let mut seats = Vec::new();
    for browser in [&ada, &grace] {
        seats.push(browser.script("return tessera.participant;").await);
    }
    ada.wait_for("a hand is up", RAISED, PATIENCE).await;
    for browser in [&ada, &grace, &viewer] {
        assert_eq!(browser.script(FOLLOW).await, Value::Bool(true));
    }
    let before = block_in_place(|| people(node));

    assert_eq!(block_in_place(|| ask_json(node, "POST", "v1/node/drain", r#"{"within_s":0}"#)), 200);
    let since = Instant::now();
    let is_empty = || ask(node, "GET", "v1/node", "").1["rooms"] == 0;
    block_in_place(|| process::wait_until("all of them left the node", is_empty));
    let left = since.elapsed();
    let to = block_in_place(|| owner(&fleet, other)).expect("it is somewhere").0;
    let there = &fleet.nodes[to];
    let followed = to != from && left < Duration::from_secs(14);
    for browser in [&ada, &grace, &viewer].into_iter().filter(|_| !followed) {
        println!("{} {}", browser.script(ASKED).await, browser.console().await);
    }
    assert!(followed, "at {to} after {from}, {left:?} later: somebody was sent off");
    for (browser, name) in [(&ada, "Chromium"), (&grace, "Firefox"), (&viewer, "who watches in Chromium")] {
        println!("{name}: the longest while without a picture was {:.0} ms", gap(browser).await);
    }
    println!("all had left {left:?} after the drain began");
    assert_eq!(block_in_place(|| people(there)), before, "the same people, in their order");
    let detail = block_in_place(|| ask(there, "GET", "v1/rooms/moving", "")).1;
    assert_eq!(detail["viewers"], 1, "{detail}");
    for (browser, seat) in [(&ada, &seats[0]), (&grace, &seats[1])] {
        let same = format!(
            "return tessera.connected && tessera.participant === {seat} && tessera.returns === 0 \
             && tessera.participants.every((one) => !one.away) && tessera.problem === null \
             && tessera.lines.length === 1 && tessera.lines[0].text === 'said at the first node' \
             && performance.getEntriesByType('resource').some((one) => one.name.startsWith('{}v1/rooms/'));",
            there.url
        );
        browser.wait_for("all is as it was, by the other node", &same, PATIENCE).await;
        assert_eq!(browser.script(RAISED).await, true, "the hand is up, and the name is the same");
    }
    says(&grace, &ada, "said at the second node").await;
    for browser in [viewer, grace, ada] {
        browser.close().await;
    }
    drop(crowd);
}
