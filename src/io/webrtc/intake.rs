//! **The question:** which of an offer's m-lines are taken, and what does str0m need to read of them? Offers of every
//! legal shape (RFC 8866, 8829, 9143) become one shape that it reads; what cannot be taken is refused line by line with
//! a reason (RFC 3264 section 6), or as a whole where that is the rule (RFC 9725 section 4.4). `reply` turns the answer
//! back.

use std::collections::HashMap;
use std::fmt::Write;

use crate::base::limits;
use crate::base::media::{Codec, RungCodecs};
use crate::engine::decode::decodes;
use crate::engine::encode::encodes;
use crate::io::webrtc::extensions;
use crate::io::webrtc::fingerprint;
use crate::io::webrtc::offer::OfferError;
use crate::io::webrtc::role::PeerRole;
use crate::io::webrtc::sdp::{Description, Flow, Section};

/// An offer, read.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    /// The offer in the shape that str0m reads.
    pub(super) text: String,
    /// Its m-lines in their order.
    pub(super) lines: Vec<Line>,
    /// Whether the offer has an a=group:BUNDLE.
    pub(super) bundled: bool,
    /// Whether it allows header extensions of both forms side by side (RFC 8285 section 6).
    pub(super) mixed_extensions: bool,
}

/// What an answer must know of one offered m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: String,
    pub(super) protocol: String,
    /// As offered, for a line that is refused.
    pub(super) formats: Vec<String>,
    /// Its name, if the offer gives one.
    pub(super) mid: Option<String>,
    pub(super) fate: Fate,
    /// Feedback that is offered for formats that are taken.
    pub(super) feedback: Vec<String>,
    /// The parameters of the offered AV1, which its answer repeats (AV1 RTP specification, section 7.2.3).
    pub(super) parameters: Option<String>,
    /// The codecs of pictures that may be sent on it.
    pub(super) sends: RungCodecs,
    /// Stereo is welcome.
    pub(super) stereo: bool,
}

/// What becomes of an m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    /// Its sender offered it with port 0.
    Dead,
    /// Why it cannot be taken.
    Refused(OfferError),
}

/// Profiles that an answer takes (RFC 8829 section 5.1.2): what is spoken is UDP/TLS/RTP/SAVPF all the same.
const PROFILES: [&str; 8] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/TLS/RTP/SAVPF",
    "TCP/TLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
    "RTP/AVPF",
    "RTP/AVP",
];

/// How data channels are offered (RFC 8841), the last by drafts of it.
const DATA_PROFILES: [&str; 3] = ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"];

/// The RTP payload names of what is taken.
const AV1: &str = "av1/90000";
const PICTURES: [(&str, Codec); 4] =
    [(AV1, Codec::Av1), ("vp9/90000", Codec::Vp9), ("h264/90000", Codec::H264), ("vp8/90000", Codec::Vp8)];
const OPUS: &str = "opus/48000/2";

impl Intake {
    /// Reads an offer for a connection of `role`.
    ///
    /// # Errors
    /// When nothing of it can be taken, or not all and that is the rule.
    pub(super) fn read(offer: &str, role: PeerRole) -> Result<Self, OfferError> {
        if offer.len() > limits::SDP_LEN_MAX {
            return Err(OfferError::TooLong(offer.len()));
        }
        if !offer.starts_with("v=0") {
            return Err(OfferError::Malformed("it does not begin with 'v=0'".into()));
        }
        let lines = offer.matches("\nm=").count();
        if lines > limits::OFFER_LINES_MAX {
            return Err(OfferError::ManyLines(lines));
        }
        let description = Description::read(offer).map_err(OfferError::Malformed)?;
        let group = bundle(&description);
        let mut places = Places::default();
        let lines: Vec<Line> = description
            .sections
            .iter()
            .map(|section| line_of(&description, section, group.as_deref(), role, &mut places))
            .collect();
        check(&description, &lines, group.is_some(), role)?;
        let text = normalised(&description, &lines, role)?;
        let mixed_extensions = description.anywhere("extmap-allow-mixed").next().is_some()
            || description.attributes.contains(&"extmap-allow-mixed");
        Ok(Self { text, lines, bundled: group.is_some(), mixed_extensions })
    }

    /// Whether its sender is to be told in RTCP how much it may send, as the answer then says.
    pub(super) fn takes_remb(&self) -> bool {
        let taken = self.lines.iter().filter(|line| line.fate == Fate::Taken && line.kind == "video");
        taken.flat_map(|line| &line.feedback).any(|feedback| feedback == "goog-remb")
    }

    /// What is refused, for whoever offered it: the m-line's number from 0, and why.
    pub(super) fn refusals(&self) -> Vec<String> {
        let lines = self.lines.iter().enumerate();
        let refused = lines.filter_map(|(at, line)| match &line.fate {
            Fate::Refused(why) => Some(format!("m-line {at} ({}) is refused: {why}", line.kind)),
            Fate::Taken | Fate::Dead => None,
        });
        refused.collect()
    }
}

