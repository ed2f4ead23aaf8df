//! **The question:** what would a client of one's own do here? A voice out, the mix in and the data channel, made of
//! str0m over a real socket. Each client says a tone of its own, in words; who is heard is read from what comes back.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::SdpAnswer;
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tessera::base::media::{PcmBlock, Pts};
use tessera::core::signal;
use tessera::engine::decode::OpusDecoder;
use tessera::engine::encode::{OpusEncoder, OpusEncoderConfig};

const TICK: Duration = Duration::from_millis(20);
const FRAMES: usize = 960;
/// Frequencies of the voices, hertz.
pub const TONES: [f32; 4] = [700.0, 1_100.0, 1_700.0, 2_300.0];
/// Samples over which a tone is measured, 80 ms, and how many of such windows are remembered: two words of everybody.
const WINDOW: usize = 3_840;
const WINDOWS: usize = 13;
/// Mean amplitude from which on a tone is heard; words are ten times as loud, what others leave there is a tenth.
const AUDIBLE: f32 = 0.01;
/// How long an event may take on a slow and busy machine before the test says that it will never happen.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// Between two offers to a node that is at its limit.
const AT_LIMIT_SPACING: Duration = Duration::from_millis(500);

/// One person in a room.
pub struct Client {
    /// Their id in the room.
    pub participant: String,
    /// What the node said on the data channel, oldest first; anyone who read it takes it away.
    pub told: Vec<Value>,
    tone: f32,
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    microphone: Mid,
    channel: Option<ChannelId>,
    next: Instant,
    began: Instant,
    sent: u32,
    encoder: OpusEncoder,
    decoder: OpusDecoder,
    heard: Vec<f32>,
    windows: VecDeque<[f32; TONES.len()]>,
}

impl Client {
    /// Joins over HTTP with the n-th of the voices, and waits until the node says welcome. `base` ends with a slash.
    pub fn join(base: &str, room: &str, name: &str, number: usize) -> Self {
        Self::join_by(base, room, name, number, None)
    }

    /// As `join`, by a token.
    pub fn join_by(base: &str, room: &str, name: &str, number: usize, token: Option<&str>) -> Self {
        Self::join_from(IpAddr::from([127, 0, 0, 1]), base, room, (name, number), token)
    }

