//! **The question:** do people on plain RTP hear each other? A real node, legs of every codec over loopback, and
//! strangers who send to their ports. Each leg says a tone of its own; who is heard is read from what comes back.

use std::f32::consts::TAU;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera::app::config::Config;
use tessera::app::node::Node;
use tessera::base::media::{Law, PcmBlock, Pts};
use tessera::engine::decode::{G711Decoder, OpusDecoder};
use tessera::engine::encode::{G711Encoder, OpusEncoder, OpusEncoderConfig};

use crate::client::amplitude;

const TICK: Duration = Duration::from_millis(20);
const FRAMES: usize = 960;
const TONES: [f32; 3] = [700.0, 1_100.0, 1_700.0];

/// A node with ports for legs, and anyone who asks it for some.
struct Room {
    node: Node,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Room {
    fn start(legs: &str) -> Self {
        let mut config = Config::default();
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.media.listen = "127.0.0.1:0".parse().unwrap();
        config.media.legs = legs.to_owned().try_into().unwrap();
        let node = Node::start(config).expect("the node starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { node, client: crate::browser::driver::client(), runtime }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
        let url = format!("http://{}{path}", self.node.http_address());
        let method = method.parse().expect("a method");
        let request = self.client.request(method, url).body(body.to_string());
        self.runtime.block_on(async {
            let response = request.send().await.expect("the node answers");
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            let location = location.unwrap_or_default().to_owned();
            (response.status().as_u16(), location, response.json().await.unwrap_or(Value::Null))
        })
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).2
    }
}

enum Codec {
    G711(Law, Box<G711Encoder>, Box<G711Decoder>),
    Opus(OpusEncoder, OpusDecoder),
}

/// One person on plain RTP, by this test's own few lines of it.
struct Caller {
    tone: f32,
    codec: Codec,
    payload_type: u8,
    socket: UdpSocket,
    node: SocketAddr,
    location: String,
    participant: String,
    packets: u16,
    heard: Vec<f32>,
    timestamps: Vec<u32>,
}

impl Caller {
    fn join(room: &Room, name: &str, number: usize) -> Self {
        let asked = json!({ "codec": name, "name": name, "ptime": 20 });
        let (status, location, told) = room.ask("POST", "/v1/rooms/party/legs", &asked);
        assert_eq!(status, 201, "{told}");
        let g711 = |law| Codec::G711(law, Box::new(G711Encoder::new(law)), Box::new(G711Decoder::new()));
        let codec = match name {
            "pcmu" => g711(Law::Mu),
            "pcma" => g711(Law::A),
            _ => Codec::Opus(OpusEncoder::new(OpusEncoderConfig::default()).unwrap(), OpusDecoder::new().unwrap()),
        };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            tone: TONES[number],
            codec,
            payload_type: told["payload_type"].as_u64().unwrap() as u8,
            socket,
            node: told["local"].as_str().unwrap().parse().unwrap(),
            location,
            participant: told["participant"].as_str().unwrap().to_owned(),
            packets: 0,
            heard: Vec::new(),
            timestamps: Vec::new(),
        }
    }

    /// Says 20 ms: words of 300 ms with pauses of 200 ms, each a tone that swells and fades.
    fn say(&mut self) {
        let mut block = PcmBlock::silence();
        for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
            let at = usize::from(self.packets) * FRAMES + n;
            let phase = (at % 24_000) as f32 / 48_000.0;
            let open = if phase < 0.3 { (phase / 0.3 * TAU / 2.0).sin() } else { 0.0 };
            pair.fill(0.25 * open * (TAU * self.tone * (at % 48_000) as f32 / 48_000.0).sin());
        }
        let (payload, step) = match &mut self.codec {
            Codec::G711(_, encoder, _) => {
                let mut bytes = Vec::new();
                encoder.encode(&block.samples[..], &mut bytes);
                (bytes, 160)
            }
            Codec::Opus(encoder, _) => (encoder.encode(&block, Pts(0)).unwrap().data.to_vec(), 960),
        };
        let mut datagram = vec![0x80, self.payload_type];
        datagram.extend(self.packets.to_be_bytes());
        datagram.extend((u32::from(self.packets) * step).to_be_bytes());
        datagram.extend(0x1357_9bdf_u32.to_be_bytes());
        datagram.extend(payload);
        self.socket.send_to(&datagram, self.node).unwrap();
        self.packets += 1;
    }

    fn listen(&mut self) {
        let mut datagram = [0; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            assert_eq!(from, self.node, "symmetric RTP");
            if datagram[1] & 0x7f != self.payload_type {
                assert_eq!(datagram[1], 200, "a sender report");
                continue;
            }
            self.timestamps.push(u32::from_be_bytes(datagram[4..8].try_into().unwrap()));
            let samples = match &mut self.codec {
                Codec::G711(law, _, decoder) => decoder.decode(*law, &datagram[12..length]),
                Codec::Opus(_, decoder) => decoder.decode(&datagram[12..length]).unwrap(),
            };
            self.heard.extend(samples.iter().step_by(2));
        }
    }

    /// How loud each tone was, the mean amplitude over windows of 80 ms.
    fn take_heard(&mut self) -> [f32; 3] {
        let heard = std::mem::take(&mut self.heard);
        TONES.map(|tone| {
            let windows = heard.chunks_exact(3_840);
            let count = windows.len() as f32;
            windows.map(|window| amplitude(window, tone)).sum::<f32>() / count
        })
    }
}

