//! **The question:** does the door keep its promises over a real socket? The control thread is stood in for by a thread
//! that answers by simple rules; everything from the socket to the command is the real thing.

mod access;
mod captions;
mod drain;
mod ice;
mod pushes;
mod strangers;
mod told;

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER,
    VARY,
};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::base::limits;
use crate::base::media::{CodecPreference, ParticipantId, Size};
use crate::core::access::Policy;
use crate::core::scene::Layout;
use crate::core::signal::Person;
use crate::engine::flow::{Counter, Waker};
use crate::io::api::{
    BrandingChange, CaptionCounters, CertificateStanding, CodecFacts, Command, ControlHandle, DoorCounters, Joined,
    LayoutShown, NodeFacts, Place, Refusal, Request, ResourceToken, RoomDetail, RoomSummary, RungShown, Standing,
    Trickled,
};
use crate::io::live::LiveRooms;
use crate::io::telemetry::history::History;
use crate::io::tokens::Keyring;

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const FRAGMENT: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 X 0\r\na=mid:0\r\n";
const ADA: ParticipantId = ParticipantId(0xada);
const FRAGMENT_TYPE: &str = "application/trickle-ice-sdpfrag";

/// A door on loopback, served until this goes away.
struct Fixture {
    url: String,
    client: Client,
    ready: Arc<AtomicBool>,
    refused: Counter,
    _stop: oneshot::Sender<()>,
}

fn client() -> Client {
    // reqwest wants a provider even for plain HTTP; another test may have installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap()
}

/// Opens a door whose requests are read by `control`, which runs on a thread of its own and stands in for node's
/// control thread.
fn door(tls: Tls, control: impl FnOnce(crossbeam_channel::Receiver<Request>) + Send + 'static) -> Fixture {
    door_of(tls, guard(), control)
}

/// A guard that lets everybody steer.
fn guard() -> Guard {
    Guard {
        ice_servers: Vec::new(),
        policy: Policy::default(),
        token: None,
        keys: Keyring::default(),
        hosts: Vec::new(),
        origins: Vec::new(),
        embed_origins: Vec::new(),
        connections_max: limits::HTTP_CONNECTIONS,
        counters: DoorCounters::default(),
    }
}

/// As `door`, behind this guard.
fn door_of(
    tls: Tls,
    guard: Guard,
    control: impl FnOnce(crossbeam_channel::Receiver<Request>) + Send + 'static,
) -> Fixture {
    let setup = HttpSetup { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), tls, guard };
    let door = HttpDoor::open(&setup).unwrap();
    let refused = Counter::default();
    let (handle, requests) = ControlHandle::new(Waker::new().unwrap(), refused.clone());
    std::thread::spawn(move || control(requests));
    let ready = Arc::new(AtomicBool::new(true));
    let metrics = Arc::new(|| bytes::Bytes::from_static(b"tessera_rooms 1\n"));
    let (canvas, facts) = (Size::new(640, 360), Arc::new(facts()));
    let (history, live) = (Arc::new(History::new(&[])), LiveRooms::default());
    let (captions, leading, ready_too) = (CaptionCounters::default(), Leading::default(), ready.clone());
    let certificate = CertificateStanding::default();
    let (ready_, recordings) = (ready_too, None);
    let view =
        NodeView { canvas, facts, certificate, metrics, history, ready: ready_, live, captions, leading, recordings };
    let url = door.url().trim_end_matches('/').to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(door.serve(handle, view, async {
        let _ = stopped.await;
    }));
    Fixture { url, client: client(), ready, refused, _stop: stop }
}

fn facts() -> NodeFacts {
    let codec =
        CodecFacts { policy: CodecPreference::Auto, av1_ms: 18.2, h264_ms: Some(6.1), reason: "costs decide".into() };
    NodeFacts {
        version: "1.2.3",
        cores: 2,
        encoder: "aom",
        encoder_reason: "it fits".into(),
        compositor: "cpu",
        compositor_reason: "no GPU".into(),
        codec,
    }
}

fn rung() -> RungShown {
    RungShown {
        rung: "half".into(),
        codec: "av1",
        width: 640,
        height: 360,
        fps: 30,
        bitrate: 600_000,
        running: true,
        viewers: 1,
    }
}

