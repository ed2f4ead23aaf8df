//! **The question:** does a node whose store never answers keep anybody waiting? The real binary; an S3 store that
//! takes every connection and says nothing; rooms that begin, are recorded and end all the while. How long the slowest
//! answer of another room took is printed: `cargo test … retention::hanging -- --nocapture`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::deadline::{TOKEN, plain_get};
use super::files_under;
use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;

/// Where it waited it waited for four seconds and more.
const SOON: Duration = Duration::from_secs(1);
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

fn node(folder: &Path, store: &Silent) -> Node {
    let config = folder.join("tessera.toml");
    // Whether it keeps versions is asked before the node starts, and this store would not say.
    let text = format!("[recording]\nallow_versions = true\nspool = {:?}\n", folder.join("spool"));
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
    let node = node(folder.path(), &store);
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
    assert!(rooms >= 3 && store.connections() > 0, "{rooms} rooms, {} connections", store.connections());
    // Nothing is lost either: what the store does not take waits on disk.
    wait_until("objects wait in the spool", || !files_under(&folder.path().join("spool")).is_empty());
    drop(coming);
    other.stop();
    let stopping = Instant::now();
    node.stop();
    println!("the node ended within {:?}", stopping.elapsed());
}
