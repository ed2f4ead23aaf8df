//! **The question:** what do floods of requests cost, names that lead elsewhere, and readers who never read? All from
//! one address, beside a call of five and people who want in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tessera::base::limits;

use super::harness::{CALL, Siege, block_on, get};
use super::sender::Sender;
use crate::browser::driver::client;
use crate::browser::node::Node;

/// Requests of the flood, and how far they are apart.
const FLOOD: u32 = 5_000;
const SPACING: Duration = Duration::from_millis(1);
/// Connections of one address that the door lets stand.
const CONNECTIONS: usize = limits::HTTP_CONNECTIONS / 4;
/// Bytes that all connections of one address may cost that ask for all they may and take nothing.
const UNREAD_BYTES: u64 = 90_000_000;

fn address(node: &Node) -> SocketAddr {
    let address = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    address.parse().expect("it listens on loopback")
}

/// What is answered to one request on a connection that stays: the status, and whether a header stands there.
fn asked(stream: &mut TcpStream, request: &str, header: &str) -> Option<(u16, bool)> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            return Some((status, head.contains(&format!("\n{header}:"))));
        }
    }
}

#[test]
fn a_flood_of_requests_from_one_address_is_answered_and_keeps_nobody_out() {
    let siege = Siege::begin(&[], "");
    let (node, taken) = (&siege.node, AtomicU32::new(0));
    let (counted, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let offer = "POST /whip/flood HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n\
                 Content-Length: 5\r\n\r\nv=0\r\n";
    let kinds = [
        "GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        offer.to_owned(),
    ];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(address(node)) else { continue };
                    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    // Each connection has some, as those of a proxy do.
                    for _ in 0..50 {
                        let number = taken.fetch_add(1, Ordering::Relaxed);
                        // A thousand a second, of all together.
                        std::thread::sleep((begun + SPACING * number).saturating_duration_since(Instant::now()));
                        let kind = &kinds[number as usize % kinds.len()];
                        let Some((status, again)) = asked(&mut stream, kind, "retry-after") else { break };
                        assert!(matches!(status, 200 | 400 | 404) || again, "{status}: nobody says when to come back");
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Others come in meanwhile, by HTTP and by media.
        let mut joins = 0;
        while counted.load(Ordering::Relaxed) < FLOOD || joins < 2 {
            Sender::join(node, "other", "Ada").leave();
            joins += 1;
            assert!(begun.elapsed() < Duration::from_secs(120), "{} were answered", counted.load(Ordering::Relaxed));
        }
        over.store(true, Ordering::Relaxed);
    });
    println!("{} requests in {:.1} s", counted.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
    siege.lifted();
    siege.end_of_work();
}

/// A connection by HTTP/2 without TLS (RFC 9113 section 3.3) that asks `path` so many times at once and takes nothing:
/// its windows are empty.
fn takes_nothing(node: &Node, path: &str, times: u32) -> Option<TcpStream> {
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    let mut sent = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])].concat();
    // RFC 7541: GET and http of the static table, then path and authority as they are.
    let head = [&[0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()], path.as_bytes(), b"\x01\x09localhost"].concat();
    (0..times).for_each(|n| sent.extend(frame(1, 0x05, 2 * n + 1, &head)));
    let mut stream = TcpStream::connect(address(node)).ok()?;
    stream.write_all(&sent).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Some(stream)
}

/// Reads heads of answers until so many have come.
fn heads(stream: &mut TcpStream, mut wanted: usize) {
    while wanted > 0 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("the node answers");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).expect("a whole frame");
        wanted -= usize::from(head[3] == 1);
    }
}