/// Stands in for node's control thread: one room `daily`, connections by token, ICE generations `gen1`, `gen2`, …
fn stand_in(commands: crossbeam_channel::Receiver<Request>) {
    let mut control = StandIn::default();
    for Request { command, .. } in commands {
        control.answer(command);
    }
}

#[derive(Default)]
struct StandIn {
    connections: HashMap<ResourceToken, u32>,
    layout: Layout,
    page: usize,
}

impl StandIn {
    /// Those who come, go on and leave.
    fn answer(&mut self, command: Command) {
        let sdp = |generation: u32| format!("v=0\r\na=ice-ufrag:gen{generation}\r\n");
        match command {
            Command::Join { offer, name, reply, .. } | Command::Publish { offer, name, reply, .. } => {
                let resource = ResourceToken::random();
                self.connections.insert(resource, 1);
                let answer = format!("{}s={name} {}\r\n", sdp(1), offer.len());
                let _ = reply.send(Ok(Joined { answer, resource, participant: Some(ADA) }));
            }
            Command::Watch { room, reply, .. } if room.as_str() != "daily" => {
                let _ = reply.send(Err(Refusal::RoomNotFound));
            }
            Command::Watch { minus, reply, .. } => {
                let answer = format!("{}s={minus:?}\r\n", sdp(1));
                let _ = reply.send(Ok(Joined { answer, resource: ResourceToken::random(), participant: None }));
            }
            Command::Trickle { resource, session, reply, .. } => {
                let result = match (self.connections.get_mut(&resource), session) {
                    (None, _) => Err(Refusal::ResourceNotFound),
                    (Some(generation), None) => {
                        *generation += 1;
                        Ok(Trickled::Restarted { answer: format!("a=ice-ufrag:gen{generation}\r\n") })
                    }
                    (Some(generation), Some(tag)) if tag == format!("gen{generation}") => Ok(Trickled::Accepted),
                    _ => Err(Refusal::SessionChanged),
                };
                let _ = reply.send(result);
            }
            Command::Leave { resource, reply } => {
                let _ = reply.send(self.connections.remove(&resource).map(|_| ()).ok_or(Refusal::ResourceNotFound));
            }
            other => self.tell(other),
        }
    }

    /// What is only asked.
    fn tell(&mut self, command: Command) {
        match command {
            Command::Rooms { reply } => {
                let room = "daily".parse().unwrap();
                let _ = reply.send(Ok(vec![RoomSummary { room, participants: 1, viewers: 2 }]));
            }
            Command::Room { room, reply } => {
                let ada = Person {
                    id: ADA,
                    name: "Ada".into(),
                    camera: true,
                    microphone: true,
                    screen: false,
                    muted: false,
                    host_muted: false,
                    hand: false,
                    unrecorded: false,
                    away: false,
                };
                let (codec, codec_why) = ("h264", "it is cheap".to_owned());
                let detail = RoomDetail {
                    room,
                    participants: vec![ada],
                    viewers: 2,
                    relayed_viewers: 0,
                    hls_viewers: 3,
                    recording: true,
                    gives_up: "none",
                    codec,
                    codec_why,
                };
                let _ = reply.send(Ok(detail));
            }
            Command::Layout { room, reply } if room.as_str() == "daily" => {
                let _ = reply.send(Ok(LayoutShown { layout: self.layout.clone(), page: self.page + 1, pages: 9 }));
            }
            Command::Layout { reply, .. } => drop(reply.send(Err(Refusal::RoomNotFound))),
            Command::Rungs { room, reply } => {
                let known = room.as_str() == "daily";
                let _ = reply.send(if known { Ok(vec![rung()]) } else { Err(Refusal::RoomNotFound) });
            }
            Command::Leg { reply, .. } => drop(reply.send(Err(Refusal::ResourceNotFound))),
            Command::Find { place, reply } => {
                let _ = reply.send(match place {
                    Place::Room(room) if room.as_str() != "daily" => Err(Refusal::RoomNotFound),
                    Place::Connection(of) if !self.connections.contains_key(&of) => Err(Refusal::ResourceNotFound),
                    Place::NewRoom | Place::Room(_) | Place::Connection(_) => Ok(()),
                });
            }
            Command::Node { reply } | Command::Drain { reply, .. } | Command::RevokeDrain { reply } => {
                let _ = reply.send(Ok(drain::standing(Standing::Open, None)));
            }
            Command::Stats { reply } => {
                let _ = reply.send(Ok(json!({ "threads": 7 })));
            }
            other => self.steer(other),
        }
    }

