//! **The question:** what might a person who is in a call send who means no good? A camera, a microphone and the data
//! channel, made of str0m over a real socket: whatever RTP a test likes, encrypted as it should be.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::SdpAnswer;
use str0m::channel::ChannelId;
use str0m::format::Codec as WireCodec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tessera::base::limits;
use tessera::base::media::{Codec, EncodedFrame};
use tessera::core::signal;
use tessera::io::webrtc::Packetiser;

use super::harness::block_on;
use crate::browser::driver::client;
use crate::browser::node::Node;
use crate::client::PATIENCE;

/// How many bytes may wait to be said.
const SAID_MAX: usize = 16 << 20;
/// How often a test looks whether what it waits for has happened.
const LOOKS: Duration = Duration::from_millis(300);
/// How long a node may have no room for one more.
const ROOM_PATIENCE: Duration = Duration::from_secs(120);
/// Packets that a late sender catches up with at once.
const BURST: u32 = 20;

/// One packet to be sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What its payload type says.
    pub codec: Codec,
    /// Whose; `None`: the stream that its m-line announced.
    pub ssrc: Option<u32>,
    /// How far its number is from the last one of its stream.
    pub step: u64,
    /// RTP time.
    pub time: u32,
    /// The marker bit.
    pub marker: bool,
    /// What is in it.
    pub payload: Arc<[u8]>,
}

impl Sent {
    /// One packet of sound.
    pub fn sound(payload: &[u8], time: u32) -> Self {
        Self { codec: Codec::Opus, ssrc: None, step: 1, time, marker: false, payload: Arc::from(payload) }
    }

    /// The packets of a picture.
    pub fn picture(frame: &Arc<EncodedFrame>, time: u32) -> Vec<Self> {
        let payloads = Packetiser::new().packetise(frame).payloads;
        let (codec, count) = (frame.codec, payloads.len());
        let packet = |(at, payload)| Self { codec, ssrc: None, step: 1, time, marker: at + 1 == count, payload };
        payloads.into_iter().enumerate().map(packet).collect()
    }
}

/// Who sends.
pub struct Sender {
    /// Their id in the room.
    pub participant: String,
    /// What the node said on the data channel, oldest first.
    pub told: Vec<Value>,
    /// How often a keyframe was asked for.
    pub keyframes_asked: u32,
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    camera: Mid,
    microphone: Mid,
    channel: Option<ChannelId>,
    /// The last number of each stream.
    sequences: HashMap<(Mid, Option<u32>), u64>,
}

