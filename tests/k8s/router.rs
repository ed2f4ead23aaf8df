//! **The question:** where several nodes are, does all that is asked for a room reach the same one? The nginx that
//! `k8s/examples/by-room.yaml` sets up, before servers that say who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use super::tools::{documents, named, text};
use crate::keepers::process::wait_until;
use crate::live::nginx::Nginx;

const NODES: usize = 3;

/// A server that answers every request with its number, as long as the test runs; its address.
fn node(number: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
                }
            });
        }
    });
    address
}

fn start(folder: &Path, nodes: &[String], listen: &str) -> Nginx {
    let documents = documents(&text("k8s/examples/by-room.yaml"));
    let mut configuration =
        named(&documents, "ConfigMap", "tessera-by-room")["data"]["nginx.conf"].as_str().unwrap().to_owned();
    for (n, node) in nodes.iter().enumerate() {
        // Debian's nginx is older than `resolve`, and knows no name of a cluster.
        let written = format!("tessera-cpu-{n}.tessera-nodes.tessera.svc.cluster.local:8080 resolve");
        assert!(configuration.contains(&written), "{configuration}");
        configuration = configuration.replace(&written, node);
    }
    let resolver =
        configuration.lines().find(|line| line.trim().starts_with("resolver ")).expect("names are resolved").to_owned();
    let here = folder.display().to_string();
    let configuration = configuration.replace(&resolver, "").replace("/tmp/", &format!("{here}/"));
    let configuration = configuration.replace("listen 8000", &format!("listen {listen}"));
    let configuration = configuration.replace("worker_processes auto", "worker_processes 1");
    let configuration = configuration.replace("worker_rlimit_nofile 65536;", "").replace("16384", "512");
    Nginx::run(folder, &configuration)
}

/// Which node answered; `None`: nobody yet.
fn asked(listen: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(listen).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: call.example.org\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then(|| answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

#[test]
fn all_that_is_asked_for_a_room_reaches_the_same_node() {
    let folder = tempfile::tempdir().unwrap();
    let nodes: Vec<String> = (0..NODES).map(node).collect();
    let listen = {
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        free.local_addr().unwrap().to_string()
    };
    let _nginx = start(folder.path(), &nodes, &listen);
    wait_until("nginx answers", || asked(&listen, "/").is_some());
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for room in (0..30).map(|n| format!("room-{n}")).chain(["caf%C3%A9".into(), "caf\u{e9}".into()]) {
        let paths = [
            format!("/r/{room}"),
            format!("/w/{room}"),
            format!("/whip/{room}"),
            format!("/whip/{room}/0123abcd"),
            format!("/whep/{room}?rung=640x360"),
            format!("/v1/rooms/{room}"),
            format!("/v1/rooms/{room}/participants/0123abcd"),
            format!("/v1/rooms/{room}/participants?record=no"),
            format!("/hls/{room}/index.m3u8"),
            format!("/hls/{room}/1/h264-640x360/12.m4s"),
        ];
        let answered: BTreeSet<String> = paths.iter().map(|path| asked(&listen, path).expect(path)).collect();
        assert_eq!(answered.len(), 1, "{room} is on several nodes: {answered:?}");
        *met.entry(answered.into_iter().next().expect("one of them")).or_default() += 1;
    }
    assert_eq!(met.len(), NODES, "rooms are spread: {met:?}");
    let escaped = ["/r/caf%C3%A9", "/r/caf\u{e9}"].map(|path| asked(&listen, path));
    assert_eq!(escaped[0], escaped[1], "a room is one, however its name is written");
    let rest = ["/recordings", "/v1/recordings", "/console", "/v1/node"].map(|path| asked(&listen, path));
    assert!(rest.iter().all(|node| *node == rest[0]), "what is no room's is one node's: {rest:?}");
}