    /// What changes a room.
    fn steer(&mut self, command: Command) {
        match command {
            Command::SetBranding { room, branding, reply } => {
                let known = room.as_str() == "daily";
                if let (true, BrandingChange::Background(Some(picture))) = (known, &branding) {
                    assert_eq!(picture.size(), Size::new(640, 360), "made to the canvas");
                }
                let _ = reply.send(if known { Ok(()) } else { Err(Refusal::RoomNotFound) });
            }
            Command::SetAvatar { resource, reply, .. } => {
                let known = self.connections.contains_key(&resource);
                let _ = reply.send(if known { Ok(()) } else { Err(Refusal::ResourceNotFound) });
            }
            Command::SetLayout { layout: chosen, reply, .. } => {
                self.layout = chosen;
                let _ = reply.send(Ok(()));
            }
            Command::TurnPage { page: turned, reply, .. } => {
                self.page = turned;
                let _ = reply.send(Ok(()));
            }
            Command::Record { room, wish, reply } => {
                let hours = wish.retention.map(|retention| retention.span().as_secs() / 3600);
                let _ = reply.send(match (room.as_str(), hours) {
                    ("daily", Some(168)) => Err(Refusal::RetentionTooLong { hours: 24 }),
                    ("daily", hours) => Ok(hours.is_some() && wish.owner.as_deref() == Some("ada@example.org")),
                    _ => Err(Refusal::RoomNotFound),
                });
            }
            Command::StopRecording { room, reply } => {
                let _ = reply.send(if room.as_str() == "daily" { Ok(()) } else { Err(Refusal::NotRecording) });
            }
            Command::Announce { blocks, reply, .. } => {
                let _ = reply.send(if blocks.len() == 5 { Ok(()) } else { Err(Refusal::RoomNotFound) });
            }
            Command::Moderate { moderation, reply, .. } => {
                let known = moderation.participants.keys().all(|id| *id == ADA);
                let _ = reply.send(if known { Ok(()) } else { Err(Refusal::ParticipantNotFound) });
            }
            Command::AddLeg { reply, .. } => drop(reply.send(Err(Refusal::LegsOff))),
            Command::Pushes { reply, .. } => drop(reply.send(Ok(vec![pushes::push()]))),
            other => other.refuse(Refusal::RoomNotFound),
        }
    }
}

impl Fixture {
    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).header(CONTENT_TYPE, "application/sdp").body(OFFER)
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// Bytes of a page or a file of it on their way to a browser.
    async fn packed(&self, path: &str) -> usize {
        let asked = self.client.get(format!("{}{path}", self.url)).header(ACCEPT_ENCODING, "gzip, br");
        let answer = asked.send().await.unwrap();
        assert_eq!((text(&answer, &CONTENT_ENCODING), text(&answer, &VARY)), ("gzip", "Accept-Encoding"), "{path}");
        answer.bytes().await.unwrap().len()
    }

    fn patch(&self, location: &str) -> reqwest::RequestBuilder {
        self.client.patch(format!("{}{location}", self.url)).header(CONTENT_TYPE, FRAGMENT_TYPE).body(FRAGMENT)
    }
}

fn text<'a>(response: &'a Response, name: &reqwest::header::HeaderName) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Asserts a problem document of this status and type whose members are all there.
async fn problem(response: Response, status: u16, kind: &str) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(text(&response, &CONTENT_TYPE), "application/problem+json");
    let value: Value = response.json().await.unwrap();
    assert_eq!(value["type"], format!("urn:tessera:problem:{kind}"));
    assert_eq!(value["status"], status);
    assert!(!value["title"].as_str().unwrap().is_empty() && !value["detail"].as_str().unwrap().is_empty());
    value
}

