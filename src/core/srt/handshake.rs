//! **The question:** what is said before a stream (section 3.2.1), and what does the listener make of it?

use std::time::Duration;

use crate::core::srt::packet::SrtError;
use crate::core::srt::secrecy::Secrecy;

/// Bytes before extensions.
const FIXED: usize = 48;
const INDUCTION: u32 = 1;
const CONCLUSION: u32 = 0xffff_ffff;
/// From here on a handshake's type is a reason to refuse (section 4.3).
const REFUSAL: u32 = 1000;
/// How many there are, those of applications among them.
const REFUSALS: u32 = 9000;
/// What a listener of version 1.3 says in place of extension flags.
const MAGIC: u16 = 0x4a17;
/// Of this side: 1.5.0, as it does what that does.
const VERSION: u32 = 0x0001_0500;
const MTU: u32 = 1500;
/// Packets that may be under way.
pub(super) const WINDOW: u32 = 8192;

/// Extensions (table 5), and their flags.
const HS_REQUEST: u16 = 1;
const HS_RESPONSE: u16 = 2;
const KM_REQUEST: u16 = 3;
const KM_RESPONSE: u16 = 4;
const STREAM_ID: u16 = 5;
const HAS_HS: u16 = 1;
const HAS_KM: u16 = 2;
const HAS_CONFIG: u16 = 4;
/// Time-stamped on both sides, encryption is known, late packets are dropped, losses are told again, repairs are
/// marked.
const FLAGS: u32 = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20;

/// What a listener answered to the first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Induced {
    pub(super) cookie: u32,
}

/// What it answered to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Concluded {
    /// Its socket.
    pub(super) socket: u32,
    /// How long it holds packets back before they are played.
    pub(super) latency: Duration,
}

/// What this side is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) socket: u32,
    pub(super) sequence: u32,
}

fn fixed(own: Own, (version, encryption, extension): (u32, u16, u16), (kind, cookie): (u32, u32)) -> Vec<u8> {
    let mut body = Vec::with_capacity(FIXED);
    body.extend_from_slice(&version.to_be_bytes());
    body.extend_from_slice(&encryption.to_be_bytes());
    body.extend_from_slice(&extension.to_be_bytes());
    for word in [own.sequence, MTU, WINDOW, kind, own.socket, cookie] {
        body.extend_from_slice(&word.to_be_bytes());
    }
    // The listener's address is not said.
    body.resize(FIXED, 0);
    body
}

/// The first word.
pub(super) fn induction(own: Own) -> Vec<u8> {
    fixed(own, (4, 0, 2), (INDUCTION, 0))
}

/// The second.
pub(super) fn conclusion(
    own: Own,
    cookie: u32,
    latency: Duration,
    (stream_id, secrecy): (&str, Option<&Secrecy>),
) -> Vec<u8> {
    let encryption = secrecy.map_or(0, |secrecy| secrecy.length().word());
    let has = |flag, so| if so { flag } else { 0 };
    let extension = HAS_HS | has(HAS_KM, secrecy.is_some()) | has(HAS_CONFIG, !stream_id.is_empty());
    let mut body = fixed(own, (5, encryption, extension), (CONCLUSION, cookie));
    let ms = u32::try_from(latency.as_millis()).unwrap_or(u32::from(u16::MAX)).min(u32::from(u16::MAX));
    let words = [VERSION, FLAGS, ms << 16 | ms].map(u32::to_be_bytes).concat();
    append(HS_REQUEST, &words, &mut body);
    if let Some(secrecy) = secrecy {
        append(KM_REQUEST, &secrecy.key_material(), &mut body);
    }
    if !stream_id.is_empty() {
        // Words of four bytes, each of them the wrong way round.
        let mut text = stream_id.as_bytes().to_vec();
        text.resize(text.len().next_multiple_of(4), 0);
        text.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        append(STREAM_ID, &text, &mut body);
    }
    body
}

fn append(kind: u16, content: &[u8], body: &mut Vec<u8>) {
    let words = u16::try_from(content.len() / 4).expect("extensions are short, and whole words");
    body.extend_from_slice(&kind.to_be_bytes());
    body.extend_from_slice(&words.to_be_bytes());
    body.extend_from_slice(content);
}

struct Read<'a> {
    version: u32,
    extension: u16,
    kind: u32,
    socket: u32,
    cookie: u32,
    rest: &'a [u8],
}

fn read(body: &[u8]) -> Option<Read<'_>> {
    let (fixed, rest) = body.split_first_chunk::<FIXED>()?;
    let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let extension = u16::from_be_bytes([fixed[6], fixed[7]]);
    Some(Read { version: word(0), extension, kind: word(20), socket: word(24), cookie: word(28), rest })
}

/// What the answer to the first word says; `None` for what is none.
pub(super) fn induced(body: &[u8]) -> Option<Result<Induced, SrtError>> {
    let read = read(body)?;
    match read.kind {
        INDUCTION if read.version == 5 && read.extension == MAGIC => Some(Ok(Induced { cookie: read.cookie })),
        INDUCTION => Some(Err(SrtError::Malformed("it does not know handshakes of version 5"))),
        kind => refusal(kind).map(Err),
    }
}

/// The same of the second. What it says of the key is that it has it, or a word for why not.
pub(super) fn concluded(body: &[u8], is_secret: bool) -> Option<Result<Concluded, SrtError>> {
    let read = read(body)?;
    if read.kind != CONCLUSION {
        return refusal(read.kind).map(Err);
    }
    let (mut rest, mut latency, mut key) = (read.rest, None, false);
    while let Some((header, behind)) = rest.split_first_chunk::<4>() {
        let (kind, words) = (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]));
        let Some((content, behind)) = behind.split_at_checked(usize::from(words) * 4) else { break };
        match (kind, content) {
            (HS_RESPONSE, [_, _, _, _, _, _, _, _, high, low, ..]) => {
                latency = Some(Duration::from_millis(u16::from_be_bytes([*high, *low]).into()));
            }
            // One word alone says that the passphrase is another, or that there is none.
            (KM_RESPONSE, content) => key = content.len() > 4,
            _ => {}
        }
        rest = behind;
    }
    let Some(latency) = latency else { return Some(Err(SrtError::Malformed("a handshake without its extension"))) };
    if is_secret && !key {
        return Some(Err(SrtError::Passphrase));
    }
    Some(Ok(Concluded { socket: read.socket, latency }))
}

/// Section 4.3, table 7.
fn refusal(kind: u32) -> Option<SrtError> {
    let code = kind.checked_sub(REFUSAL).filter(|code| *code < REFUSALS)?;
    Some(match code {
        // A bad secret, and an unsecure one: one side has a passphrase and the other none.
        10 | 11 => SrtError::Passphrase,
        2 => SrtError::Refused("by its peer's wish".into()),
        3 => SrtError::Refused("it has no resources left".into()),
        5 => SrtError::Refused("its backlog is full".into()),
        7 => SrtError::Refused("it is closing".into()),
        8 => SrtError::Refused("it wants another version".into()),
        16 => SrtError::Refused("the connection was not accepted in time".into()),
        // Its own words, by which media servers say what HTTP's would (2000 and above: 1401, 1403, 1404 with their
        // names).
        code => SrtError::Refused(format!("code {}", u64::from(code) + u64::from(REFUSAL))),
    })
}
