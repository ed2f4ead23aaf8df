//! **The question:** does a node whose store never answers keep anybody waiting? The real binary; an S3 store that
//! takes every connection and says nothing; rooms that begin, are recorded and end all the while. How long the slowest
//! answer of another room took is printed: `cargo test … retention::hanging -- --nocapture`.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::deadline::{TOKEN, plain_get};
use super::files_under;
use crate::browser::driver::client;
use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;

/// Where it waited it waited for four seconds and more.
const SOON: Duration = Duration::from_secs(3);
/// How long rooms come and go.
const WHILE: Duration = Duration::from_secs(20);

/// A server that never answers. What it accepted it keeps.
struct Silent {
    address: String,
    heard: Arc<Mutex<Vec<TcpStream>>>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap().to_string(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let kept = heard.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| kept.lock().unwrap().push(stream)));
        Self { address, heard }
    }

    fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

/// A node that records to it; `more` stands below `[recording]`.
fn node(folder: &Path, store: &Silent, more: &str) -> Node {
    let config = folder.join("tessera.toml");
    // Whether it keeps versions is asked before the node starts, and this store would not say.
    let text = format!("[recording]\nallow_versions = true\nspool = {:?}\n{more}", folder.join("spool"));
    std::fs::write(&config, text).unwrap();
    let endpoint = format!("http://{}", store.address);
    let environment = [
        ("TESSERA_RECORDINGS_TOKEN", TOKEN),
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "tessera-tests"),
        ("AWS_SECRET_ACCESS_KEY", "no secret at all"),
    ];
    Node::start_in(&["--config", config.to_str().unwrap(), "--recordings", "s3://silent/calls"], &environment)
}

#[test]
fn a_store_that_never_answers_keeps_nobody_waiting() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Silent::start());
    let node = node(folder.path(), &store, "");
    let other = Load::start(&node, "undisturbed", 2, 120);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("undisturbed", 2, Duration::from_secs(60)));

    let (until, mut slowest, mut rooms, mut coming) = (Instant::now() + WHILE, Duration::ZERO, 0, None);
    while Instant::now() < until {
        // A room begins, is recorded for a while, and ends with its last one.
        let (load, since) = coming.take().unwrap_or_else(|| {
            rooms += 1;
            (Load::start(&node, &format!("passing-{rooms}"), 1, 60), Instant::now())
        });
        if since.elapsed() > Duration::from_secs(4) {
            std::thread::spawn(|| load.stop());
        } else {
            coming = Some((load, since));
        }
        let asked = Instant::now();
        assert_eq!(plain_get(&node, "rooms/undisturbed").0, 200);
        slowest = slowest.max(asked.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("the slowest answer took {slowest:?} while {rooms} rooms came and went");
    assert!(slowest < SOON, "{slowest:?}");
    let health = async { client().get(format!("{}healthz", node.url)).send().await.unwrap().text().await.unwrap() };
    assert_eq!(runtime.block_on(health), "ok\n", "no store is asked whether the node lives");
    assert!(rooms >= 3 && store.connections() > 0, "{rooms} rooms, {} connections", store.connections());
    // Nothing is lost either: what the store does not take waits on disk.
    wait_until("objects wait in the spool", || !files_under(&folder.path().join("spool")).is_empty());
    drop(coming);
    other.stop();
    let stopping = Instant::now();
    node.stop();
    println!("the node ended within {:?}", stopping.elapsed());
}

/// So many rooms a node has at most.
const ROOMS: usize = 64;
/// How long a node with all of them may take to end; Kubernetes kills after 30 s.
const END: Duration = Duration::from_secs(25);

/// Begins a room by a voice over plain RTP that is heard.
fn begin_room(node: &Node, number: usize, voice: &UdpSocket) {
    let request = client().post(format!("{}v1/rooms/room-{number}/legs", node.url));
    let request = request.body(json!({ "codec": "pcmu" }).to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told: Value = runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() });
    let local: SocketAddr = told["local"].as_str().unwrap_or_else(|| panic!("{told}")).parse().unwrap();
    for n in 0..3_u8 {
        let mut packet = vec![0x80, 0, 0, n, 0, 0, 0, n * 100, 0, 0, 0, 1];
        packet.extend([0xff; 160]);
        voice.send_to(&packet, local).unwrap();
    }
}

#[test]
fn sixty_four_recordings_into_a_store_that_hangs_are_closed_side_by_side() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Silent::start());
    let more = "spool_mib = 0\n[media]\nlegs = \"127.0.0.1:40200-40299\"\n\
                [video]\nwidth = 160\nheight = 160\nfps = 2\nencoder = \"aom\"\n[audio]\ncomplexity = 0\n";
    let node = node(folder.path(), &store, more);
    let voice = UdpSocket::bind("127.0.0.1:0").unwrap();
    (0..ROOMS).for_each(|number| begin_room(&node, number, &voice));
    let rooms = || serde_json::from_slice::<Value>(&plain_get(&node, "node/stats").1).unwrap()["rooms"].clone();
    let recorded = |room: &Value| room["recording"] == true && room["frames_encoded"].as_u64() > Some(0);
    wait_until("all are recorded", || {
        rooms().as_array().is_some_and(|rooms| rooms.len() == ROOMS && rooms.iter().all(recorded))
    });
    wait_until("the store is asked", || store.connections() > 0);
    let stopping = Instant::now();
    node.stop();
    println!("the node with {ROOMS} rooms ended within {:?}", stopping.elapsed());
    assert!(stopping.elapsed() < END, "{:?}", stopping.elapsed());
}