#[tokio::test]
async fn a_participant_joins_trickles_restarts_and_leaves() {
    let door = door(Tls::Off, stand_in);
    let joined = door.post("/v1/rooms/daily/participants?name=Ada%20L%C3%B6").send().await.unwrap();
    assert_eq!(joined.status(), 201);
    assert_eq!(text(&joined, &CONTENT_TYPE), "application/sdp");
    assert_eq!(text(&joined, &ETAG), "\"gen1\"");
    assert_eq!(text(&joined, &LINK), format!("</whep/daily?as={ADA}>; rel=\"urn:tessera:whep\""));
    let location = text(&joined, &LOCATION).to_owned();
    assert!(location.starts_with("/v1/rooms/daily/participants/"));
    assert!(joined.text().await.unwrap().contains("s=Ada Lö"));

    let taken = door.patch(&location).header(IF_MATCH, "\"gen1\"").send().await.unwrap();
    assert_eq!(taken.status(), 204);
    let restarted = door.patch(&location).header(IF_MATCH, "\"*\"").send().await.unwrap();
    assert_eq!((restarted.status().as_u16(), text(&restarted, &ETAG)), (200, "\"gen2\""));
    assert_eq!(text(&restarted, &CONTENT_TYPE), FRAGMENT_TYPE);
    let bare = door.patch(&location).header(IF_MATCH, "*").send().await.unwrap();
    assert_eq!(text(&bare, &ETAG), "\"gen3\"");
    let stale = door.patch(&location).header(IF_MATCH, "\"gen1\"").send().await.unwrap();
    problem(stale, 412, "session-changed").await;
    problem(door.patch(&location).send().await.unwrap(), 428, "precondition-required").await;

    let url = format!("{}{location}", door.url);
    assert_eq!(door.client.delete(&url).send().await.unwrap().status(), 200);
    problem(door.client.delete(&url).send().await.unwrap(), 404, "resource-not-found").await;
}

#[tokio::test]
async fn whip_and_whep_follow_their_documents() {
    let door = door(Tls::Off, stand_in);
    let published = door.post("/whip/daily").send().await.unwrap();
    assert_eq!(published.status(), 201);
    assert!(text(&published, &LOCATION).starts_with("/whip/daily/"));
    let link = text(&published, &LINK).to_owned();
    let path = link.trim_start_matches('<').split('>').next().unwrap();
    assert!(published.text().await.unwrap().contains("s=Guest"), "a person without a name is a guest");
    let watched = door.post(path).send().await.unwrap();
    assert_eq!(watched.status(), 201);
    assert!(watched.headers().get(LINK).is_none(), "a viewer is nobody whose voice could be left out");
    assert!(watched.text().await.unwrap().contains(&format!("{ADA:?}")));
    problem(door.post("/whep/empty").send().await.unwrap(), 404, "room-not-found").await;
    problem(door.post("/whep/daily?as=me").send().await.unwrap(), 400, "bad-participant").await;

    for path in ["/whip/daily", "/whep/daily", "/v1/rooms/daily/participants"] {
        let url = format!("{}{path}", door.url);
        let options = door.client.request(Method::OPTIONS, &url).send().await.unwrap();
        assert_eq!(options.status(), 204);
        assert_eq!(options.headers()["accept-post"], "application/sdp");
        assert!(text(&options, &ALLOW).contains("POST") && text(&options, &ALLOW).contains("OPTIONS"));
        assert!(!options.headers().contains_key("access-control-allow-origin"), "no page asks");
        let got = door.client.put(&url).send().await.unwrap();
        assert!(text(&got, &ALLOW).contains("POST"), "405 names what is allowed");
        problem(got, 405, "method-not-allowed").await;
    }
}

