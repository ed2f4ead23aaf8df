//! **The question:** how far is a server in taking a stream? A handshake, an application, a stream of it, and then
//! tags. What a server says of an error is told by its code alone: its own words often repeat the stream's key.

use crate::base::limits;
use crate::core::flv::{Amf, Tag};
use crate::core::rtmp::chunks::{FIRST_CHUNK_BYTES, Message, Reader, write};
use crate::core::rtmp::place::{Place, RtmpError};

/// Bytes at random in the handshake (section 5.2.3).
pub const HANDSHAKE_RANDOM: usize = 1528;
/// C1, S1, C2 and S2.
const HANDSHAKE: usize = HANDSHAKE_RANDOM + 8;
const VERSION: u8 = 3;

/// Message types (sections 5.4 and 7.1).
const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const USER_CONTROL: u8 = 4;
const WINDOW_SIZE: u8 = 5;
const PEER_BANDWIDTH: u8 = 6;
const DATA: u8 = 18;
const COMMAND: u8 = 20;
/// User control events (section 7.1.7).
const PING: [u8; 2] = [0, 6];
const PONG: [u8; 2] = [0, 7];

/// Chunk streams: of the protocol itself, of commands, of sound and of pictures.
const CONTROL_CHUNKS: u8 = 2;
const COMMAND_CHUNKS: u8 = 3;
const SOUND_CHUNKS: u8 = 4;
const PICTURE_CHUNKS: u8 = 6;

/// Transactions, by which answers are known.
const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const GOODBYE: f64 = 6.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its version and its half of the handshake are waited for.
    Greeting,
    /// What it makes of ours.
    Echo,
    Connecting,
    Creating,
    Publishing,
    Up,
}

/// One connection's words, from the first byte on.
#[derive(Debug)]
pub struct Publisher {
    place: Place,
    /// Codecs by their names of four letters, where the server has to know Enhanced RTMP.
    fourccs: Vec<&'static str>,
    stage: Stage,
    greeting: Vec<u8>,
    reader: Reader,
    chunk_len: usize,
    stream: u32,
    /// After how many bytes it wants to hear how many came.
    window: u64,
    received: u64,
    acknowledged: u64,
}

impl Publisher {
    /// One that says the first words: `random` makes its handshake another than every other.
    #[must_use]
    pub fn new(place: Place, fourccs: Vec<&'static str>, random: &[u8; HANDSHAKE_RANDOM], out: &mut Vec<u8>) -> Self {
        out.push(VERSION);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(random);
        Self {
            place,
            fourccs,
            stage: Stage::Greeting,
            greeting: Vec::new(),
            reader: Reader::new(),
            chunk_len: FIRST_CHUNK_BYTES,
            stream: 0,
            window: u64::from(u32::MAX),
            received: 0,
            acknowledged: 0,
        }
    }

    /// Whether the server takes tags.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    /// Takes what the server sent, and appends what is to be said to it.
    ///
    /// # Errors
    /// When nothing will come of it; the connection is of no use then.
    pub fn handle(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RtmpError> {
        if matches!(self.stage, Stage::Greeting | Stage::Echo) {
            bytes = self.greet(bytes, out)?;
        }
        self.received += bytes.len() as u64;
        self.reader.take(bytes);
        while let Some(message) = self.reader.next()? {
            self.message(&message, out)?;
        }
        if self.received - self.acknowledged >= self.window {
            self.acknowledged = self.received;
            // Of what was received the lower 32 bits (section 5.4.3).
            self.control(ACKNOWLEDGEMENT, &(self.received as u32).to_be_bytes(), out);
        }
        Ok(())
    }

    /// Appends a tag; nothing before the server takes any.
    pub fn tag(&self, tag: &Tag, out: &mut Vec<u8>) {
        let chunks = if tag.kind as u8 == 8 { SOUND_CHUNKS } else { PICTURE_CHUNKS };
        if self.is_up() {
            write((chunks, self.stream), (tag.kind as u8, tag.time_ms), &tag.body, self.chunk_len, out);
        }
    }

    /// Appends what the stream holds.
    pub fn metadata(&self, metadata: &Amf, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        for value in [&Amf::text("@setDataFrame"), &Amf::text("onMetaData"), metadata] {
            value.write(&mut body);
        }
        if self.is_up() {
            write((SOUND_CHUNKS, self.stream), (DATA, 0), &body, self.chunk_len, out);
        }
    }

    /// Appends that nothing more comes.
    pub fn goodbye(&self, out: &mut Vec<u8>) {
        if self.is_up() {
            self.command(0, ("FCUnpublish", GOODBYE), [Amf::Null, Amf::text(&self.place.key)], out);
            self.command(0, ("deleteStream", 0.0), [Amf::Null, Amf::Number(self.stream.into())], out);
        }
    }

    /// Takes the server's half of the handshake; what is left is what follows it.
    fn greet<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], RtmpError> {
        let (whole, first) = (1 + 2 * HANDSHAKE, 1 + HANDSHAKE);
        let taken = bytes.len().min(whole - self.greeting.len());
        self.greeting.extend_from_slice(&bytes[..taken]);
        if self.greeting.first().is_some_and(|version| *version != VERSION) {
            return Err(RtmpError::Malformed("it greets by another version than 3"));
        }
        if self.stage == Stage::Greeting && self.greeting.len() >= first {
            // C2 says again what S1 said.
            out.extend_from_slice(&self.greeting[1..first]);
            self.stage = Stage::Echo;
        }
        if self.stage == Stage::Echo && self.greeting.len() == whole {
            self.greeting = Vec::new();
            self.stage = Stage::Connecting;
            self.connect(out);
        }
        Ok(&bytes[taken..])
    }

