//! **The question:** do a captioner's words arrive wherever they are to be read, and nowhere else? The real binary,
//! people who talk over WebRTC, and a captioner who listens to each of them by WebSocket.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::f32::consts::TAU;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket};

use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};
use crate::client::{Client, PATIENCE, TONES, wait_until};
use crate::keepers::process;
use crate::retention::deadline::{TOKEN, plain_get};
use crate::retention::playing::{ask, bare, link};
use crate::retention::stored_in_clear;

const ROOM: &str = "said";
const RATE: f32 = 16_000.0;
/// What looks like markup is words.
const SAID: &str = "Shall we <b>begin</b> --> now?";
/// The same in WebVTT.
const WRITTEN: &str = "Shall we &lt;b&gt;begin&lt;/b&gt; --&gt; now?";

/// What one message of sound held: when it begins, milliseconds of the room's clock, and its samples.
type Sound = (u64, Vec<f32>);

/// A program that listens.
struct Captioner {
    socket: WebSocket<TcpStream>,
    told: Vec<Value>,
    /// By participant.
    sound: HashMap<String, Vec<Sound>>,
    /// The code by which it was closed.
    closed: Option<u16>,
}

impl Captioner {
    fn listen(node: &Node) -> Self {
        let place = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
        let stream = TcpStream::connect(&place).expect("the node listens");
        let request = format!("ws://{place}/v1/rooms/{ROOM}/captions").into_client_request().unwrap();
        let (socket, _) = tungstenite::client(request, stream).expect("the node speaks WebSocket");
        socket.get_ref().set_nonblocking(true).unwrap();
        Self { socket, told: Vec::new(), sound: HashMap::new(), closed: None }
    }

    /// Takes what came.
    fn poll(&mut self) {
        while self.closed.is_none() {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.told.push(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Binary(bytes)) => self.hear(&bytes),
                Ok(Message::Close(frame)) => self.closed = Some(frame.map_or(0, |frame| frame.code.into())),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let (head, samples) = bytes.split_at(20);
        assert_eq!((head[0], head[1]), (1, 0), "a microphone's");
        assert_eq!(samples.len(), 2 * usize::from(u16::from_le_bytes([head[2], head[3]])));
        let whose = format!("p{:016x}", u64::from_le_bytes(head[4..12].try_into().unwrap()));
        let at = u64::from_le_bytes(head[12..].try_into().unwrap());
        let samples = samples.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_767.0);
        self.sound.entry(whose).or_default().push((at, samples.collect()));
    }

    fn has(&self, kind: &str, participant: &str) -> bool {
        self.told.iter().any(|told| told["type"] == kind && told["participant"] == participant)
    }

    /// Seconds that were heard of somebody.
    fn seconds(&self, participant: &str) -> f32 {
        let all = self.sound.get(participant).into_iter().flatten();
        all.map(|(_, samples)| samples.len() as f32).sum::<f32>() / RATE
    }

    /// How loud a tone is in what was heard of somebody.
    fn amplitude(&self, participant: &str, tone: f32) -> f32 {
        let samples: Vec<f32> =
            self.sound.get(participant).into_iter().flatten().flat_map(|(_, samples)| samples.clone()).collect();
        let (mut re, mut im) = (0.0, 0.0);
        // By windows: words begin anew, so phases do not go on.
        for window in samples.chunks_exact(1600) {
            let (mut wre, mut wim) = (0.0, 0.0);
            for (n, sample) in window.iter().enumerate() {
                let (sin, cos) = (TAU * tone * n as f32 / RATE).sin_cos();
                (wre, wim) = (wre + sample * cos, wim + sample * sin);
            }
            (re, im) = (re + f32::hypot(wre, wim), im + window.len() as f32);
        }
        if im > 0.0 { 2.0 * re / im } else { 0.0 }
    }

    /// When the newest sound of somebody was said.
    fn last_heard(&self, participant: &str) -> (u64, u64) {
        let (at, samples) = self.sound[participant].last().expect("they were heard");
        (*at, at + samples.len() as u64 / 16)
    }

    fn say(&mut self, participant: &str, (from, to): (u64, u64), text: &str, is_final: bool) {
        let caption = json!({ "type": "caption", "participant": participant, "from_ms": from, "to_ms": to,
                              "text": text, "final": is_final, "language": "en" });
        self.socket.send(Message::text(caption.to_string())).expect("it is taken");
    }
}

/// A call that is recorded, and somebody who writes down what is said.
struct Call {
    node: Node,
    people: Vec<Client>,
    captioner: RefCell<Captioner>,
}

impl Call {
    /// Everybody goes on until `enough` likes what they know.
    fn wait(&mut self, what: &str, enough: impl Fn(&Captioner, &[Client]) -> bool) {
        let captioner = &self.captioner;
        wait_until(&mut self.people, what, |people| {
            captioner.borrow_mut().poll();
            enough(&captioner.borrow(), people)
        });
    }

    fn get(&self, path: &str) -> String {
        String::from_utf8(bare(&format!("{}{path}", self.node.url)).1).unwrap()
    }