/// The mids of the first BUNDLE group.
fn bundle<'a>(description: &Description<'a>) -> Option<Vec<&'a str>> {
    description.of_session("group").find_map(|group| {
        let mut words = group.split_ascii_whitespace();
        (words.next() == Some("BUNDLE")).then(|| words.collect())
    })
}

/// How many tracks of each kind were taken.
#[derive(Default)]
struct Places {
    video: usize,
    audio: usize,
    data: bool,
}

fn line_of(
    description: &Description<'_>,
    section: &Section<'_>,
    group: Option<&[&str]>,
    role: PeerRole,
    places: &mut Places,
) -> Line {
    let mid = section.value("mid");
    let flow = own_flow(description, section, role);
    let formats = taken_formats(section, flow);
    let fate = fate_of(description, section, (group, &formats), role, places);
    let offered = section.values("rtcp-fb").filter_map(|value| value.split_once(' '));
    let feedback = offered.filter(|(format, _)| *format == "*" || formats.contains(format));
    let first = formats.first().copied().unwrap_or_default();
    // The first voice of a person is a microphone: in stereo it would cost twice the bits for the same sound.
    let sends = own_flow(description, section, role) != Flow::RecvOnly;
    let is_microphone =
        matches!(role, PeerRole::Participant(_)) && section.kind == "audio" && sends && places.audio == 1;
    let says = |name| section.parameter(first, name) == Some("1");
    Line {
        kind: section.kind.into(),
        protocol: section.protocol.into(),
        formats: section.formats.iter().map(|format| (*format).into()).collect(),
        mid: mid.map(Into::into),
        fate,
        feedback: feedback.map(|(_, value)| value.trim().into()).collect(),
        parameters: formats
            .iter()
            .find(|format| codec_of(section, format) == Some(Codec::Av1))
            .and_then(|format| section.of_format("fmtp", format))
            .map(Into::into),
        sends: formats
            .iter()
            .filter_map(|format| codec_of(section, format).filter(|_| flow.is_received()))
            .fold(RungCodecs::default(), RungCodecs::with),
        stereo: section.kind == "audio" && (!is_microphone || says("stereo") || says("sprop-stereo")),
    }
}

fn fate_of(
    description: &Description<'_>,
    section: &Section<'_>,
    (group, formats): (Option<&[&str]>, &[&str]),
    role: PeerRole,
    places: &mut Places,
) -> Fate {
    if section.port == "0" && !section.has("bundle-only") {
        return Fate::Dead;
    }
    let refused = |why: &str| Fate::Refused(OfferError::Line(why.into()));
    let is_data = section.kind == "application";
    let profiles = if is_data { &DATA_PROFILES[..] } else { &PROFILES[..] };
    if !matches!(section.kind, "audio" | "video" | "application") || !profiles.contains(&section.protocol) {
        return refused(&format!("'{} {}' is nothing this node speaks", section.kind, section.protocol));
    }
    if group.is_some_and(|mids| section.value("mid").is_none_or(|mid| !mids.contains(&mid))) {
        return Fate::Refused(OfferError::NotBundled);
    }
    if is_data {
        return if std::mem::replace(&mut places.data, true) {
            refused("one line for data is enough")
        } else {
            Fate::Taken
        };
    }
    let video = section.kind == "video";
    if formats.is_empty() {
        return Fate::Refused(if video { OfferError::NoCodec } else { OfferError::NoOpus });
    }
    // A line that only receives has no place among the tracks that are published, and any number of others may watch.
    if own_flow(description, section, role) == Flow::RecvOnly {
        return match role {
            PeerRole::Publisher(_) => refused("a WHIP offer sends; make it a=sendonly (RFC 9725 section 4.2)"),
            _ => Fate::Taken,
        };
    }
    let place = if video { &mut places.video } else { &mut places.audio };
    *place += 1;
    if *place > 2 {
        refused("a person has a camera and a screen, and a sound of each; offer no third")
    } else {
        Fate::Taken
    }
}

/// Which way a line flows in a connection of `role`: who publishes does not receive, and who watches does not send.
fn own_flow(description: &Description<'_>, section: &Section<'_>, role: PeerRole) -> Flow {
    match (role, description.flow(section)) {
        (PeerRole::Publisher(_), Flow::SendRecv) => Flow::SendOnly,
        (PeerRole::Viewer { .. }, Flow::SendRecv) => Flow::RecvOnly,
        (PeerRole::Viewer { .. }, Flow::SendOnly) => Flow::Inactive,
        (_, flow) => flow,
    }
}