    fn connect(&mut self, out: &mut Vec<u8>) {
        let length = u32::try_from(limits::RTMP_CHUNK_LEN).expect("a chunk has some kilobytes");
        self.control(SET_CHUNK_SIZE, &length.to_be_bytes(), out);
        self.chunk_len = limits::RTMP_CHUNK_LEN;
        let mut about = vec![
            ("app", Amf::text(&self.place.app)),
            ("type", Amf::text("nonprivate")),
            ("flashVer", Amf::text("FMLE/3.0 (compatible; Tessera)")),
            ("tcUrl", Amf::text(&self.place.tc_url)),
        ];
        if !self.fourccs.is_empty() {
            about.push(("fourCcList", Amf::List(self.fourccs.iter().map(|name| Amf::text(name)).collect())));
        }
        let about = about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.command(0, ("connect", CONNECT), [Amf::Object(about)], out);
    }

    fn message(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), RtmpError> {
        let number = || message.body.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        match message.kind {
            SET_CHUNK_SIZE => self.reader.set_chunk_len(number().unwrap_or(0))?,
            ABORT => self.reader.abort(number().unwrap_or(0)),
            WINDOW_SIZE => self.window = u64::from(number().unwrap_or(u32::MAX).max(1)),
            PEER_BANDWIDTH => {
                // It is told the same window back (section 5.4.5).
                let window = number().unwrap_or(u32::MAX);
                self.control(WINDOW_SIZE, &window.to_be_bytes(), out);
            }
            USER_CONTROL if message.body.starts_with(&PING) => {
                let stamp = message.body.get(2..6).unwrap_or_default();
                self.control(USER_CONTROL, &[&PONG[..], stamp].concat(), out);
            }
            COMMAND => {
                let values = Amf::read_all(&message.body).map_err(|_| RtmpError::Malformed("a command in no AMF0"))?;
                self.answer(&values, out)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, values: &[Amf], out: &mut Vec<u8>) -> Result<(), RtmpError> {
        let name = values.first().and_then(Amf::as_text).unwrap_or_default();
        let of = values.get(1).and_then(Amf::as_number);
        match (name, self.stage) {
            ("_result", Stage::Connecting) if of == Some(CONNECT) => {
                self.stage = Stage::Creating;
                // Servers of streaming platforms want both before the stream; others ignore or refuse them.
                let key = || Amf::text(&self.place.key);
                self.command(0, ("releaseStream", RELEASE), [Amf::Null, key()], out);
                self.command(0, ("FCPublish", FC_PUBLISH), [Amf::Null, key()], out);
                self.command(0, ("createStream", CREATE_STREAM), [Amf::Null], out);
            }
            ("_result", Stage::Creating) if of == Some(CREATE_STREAM) => {
                let stream =
                    values.get(3).and_then(Amf::as_number).filter(|id| (0.0..=f64::from(u32::MAX)).contains(id));
                self.stream = stream.ok_or(RtmpError::Malformed("a stream without a number"))? as u32;
                self.stage = Stage::Publishing;
                let values = [Amf::Null, Amf::text(&self.place.key), Amf::text("live")];
                self.command(self.stream, ("publish", PUBLISH), values, out);
            }
            ("_error", Stage::Connecting | Stage::Creating)
                if matches!(of, Some(RELEASE | FC_PUBLISH)) && self.stage == Stage::Creating => {}
            ("_error", _) => return Err(refused(values.get(3))),
            ("onStatus", _) => self.status(values.get(3))?,
            ("close", _) => return Err(RtmpError::Refused("close".into())),
            _ => {}
        }
        Ok(())
    }

    fn status(&mut self, about: Option<&Amf>) -> Result<(), RtmpError> {
        let word = |name: &str| about.and_then(|about| about.get(name)).and_then(Amf::as_text).unwrap_or_default();
        match (word("level"), word("code")) {
            ("error", _) | (_, "NetStream.Unpublish.Success" | "NetConnection.Connect.Closed") => Err(refused(about)),
            (_, "NetStream.Publish.Start") if self.stage == Stage::Publishing => {
                self.stage = Stage::Up;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn control(&self, kind: u8, body: &[u8], out: &mut Vec<u8>) {
        write((CONTROL_CHUNKS, 0), (kind, 0), body, self.chunk_len, out);
    }

    fn command<const N: usize>(
        &self,
        stream: u32,
        (name, transaction): (&str, f64),
        values: [Amf; N],
        out: &mut Vec<u8>,
    ) {
        let mut body = Vec::new();
        Amf::text(name).write(&mut body);
        Amf::Number(transaction).write(&mut body);
        values.iter().for_each(|value| value.write(&mut body));
        write((COMMAND_CHUNKS, stream), (COMMAND, 0), &body, self.chunk_len, out);
    }
}

/// By its code, if that looks like one.
fn refused(about: Option<&Amf>) -> RtmpError {
    let code = about.and_then(|about| about.get("code")).and_then(Amf::as_text).unwrap_or_default();
    let is_code =
        code.len() <= 64 && code.starts_with("Net") && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
    RtmpError::Refused(if is_code { code.to_owned() } else { "without a code".to_owned() })
}