#[tokio::test]
async fn bad_input_is_a_problem_that_says_what_to_do() {
    let door = door(Tls::Off, stand_in);
    let long_name = "x".repeat(limits::DISPLAY_NAME_LEN_MAX + 1);
    for (path, status, kind) in [
        ("/whip/no%20spaces".to_owned(), 400, "bad-room"),
        ("/whip/%2e%2e%2fetc".to_owned(), 400, "bad-room"),
        ("/whip/%ff".to_owned(), 400, "bad-room"),
        (format!("/whip/{}", "r".repeat(65)), 400, "bad-room"),
        (format!("/whip/daily?name={long_name}"), 400, "bad-name"),
        ("/whip/daily?name=a%07b".to_owned(), 400, "bad-name"),
        ("/nowhere".to_owned(), 404, "not-found"),
    ] {
        problem(door.post(&path).send().await.unwrap(), status, kind).await;
    }
    let post = |kind: &'static str, body: Vec<u8>| {
        door.client.post(format!("{}/whip/daily", door.url)).header(CONTENT_TYPE, kind).body(body).send()
    };
    let exact = [OFFER.as_bytes(), &vec![b'a'; limits::SDP_LEN_MAX - OFFER.len()]].concat();
    assert_eq!(post("application/sdp; charset=utf-8", exact.clone()).await.unwrap().status(), 201);
    let longer = [exact, vec![b'a']].concat();
    problem(post("application/sdp", longer).await.unwrap(), 413, "too-large").await;
    problem(post("application/json", OFFER.into()).await.unwrap(), 415, "unsupported-media-type").await;
    problem(post("application/sdp", b"hello".to_vec()).await.unwrap(), 400, "bad-offer").await;
    problem(post("application/sdp", Vec::new()).await.unwrap(), 400, "bad-offer").await;
    problem(post("application/sdp", b"v=0\xff\xfe".to_vec()).await.unwrap(), 400, "bad-body").await;
    let token = ResourceToken::random();
    let unknown = door.patch(&format!("/whip/daily/{token}")).header(IF_MATCH, "*").send().await.unwrap();
    problem(unknown, 404, "resource-not-found").await;
    let no_token = door.patch("/whip/daily/abc").header(IF_MATCH, "*").send().await.unwrap();
    problem(no_token, 404, "resource-not-found").await;
    let no_fragment = door.patch(&format!("/whip/daily/{token}")).header(IF_MATCH, "*").body("hello");
    problem(no_fragment.send().await.unwrap(), 400, "bad-fragment").await;
}

#[tokio::test]
async fn a_full_desk_is_503_and_counted() {
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    let many = Guard { connections_max: limits::HTTP_ADDRESS_SHARE * 2 * limits::COMMANDS_LEN, ..guard() };
    let door = door_of(Tls::Off, many, move |commands| {
        // A control thread that has no time: it keeps the queue and reads nothing.
        let _ = held.recv();
        stand_in(commands);
    });
    let url = format!("{}/v1/rooms", door.url);
    let waiting: Vec<_> = (0..limits::COMMANDS_LEN).map(|_| tokio::spawn(door.client.get(&url).send())).collect();
    // Those waiting fill the queue in any order; the first refusal shows that it is full.
    let refused = loop {
        let response = tokio::time::timeout(std::time::Duration::from_millis(200), door.get("/v1/rooms")).await;
        if let Ok(response) = response {
            break response;
        }
    };
    assert_eq!(text(&refused, &RETRY_AFTER), "2");
    problem(refused, 503, "busy").await;
    assert!(door.refused.get() > 0);
    drop(hold);
    let statuses = waiting.into_iter().map(|task| async { task.await.unwrap().unwrap().status().as_u16() });
    let mut answered = 0;
    for status in statuses {
        answered += usize::from(status.await == 200);
    }
    assert!(answered > 0, "those in the queue are answered once there is time");
}

#[tokio::test]
async fn a_control_thread_that_is_gone_is_503() {
    // It ends with the command in its hands: a queue without a reader would keep what it holds.
    let door = door(Tls::Off, |commands| drop(commands.recv()));
    problem(door.post("/whip/daily").send().await.unwrap(), 503, "draining").await;
}

