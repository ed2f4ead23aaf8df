//! **The question:** do those for whom a room's own node has no place see and hear it at another one? Real nodes and a
//! real etcd, simulated people with cameras, and viewers of this test's own, who decode what they are sent.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tessera::base::media::{Codec, Outbox, VideoFrame};
use tessera::core::signal;
use tessera::engine::decode::{DecodeError, OpusDecoder, VideoDecoder, video_decoder};
use tessera::io::webrtc::{Assembled, VideoAssembler, WirePacket};

use super::etcd::Etcd;
use super::{Fleet, OFFER, TOKEN_OF_NODES, get, send, send_by};
use crate::browser::node::Node;
use crate::client::{Client, PATIENCE};
use crate::keepers::process;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ROOM: &str = "watched";

/// What is configured beside etcd: a secret, and how many watch at a room's own node.
fn keys(folder: &Path, viewers_here: u32, more: &str) -> String {
    let secret = folder.join("secret");
    fs::write(&secret, SECRET).expect("a file of our own");
    format!("secret_file = {secret:?}\nviewers_here = {viewers_here}\n{more}")
}

/// Two people whose cameras and voices are on, at one node.
struct People(Child);

impl People {
    fn start(node: &Node) -> Self {
        let args =
            ["-p", "2", "--speakers", "2", "--decoders", "0", "--width", "320", "--height", "180", "--fps", "10"];
        let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args([
                "load",
                "--url",
                &node.url,
                "--token",
                TOKEN_OF_NODES,
                "--room",
                ROOM,
                "--duration",
                "5m",
                "--quiet",
            ])
            .args(args)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let people = Self(child);
        process::wait_until("both are in", || room(node)["participants"].as_array().map(Vec::len) == Some(2));
        people
    }
}

impl People {
    /// As if their machines were gone.
    fn vanish(mut self) {
        let _ = self.0.kill();
    }
}

impl Drop for People {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).expect("a child has a number");
        let _ = kill_process(pid, Signal::INT);
        let _ = self.0.wait();
    }
}

/// One who only watches.
struct Watcher {
    /// The node that took them.
    at: String,
    resource: String,
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    next: Instant,
    source: Option<Ssrc>,
    assembler: VideoAssembler,
    assembled: Outbox<Assembled>,
    decoder: Box<dyn VideoDecoder>,
    ears: OpusDecoder,
    /// What was decoded, and of that what differs from the picture before.
    pictures: u64,
    moving: u64,
    before: Vec<u8>,
    /// Pictures that no decoder could read.
    broken: u64,
    /// Blocks of sound that are not silent.
    loud: u64,
    told: Vec<Value>,
    is_over: bool,
}

