//! **The question:** what does a client get after the hour that began to read before it, and then stops reading? Its
//! connection is reset, the data key is gone, and nothing comes but what lay in its own kernel.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tessera::core::record::Object;
use tessera::core::retention::{KeyShares, RecordingId, RecordingName, Retention, Secret, seal};
use tessera::io::store::KeeperFile;

use super::deadline::{TOKEN, Timed, plain_get, until};
use super::memory::{clocks, found, found_in};
use crate::browser::node::Node;
use crate::keepers::process::wait_until;

const SEGMENTS: u32 = 16;
const SEGMENT_BYTES: usize = 1 << 20;

/// A recording far larger than what kernels hold, and its data key.
fn large(store: &Path, keeper: &Path) -> (RecordingName, [u8; 32]) {
    let (mut file, mut keeper) = KeeperFile::open(keeper, clocks()).unwrap();
    let hour = keeper.reserve(clocks(), Retention::default()).unwrap();
    file.save(&mut keeper).unwrap();
    let recording = RecordingName { hour, recording: RecordingId::random() };
    let shares = KeyShares::Alone(keeper.release(clocks(), recording.recording, hour).unwrap());
    let data: [u8; 32] = [RecordingId::random().0, RecordingId::random().0].concat().try_into().unwrap();
    let key = Secret::from_bytes(&data);
    let manifest = format!(
        r#"{{"manifest":{{"version":1,"room":"daily","state":"final","started":"2026-11-23T08:00:00Z",
        "duration_ms":9000,"bytes":1,"takes":[{{"file":"video.mp4","from_ms":0,"duration_ms":9000,
        "width":320,"height":180,"bytes":1}}],
        "gaps":[],"gaps_unlisted":0,"gap_ms":0}},"segments":[{SEGMENTS}]}}"#
    );
    let segment = |number| (Object::Segment { take: 0, number }, vec![number as u8; SEGMENT_BYTES]);
    let sealed = [(Object::Init { take: 0 }, b"init".to_vec()), (Object::Fin, manifest.into_bytes())];
    let sealed = sealed.into_iter().chain((0..SEGMENTS).map(segment));
    let sealed = sealed.map(|(object, plain)| (object, seal(&key, &object.context(recording), &plain)));
    let wraps = shares.wrap(recording, &key).into_iter().map(|wrap| (Object::Wrap(wrap.pair), wrap.bytes));
    for (object, bytes) in sealed.chain(wraps) {
        let path = store.join(object.path(recording));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    (recording, data)
}

/// A request whose answer nobody reads, by a client with little room of its own.
fn ask(node: &Node, path: &str) -> TcpStream {
    let address = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    let request = format!("GET /v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn was_reset(stream: &TcpStream) -> bool {
    let mut looked = [PollFd::new(stream, PollFlags::empty())];
    let _ = poll(&mut looked, Some(&Timespec::default()));
    looked[0].revents().contains(PollFlags::ERR)
}

#[test]
fn at_the_hour_a_client_that_stopped_reading_is_cut_and_the_data_key_is_gone() {
    let Some(timed) = Timed::new() else { return };
    let (name, data) = large(&timed.store(), &timed.folder.path().join("rec.keeper"));
    let deadline = i64::from(name.hour.0) * 3600;
    let node = timed.node();
    assert_eq!(
        plain_get(&node, &format!("recordings/{name}/video.mp4")).1.len(),
        4 + SEGMENTS as usize * SEGMENT_BYTES
    );
    wait_until("the data key of a finished request is gone", || found(&node, &data) == 0);
    let mut idle = [ask(&node, &format!("recordings/{name}")), ask(&node, "recordings")];
    let mut stalled: Vec<_> = (0..3).map(|_| ask(&node, &format!("recordings/{name}/video.mp4"))).collect();
    wait_until("answers hold it", || found_in(node.pid(), &[data]).is_none_or(|held| held > 0));

    timed.set(until(deadline, 0) + 2);
    for stream in idle.iter().chain(&stalled) {
        wait_until("it is reset", || was_reset(stream));
    }
    wait_until("the data key is gone", || found(&node, &data) == 0);
    for stream in idle.iter_mut().chain(&mut stalled) {
        let mut left = Vec::new();
        let error = stream.read_to_end(&mut left).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(left.len() < 64 * 1024, "{} bytes", left.len());
    }
    assert_eq!(plain_get(&node, &format!("recordings/{name}/video.mp4")).0, 410);
    node.stop();
}