    /// As `join_by`, from an address of this machine, over HTTP and with media.
    pub fn join_from(ip: IpAddr, base: &str, room: &str, (name, number): (&str, usize), token: Option<&str>) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let now = Instant::now();
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let microphone = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        api.add_channel(signal::LABEL.to_owned());
        let (offer, pending) = api.apply().expect("three lines are new");
        let url = format!("{base}v1/rooms/{room}/participants?name={name}");
        let answer = SdpAnswer::from_sdp_string(&offer_over_http(ip, &url, offer.to_sdp_string(), token)).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let mut client = Self {
            participant: String::new(),
            tone: TONES[number],
            told: Vec::new(),
            rtc,
            socket,
            address,
            microphone,
            channel: None,
            next: now,
            began: Instant::now(),
            sent: 0,
            encoder: OpusEncoder::new(OpusEncoderConfig::default()).unwrap(),
            decoder: OpusDecoder::new().unwrap(),
            heard: Vec::new(),
            windows: VecDeque::new(),
        };
        client.drain_outputs();
        let welcome = |clients: &[Self]| clients[0].last("welcome").is_some();
        wait_until(std::slice::from_mut(&mut client), "a welcome", welcome);
        let told = client.last("welcome").expect("waited for")["participant"].as_str().map(str::to_owned);
        client.participant = told.expect("a participant has an id");
        client
    }

    /// The newest message of a type that was not taken away.
    pub fn last(&self, kind: &str) -> Option<&Value> {
        self.told.iter().rev().find(|message| message["type"] == kind)
    }

    /// What the newest `room` says of a participant.
    pub fn person(&self, participant: &str) -> &Value {
        let people = self.last("room").and_then(|room| room["participants"].as_array());
        people.and_then(|people| people.iter().find(|person| person["id"] == participant)).unwrap_or(&Value::Null)
    }

    /// Says a message on the data channel; `fields` beside `v` and `type`.
    pub fn say(&mut self, kind: &str, mut fields: Value) {
        fields["v"] = json!(signal::VERSION);
        fields["type"] = json!(kind);
        let mut channel = self.channel.and_then(|id| self.rtc.channel(id)).expect("the channel is open");
        assert!(channel.write(false, fields.to_string().as_bytes()).unwrap());
        self.drain_outputs();
    }

    /// Whether the n-th voice was heard in the last second; `None` until a second was heard since `forget`.
    pub fn hears(&self, number: usize) -> Option<bool> {
        let sum: f32 = self.windows.iter().map(|window| window[number]).sum();
        (self.windows.len() == WINDOWS).then_some(sum / WINDOWS as f32 > AUDIBLE)
    }

    /// Forgets what was heard.
    pub fn forget(&mut self) {
        self.windows.clear();
    }

    /// Sends the words that are due, receives what came, serves timers.
    fn step(&mut self) {
        let mut datagram = [0; 2048];
        while let Ok((length, source)) = self.socket.recv_from(&mut datagram) {
            if let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, &datagram[..length]) {
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                self.drain_outputs();
            }
        }
        while self.channel.is_some() && self.began + TICK * self.sent <= Instant::now() {
            self.speak();
        }
        let now = Instant::now();
        if now >= self.next {
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drain_outputs();
        }
    }

    /// Says 20 ms: words of 300 ms with pauses of 200 ms, each a tone that swells and fades.
    fn speak(&mut self) {
        let mut block = PcmBlock::silence();
        for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
            let at = self.sent as usize * FRAMES + n;
            let phase = (at % 24_000) as f32 / 48_000.0;
            let open = if phase < 0.3 { (phase / 0.3 * TAU / 2.0).sin() } else { 0.0 };
            pair.fill(0.25 * open * (TAU * self.tone * (at % 48_000) as f32 / 48_000.0).sin());
        }
        let payload: Arc<[u8]> = Arc::from(&self.encoder.encode(&block, Pts(0)).unwrap().data[..]);
        let pt = self.rtc.codec_config().params()[0].pt();
        let levels = ExtensionValues { audio_level: Some(-20), voice_activity: Some(true), ..Default::default() };
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.microphone, None).expect("the line sends");
        let (sequence, time) = (u64::from(self.sent) + 1000, self.sent * FRAMES as u32);
        stream.write_rtp(RtpWrite::new(pt, sequence.into(), time, Instant::now(), payload).ext_vals(levels));
        self.sent += 1;
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs();
    }

    fn hear(&mut self, packet: &[u8]) {
        let samples = self.decoder.decode(packet).expect("the node sends Opus");
        self.heard.extend(samples.iter().step_by(2));
        while self.heard.len() >= WINDOW {
            let window: Vec<f32> = self.heard.drain(..WINDOW).collect();
            if self.windows.len() == WINDOWS {
                self.windows.pop_front();
            }
            self.windows.push_back(TONES.map(|tone| amplitude(&window, tone)));
        }
    }

    fn drain_outputs(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(next) => {
                    self.next = next;
                    return;
                }
                Output::Transmit(transmit) => {
                    // A full socket buffer is a lost datagram.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::ChannelOpen(id, _)) => {
                    (self.channel, self.began) = (Some(id), Instant::now());
                }
                Output::Event(Event::ChannelData(data)) => {
                    self.told.push(serde_json::from_slice(&data.data).expect("messages are JSON"));
                }
                Output::Event(Event::RtpPacket(packet)) if !packet.payload.is_empty() => {
                    self.hear(&packet.payload);
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// Everybody talks and listens until `enough` likes what they know.
pub fn wait_until(clients: &mut [Client], what: &str, enough: impl Fn(&[Client]) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        clients.iter_mut().for_each(Client::step);
        if enough(clients) {
            return;
        }
        let told = |client: &Client| client.told.last().map(ToString::to_string);
        assert!(Instant::now() < until, "never: {what}; last told {:?}", clients.iter().map(told).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How loud a tone is in a window, under Hann's weights.
pub fn amplitude(window: &[f32], tone: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        let weight = 1.0 - (TAU * n as f32 / window.len() as f32).cos();
        let (sin, cos) = (TAU * tone * n as f32 / 48_000.0).sin_cos();
        (re, im) = (re + weight * sample * cos, im + weight * sample * sin);
    }
    2.0 * f32::hypot(re, im) / window.len() as f32
}

fn offer_over_http(ip: IpAddr, url: &str, offer: String, token: Option<&str>) -> String {
    let client = reqwest::Client::builder().local_address(ip).timeout(PATIENCE).build().expect("an address of ours");
    let request = client.post(url).header("content-type", "application/sdp").body(offer);
    let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let until = Instant::now() + PATIENCE;
    runtime.block_on(async {
        loop {
            let request = request.try_clone().expect("its body is text");
            let response = request.send().await.expect("the node answers");
            let (status, text) = (response.status(), response.text().await.expect("an answer is text"));
            if status == 201 {
                return text;
            }
            // A machine that is at its limit takes nobody in for a while.
            assert!(status == 503 && text.contains("node-at-limit") && Instant::now() < until, "{status}: {text}");
            tokio::time::sleep(AT_LIMIT_SPACING).await;
        }
    })
}
