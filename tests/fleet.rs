//! **The question:** do several nodes agree where a room is, whatever is lost? Three members of etcd, three nodes, and
//! people who talk: all of it real, on loopback.

mod cluster;
pub mod etcd;
mod moving;
mod relays;
mod scale;
mod speed;
mod steward;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tessera::core::access::Claims;
use tessera::io::tokens::{Algorithm, SigningKey};

use crate::browser::node::Node;
use crate::client::{Client, wait_until};
use crate::fleet::etcd::{Etcd, free_port};
use crate::keepers::process;
use crate::retention::deadline::TOKEN;

/// An offer of nothing: the node that has its room says so, another sends it on.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
/// How long etcd is gone.
const AWAY: Duration = Duration::from_secs(5);
/// The same in the long form.
const LONG: Duration = Duration::from_secs(600);
/// What a slow and busy machine may take longer than was promised.
const SLACK: Duration = Duration::from_secs(4);

/// Status and text; `None`: nobody answers.
pub fn get(url: &str) -> Option<(u16, String)> {
    let answer = send("GET", url, None, "")?;
    Some((answer.status, answer.text))
}

/// What was answered, by nobody else than who was asked.
struct Answer {
    status: u16,
    location: Option<String>,
    retry_after: Option<String>,
    /// The page that may read it, and by which policy a page asks.
    shared_with: Option<String>,
    policy: Option<String>,
    text: String,
}

impl Answer {
    fn kind(&self) -> String {
        let told: Value = serde_json::from_str(&self.text).unwrap_or_default();
        told["type"].as_str().unwrap_or_default().trim_start_matches("urn:tessera:problem:").to_owned()
    }
}

fn send(method: &str, url: &str, token: Option<&str>, body: &str) -> Option<Answer> {
    send_by(method, url, token, &[], body)
}

/// As `send`, with more headers.
fn send_by(method: &str, url: &str, token: Option<&str>, more: &[(&str, &str)], body: &str) -> Option<Answer> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(Duration::from_secs(10)).build().expect("a client");
    let request = client.request(method.parse().expect("a method"), url).body(body.to_owned());
    let is_typed = more.iter().any(|(name, _)| *name == "content-type");
    let request = if is_typed { request } else { request.header("content-type", "application/sdp") };
    let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let response = request.send().await.ok()?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().expect("it is text").to_owned())
        };
        let (location, retry_after) = (header("location"), header("retry-after"));
        let (shared_with, policy) = (header("access-control-allow-origin"), header("content-security-policy"));
        let (status, text) = (response.status().as_u16(), response.text().await.ok()?);
        Some(Answer { status, location, retry_after, shared_with, policy, text })
    })
}

/// Three nodes that agree by etcd.
struct Fleet {
    nodes: Vec<Node>,
    folder: TempDir,
}