#[test]
fn who_asks_for_much_and_reads_nothing_costs_little_and_keeps_nobody_out() {
    let siege = Siege::begin(&[], "");
    let node = &siege.node;
    let playlist = block_on(async {
        let asked = client().get(format!("{}hls/{CALL}/index.m3u8", node.url)).send().await.expect("the node answers");
        asked.text().await.expect("a list")
    });
    let live = playlist.lines().find(|line| !line.starts_with('#') && !line.is_empty()).expect("a rung is offered");
    let live = format!("/hls/{CALL}/{live}");
    let pipelined = || {
        let mut stream = TcpStream::connect(address(node)).ok()?;
        let asked = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
        stream.write_all(asked.as_bytes()).ok()?;
        Some(stream)
    };
    let mut held: Vec<(usize, TcpStream)> = (0..CONNECTIONS - 8)
        .filter_map(|n| {
            let stream = match n % 4 {
                0..=1 => takes_nothing(node, "/metrics", 32),
                2 => takes_nothing(node, &live, 32),
                _ => pipelined(),
            };
            Some((n, stream?))
        })
        .collect();
    assert!(held.len() > CONNECTIONS / 2, "{} stand", held.len());
    // As many answers are made as are made at all before some are taken.
    let asking = held.iter_mut().filter(|(n, _)| n % 4 == 0);
    asking.for_each(|(_, stream)| heads(stream, limits::HTTP_ANSWERS_AT_ONCE));
    Sender::join(node, "other", "Ada").leave();
    assert_eq!(get(node, &format!("v1/rooms/{CALL}"))["participants"].as_array().map(Vec::len), Some(5));
    siege.rose_by_at_most(UNREAD_BYTES);
    drop(held);
    siege.end_of_work();
}

/// What is answered to a path as it is written, with nothing made nicer of it: status and body.
fn told(node: &Node, method: &str, path: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address(node)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/sdp\r\nContent-Length: 5";
    let request = [method.as_bytes(), b" ", path, b" ", head.as_bytes(), b"\r\n\r\nv=0\r\n"].concat();
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[test]
fn names_that_lead_elsewhere_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("recordings");
    let node = Node::start_with(&["--recordings", store.to_str().unwrap()]);
    let long = "a".repeat(65);
    let names: [&[u8]; 21] = [
        b"..",
        b".",
        b"../../etc/passwd",
        b"%2e%2e",
        b"..%2f..%2fetc%2fpasswd",
        b"%2e%2e%2f",
        b"..%5c..",
        b"a%2fb",
        b"%00",
        b"a%00b",
        b"a%0d%0aX-Set:%20b",
        b"%ff%fe",
        b"%c0%ae%c0%ae",
        b"%E2%80%AEa",
        b"caf%C3%A9",
        b"%F0%9F%92%A9",
        b"%3Cscript%3E",
        b"%zz",
        b"%",
        b"\xc3\xa9",
        long.as_bytes(),
    ];
    let routes = [
        ("POST", "/whip/", ""),
        ("POST", "/whep/", ""),
        ("POST", "/v1/rooms/", "/participants"),
        ("GET", "/v1/rooms/", "/layout"),
        ("PUT", "/v1/rooms/", "/banner"),
        ("GET", "/hls/", "/index.m3u8"),
        ("GET", "/r/", ""),
        ("GET", "/w/", ""),
        ("GET", "/v1/recordings/", ""),
        ("GET", "/assets/", ""),
    ];
    for name in names {
        for (method, before, after) in routes {
            let path = [before.as_bytes(), name, after.as_bytes()].concat();
            let (status, body) = told(&node, method, &path);
            let shown = String::from_utf8_lossy(&path);
            assert!(matches!(status, 400 | 401 | 404 | 405), "{method} {shown}: {status} {body}");
            assert!(!body.contains("root:") && !body.contains("<script"), "{method} {shown}: {body}");
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            let kind = problem["type"].as_str().unwrap_or_default();
            assert!(kind.starts_with("urn:tessera:problem:") || body.is_empty(), "{method} {shown}: {body}");
        }
    }
    assert_eq!(get(&node, "v1/rooms")["rooms"].as_array().map(Vec::len), Some(0), "no room began");
    let stored: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    // The store, its keeper's file and its spool.
    assert!(stored.iter().all(|name| name.to_string_lossy().starts_with("recordings")), "{stored:?}");
    node.stop();
}