/// What a format of pictures is coded in, if it is of a kind that is taken.
fn codec_of(section: &Section<'_>, format: &str) -> Option<Codec> {
    let encoding = section.encoding(format)?;
    let (_, codec) = PICTURES.into_iter().find(|(name, _)| *name == encoding)?;
    let parameter = |name| section.parameter(format, name);
    let fits = match codec {
        Codec::Av1 => parameter("profile").is_none_or(|profile| profile == "0"),
        Codec::Vp9 => parameter("profile-id").is_none_or(|profile| matches!(profile, "0" | "2")),
        _ => true,
    };
    fits.then_some(codec)
}

/// Whether this node writes H.264 as a format asks: of the baseline profile, long NAL units in fragments (RFC 6184
/// section 8.1).
fn is_written_here(section: &Section<'_>, format: &str) -> bool {
    section.parameter(format, "packetization-mode") == Some("1")
        && section.parameter(format, "profile-level-id").is_none_or(|profile| profile.starts_with("42"))
}

/// The formats of a line that are taken, the codec's first, then what repairs them. Of pictures: what is decoded where
/// the other side sends, AV1 before all others and those as it prefers; where it receives, those that it may be sent.
fn taken_formats<'a>(section: &Section<'a>, flow: Flow) -> Vec<&'a str> {
    let is_number = |format: &&str| format.parse::<u8>().is_ok_and(|number| number < 128);
    let known = || section.formats.iter().copied().filter(is_number);
    let mut taken: Vec<&str> = match section.kind {
        "video" => {
            let fits = |codec: Codec| (!flow.is_sent() || decodes(codec)) && (!flow.is_received() || encodes(codec));
            let coded = known().filter_map(|format| Some((format, codec_of(section, format)?)));
            let is_ours = |format: &str| !flow.is_received() || is_written_here(section, format);
            let mut coded: Vec<(&str, Codec)> =
                coded.filter(|(format, codec)| fits(*codec) && (*codec != Codec::H264 || is_ours(format))).collect();
            // One more encode, for who takes nothing else.
            if flow.is_received() && coded.iter().any(|(_, codec)| *codec != Codec::Vp8) {
                coded.retain(|(_, codec)| *codec != Codec::Vp8);
            }
            coded.sort_by_key(|(_, codec)| *codec != Codec::Av1);
            coded.into_iter().map(|(format, _)| format).collect()
        }
        "audio" => known().filter(|format| section.encoding(format).as_deref() == Some(OPUS)).collect(),
        _ => return Vec::new(),
    };
    let repairs = |format: &&str| match section.encoding(format).as_deref() {
        Some("rtx/90000") => section.parameter(format, "apt").is_some_and(|of| taken.contains(&of)),
        Some("red/48000/2") => {
            let of = section.of_format("fmtp", format).and_then(|copies| copies.split('/').next());
            of.is_some_and(|of| taken.contains(&of))
        }
        _ => false,
    };
    let repairs: Vec<&str> = known().filter(repairs).collect();
    taken.extend(repairs);
    taken
}

fn check(description: &Description<'_>, lines: &[Line], bundled: bool, role: PeerRole) -> Result<(), OfferError> {
    let is_media = |line: &&Line| matches!(&*line.kind, "audio" | "video");
    if !lines.iter().any(|line| is_media(&line)) {
        return Err(OfferError::NoMedia);
    }
    let whole = matches!(role, PeerRole::Publisher(_));
    let refused = lines.iter().enumerate().find_map(|(at, line)| match &line.fate {
        Fate::Refused(why) => Some((at, why.clone())),
        Fate::Taken | Fate::Dead => None,
    });
    let taken = lines.iter().filter(|line| line.fate == Fate::Taken);
    match refused {
        Some((_, why)) if !taken.clone().any(|line| is_media(&line)) => return Err(why),
        Some((_, why @ (OfferError::NoCodec | OfferError::NoOpus | OfferError::NotBundled))) if whole => {
            return Err(why);
        }
        Some((at, why)) if whole => return Err(OfferError::Partial(at, why.to_string())),
        None if !taken.clone().any(|line| is_media(&line)) => return Err(OfferError::NoMedia),
        _ => {}
    }
    if !bundled && taken.count() > 1 {
        return Err(OfferError::NotBundled);
    }
    if let Some(number) = ambiguous(description, lines, role) {
        let why = "stands for two things; in one BUNDLE a payload type has one meaning (RFC 9143 section 9.1)";
        return Err(OfferError::Malformed(format!("payload type {number} {why}")));
    }
    if description.attributes.contains(&"ice-lite") {
        let why = "both sides would be ICE-lite and neither would begin (RFC 8445 section 2.5); offer a full agent";
        return Err(OfferError::Malformed(why.into()));
    }
    Ok(())
}