impl Watcher {
    /// Comes by a node, goes where it is led, as programs do.
    fn come(node: &Node) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let now = Instant::now();
        let mut rtc =
            Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).enable_av1(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        changes.add_channel(signal::LABEL.to_owned());
        let (offer, pending) = changes.apply().expect("three lines are new");
        let (mut url, offer) = (format!("{}whep/{ROOM}", node.url), offer.to_sdp_string());
        let answer = loop {
            let answer = send("POST", &url, Some(TOKEN_OF_NODES), &offer).expect("nodes answer");
            match (answer.status, answer.location.clone()) {
                (307, Some(location)) => url = location,
                (201, Some(_)) => break answer,
                (status, _) => panic!("{status} of {url}: {}", answer.text),
            }
        };
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.text).unwrap()).unwrap();
        let at = url.split("/whep/").next().unwrap().to_owned();
        Self {
            resource: format!("{at}{}", answer.location.unwrap()),
            at,
            rtc,
            socket,
            address,
            next: now,
            source: None,
            assembler: VideoAssembler::new(Codec::Av1),
            assembled: Outbox::new(),
            decoder: video_decoder(Codec::Av1).unwrap(),
            ears: OpusDecoder::new().unwrap(),
            pictures: 0,
            moving: 0,
            before: Vec::new(),
            broken: 0,
            loud: 0,
            told: Vec::new(),
            is_over: false,
        }
    }

    fn is_at(&self, node: &Node) -> bool {
        node.url.trim_end_matches('/') == self.at
    }

    fn told(&self, kind: &str) -> bool {
        self.told.iter().any(|message| message["type"] == kind)
    }

    /// Leaves by what names the connection.
    fn leave(&self) -> u16 {
        send("DELETE", &self.resource, None, "").expect("nodes answer").status
    }

    fn step(&mut self) {
        let mut datagram = [0; 2048];
        while let Ok((length, source)) = self.socket.recv_from(&mut datagram) {
            if let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, &datagram[..length]) {
                // One that ended takes nothing more.
                let _ = self.rtc.handle_input(Input::Receive(Instant::now(), receive));
                self.drain();
            }
        }
        let now = Instant::now();
        if self.assembler.deadline().is_some_and(|at| at <= now) {
            self.assembler.handle_timeout(now, &mut self.assembled);
            self.look();
        }
        if now >= self.next {
            let _ = self.rtc.handle_input(Input::Timeout(now));
            self.drain();
        }
    }

    fn drain(&mut self) {
        while !self.is_over {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(next)) => {
                    self.next = next;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    // A full socket buffer is a lost datagram.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Ok(Output::Event(Event::RtpPacket(packet))) => self.packet(packet),
                Ok(Output::Event(Event::ChannelData(data))) => {
                    self.told.push(serde_json::from_slice(&data.data).expect("messages are JSON"));
                }
                Ok(Output::Event(Event::Closed)) | Err(_) => self.is_over = true,
                Ok(Output::Event(_)) => {}
            }
        }
    }

    fn packet(&mut self, packet: RtpPacket) {
        let kind = packet.header.payload_type;
        let params = self.rtc.codec_config().params();
        let is_sound = params.iter().any(|one| one.pt() == kind && one.spec().channels.is_some());
        if is_sound {
            let samples = self.ears.decode(&packet.payload).expect("the node sends Opus");
            self.loud += u64::from(samples.iter().any(|sample| sample.abs() > 0.01));
            return;
        }
        self.source = Some(packet.header.ssrc);
        let wire = WirePacket {
            sequence: *packet.seq_no,
            rtp_time: packet.time.numer(),
            marker: packet.header.marker,
            arrival: packet.timestamp,
            captured: None,
            payload: packet.payload,
            audio_level: None,
            rid: None,
            colour: None,
            orientation: None,
        };
        self.assembler.push(Instant::now(), wire, &mut self.assembled);
        self.look();
    }

    fn look(&mut self) {
        let mut asks = false;
        for assembled in self.assembled.drain() {
            let frame = match assembled {
                Assembled::Frame(frame) => frame,
                Assembled::RequestKeyframe => {
                    asks = true;
                    continue;
                }
            };
            let mut shown: Vec<VideoFrame> = Vec::new();
            let decoded = self.decoder.decode(frame.coded(), &mut shown);
            self.broken += u64::from(!matches!(decoded, Ok(()) | Err(DecodeError::AwaitingKeyframe)));
            for picture in shown {
                let luma = picture.picture.plane(0).data.to_vec();
                self.pictures += 1;
                self.moving += u64::from(luma != self.before);
                self.before = luma;
            }
        }
        if let Some(source) = self.source.filter(|_| asks)
            && let Some(stream) = self.rtc.direct_api().stream_rx(&source)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }
}

/// All look on until `enough` likes what they saw.
fn watch(watchers: &mut [Watcher], what: &str, enough: impl Fn(&[Watcher]) -> bool) -> Duration {
    let since = Instant::now();
    loop {
        watchers.iter_mut().for_each(Watcher::step);
        if enough(watchers) {
            return since.elapsed();
        }
        let seen =
            |watcher: &Watcher| (watcher.at.clone(), watcher.pictures, watcher.moving, watcher.loud, watcher.is_over);
        let seen = || watchers.iter().map(seen).collect::<Vec<_>>();
        assert!(since.elapsed() < PATIENCE, "never: {what}; pictures, moving, loud, over: {:?}", seen());
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// They go on looking while something else is done: a node lets go of whom it does not hear.
fn meanwhile<T: Send>(watchers: &mut [Watcher], what: &str, done: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let done = scope.spawn(done);
        watch(watchers, what, |_| done.is_finished());
        done.join().expect("it is done without a fault")
    })
}

