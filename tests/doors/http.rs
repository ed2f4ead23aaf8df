//! **The question:** what can be done to a node by HTTP alone, without leave? Files that are large or explode, requests
//! that never end, connections that say nothing, pages and names of others.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tessera::base::limits;
use tessera::base::media::Size;

use super::harness::{CALL, Siege, block_on, get, metric};
use crate::browser::node::Node;
use crate::client::Client;
use crate::keepers::process::BINARY;

/// Six MiB of Ogg whose packets have one byte each: hours of silence.
fn countless_packets() -> Vec<u8> {
    let page = |packets: &[&[u8]]| {
        let mut page = b"OggS\0\0".to_vec();
        page.extend([0; 20]);
        page.push(u8::try_from(packets.len()).unwrap());
        page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap()));
        page.extend(packets.concat());
        page
    };
    let mut file = [page(&[b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0"]), page(&[b"OpusTags"])].concat();
    let full = page(&[&[0xfc][..]; 255]);
    while file.len() + full.len() <= limits::ANNOUNCEMENT_LEN_MAX {
        file.extend(&full);
    }
    file
}

/// Half a minute of a rate that shares nothing with the node's.
fn costly_wav() -> Vec<u8> {
    let (channels, bits_per_sample, sample_format) = (2, 16, hound::SampleFormat::Int);
    let spec = hound::WavSpec { channels, sample_rate: 47_999, bits_per_sample, sample_format };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    (0..2 * 47_999 * 29_i32).for_each(|n| writer.write_sample((n % 200) as i16).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

/// Puts or posts `body` as often at once as `times`; the statuses.
fn hurl(node: &Node, method: Method, path: &str, body: &[u8], times: usize) -> Vec<u16> {
    let client = crate::browser::driver::client();
    block_on(async {
        let asked = (0..times).map(|_| {
            let request = client.request(method.clone(), format!("{}{path}", node.url)).body(body.to_vec());
            async { request.send().await.map_or(0, |response| response.status().as_u16()) }
        });
        futures_util::future::join_all(asked).await
    })
}

#[test]
fn files_of_strangers_cost_neither_memory_nor_ticks() {
    let siege = Siege::begin(&[], "");
    let (ogg, wav) = (countless_packets(), costly_wav());
    let large = crate::layout::plain_png(Size::new(4_000, 4_000), [9, 8, 7, 255]);
    let node = &siege.node;
    for (method, kind, file) in [
        (Method::POST, "announcements", &ogg),
        (Method::POST, "announcements", &wav),
        (Method::PUT, "background", &large),
        (Method::PUT, "logo", &large),
    ] {
        let told = hurl(node, method.clone(), &format!("v1/rooms/nobody/{kind}"), file, 12);
        assert!(told.iter().all(|status| [404, 0].contains(status)), "{kind} for no room: {told:?}");
        assert!(told.contains(&404), "{told:?}");
        // In a room that is there each is read in its turn, or comes back later: those before may be read still.
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let told = hurl(node, method.clone(), &format!("v1/rooms/{CALL}/{kind}"), file, 6);
            assert!(told.iter().all(|status| [202, 204, 422, 503, 0].contains(status)), "{kind}: {told:?}");
            if told.iter().any(|status| *status < 500 && *status > 0) {
                break;
            }
            assert!(Instant::now() < until, "{kind}: {told:?}");
        }
    }
    siege.lifted();
    Client::join(&node.url, "other", "Ada", 0);
    siege.end();
}

/// Opens connections that say nothing, half a head, or half a body, in turn.
fn lean_on(node: &Node, count: usize) -> Vec<TcpStream> {
    let address = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let says: [&[u8]; 3] = [
        b"",
        b"GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /whip/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n\
          Content-Length: 60000\r\n\r\nv=0",
    ];
    let open = |n: usize| {
        let mut stream = TcpStream::connect(&address).ok()?;
        stream.write_all(says[n % says.len()]).ok()?;
        Some(stream)
    };
    (0..count).filter_map(open).collect()
}

#[test]
fn connections_that_never_ask_keep_nobody_out() {
    let siege = Siege::begin(&[], "");
    let mut leaning = lean_on(&siege.node, 600);
    assert!(metric(&siege.node, "tessera_http_connections") <= limits::HTTP_CONNECTIONS as u64 / 4);
    siege.lifted();
    Client::join(&siege.node.url, "other", "Ada", 0);
    leaning.extend(lean_on(&siege.node, 100));
    assert_eq!(get(&siege.node, &format!("v1/rooms/{CALL}"))["participants"].as_array().map(Vec::len), Some(5));
    // Each is ended, whether another took its place or its time was up.
    let begun = Instant::now();
    for mut stream in leaning {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(begun.elapsed() < limits::HTTP_HEAD_SPAN + Duration::from_secs(10), "{:?}", begun.elapsed());
    siege.end();
}

#[test]
fn with_few_descriptors_idle_connections_stop_neither_http_nor_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tessera");
    fs::write(&program, format!("#!/bin/sh\nulimit -n 256\nexec {BINARY} \"$@\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let store = folder.path().join("recordings");
    let siege = Siege::begin_by(&program, &["--recordings", store.to_str().unwrap()], "");
    let _leaning = lean_on(&siege.node, 300);
    let stored = metric(&siege.node, "tessera_archive_bytes_total");
    let until = Instant::now() + Duration::from_secs(60);
    while metric(&siege.node, "tessera_archive_bytes_total") == stored {
        assert!(Instant::now() < until, "nothing reaches the store any more");
        std::thread::sleep(Duration::from_millis(200));
    }
    for name in ["tessera_archive_errors_total", "tessera_record_errors_total", "tessera_archive_spool_errors_total"] {
        assert_eq!(metric(&siege.node, name), 0, "{name}");
    }
    siege.lifted();
    Client::join(&siege.node.url, "other", "Ada", 0);
    siege.end();
}

/// Status and kind of problem of a request with these headers.
fn ask(node: &Node, method: &Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request = crate::browser::driver::client().request(method.clone(), format!("{}{path}", node.url));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    block_on(async {
        let response = request.send().await.expect("the node answers");
        let status = response.status().as_u16();
        let kind = response.json::<Value>().await.unwrap_or_default()["type"].clone();
        (status, kind.as_str().unwrap_or_default().trim_start_matches("urn:tessera:problem:").to_owned())
    })
}

#[test]
fn other_machines_pages_and_names_steer_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let node = Node::start_at("0.0.0.0:0", &[], &[], fs::File::create(&log).unwrap());
    let ada = Client::join(&node.url, "daily", "Ada", 0);
    let steering = [
        (Method::PUT, "layout"),
        (Method::PUT, "page"),
        (Method::POST, "announcements"),
        (Method::PATCH, "moderation"),
        (Method::PUT, "background"),
        (Method::PUT, "clock"),
        (Method::POST, "recording"),
    ];
    for (method, path) in &steering {
        let (status, kind) = ask(&node, method, &format!("v1/rooms/daily/{path}"), &[]);
        assert_eq!((status, kind.as_str()), (403, "steering-off"), "{path}");
    }
    let (status, kind) = ask(&node, &Method::GET, "v1/rooms", &[("Origin", "https://evil.example")]);
    assert_eq!((status, kind.as_str()), (403, "foreign-page"));
    let (status, kind) = ask(&node, &Method::GET, "v1/rooms", &[("Host", "evil.example")]);
    assert_eq!((status, kind.as_str()), (421, "wrong-host"));
    assert!(!ada.participant.is_empty());
    node.stop();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("HTTP is plain") && log.contains("[http] token is not set"), "{log}");
}

#[test]
fn who_shows_the_token_steers() {
    let token = "0123456789abcdef0123456789abcdef";
    let node = Node::start_at("0.0.0.0:0", &["--token", token], &[], std::process::Stdio::inherit());
    let _ada = Client::join(&node.url, "daily", "Ada", 0);
    let clock = "v1/rooms/daily/clock";
    assert_eq!(ask(&node, &Method::PUT, clock, &[]).0, 401);
    assert_eq!(ask(&node, &Method::PUT, clock, &[("Authorization", "Bearer 0123456789abcdef")]).0, 401);
    let shown = format!("Bearer {token}");
    assert_eq!(ask(&node, &Method::PUT, clock, &[("Authorization", &shown)]).0, 204);
    assert_eq!(get(&node, "v1/rooms")["rooms"][0]["room"], json!("daily"), "looking is open");
    node.stop();
}
