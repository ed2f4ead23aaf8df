//! **The question:** how do messages become chunks and chunks messages (RTMP 1.0, section 5.3)? What is written always
//! has a whole header, for messages of ours are long; what is read may have any of the four.

use std::collections::HashMap;

use crate::base::limits;
use crate::core::rtmp::place::RtmpError;

/// How many bytes a chunk has until another size is said.
pub(super) const FIRST_CHUNK_BYTES: usize = 128;
/// Times from here on stand behind the header (section 5.3.1.3).
const EXTENDED_TIME: u32 = 0xff_ffff;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// Appends a message in chunks of at most `chunk_len` bytes.
pub(super) fn write(
    (chunk_stream, stream): (u8, u32),
    (kind, time_ms): (u8, u32),
    body: &[u8],
    chunk_len: usize,
    out: &mut Vec<u8>,
) {
    let extended = (time_ms >= EXTENDED_TIME).then(|| time_ms.to_be_bytes());
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.push(chunk_stream);
    out.extend_from_slice(&time_ms.min(EXTENDED_TIME).to_be_bytes()[1..]);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(extended.as_ref().map_or(&[], |time| &time[..]));
    for (n, chunk) in body.chunks(chunk_len.max(1)).enumerate() {
        if n > 0 {
            out.push(3 << 6 | chunk_stream);
            out.extend_from_slice(extended.as_ref().map_or(&[], |time| &time[..]));
        }
        out.extend_from_slice(chunk);
    }
}

/// What is known of a chunk stream.
#[derive(Debug, Default)]
struct ChunkStream {
    length: usize,
    kind: u8,
    is_extended: bool,
    /// What has come of the message under way.
    body: Vec<u8>,
}

/// Puts messages together.
#[derive(Debug)]
pub(super) struct Reader {
    chunk_len: usize,
    streams: HashMap<u32, ChunkStream>,
    /// What came and is no whole chunk yet.
    waiting: Vec<u8>,
}

/// A chunk's header, read.
struct Header {
    stream: u32,
    /// Length and kind of the message, where the header says them.
    message: Option<(usize, u8)>,
    is_extended: Option<bool>,
    bytes: usize,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { chunk_len: FIRST_CHUNK_BYTES, streams: HashMap::new(), waiting: Vec::new() }
    }

    /// The server writes chunks of that many bytes from now on (section 5.4.1).
    pub(super) fn set_chunk_len(&mut self, length: u32) -> Result<(), RtmpError> {
        let length = usize::try_from(length & 0x7fff_ffff).unwrap_or(usize::MAX);
        if length == 0 {
            return Err(RtmpError::Malformed("a chunk size of 0"));
        }
        self.chunk_len = length.min(limits::RTMP_MESSAGE_LEN_MAX);
        Ok(())
    }

    /// A message is given up in the middle (section 5.4.2).
    pub(super) fn abort(&mut self, stream: u32) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.body.clear();
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next whole message of what was taken.
    pub(super) fn next(&mut self) -> Result<Option<Message>, RtmpError> {
        let (mut at, mut found) = (0, None);
        while found.is_none() {
            let Some((used, message)) = self.chunk(at)? else { break };
            at += used;
            found = message;
        }
        self.waiting.drain(..at);
        Ok(found)
    }

    /// One chunk at that place; how long it was, and the message that it ends.
    fn chunk(&mut self, at: usize) -> Result<Option<(usize, Option<Message>)>, RtmpError> {
        let bytes = &self.waiting[at..];
        let Some(header) = header(bytes) else { return Ok(None) };
        if !self.streams.contains_key(&header.stream) && self.streams.len() >= limits::RTMP_CHUNK_STREAMS_MAX {
            return Err(RtmpError::Malformed("more chunk streams than anybody needs"));
        }
        let stream = self.streams.entry(header.stream).or_default();
        if let Some(is_extended) = header.is_extended {
            stream.is_extended = is_extended;
        }
        let (length, kind) = match header.message {
            Some(_) if !stream.body.is_empty() => {
                return Err(RtmpError::Malformed("a message in the middle of another"));
            }
            Some(message) => message,
            None => (stream.length, stream.kind),
        };
        if length > limits::RTMP_MESSAGE_LEN_MAX {
            return Err(RtmpError::Malformed("a message longer than any that a publisher is sent"));
        }
        let begins = header.bytes + if stream.is_extended { 4 } else { 0 };
        let part = (length - stream.body.len().min(length)).min(self.chunk_len);
        let Some(body) = bytes.get(begins..begins + part) else { return Ok(None) };
        (stream.length, stream.kind) = (length, kind);
        stream.body.extend_from_slice(body);
        let is_whole = stream.body.len() >= length;
        let message = is_whole.then(|| Message { kind, body: std::mem::take(&mut stream.body) });
        Ok(Some((begins + part, message)))
    }
}

/// `None` where it has not come whole.
fn header(bytes: &[u8]) -> Option<Header> {
    let first = *bytes.first()?;
    let (stream, basic) = match first & 0x3f {
        0 => (u32::from(*bytes.get(1)?) + 64, 2),
        1 => (u32::from(*bytes.get(1)?) + u32::from(*bytes.get(2)?) * 256 + 64, 3),
        stream => (u32::from(stream), 1),
    };
    let more = match first >> 6 {
        0 => 11,
        1 => 7,
        2 => 3,
        _ => 0,
    };
    let fields = bytes.get(basic..basic + more)?;
    let three = |at: usize| u32::from_be_bytes([0, fields[at], fields[at + 1], fields[at + 2]]);
    let message = (more >= 7).then(|| (three(3) as usize, fields[6]));
    let is_extended = (more >= 3).then(|| three(0) == EXTENDED_TIME);
    Some(Header { stream, message, is_extended, bytes: basic + more })
}