/// Each sees so many pictures more that move, and hears as many blocks.
fn see_and_hear(watchers: &mut [Watcher], more: u64, what: &str) -> Duration {
    let before: Vec<(u64, u64)> = watchers.iter().map(|watcher| (watcher.moving, watcher.loud)).collect();
    let took = watch(watchers, what, |all| {
        all.iter().zip(&before).all(|(one, (moving, loud))| one.moving >= moving + more && one.loud >= loud + more)
    });
    assert!(watchers.iter().all(|watcher| watcher.broken == 0), "what is handed on can be decoded");
    took
}

/// What a node says of the room, once it is there.
fn room(node: &Node) -> Value {
    let answer = send("GET", &format!("{}v1/rooms/{ROOM}", node.url), Some(TOKEN_OF_NODES), "");
    serde_json::from_str(&answer.expect("nodes answer").text).unwrap_or_default()
}

/// One of a node's numbers.
fn metric(node: &Node, name: &str) -> f64 {
    let (_, text) = get(&format!("{}metrics", node.url)).expect("nodes answer");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

#[test]
fn viewers_beyond_those_of_one_node_watch_at_another_and_are_told_when_the_room_ends() {
    let (mut etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let fleet = Fleet::start(&etcd, ["", "", ""], &keys(folder.path(), 1, ""));
    let owner = fleet.owner(0, ROOM, "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let node = &fleet.nodes[owner];
    let people = People::start(node);
    let mut watchers = vec![Watcher::come(&fleet.nodes[(owner + 1) % 3])];
    assert!(watchers[0].is_at(node), "the first has a place there");
    see_and_hear(&mut watchers, 5, "who is at the room's own node sees it");
    watchers.push(Watcher::come(node));
    let at = fleet.nodes.iter().position(|node| watchers[1].is_at(node)).expect("it is a node");
    assert_ne!(at, owner, "the second has none");
    let relay = &fleet.nodes[at];
    let took = see_and_hear(&mut watchers, 10, "who was sent on sees and hears it");
    println!("ten pictures that moved, {took:?} after being sent on");
    watchers.push(Watcher::come(&fleet.nodes[(at + 1) % 3]));
    assert!(watchers[2].is_at(relay), "one that shows it already is filled first");
    see_and_hear(&mut watchers, 10, "so does the third");
    watch(&mut watchers, "who is sent on is told what viewers are", |all| {
        all.iter().all(|one| one.told("welcome") && one.told("state") && one.told("room") && one.told("scene"))
    });
    // A page that shows a token is told where to go, with the pass.
    let page = [("origin", node.url.trim_end_matches('/'))];
    let answer = send_by("POST", &format!("{}whep/{ROOM}", node.url), Some(TOKEN_OF_NODES), &page, OFFER).unwrap();
    let location = answer.location.clone().unwrap_or_default();
    assert_eq!((answer.status, answer.kind(), fleet.at(&location)), (409, "elsewhere".to_owned(), at));
    assert!(location.contains("relay="), "{location}");
    // Without a pass that holds nobody watches there: they are led to the room's own node.
    let strange = send("POST", &format!("{}whep/{ROOM}?relay=1.{}", relay.url, "0".repeat(64)), None, OFFER).unwrap();
    assert_eq!((strange.status, strange.location.map(|to| fleet.at(&to))), (307, Some(owner)));

    // It costs the relay no codec, and both know of it.
    let knows = || room(node)["relayed_viewers"] == 2 && room(node)["viewers"] == 1;
    meanwhile(&mut watchers, "the room's own node knows", || process::wait_until("it knows", knows));
    for (name, wanted) in [("tessera_relays", 1.0), ("tessera_relay_viewers", 2.0), ("tessera_relay_lines", 1.0)] {
        assert!((metric(relay, name) - wanted).abs() < 0.5, "{name}: {}", metric(relay, name));
    }
    for name in ["tessera_frames_encoded_total", "tessera_frames_decoded_total", "tessera_rooms"] {
        assert!(metric(relay, name).abs() < 0.5, "{name}: {}", metric(relay, name));
    }
    assert!(metric(relay, "tessera_relay_frames_total") > 20.0 && metric(relay, "tessera_relay_bytes_total") > 1e3);
    without_etcd(&mut etcd, &fleet, &mut watchers);

    // Who leaves frees the place; with the last of them the relay ends.
    assert_eq!(watchers.pop().map(|third| third.leave()), Some(200));
    let knows = || metric(relay, "tessera_relay_viewers") < 1.5;
    meanwhile(&mut watchers, "the relay knows", || process::wait_until("it knows", knows));
    people.vanish();
    let took = watch(&mut watchers, "all are told that it is over", |all| all.iter().all(|one| one.is_over));
    println!("all were told {took:?} after the last one left");
    process::wait_until("nothing of it is left", || metric(relay, "tessera_relays") < 0.5);
}

/// Etcd is away: who watches watches on.
fn without_etcd(etcd: &mut Etcd, fleet: &Fleet, watchers: &mut [Watcher]) {
    let all_are = |wanted: u16| {
        let is = |node: &Node| get(&format!("{}readyz", node.url)).is_some_and(|(status, _)| status == wanted);
        fleet.nodes.iter().all(is)
    };
    meanwhile(watchers, "nodes see that etcd is away", || {
        etcd.kill_all();
        process::wait_until("they see it", || all_are(503));
    });
    let until = Instant::now() + Duration::from_secs(7);
    watch(watchers, "a lease would be over", |_| Instant::now() >= until);
    see_and_hear(watchers, 10, "nobody notices that etcd is away");
    meanwhile(watchers, "etcd is back", || {
        etcd.start_all();
        process::wait_until("they see it", || all_are(200));
    });
    see_and_hear(watchers, 5, "nor that it is back");
}

#[test]
fn a_relay_goes_on_with_the_room_when_its_node_dies_and_the_room_begins_at_another() {
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let fleet = Fleet::start(&etcd, ["", "", ""], &keys(folder.path(), 0, ""));
    let owner = fleet.owner(0, ROOM, "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let people = People::start(&fleet.nodes[owner]);
    let mut watchers = vec![Watcher::come(&fleet.nodes[owner])];
    let relay = fleet.nodes.iter().position(|node| watchers[0].is_at(node)).expect("it is a node");
    see_and_hear(&mut watchers, 10, "it is seen at another node");
    let third = 3 - owner - relay;
    let pid = Pid::from_raw(fleet.nodes[owner].pid().cast_signed()).expect("a process has a number");
    kill_process(pid, Signal::KILL).expect("it is ours, and runs");
    let since = Instant::now();
    people.vanish();
    // As a page there asks, which cannot go elsewhere.
    let url = format!("{}whip/{ROOM}", fleet.nodes[third].url);
    let own = fleet.nodes[third].url.trim_end_matches('/').to_owned();
    watch(&mut watchers, "its keys end with its lease", |_| {
        let answer =
            send_by("POST", &url, Some(TOKEN_OF_NODES), &[("origin", own.as_str())], OFFER).expect("nodes answer");
        answer.kind() == "bad-offer"
    });
    let again = meanwhile(&mut watchers, "people are there again", || People::start(&fleet.nodes[third]));
    see_and_hear(&mut watchers, 10, "it is seen again, by the same connection");
    println!("seen again {:?} after its node was killed", since.elapsed());
    assert!(!watchers[0].is_over && watchers[0].is_at(&fleet.nodes[relay]));
    drop(again);
}

#[test]
fn a_room_that_is_bound_to_a_region_is_shown_nowhere_else() {
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let access = folder.path().join("access");
    fs::write(&access, "fedcba9876543210fedcba9876543210").unwrap();
    let tenants = format!(
        "[access]\nkeys = [{{ id = \"k\", algorithm = \"HS256\", file = {access:?} }}]\n[[tenant]]\nid = \"eagle\"\n\
         region = \"us\"\n[[tenant]]\nid = \"stork\"\nregion = \"eu\"\n"
    );
    let fleet = Fleet::start(&etcd, ["eu", "us", "us"], &keys(folder.path(), 0, &tenants));
    let ask = |node: usize, room: &str| {
        let url = format!("{}whep/{room}", fleet.nodes[node].url);
        send("POST", &url, Some(TOKEN_OF_NODES), OFFER).expect("nodes answer")
    };
    let join = |room: &str, query: &str, number: usize| {
        let owner = fleet.owner(0, room, query).unwrap_or_else(|answer| panic!("{}", answer.text));
        (owner, Client::join_by(&fleet.nodes[owner].url, room, "Ada", number, Some(TOKEN_OF_NODES)))
    };
    let (european, _ada) = join("stork~room", "", 0);
    assert_eq!(european, 0, "the one node over there");
    let refused = ask(european, "stork~room");
    let told = (refused.status, refused.kind(), refused.retry_after.is_some());
    assert_eq!(told, (503, "no-relay".to_owned(), true), "{}", refused.text);
    let (american, _bob) = join("eagle~room", "", 1);
    let sent = ask(american, "eagle~room");
    assert_eq!((sent.status, sent.location.map(|to| fleet.at(&to))), (307, Some(3 - american)), "{}", sent.text);
    // What nobody binds may be shown anywhere.
    let (owner, _cem) = join("anywhere", "?region=eu", 2);
    let sent = ask(owner, "anywhere");
    assert!((owner, sent.status) == (0, 307) && sent.location.is_some_and(|to| fleet.at(&to) > 0), "{}", sent.text);
}

/// Seconds of the processor that a process took so far (`proc_pid_stat(5)`).
fn processor_seconds(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).expect("it runs");
    let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| words[at].parse::<f64>().expect("a number");
    // Linux tells user space a hundred ticks a second on every machine that nodes run on.
    (ticks(11) + ticks(12)) / 100.0
}

/// So many come by a node, watch for a while and tell how they fared.
fn audience(node: &Node, viewers: usize, folder: &Path) -> (Child, std::path::PathBuf) {
    let figures = folder.join(format!("viewers-{viewers}-{}.json", std::process::id()));
    let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .args(["load", "--url", &node.url, "--token", TOKEN_OF_NODES, "--room", ROOM, "-p", "0", "--duration", "20s"])
        .args(["--viewers", &viewers.to_string(), "--quiet", "--json"])
        .arg(&figures)
        .stdout(Stdio::null())
        .spawn();
    (child.expect("the binary starts"), figures)
}

/// What a node takes while so many watch it: cores.
fn cores(nodes: &[&Node], span: Duration) -> Vec<f64> {
    let before: Vec<f64> = nodes.iter().map(|node| processor_seconds(node)).collect();
    let since = Instant::now();
    // It is the time itself that is measured over.
    std::thread::sleep(span);
    let passed = since.elapsed().as_secs_f64();
    nodes.iter().zip(before).map(|(node, before)| (processor_seconds(node) - before) / passed).collect()
}

/// Figures for `docs/scale.md`: nothing is asserted of what they are.
#[test]
#[ignore = "measures; it takes a machine of its own and a minute"]
fn what_two_hundred_viewers_cost_at_a_relay() {
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let fleet = Fleet::start(&etcd, ["", "", ""], &keys(folder.path(), 200, ""));
    let owner = fleet.owner(0, ROOM, "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let node = &fleet.nodes[owner];
    let _people = People::start(node);
    let others: Vec<&Node> = fleet.nodes.iter().filter(|other| other.url != node.url).collect();
    let span = Duration::from_secs(10);
    let alone = cores(&[node, others[0], others[1]], span);
    println!("cores without viewers, the room's own node and two others: {alone:.3?}");
    for (at, name) in ["at the room's own node", "at a relay"].into_iter().enumerate() {
        // Those who fill the room's own node stay while others come.
        let held = (at == 1).then(|| audience(node, 200, folder.path()));
        if held.is_some() {
            process::wait_until("all of its places are taken", || room(node)["viewers"] == 200);
        }
        let (mut child, figures) = audience(node, if at == 0 { 200 } else { 199 }, folder.path());
        process::wait_until("all are there", || {
            let told = room(node);
            let there = if at == 0 { &told["viewers"] } else { &told["relayed_viewers"] };
            there.as_u64().is_some_and(|there| there >= 199)
        });
        let (took, bytes) = (cores(&[node, others[0], others[1]], span), room(node));
        println!(
            "cores with 200 {name}: {took:.3?}; viewers {}, relayed {}",
            bytes["viewers"], bytes["relayed_viewers"]
        );
        assert!(child.wait().is_ok_and(|ended| ended.success()));
        let report: Value = serde_json::from_slice(&fs::read(&figures).expect("they told")).expect("it is JSON");
        println!("what they got: {}", report["viewers"]);
        if let Some((mut held, _)) = held {
            let _ = held.wait();
        }
        process::wait_until("all left", || room(node)["viewers"] == 0 && room(node)["relayed_viewers"] == 0);
    }
}