impl Fleet {
    fn start(etcd: &Etcd, regions: [&'static str; 3], more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let nodes: Vec<Node> = std::thread::scope(|scope| {
            let start = |(n, region): (usize, &&'static str)| {
                let (region, path) = (*region, folder.path());
                scope.spawn(move || start_node(etcd, path, n, region, more))
            };
            let started: Vec<_> = regions.iter().enumerate().map(start).collect();
            started.into_iter().map(|node| node.join().expect("it starts")).collect()
        });
        let fleet = Self { nodes, folder };
        process::wait_until("all are ready", || fleet.nodes.iter().all(|node| status(node, "readyz") == 200));
        fleet
    }

    /// Where the nodes' configurations lie.
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The node that is meant by where somebody was sent.
    fn at(&self, location: &str) -> usize {
        let is_there = |node: &Node| location.starts_with(&node.url);
        self.nodes.iter().position(is_there).unwrap_or_else(|| panic!("{location} is no node"))
    }

    /// The node that has a room, or takes it, asked by one of them.
    fn owner(&self, asked: usize, room: &str, query: &str) -> Result<usize, Box<Answer>> {
        let url = format!("{}whip/{room}{query}", self.nodes[asked].url);
        let answer = send("POST", &url, Some(TOKEN_OF_NODES), OFFER).expect("nodes answer");
        match (answer.status, &answer.location) {
            (307, Some(location)) => Ok(self.at(location)),
            (400, None) if answer.kind() == "bad-offer" => Ok(asked),
            _ => Err(Box::new(answer)),
        }
    }

    /// A room that another node took, and which.
    fn elsewhere_than(&self, owner: usize, prefix: &str) -> (String, usize) {
        let all = (0..30).map(|n| format!("{prefix}-{n}"));
        let found = all.into_iter().find_map(|room| match self.owner(owner, &room, "") {
            Ok(at) if at != owner => Some((room, at)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no other node takes a room: {}", self.shown(owner)))
    }

    /// What a node knows of all.
    fn shown(&self, asked: usize) -> Value {
        let url = format!("{}v1/fleet", self.nodes[asked].url);
        let answer = send("GET", &url, Some(TOKEN_OF_NODES), "").expect("nodes answer");
        serde_json::from_str(&answer.text).expect("it is JSON")
    }
}

/// The operator's, of every node.
const TOKEN_OF_NODES: &str = "0123456789abcdef";

fn start_node(etcd: &Etcd, folder: &Path, n: usize, region: &str, more: &str) -> Node {
    let (path, port) = (folder.join(format!("node-{n}.toml")), free_port());
    let endpoints = etcd.endpoints();
    let text = format!(
        "[http]\ntoken = \"{TOKEN_OF_NODES}\"\n[video]\nwidth = 320\nheight = 180\nfps = 15\n[fleet]\netcd = \
         {endpoints:?}\nnode_id = \"node-{n}\"\nadvertise = \"http://localhost:{port}\"\nregion = \
         {region:?}\nroom_people = 1\n{more}"
    );
    fs::write(&path, text).expect("a file of our own");
    let flags = ["--config", path.to_str().expect("our paths are text")];
    let environment = [("TESSERA_RECORDINGS_TOKEN", TOKEN)];
    Node::start_at(&format!("127.0.0.1:{port}"), &flags, &environment, std::process::Stdio::inherit())
}

fn status(node: &Node, path: &str) -> u16 {
    get(&format!("{}{path}", node.url)).map_or(0, |(status, _)| status)
}

#[test]
fn eight_who_race_for_a_room_over_three_nodes_find_one_and_nobody_is_sent_out_of_a_region() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "fedcba9876543210fedcba9876543210").unwrap();
    let keys = format!(
        "[access]\nkeys = [{{ id = \"k\", algorithm = \"HS256\", file = {secret:?} }}]\n[[tenant]]\nid = \"yankee\"\n\
         region = \"us\"\n[[tenant]]\nid = \"asian\"\nregion = \"ap\"\n"
    );
    let fleet = Fleet::start(&etcd, ["eu", "eu", "us"], &keys);

    // Who may not come in neither begins a room nor learns where one is.
    let answer = send("POST", &format!("{}whip/raced", fleet.nodes[0].url), None, OFFER).unwrap();
    assert_eq!((answer.status, answer.location), (401, None));
    assert_eq!(fleet.shown(0)["rooms"].as_array().map(Vec::len), Some(0));
    assert_eq!(send("GET", &format!("{}v1/fleet", fleet.nodes[0].url), None, "").unwrap().status, 401);

    let owners: BTreeSet<usize> = std::thread::scope(|scope| {
        let racers = (0..8).map(|n| {
            scope.spawn({
                let fleet = &fleet;
                move || fleet.owner(n % 3, "raced", "").unwrap_or_else(|answer| panic!("{}", answer.text))
            })
        });
        racers.collect::<Vec<_>>().into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(owners.len(), 1, "one node has it");
    let owner = *owners.first().unwrap();
    let other = (owner + 1) % 3;
    let fence = |shown: &Value| shown["rooms"][0]["fence"].as_i64();
    process::wait_until("all know of it", || (0..3).all(|n| fence(&fleet.shown(n)).is_some()));
    assert_eq!(fence(&fleet.shown(0)), fence(&fleet.shown(2)));
    let answer = send("POST", &format!("{}whip/raced", fleet.nodes[other].url), None, OFFER).unwrap();
    assert_eq!((answer.status, answer.location), (401, None), "where it is, only who may join is told");

    expect_sent_on(&fleet, owner, other);
    expect_bound_regions(&fleet, &secret);
    expect_regions(&fleet);
    // Nobody came to any of them.
    process::wait_until("they are given back", || {
        let shown = fleet.shown(1);
        let is_free = |node: &Value| node["reserved"] == 0;
        shown["rooms"] == serde_json::json!([]) && shown["nodes"].as_array().unwrap().iter().all(is_free)
    });
}

#[test]
fn a_second_node_of_one_name_takes_no_part_until_the_first_is_gone() {
    let etcd = Etcd::start();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let first = start_node(&etcd, folders[0].path(), 0, "", "");
    process::wait_until("the first is ready", || status(&first, "readyz") == 200);
    let twin = start_node(&etcd, folders[1].path(), 0, "", "");
    // Longer than it takes to try again.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!((status(&first, "readyz"), status(&twin, "readyz")), (200, 503));
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, told) = get(&format!("{}metrics", first.url)).unwrap();
    assert!(told.lines().any(|line| line == "tessera_fleet_registered 1"), "{told}");
    drop(first);
    process::wait_until("the first's lease is over", || status(&twin, "readyz") == 200);
}

#[test]
fn no_call_is_cut_by_etcd_and_a_dead_nodes_rooms_begin_elsewhere() {
    let mut etcd = Etcd::start();
    let mut fleet = Fleet::start(&etcd, ["", "", ""], "");
    let owner = fleet.owner(0, "running", "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let (second, third) = ((owner + 1) % 3, (owner + 2) % 3);
    // By whichever node they come, they are in one room.
    let mut people = vec![
        Client::join(&fleet.nodes[second].url, "running", "Ada", 0),
        Client::join(&fleet.nodes[third].url, "running", "Bob", 1),
    ];
    talk(&mut people);

    let leader = etcd.leader().expect("they agreed");
    etcd.kill(leader);
    let took = meanwhile(&mut people, || {
        let since = Instant::now();
        process::wait_until("rooms begin without it", || fleet.owner(second, "after-the-leader", "").is_ok());
        since.elapsed()
    });
    println!("a room began {took:?} after etcd's leader was killed");
    talk(&mut people);

    etcd.kill_all();
    let since = Instant::now();
    let away = if std::env::var_os("TESSERA_LONG").is_some() { LONG } else { AWAY };
    meanwhile(&mut people, || expect_calls_alone(&fleet, third));
    people.push(Client::join(&fleet.nodes[second].url, "running", "Cem", 2));
    talk(&mut people);
    wait_for(&mut people, away.saturating_sub(since.elapsed()));
    let took = meanwhile(&mut people, || {
        etcd.start_all();
        let since = Instant::now();
        process::wait_until("rooms begin again", || fleet.owner(third, "new", "").is_ok());
        since.elapsed()
    });
    println!("a room began {took:?} after etcd was back from {away:?}");
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
    talk(&mut people);
    assert_eq!(fleet.owner(second, "running", "").ok(), Some(owner), "it is where it was");
    meanwhile(&mut people, || lose_nodes(&fleet, owner));
    talk(&mut people);

    people.clear();
    process::wait_until("the room is given back", || {
        let shown = fleet.shown(owner);
        !shown["rooms"].as_array().unwrap().iter().any(|shown| shown["room"] == "running")
    });
    fleet.nodes.clear();
}

/// Pages and everything else about the room `raced` lead from `other` to its owner.
fn expect_sent_on(fleet: &Fleet, owner: usize, other: usize) {
    // Pages go where their room is, with all that stands in their address; so does whatever else concerns it.
    for path in ["r/raced?watch=1", "w/raced", "v1/rooms/raced", "hls/raced/index.m3u8"] {
        let answer = send("GET", &format!("{}{path}", fleet.nodes[other].url), Some(TOKEN_OF_NODES), "").unwrap();
        let wanted = format!("{}{path}", fleet.nodes[owner].url);
        assert_eq!((answer.status, answer.location), (307, Some(wanted)), "{path}");
    }

    let (own, others) = (fleet.nodes[other].url.trim_end_matches('/'), fleet.nodes[owner].url.trim_end_matches('/'));
    let page = [("origin", own)];
    let whip = |node: &str| format!("{node}/whip/raced");
    let answer = send_by("POST", &whip(own), Some(TOKEN_OF_NODES), &page, OFFER).unwrap();
    let told = (answer.status, answer.kind(), answer.location);
    assert_eq!(told, (409, "elsewhere".to_owned(), Some(whip(others))), "a browser would lose the token on the way");
    let preflight = [("origin", own), ("access-control-request-method", "POST")];
    let answer = send_by("OPTIONS", &whip(others), None, &preflight, "").unwrap();
    assert_eq!(answer.shared_with.as_deref(), Some(own), "pages of the fleet are no strangers");
    let answer =
        send_by("OPTIONS", &whip(others), None, &[("origin", "http://evil.example"), preflight[1]], "").unwrap();
    assert_eq!(answer.shared_with, None);
    let policy = send("GET", &format!("{own}/"), None, "").and_then(|answer| answer.policy).unwrap();
    assert!(policy.contains(&format!(" {others}")), "{policy}");
}

/// A tenant's room begins in the tenant's region, and who demands one by their token finds none elsewhere, whatever is
/// asked for and whoever is asked.
fn expect_bound_regions(fleet: &Fleet, secret: &Path) {
    for n in 0..3 {
        assert_eq!(fleet.owner(n, "yankee~room", "").ok(), Some(2), "the one node over there");
        let elsewhere = fleet.owner(n, &format!("yankee~other-{n}"), "?region=eu").unwrap_err();
        assert_eq!((elsewhere.status, elsewhere.kind()), (409, "other-region".to_owned()));
        let nowhere = fleet.owner(n, "asian~room", "").unwrap_err();
        assert_eq!((nowhere.status, nowhere.kind()), (503, "no-region".to_owned()));
    }
    let key = SigningKey::read("k".parse().unwrap(), Algorithm::Hs256, &fs::read(secret).unwrap()).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let bound: Claims = serde_json::from_value(serde_json::json!({
        "role": "speaker", "exp": now + 600, "iat": now, "region": "us",
    }))
    .unwrap();
    let token = key.sign(&bound).unwrap();
    let ask = |n: usize, room: &str| {
        send("POST", &format!("{}whip/{room}", fleet.nodes[n].url), Some(&token), OFFER).expect("nodes answer")
    };
    let european = "bound-european";
    let owner = fleet.owner(0, european, "?region=eu").unwrap_or_else(|answer| panic!("{}", answer.text));
    for n in 0..3 {
        let refused = ask(n, european);
        assert_eq!((refused.status, refused.kind()), (409, "other-region".to_owned()), "of {owner}, asked of {n}");
        let taken = ask(n, "demanded");
        let at = taken.location.as_deref().map_or(n, |location| fleet.at(location));
        assert_eq!(at, 2, "{} {}", taken.status, taken.text);
    }
}

/// A room begins in the region that is asked for, or not at all.
fn expect_regions(fleet: &Fleet) {
    for n in 0..2 {
        process::wait_until("the node over there keeps up, so that it takes a room", || {
            fleet.owner(n, &format!("american-{n}"), "?region=us").is_ok_and(|owner| owner == 2)
        });
        assert!(fleet.owner(n, &format!("european-{n}"), "?region=eu").is_ok_and(|owner| owner < 2));
    }
    let nowhere = fleet.owner(0, "asian", "?region=ap").unwrap_err();
    assert_eq!((nowhere.status, nowhere.kind(), nowhere.retry_after.is_some()), (503, "no-region".to_owned(), true));
    // The last one: nobody comes to any of them, so that they are given back after ten seconds.
    let strange = fleet.owner(1, "american-1", "?region=eu").unwrap_err();
    assert_eq!((strange.status, strange.kind()), (409, "other-region".to_owned()));
    assert_eq!(fleet.owner(0, "asian", "?region=a%20b").unwrap_err().status, 400);
    for node in fleet.shown(1)["nodes"].as_array().unwrap() {
        assert!(node["reserved"].as_u64() <= node["units"].as_u64(), "{node}");
    }
    let drained = send("POST", &format!("{}v1/node/drain", fleet.nodes[2].url), Some(TOKEN_OF_NODES), "").unwrap();
    assert_eq!(drained.status, 200, "{}", drained.text);
    process::wait_until("others know that it drains", || {
        fleet.owner(0, "late", "?region=us").is_err_and(|answer| answer.kind() == "draining")
    });
    let (_, metrics) = get(&format!("{}metrics", fleet.nodes[0].url)).unwrap();
    for told in ["tessera_fleet_registered 1", "tessera_fleet_nodes 3", "tessera_draining 0"] {
        assert!(metrics.lines().any(|line| line == told), "{told}: {metrics}");
    }
}

/// Etcd is away: no new room begins, and nothing else is amiss.
fn expect_calls_alone(fleet: &Fleet, asked: usize) {
    process::wait_until("nodes see that etcd is away", || (0..3).all(|n| status(&fleet.nodes[n], "readyz") == 503));
    let refused = fleet.owner(asked, "new", "").unwrap_err();
    assert_eq!((refused.status, refused.kind(), refused.retry_after.is_some()), (503, "fleet-away".to_owned(), true));
    assert!((0..3).all(|n| status(&fleet.nodes[n], "healthz") == 200), "nobody restarts a node for that");
}

/// A node that stood still and one that died: their rooms begin elsewhere, and are there alone.
fn lose_nodes(fleet: &Fleet, owner: usize) {
    // One node stands still for longer than its lease, and somebody begins its room elsewhere meanwhile.
    let (room, at) = fleet.elsewhere_than(owner, "halted");
    let asked = (0..3).find(|n| *n != at).unwrap();
    let _dee = Client::join(&fleet.nodes[asked].url, &room, "Dee", 3);
    let pid = Pid::from_raw(fleet.nodes[at].pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    process::wait_until("its room begins elsewhere", || fleet.owner(asked, &room, "").is_ok_and(|owner| owner != at));
    kill_process(pid, Signal::CONT).unwrap();
    let url = format!("{}metrics", fleet.nodes[at].url);
    process::wait_until("it ends what another has by a newer fence", || {
        get(&url).is_some_and(|(_, text)| {
            let says = |wanted: &str| text.lines().any(|line| line == wanted);
            says("tessera_fleet_rooms_lost_total 1") && says("tessera_rooms 0") && says("tessera_fleet_registered 1")
        })
    });

    // One dies with a room; the others hear of it by its lease.
    let (room, at) = fleet.elsewhere_than(owner, "doomed");
    let pid = Pid::from_raw(fleet.nodes[at].pid().cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let since = Instant::now();
    let asked = (0..3).find(|n| *n != at).unwrap();
    process::wait_until("its room begins elsewhere", || fleet.owner(asked, &room, "").is_ok_and(|owner| owner != at));
    let took = since.elapsed();
    println!("a dead node's room began elsewhere after {took:?}");
    assert!(took < Duration::from_secs(7) + SLACK, "{took:?}");
}

/// Everybody hears everybody.
fn talk(people: &mut [Client]) {
    people.iter_mut().for_each(Client::forget);
    let all = people.len();
    wait_until(people, "they hear each other", |people| {
        let hears = |n: usize| (0..all).filter(|m| *m != n).all(|m| people[n].hears(m) == Some(true));
        (0..all).all(hears)
    });
}

/// They talk for so long, and nobody is told that the room is over.
fn wait_for(people: &mut [Client], span: Duration) {
    let until = Instant::now() + span;
    while Instant::now() < until {
        let next = Instant::now() + Duration::from_secs(20).min(until - Instant::now());
        wait_until(people, "a while", |_| Instant::now() >= next);
    }
}

/// They go on talking while something else is done: a node lets go of whom it does not hear.
fn meanwhile<T: Send>(people: &mut [Client], done: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let done = scope.spawn(done);
        while !done.is_finished() {
            let next = Instant::now() + Duration::from_secs(20);
            wait_until(people, "it is done", |_| done.is_finished() || Instant::now() >= next);
        }
        done.join().expect("it is done without a fault")
    })
}