impl Sender {
    /// Joins over HTTP, and waits until the node says welcome.
    pub fn join(node: &Node, room: &str, name: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let now = Instant::now();
        let rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        let rtc = rtc.set_sctp_max_buffered_amount(SAID_MAX);
        let mut rtc = rtc.enable_av1(true).enable_h264(true).enable_vp8(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let camera = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let microphone = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        api.add_channel(signal::LABEL.to_owned());
        let (offer, pending) = api.apply().expect("three lines are new");
        let answer = answered(&format!("{}v1/rooms/{room}/participants?name={name}", node.url), &offer.to_sdp_string());
        // Whatever the node takes in one message, this one believes that it is more.
        let told = format!("a=max-message-size:{}", limits::SIGNAL_LEN_MAX);
        assert!(answer.contains(&told), "{answer}");
        let answer = answer.replace(&told, "a=max-message-size:100000000");
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        let mut sender = Self {
            participant: String::new(),
            told: Vec::new(),
            keyframes_asked: 0,
            rtc,
            socket,
            address,
            camera,
            microphone,
            channel: None,
            sequences: HashMap::new(),
        };
        sender.drain_outputs();
        sender.until("a welcome", |sender| sender.last("welcome").is_some());
        let told = sender.last("welcome").expect("waited for")["participant"].as_str().map(str::to_owned);
        sender.participant = told.expect("a participant has an id");
        sender
    }

    /// The newest message of a type.
    pub fn last(&self, kind: &str) -> Option<&Value> {
        self.told.iter().rev().find(|message| message["type"] == kind)
    }

    /// Whether it was told of a problem of this kind whose words contain `word`.
    pub fn was_told(&self, kind: &str, word: &str) -> bool {
        self.told.iter().any(|told| {
            told["kind"].as_str().is_some_and(|told| told.ends_with(kind)) && told.to_string().contains(word)
        })
    }

    /// Says a message on the data channel; false where the channel takes none.
    pub fn say(&mut self, kind: &str, mut fields: Value) -> bool {
        (fields["v"], fields["type"]) = (json!(signal::VERSION), json!(kind));
        self.say_text(&fields.to_string())
    }

    /// Says any text.
    pub fn say_text(&mut self, text: &str) -> bool {
        let mut channel = self.channel.and_then(|id| self.rtc.channel(id)).expect("the channel is open");
        let said = channel.write(false, text.as_bytes());
        self.drain_outputs();
        said.is_ok_and(|said| said)
    }

    /// Goes on, and sends nothing.
    pub fn until(&mut self, what: &str, enough: impl FnMut(&Self) -> bool) {
        self.sends(what, 10, |_| Vec::new(), enough);
    }

    /// Sends the packets of the n-th turn, so many turns a second, until `enough` likes what came of it.
    pub fn sends(
        &mut self,
        what: &str,
        a_second: u32,
        mut turn: impl FnMut(u32) -> Vec<Sent>,
        mut enough: impl FnMut(&Self) -> bool,
    ) {
        let (begun, mut n, mut late, mut looked) = (Instant::now(), 0, 0, Instant::now());
        loop {
            for _ in 0..BURST {
                let due = begun + Duration::from_secs(1) * (n + late) / a_second;
                if due > Instant::now() {
                    break;
                }
                turn(n).into_iter().for_each(|packet| self.send(packet));
                n += 1;
            }
            // A machine that is full sends less; it need not catch up.
            let whole = (begun.elapsed().as_secs_f64() * f64::from(a_second)) as u32;
            late = late.max(whole.saturating_sub(n + BURST));
            self.step(Duration::from_millis(1));
            if looked.elapsed() >= LOOKS {
                if enough(self) {
                    println!("{what}: after {:.1} s and {n} turns", begun.elapsed().as_secs_f64());
                    return;
                }
                looked = Instant::now();
            }
            assert!(begun.elapsed() < PATIENCE, "never: {what}; last told {:?}", self.told.last());
        }
    }

    /// Leaves.
    pub fn leave(mut self) {
        let _ = self.rtc.close();
        self.drain_outputs();
    }

    fn send(&mut self, packet: Sent) {
        let is_sound = packet.codec == Codec::Opus;
        let mid = if is_sound { self.microphone } else { self.camera };
        let wire = match packet.codec {
            Codec::Opus => WireCodec::Opus,
            Codec::Av1 => WireCodec::Av1,
            Codec::H264 => WireCodec::H264,
            Codec::Vp8 => WireCodec::Vp8,
            other => panic!("nobody sends {other:?} here"),
        };
        let format = self.rtc.codec_config().params().iter().find(|params| params.spec().codec == wire);
        let pt = format.expect("it was offered").pt();
        let sequence = self.sequences.entry((mid, packet.ssrc)).or_insert(1_000);
        *sequence += packet.step;
        let number = *sequence;
        let mut direct = self.rtc.direct_api();
        let stream = match packet.ssrc {
            Some(ssrc) => Some(direct.declare_stream_tx(Ssrc::from(ssrc), None, mid, None)),
            None => direct.stream_tx_by_mid(mid, None),
        };
        let write = RtpWrite::new(pt, number.into(), packet.time, Instant::now(), packet.payload);
        stream.expect("the line sends").write_rtp(write.marker(packet.marker).nackable(!is_sound));
        if let Some(ssrc) = packet.ssrc {
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            self.drain_outputs();
            self.rtc.direct_api().remove_stream_tx(Ssrc::from(ssrc));
        }
    }

    fn step(&mut self, span: Duration) {
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs();
        self.socket.set_read_timeout(Some(span)).unwrap();
        let mut datagram = [0; 2048];
        // The first one is waited for, those behind it are not.
        while let Ok((length, source)) = self.socket.recv_from(&mut datagram) {
            if let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, &datagram[..length]) {
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                self.drain_outputs();
            }
        }
    }

    fn drain_outputs(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => {
                    // A full socket buffer is a lost datagram.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::ChannelData(data)) => {
                    self.told.push(serde_json::from_slice(&data.data).expect("messages are JSON"));
                }
                Output::Event(Event::KeyframeRequest(_)) => self.keyframes_asked += 1,
                Output::Event(_) => {}
            }
        }
    }
}

/// The answer to an offer. A machine that is full takes nobody in for a while, and says so: it is asked again.
fn answered(url: &str, offer: &str) -> String {
    let until = Instant::now() + ROOM_PATIENCE;
    loop {
        let request = client().post(url).header("content-type", "application/sdp").body(offer.to_owned());
        let (status, text) = block_on(async {
            let response = request.send().await.expect("the node answers");
            (response.status().as_u16(), response.text().await.expect("an answer is text"))
        });
        if status == 201 {
            return text;
        }
        assert!(status == 503 && Instant::now() < until, "{status}: {text}");
        std::thread::sleep(LOOKS);
    }
}