/// Everybody talks and listens for so many ticks; `stranger` sends noise to everybody's port.
fn talk(callers: &mut [Caller], ticks: u32, stranger: Option<&UdpSocket>) {
    let (begin, mut state) = (Instant::now(), 1_u64);
    for tick in 1..=ticks {
        callers.iter_mut().for_each(Caller::say);
        for n in 0..30_usize {
            let Some(stranger) = stranger else { break };
            let mut noise = vec![0_u8; n * 7];
            for byte in &mut noise {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8;
            }
            noise.iter_mut().take(1).for_each(|first| *first = [0x80, 0x90, 0xbf][n % 3]);
            stranger.send_to(&noise, callers[n % callers.len()].node).unwrap();
        }
        std::thread::sleep((begin + TICK * tick).saturating_duration_since(Instant::now()));
        callers.iter_mut().for_each(Caller::listen);
    }
}

#[test]
fn legs_hear_each_other_and_not_themselves_and_strangers_are_counted() {
    let room = Room::start("127.0.0.1:40100-40139");
    let mut callers: Vec<_> =
        ["pcmu", "pcma", "opus"].iter().enumerate().map(|(n, name)| Caller::join(&room, name, n)).collect();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    talk(&mut callers, 100, None);
    callers.iter_mut().for_each(|caller| caller.heard.clear());
    talk(&mut callers, 200, Some(&stranger));
    for (own, caller) in callers.iter_mut().enumerate() {
        let heard = caller.take_heard();
        println!("{own} hears {heard:?}");
        for (tone, amplitude) in heard.iter().enumerate().filter(|(tone, _)| *tone != own) {
            assert!(*amplitude > 0.01, "{own} does not hear {tone}: {heard:?}");
            assert!(heard[own] < amplitude / 100.0, "{own} hears themself: {heard:?}");
        }
        let state = room.get(&caller.location);
        assert!(
            state["packets_in"].as_u64().unwrap() >= 200 && state["packets_out"].as_u64().unwrap() >= 150,
            "{state}"
        );
        assert!(state["datagrams_refused"].as_u64().unwrap() > 1_000, "{state}");
        assert_eq!(state["remote"], json!(caller.socket.local_addr().unwrap()), "the stranger changed nothing");
        let step = if own == 2 { 960 } else { 160 };
        assert!(caller.timestamps.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) % step == 0));
    }
    let roster = room.get("/v1/rooms/party");
    let people = roster["participants"].as_array().expect("a roster");
    assert!(people.len() == 3 && people.iter().all(|person| person["microphone"] == true), "{roster}");
    let mute = json!({ "participants": { (&callers[0].participant): { "muted": true } } });
    assert_eq!(room.ask("PATCH", "/v1/rooms/party/moderation", &mute).0, 204);
    talk(&mut callers, 50, None);
    callers.iter_mut().for_each(|caller| caller.heard.clear());
    talk(&mut callers, 100, None);
    let heard = callers[1].take_heard();
    assert!(heard[0] < heard[2] / 100.0, "the muted one is heard: {heard:?}");
    for caller in &callers {
        assert_eq!(room.ask("DELETE", &caller.location, &Value::Null).0, 204);
        assert_eq!(room.ask("GET", &caller.location, &Value::Null).0, 404);
    }
    assert_eq!(room.get("/v1/rooms")["rooms"], json!([]), "the room ended with the last of them");
    room.node.stop();
}

#[test]
fn what_is_no_leg_is_refused_in_words() {
    let room = Room::start("127.0.0.1:30140-30140");
    let ask = |body: Value| {
        let (status, _, problem) = room.ask("POST", "/v1/rooms/party/legs", &body);
        (status, problem["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap().to_owned())
    };
    for body in [
        json!({ "codec": "g729" }),
        json!({}),
        json!({ "codec": "pcmu", "payload_type": 72 }),
        json!({ "codec": "opus", "ptime": 60 }),
        json!({ "codec": "pcmu", "remote": "somewhere" }),
        json!({ "codec": "pcmu", "volume": 11 }),
    ] {
        assert_eq!(ask(body.clone()), (400, "bad-leg".into()), "{body}");
    }
    assert_eq!(room.get("/v1/rooms")["rooms"], json!([]), "a refused leg makes no room");
    let taken = ask(json!({ "codec": "pcmu" }));
    assert_eq!(taken.0, 201);
    assert_eq!(ask(json!({ "codec": "pcmu" })), (503, "legs-full".into()));
    room.node.stop();
    let room = Room::start("");
    let (status, _, problem) = room.ask("POST", "/v1/rooms/party/legs", &json!({ "codec": "pcmu" }));
    assert_eq!((status, &problem["type"]), (404, &json!("urn:tessera:problem:legs-off")));
    room.node.stop();
}