#[tokio::test]
async fn a_layout_is_put_and_told_and_a_wrong_one_is_refused_by_the_path_of_its_field() {
    let door = door(Tls::Off, stand_in);
    let put = async |path: &str, kind: &str, body: String| {
        door.client.put(format!("{}{path}", door.url)).header(CONTENT_TYPE, kind).body(body).send().await.unwrap()
    };
    let (layout, page) = ("/v1/rooms/daily/layout", "/v1/rooms/daily/page");
    let told: Value = door.get(layout).await.json().await.unwrap();
    assert_eq!(told, json!({ "layout": { "layout": "grid" }, "page": 1, "pages": 9 }));
    let chosen = json!({ "layout": "speaker", "tiles_max": 8 });
    assert_eq!(put(layout, "application/json", chosen.to_string()).await.status(), 204);
    assert_eq!(put(page, "application/json; charset=utf-8", r#"{"page":3}"#.into()).await.status(), 204);
    let told: Value = door.get(layout).await.json().await.unwrap();
    assert_eq!(told, json!({ "layout": chosen, "page": 3, "pages": 9 }));
    let region = json!({ "show": "screen", "rect": { "x": 0.5, "y": 0, "width": 0.75, "height": 1 } });
    let wrong = json!({ "layout": "custom", "regions": [region] }).to_string();
    let told = problem(put(layout, "application/json", wrong).await, 400, "bad-layout").await;
    assert!(told["detail"].as_str().unwrap().starts_with("regions[0].rect.width: reaches over the right edge"));
    let many = json!({ "layout": "custom", "regions": vec![region; 10_000] }).to_string();
    problem(put(layout, "application/json", many).await, 413, "too-large").await;
    problem(put(layout, "text/plain", "{}".into()).await, 415, "unsupported-media-type").await;
    problem(put(page, "application/json", r#"{"page":0}"#.into()).await, 400, "bad-page").await;
    problem(door.get("/v1/rooms/nobody/layout").await, 404, "room-not-found").await;
}

#[tokio::test]
async fn rooms_health_metrics_and_stats_are_told() {
    let door = door(Tls::Off, stand_in);
    let rooms: Value = door.get("/v1/rooms").await.json().await.unwrap();
    assert_eq!(rooms, json!({ "rooms": [{ "room": "daily", "participants": 1, "viewers": 2 }] }));
    let room: Value = door.get("/v1/rooms/daily").await.json().await.unwrap();
    assert_eq!((&room["participants"][0]["name"], &room["recording"]), (&json!("Ada"), &json!(true)));
    let node: Value = door.get("/v1/node").await.json().await.unwrap();
    assert_eq!((&node["version"], &node["cores"], &node["encoder"]), (&json!("1.2.3"), &json!(2), &json!("aom")));
    let codec = json!({ "policy": "auto", "av1_ms": 18.2, "h264_ms": 6.1, "reason": "costs decide" });
    assert_eq!(node["codec"], codec);
    assert_eq!((&node["state"], &node["rooms"], &node["people"]), (&json!("open"), &json!(3), &json!(12)));
    let capacity = json!({ "units": 140, "reserved_units": 95, "free_room100_slots": 0 });
    assert_eq!(node["capacity"], capacity, "an autoscaler reads one number");
    let stats: Value = door.get("/v1/node/stats").await.json().await.unwrap();
    assert_eq!(stats["threads"], 7);
    assert_eq!(door.get("/healthz").await.status(), 200);
    assert_eq!(door.get("/readyz").await.status(), 200);
    assert_eq!(door.get("/metrics").await.text().await.unwrap(), "tessera_rooms 1\n");
    door.ready.store(false, Ordering::Relaxed);
    problem(door.get("/readyz").await, 503, "draining").await;
    assert_eq!(door.get("/healthz").await.status(), 200, "a draining node is alive");
}

#[tokio::test]
async fn health_is_what_the_control_thread_says() {
    let refusing = door(Tls::Off, |requests| {
        requests.iter().for_each(|Request { command, .. }| command.refuse(Refusal::Draining));
    });
    assert_eq!(refusing.get("/healthz").await.status(), 200, "it lives");
    problem(refusing.get("/readyz").await, 503, "draining").await;
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    let silent = door(Tls::Off, move |_requests| {
        let _ = held.recv();
    });
    for path in ["/healthz", "/readyz"] {
        problem(silent.get(path).await, 503, "lifeless").await;
    }
    drop(hold);
    let gone = door(Tls::Off, drop);
    for path in ["/healthz", "/readyz"] {
        problem(gone.get(path).await, 503, "lifeless").await;
    }
}

#[tokio::test]
async fn the_pages_come_with_all_they_name_and_from_nowhere_else() {
    let door = door(Tls::Off, stand_in);
    for place in ["/r/daily", "/w/daily"] {
        let page = door.get(place).await;
        assert_eq!(text(&page, &CONTENT_TYPE), "text/html; charset=utf-8");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("http"));
        let etag = text(&page, &ETAG).to_owned();
        let html = page.text().await.unwrap();
        let mut files: Vec<String> = quoted(&html, "/assets/");
        let (mut seen, mut packed) = (BTreeSet::new(), door.packed(place).await);
        while let Some(path) = files.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            packed += door.packed(&path).await;
            let file = door.get(&path).await;
            assert_eq!(file.status(), 200, "{path}");
            let kind = text(&file, &CONTENT_TYPE).to_owned();
            let expected = if path.ends_with(".js") { "text/javascript" } else { "" };
            assert!(kind.starts_with(expected), "{path} is {kind}");
            let body = file.text().await.unwrap();
            assert!(!body.contains("https://"), "{path} names another host");
            files.extend(quoted(&body, "./").into_iter().map(|name| name.replacen("./", "/assets/", 1)));
        }
        assert!(packed < 60 * 1024, "{place} is there soon on a slow link: {packed} bytes of {seen:?}");
        assert!(seen.len() >= 5, "{place} names its script, style and icon, and these their modules: {seen:?}");
        let again = door.client.get(format!("{}{place}", door.url)).header(IF_NONE_MATCH, etag).send().await.unwrap();
        assert_eq!(again.status(), 304);
    }
    problem(door.get("/assets/..%2f..%2fCargo.toml").await, 404, "not-found").await;
    let [join, start] = ["/r/daily", "/"].map(|place| door.get(place));
    assert_eq!(
        join.await.text().await.unwrap(),
        start.await.text().await.unwrap(),
        "a room's own address is the same page"
    );
    for name in ["..%2f..%2fCargo.toml", "%3Cscript%3E", &"x".repeat(65)] {
        for page in ["r", "w"] {
            problem(door.get(&format!("/{page}/{name}")).await, 400, "bad-room").await;
        }
    }
}

/// Every double-quoted text that begins with `prefix`.
fn quoted(text: &str, prefix: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).filter(|inner| inner.starts_with(prefix)).map(str::to_owned).collect()
}

#[tokio::test]
async fn https_with_a_certificate_of_its_own() {
    let door = door(Tls::SelfSigned { names: vec!["192.0.2.1".into(), "node.example".into()] }, stand_in);
    assert!(door.url.starts_with("https://"));
    assert_eq!(door.get("/healthz").await.text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn https_with_the_operators_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let fixture = door(Tls::Files { cert: cert.clone(), key }, stand_in);
    assert_eq!(fixture.get("/healthz").await.status(), 200);

    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let strange = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("strange.pem"), strange.signing_key.serialize_pem()).unwrap();
    for (key, why) in [
        ("none.pem", "none.pem"),
        ("cert.pem", "no PEM private key in it"),
        ("strange.pem", "strange.pem: it is not the key of"),
    ] {
        let tls = Tls::Files { cert: cert.clone(), key: dir.path().join(key) };
        let error = HttpDoor::open(&HttpSetup { listen, tls, guard: guard() }).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = first.local_addr().unwrap();
    let error = HttpDoor::open(&HttpSetup { listen, tls: Tls::Off, guard: guard() }).unwrap_err().to_string();
    assert!(error.contains(&format!("TCP port {} is taken", listen.port())), "{error}");
    assert!(!error.contains('\n'));
}

#[tokio::test]
async fn a_room_is_dressed_and_what_is_no_picture_is_told() {
    let fixture = door(Tls::Off, stand_in);
    let picture = image_of(200, 120);
    let put = |path: &str, body: Vec<u8>| fixture.client.put(format!("{}{path}", fixture.url)).body(body).send();
    let joined = fixture.post("/v1/rooms/daily/participants").send().await.unwrap();
    let avatar = format!("{}/avatar", joined.headers()[LOCATION].to_str().unwrap());
    for path in ["/v1/rooms/daily/background", "/v1/rooms/daily/logo", avatar.as_str()] {
        assert_eq!(put(path, picture.clone()).await.unwrap().status(), 204, "{path}");
        assert_eq!(put(path, b"no picture".to_vec()).await.unwrap().status(), 415, "{path}");
        assert_eq!(put(path, picture[..picture.len() / 2].to_vec()).await.unwrap().status(), 422, "{path}");
        let gone = fixture.client.delete(format!("{}{path}", fixture.url)).send().await.unwrap();
        assert_eq!(gone.status(), 204, "{path}");
    }
    let long = put("/v1/rooms/daily/logo", vec![0; limits::PICTURE_LEN_MAX + 1]).await.unwrap();
    assert_eq!(long.status(), 413);
    let told: Value = serde_json::from_str(&long.text().await.unwrap()).unwrap();
    assert!(told["detail"].as_str().unwrap().contains("save it smaller"), "{told}");
    assert_eq!(put("/v1/rooms/nobody/logo", picture).await.unwrap().status(), 404);
    let banner = |text: String| {
        let request = fixture.client.put(format!("{}/v1/rooms/daily/banner", fixture.url));
        request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text).send()
    };
    assert_eq!(banner("Hello, नमस्ते".into()).await.unwrap().status(), 204);
    assert_eq!(banner("x".repeat(limits::OVERLAY_TEXT_LEN_MAX + 1)).await.unwrap().status(), 400);
    assert_eq!(put("/v1/rooms/daily/clock", Vec::new()).await.unwrap().status(), 204);
}

fn image_of(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels = [9, 80, 200].repeat((width * height) as usize);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_announced_to_and_moderated() {
    let door = door(Tls::Off, stand_in);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    (0..4800).for_each(|n| writer.write_sample((n % 100) as i16 * 100).unwrap());
    writer.finalize().unwrap();
    let announce =
        |body: Vec<u8>| door.client.post(format!("{}/v1/rooms/daily/announcements", door.url)).body(body).send();
    let said = announce(file.into_inner()).await.unwrap();
    assert_eq!(said.status(), 202);
    assert_eq!(said.json::<Value>().await.unwrap(), json!({ "duration_ms": 100 }));
    problem(announce(b"ID3".to_vec()).await.unwrap(), 422, "bad-announcement").await;
    let large = announce(vec![0; limits::ANNOUNCEMENT_LEN_MAX + 1]).await.unwrap();
    problem(large, 413, "too-large").await;
    let moderate = |body: Value| {
        let request = door.client.patch(format!("{}/v1/rooms/daily/moderation", door.url));
        request.body(body.to_string()).header(CONTENT_TYPE, "application/json").send()
    };
    let ada = ADA.to_string();
    let known = json!({ "mute_on_entry": true, "participants": { ada: { "muted": true, "volume_percent": 50 } } });
    assert_eq!(moderate(known).await.unwrap().status(), 204);
    problem(moderate(json!({ "mute_on_entry": "yes" })).await.unwrap(), 400, "bad-moderation").await;
    let unknown = json!({ "participants": { "p0000000000000001": { "muted": true } } });
    problem(moderate(unknown).await.unwrap(), 404, "participant-not-found").await;
    let loud = json!({ "participants": { ADA.to_string(): { "volume_percent": 40_000 } } });
    problem(moderate(loud).await.unwrap(), 400, "bad-moderation").await;
}

#[tokio::test]
async fn a_recording_is_begun_with_a_wish_and_ended() {
    let door = door(Tls::Off, stand_in);
    let begin = |room: &str, body: String| {
        door.client.post(format!("{}/v1/rooms/{room}/recording", door.url)).body(body).send()
    };
    let wish = json!({ "owner": "ada@example.org", "retention_hours": 24 });
    assert_eq!(begin("daily", wish.to_string()).await.unwrap().status(), 201);
    assert_eq!(begin("daily", String::new()).await.unwrap().status(), 200, "it is recorded already");
    problem(begin("empty", String::new()).await.unwrap(), 404, "room-not-found").await;
    for wish in [
        json!({ "owner": "" }),
        json!({ "owner": "o".repeat(limits::OWNER_LEN_MAX + 1) }),
        json!({ "retention_hours": 1 }),
        json!({ "retention_hours": 169 }),
        json!({ "retention": "1d" }),
        json!("ada"),
    ] {
        problem(begin("daily", wish.to_string()).await.unwrap(), 400, "bad-recording").await;
    }
    let longer = json!({ "retention_hours": 168 });
    let told = problem(begin("daily", longer.to_string()).await.unwrap(), 400, "retention-too-long").await;
    assert!(told["detail"].as_str().unwrap().contains("24 hours"), "{told}");
    problem(begin("daily", "x".repeat(limits::RECORDING_WISH_LEN_MAX + 1)).await.unwrap(), 413, "too-large").await;
    let end = |room: &str| door.client.delete(format!("{}/v1/rooms/{room}/recording", door.url)).send();
    assert_eq!(end("daily").await.unwrap().status(), 204);
    problem(end("other").await.unwrap(), 404, "not-recorded").await;
}