    /// Both read what a captioner writes, as it stands.
    fn is_read_in_the_call(&mut self, ada: &str) {
        let span = self.captioner.borrow().last_heard(ada);
        for (text, is_final) in [("Shall we", false), (SAID, true)] {
            self.captioner.borrow_mut().say(ada, span, text, is_final);
            let has = |one: &Client| one.told.iter().any(|told| told["type"] == "caption" && told["text"] == text);
            self.wait("both read it", |_, people| people.iter().all(has));
        }
        let said = self.people[1].last("caption").unwrap();
        let of = [&said["name"], &said["final"], &said["language"]];
        assert_eq!(of, [&json!("Ada"), &json!(true), &json!("en")], "{said}");
    }

    /// HLS has it once the segment is over in which it was said.
    fn is_shown_by_hls(&mut self) {
        let list = self.get(&format!("hls/{ROOM}/index.m3u8"));
        let media = list.lines().find(|line| line.starts_with("#EXT-X-MEDIA:TYPE=SUBTITLES")).expect("it is listed");
        let place = media.split("URI=\"").nth(1).unwrap().trim_end_matches("index.m3u8\"");
        let place = format!("{}hls/{ROOM}/{place}", self.node.url);
        let text = |name: &str| String::from_utf8(bare(&format!("{place}{name}")).1).unwrap();
        let shown = format!("Ada: {WRITTEN}\n");
        let looked = Cell::new(Instant::now());
        self.wait("a segment of HLS shows it", |_, _| {
            // People talk meanwhile.
            if looked.get().elapsed() < Duration::from_secs(1) {
                return false;
            }
            looked.set(Instant::now());
            let playlist = text("index.m3u8");
            let mut segments = playlist.lines().filter(|line| line.ends_with(".vtt")).map(text);
            segments.any(|vtt| vtt.contains(&shown) && vtt.contains("X-TIMESTAMP-MAP"))
        });
    }

    /// Whom a host mutes is heard by no captioner either, from that moment on.
    fn mute(&mut self, bob: &str, ada: &str) {
        let muted = json!({ "participants": { (bob): { "muted": true } } });
        let url = format!("{}v1/rooms/{ROOM}/moderation", self.node.url);
        assert_eq!(ask(Method::PATCH, &url, None, Some(muted)).0, 204);
        self.wait("Bob is hushed", |_, people| people[0].person(bob)["hushed"] == true);
        self.wait("it is told so", |captioner, _| captioner.has("pauses", bob));
        let (before, of_ada) = (self.captioner.borrow().seconds(bob), self.captioner.borrow().seconds(ada));
        self.wait("it hears Ada on", |captioner, _| captioner.seconds(ada) > of_ada + 1.0);
        assert!(self.captioner.borrow().seconds(bob) < before + 0.5, "and Bob no more");
    }

    /// Everybody leaves, which ends the room.
    fn end(self) -> Node {
        let Self { node, mut people, captioner } = self;
        people.iter_mut().for_each(|one| one.say("leave", json!({})));
        drop(people);
        process::wait_until("the room is over, and so is its captioner", || {
            captioner.borrow_mut().poll();
            captioner.borrow().closed == Some(1001)
        });
        node
    }
}

#[test]
fn what_a_captioner_writes_is_read_in_the_call_by_hls_and_in_the_recording_until_that_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let people = vec![Client::join(&node.url, ROOM, "Ada", 0), Client::join(&node.url, ROOM, "Bob", 1)];
    let (ada, bob) = (people[0].participant.clone(), people[1].participant.clone());
    let captioner = RefCell::new(Captioner::listen(&node));
    let mut call = Call { node, people, captioner };
    call.wait("everybody is told that it listens", |_, people| {
        people.iter().all(|one| one.last("state").is_some_and(|state| state["captioned"] == true))
    });
    call.wait("it hears both", |captioner, _| {
        [&ada, &bob].iter().all(|one| captioner.has("speaks", one) && captioner.seconds(one) > 1.0)
    });
    for (own, other, who) in [(0, 1, &ada), (1, 0, &bob)] {
        let captioner = call.captioner.borrow();
        let [own, other] = [own, other].map(|n| captioner.amplitude(who, TONES[n]));
        assert!(own > 10.0 * other && own > 0.02, "{own} {other}");
    }
    call.is_read_in_the_call(&ada);
    call.is_shown_by_hls();
    call.mute(&bob, &ada);
    let node = call.end();
    is_recorded(&node, &store);
    node.stop();
}

/// What lies over a viewer's picture, as text, and what else than the name is an element in it.
const OVER_PICTURE: &str = "const lines = [...document.querySelectorAll('.captions:not([hidden]) p')]; \
     return lines.map((line) => [line.textContent, line.querySelectorAll(':scope > :not(b:first-child)').length]);";