/// A payload type of lines that are taken that stands for more than one thing. Parameters may differ: pages write
/// `stereo=1` or a bitrate into one line alone.
fn ambiguous<'a>(description: &Description<'a>, lines: &[Line], role: PeerRole) -> Option<&'a str> {
    let mut meanings: HashMap<&str, Option<String>> = HashMap::new();
    let taken = description.sections.iter().zip(lines).filter(|(_, line)| line.fate == Fate::Taken);
    for (section, _) in taken {
        for format in taken_formats(section, own_flow(description, section, role)) {
            let meaning = section.encoding(format);
            if *meanings.entry(format).or_insert_with(|| meaning.clone()) != meaning {
                return Some(format);
            }
        }
    }
    None
}

/// The offer in one shape: what all lines share before them, no format, attribute or line that is not taken.
fn normalised(description: &Description<'_>, lines: &[Line], role: PeerRole) -> Result<String, OfferError> {
    let missing = |name: &str| OfferError::Malformed(format!("there is no a={name} (RFC 8839 section 5.4)"));
    let ufrag = description.anywhere("ice-ufrag").next().ok_or_else(|| missing("ice-ufrag"))?;
    let password = description.anywhere("ice-pwd").next().ok_or_else(|| missing("ice-pwd"))?;
    let mids: Vec<String> =
        (0..lines.len()).map(|at| lines[at].mid.clone().unwrap_or_else(|| unnamed(lines, at))).collect();
    let group: Vec<&str> =
        mids.iter().zip(lines).filter(|(_, line)| line.fate == Fate::Taken).map(|(mid, _)| &**mid).collect();
    let (hash, print) = fingerprint::told(description).ok_or(OfferError::NoFingerprint)?;
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
         a=fingerprint:{hash} {print}\r\n",
        group.join(" ")
    );
    let setup = description.anywhere("setup").find(|setup| matches!(*setup, "actpass" | "active" | "passive"));
    // Writing into a String cannot fail.
    let _ = setup.map(|setup| write!(text, "a=setup:{setup}\r\n"));
    let mut seen = Vec::new();
    for candidate in description.anywhere("candidate") {
        if !seen.contains(&candidate) {
            seen.push(candidate);
            let _ = write!(text, "a=candidate:{candidate}\r\n");
        }
    }
    for ((section, line), mid) in description.sections.iter().zip(lines).zip(&mids) {
        write_section(&mut text, description, (section, line, mid), role);
    }
    Ok(text)
}

/// A name for a line that has none, and that no other has.
fn unnamed(lines: &[Line], at: usize) -> String {
    let mut name = format!("line{at}");
    while lines.iter().any(|line| line.mid.as_deref() == Some(&*name)) {
        name.push('x');
    }
    name
}

fn write_section(
    text: &mut String,
    description: &Description<'_>,
    (section, line, mid): (&Section<'_>, &Line, &str),
    role: PeerRole,
) {
    let mut push = |parts: &[&str]| {
        text.extend(parts.iter().copied());
        text.push_str("\r\n");
    };
    if line.fate != Fate::Taken {
        // Whatever it is: a line that nothing comes of keeps its place.
        let kind = if section.kind == "video" { "video" } else { "audio" };
        push(&["m=", kind, " 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:", mid, "\r\na=inactive"]);
        return;
    }
    if section.kind == "application" {
        push(&["m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:", mid]);
        push(&["a=sctp-port:", section.value("sctp-port").unwrap_or("5000")]);
        section.values("max-message-size").take(1).for_each(|size| push(&["a=max-message-size:", size]));
        return;
    }
    let formats = taken_formats(section, own_flow(description, section, role));
    push(&["m=", section.kind, " 9 UDP/TLS/RTP/SAVPF ", &formats.join(" "), "\r\nc=IN IP4 0.0.0.0\r\na=mid:", mid]);
    push(&["a=", own_flow(description, section, role).name(), "\r\na=rtcp-mux"]);
    for extension in description.of_session("extmap").chain(section.values("extmap")) {
        if let Some(extension) = extensions::offered(extension) {
            push(&["a=extmap:", &extension]);
        }
    }
    for format in &formats {
        section.of_format("rtpmap", format).into_iter().for_each(|map| push(&["a=rtpmap:", format, " ", map]));
        // Levels say what each side can decode, not what has to be equal (AV1 RTP specification, section 7.2.3).
        if section.encoding(format).as_deref() != Some(AV1) {
            section.of_format("fmtp", format).into_iter().for_each(|fmtp| push(&["a=fmtp:", format, " ", fmtp]));
        }
        line.feedback.iter().for_each(|feedback| push(&["a=rtcp-fb:", format, " ", feedback]));
    }
    for name in ["msid", "ssrc-group", "ssrc", "rid", "simulcast"] {
        section.values(name).for_each(|value| push(&["a=", name, ":", value]));
    }
}

#[cfg(test)]
#[path = "tests/intake.rs"]
mod tests;