/// Waits until a page shows just this line, and nothing of it is markup.
async fn reads(browser: &Browser, captioner: &mut Captioner, line: &str) {
    let (wanted, until) = (json!([line, 0]), Instant::now() + PATIENCE);
    loop {
        let over = browser.script(OVER_PICTURE).await;
        if over.as_array().is_some_and(|lines| lines.contains(&wanted)) {
            return;
        }
        let shot = || async { browser.screenshot("captions").await.display().to_string() };
        assert!(Instant::now() < until, "never: {wanted}, but {over}; {}", shot().await);
        // It takes what it hears, else it were closed.
        captioner.poll();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_watch_in_a_page_read_captions_by_webrtc_and_by_hls() {
    let node = Node::start();
    let load = Load::start(&node, ROOM, 2, 600);
    node.wait_for_participants(ROOM, 2, PATIENCE).await;
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}w/{ROOM}", node.url)).await;
    let watches = |way: &str| format!("return tessera.phase === 'watching' && tessera.way === '{way}';");
    browser.wait_for("it watches", &watches("whep"), PATIENCE).await;
    let button = "return document.querySelector('.deck .cc')?.hidden ?? true;";
    assert_eq!(browser.script(button).await, true, "nobody captions yet");
    let mut captioner = Captioner::listen(&node);
    process::wait_until("it hears somebody", || {
        captioner.poll();
        !captioner.sound.is_empty()
    });
    let speaker = captioner.sound.keys().next().expect("waited for").clone();
    let speaks = captioner.told.iter().find(|told| told["type"] == "speaks" && told["participant"] == *speaker);
    let name = speaks.expect("sound is announced")["name"].as_str().expect("people have names").to_owned();
    for (text, is_final) in [("Shall we", false), (SAID, true)] {
        captioner.say(&speaker, captioner.last_heard(&speaker), text, is_final);
        reads(&browser, &mut captioner, &format!("{name}: {text}")).await;
    }
    let offered = "return document.querySelector('.deck .cc').hidden === false;";
    browser.wait_for("they can be hidden", offered, PATIENCE).await;
    let player = crate::browser::driver::client().get(format!("{}assets/hls.js", node.url)).send().await.unwrap();
    if player.status() == 404 {
        return println!("built without hls.js (.ci/pages fetches it): captions by HLS were not looked at");
    }
    browser.click("#way").await;
    browser.wait_for("it watches by HLS", &watches("hls"), PATIENCE).await;
    browser.wait_for("they are offered there too", offered, PATIENCE).await;
    captioner.poll();
    captioner.say(&speaker, captioner.last_heard(&speaker), "Then <i>later</i> & anew", true);
    reads(&browser, &mut captioner, &format!("{name}: Then <i>later</i> & anew")).await;
    browser.click(".deck .cc").await;
    assert_eq!(browser.script(OVER_PICTURE).await, json!([]), "whoever wants none sees none");
    load.stop();
    browser.close().await;
    node.stop();
}

/// It stands in the recording, for players and in the clear nowhere, and goes with it.
fn is_recorded(node: &Node, store: &Path) {
    let listed = || -> Value { serde_json::from_slice(&plain_get(node, "recordings").1).unwrap() };
    process::wait_until("the recording is closed", || listed()["recordings"][0]["state"] == "final");
    let recording = listed()["recordings"][0].clone();
    assert_eq!(recording["captions"], 1, "{recording}");
    let name = recording["recording"].as_str().unwrap();
    let text = |url: &str| String::from_utf8(bare(url).1).unwrap();
    let (_, captions) = link(node, name, json!({ "file": "captions.vtt" }));
    let vtt = text(&captions);
    assert!(vtt.starts_with("WEBVTT\n\n00:00:") && vtt.contains(&format!(": {WRITTEN}\n")), "{vtt}");
    assert!(vtt.contains("\nSpeaker ") && !vtt.contains("Ada"), "recordings name nobody: {vtt}");
    let (_, master) = link(node, name, json!({ "file": "master.m3u8" }));
    let beside = |uri: &str| format!("{}/{uri}", master.rsplit_once('/').unwrap().0);
    let list = text(&master);
    let media = list.lines().find(|line| line.starts_with("#EXT-X-MEDIA:TYPE=SUBTITLES")).expect("players find it");
    let playlist = text(&beside(media.split("URI=\"").nth(1).unwrap().trim_end_matches('"')));
    let segment = playlist.lines().find(|line| line.starts_with("captions.vtt?")).expect("all in one piece");
    assert_eq!(text(&beside(segment)), vtt, "{playlist}");
    let read = played(&beside(segment));
    assert!(read.contains("Shall we") && read.contains("now?"), "and ffmpeg shows it: {read}");
    assert!(!stored_in_clear(store, b"Shall we"), "what people say lies nowhere in the clear");
    let url = format!("{}v1/recordings/{name}", node.url);
    assert_eq!(ask(Method::DELETE, &url, Some(TOKEN), None).0, 204);
    assert_eq!(bare(&captions).0, 410, "it is gone with the recording");
}

/// What ffmpeg reads of subtitles.
fn played(url: &str) -> String {
    let arguments = ["-v", "error", "-i", url, "-map", "0:s", "-f", "webvtt", "-"];
    let done = Command::new("ffmpeg").args(arguments).output().expect("ffmpeg is installed");
    String::from_utf8(done.stdout).unwrap()
}
