//! **The question:** what may be said on the data channel? A small versioned JSON grammar, floor 1, pure.
//!
//! Doors: [`FromNode`] and [`FromClient`], each with `encode` and `parse`; [`ProblemKind`]. The channel's label is
//! [`LABEL`]; every message is one JSON object `{"v":1,"type":"…",…}`. Unknown types and unknown fields are ignored, so
//! that either side may learn new words first. `docs/signalling.md` documents each message with an example; a test
//! below keeps it true.

mod caption;
mod chat;
mod problem;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{ParticipantId, RoomId, TrackKind};
use crate::core::access::Act;

pub use caption::{
    CaptionBounds, CaptionFault, CaptionLine, FromCaptioner, SPEECH_HEAD_BYTES, Speaker, ToCaptioner, is_language, ms,
    speech_head,
};
pub use chat::{ChatLine, Reaction};
pub use problem::{PROBLEM_URN, ProblemKind, problem_urn};

/// Label of the data channel that carries this grammar.
pub const LABEL: &str = "tessera";
/// The grammar's generation, the `v` of every message.
pub const VERSION: u64 = 1;

/// What the node says to a participant or viewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// The first message: who you are and where.
    Welcome {
        /// Your id; absent for a viewer, who is nobody in the room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        participant: Option<ParticipantId>,
        /// The room you are in.
        room: RoomId,
    },
    /// Everyone who is here, after each change.
    Room {
        /// In order of joining.
        participants: Vec<Person>,
    },
    /// Who is heard now, after each change.
    Speaking {
        /// Everyone in the mix, loudest first.
        heard: Vec<ParticipantId>,
        /// Who holds the floor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dominant: Option<ParticipantId>,
    },
    /// Where each tile lies, after each change.
    Scene {
        /// Columns of the canvas, pixels.
        width: u32,
        /// Rows of the canvas, pixels.
        height: u32,
        /// RTP timestamp of the composite, of the last frame of the places before: later frames have these.
        #[serde(default)]
        after: u32,
        /// How long tiles glide from there, milliseconds: after a part `t` of it, `1 − (1 − t)³` of the way is made.
        #[serde(default)]
        motion_ms: u32,
        /// The placed pictures, in canvas pixels.
        tiles: Vec<TilePlace>,
    },
    /// What is asked of the sender of one track; more than this is not seen by anyone.
    Send {
        /// Which of your tracks.
        track: VideoTrack,
        /// Largest useful picture, columns.
        width: u32,
        /// Largest useful picture, rows.
        height: u32,
        /// Frames a second.
        fps: u32,
        /// Bits a second.
        bitrate: u32,
    },
    /// How the room is laid out, after each change.
    Layout {
        /// The document in force, as `docs/layout.md` describes it.
        layout: serde_json::Value,
        /// The page shown, counted from 1.
        page: u32,
        /// How many pages there are.
        pages: u32,
        /// Whether you may change it.
        may_choose: bool,
    },
    /// What the room does.
    State {
        /// Whether the call is being recorded.
        recording: bool,
        /// Codec of the composite, in lower case (`av1`).
        codec: String,
        /// Columns of the composite, pixels.
        width: u32,
        /// Rows of the composite, pixels.
        height: u32,
        /// Frames a second of the composite.
        fps: u32,
        /// Whether you may begin and end the recording.
        #[serde(default)]
        may_record: bool,
        /// Other servers that are sent what is seen and heard now: scheme, host and port.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pushed: Vec<String>,
        /// Whether a program hears each voice now, to write down what is said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        captioned: bool,
    },
    /// The answer to your newest `offer`.
    Answer {
        /// SDP, type `answer`.
        sdp: String,
    },
    /// What holds for everybody here, first and after each change.
    Rules {
        /// Who joins is not heard until they `talk`.
        mute_on_entry: bool,
        /// A microphone is heard only while its person says `talk`.
        push_to_talk: bool,
        /// Nobody new is let in but hosts.
        locked: bool,
        /// Who is new waits until a host lets them in.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lobby: bool,
    },
    /// Who waits to be let in, after each change: told to hosts alone.
    Lobby {
        /// In the order in which they came.
        people: Vec<Knocker>,
    },
    /// Whether the node is about to go down, which ends the room: after each change, and first where it is.
    Node {
        /// Seconds until then; absent: it stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_in_s: Option<u64>,
    },
    /// The room goes on at another node: connect there to the same seat, and leave here once you see its picture.
    Moved {
        /// Where that one is reached, without a slash at its end.
        url: String,
        /// What lets you in there, in place of your token, for two minutes; absent where no token is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pass: Option<String>,
    },
    /// What people wrote, oldest first: after `welcome` what was said before, then each text as it comes.
    Chat {
        /// New ones, or those that came before; who has one by its id already skips it.
        lines: Vec<ChatLine>,
    },
    /// What somebody said, written down by a captioner.
    Caption(CaptionLine),
    /// Somebody shows what they feel, for a moment.
    Reaction {
        /// Who.
        from: ParticipantId,
        /// What.
        reaction: Reaction,
    },
    /// Something you asked cannot be; the fields are those of RFC 9457, its `type` called `kind` here.
    Problem {
        /// The problem's type, a URN as in the HTTP door's problems; [`FromNode::problem`] makes it.
        kind: String,
        /// What is wrong, in a few words.
        title: String,
        /// What to do.
        detail: String,
    },
}

/// What a message of the node tells: of each kind but the last five only the newest matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// [`FromNode::Welcome`], before which nothing else is said.
    Welcome,
    /// [`FromNode::State`].
    State,
    /// [`FromNode::Room`].
    Room,
    /// [`FromNode::Speaking`].
    Speaking,
    /// [`FromNode::Rules`].
    Rules,
    /// [`FromNode::Lobby`].
    Lobby,
    /// [`FromNode::Scene`].
    Scene,
    /// [`FromNode::Layout`].
    Layout,
    /// [`FromNode::Node`].
    Node,
    /// [`FromNode::Moved`].
    Moved,
    /// [`FromNode::Send`] of a track.
    Send(VideoTrack),
    /// [`FromNode::Caption`] of somebody, which the next one of theirs takes the place of.
    Interim(ParticipantId),
    /// [`FromNode::Answer`].
    Answer,
    /// [`FromNode::Problem`].
    Problem,
    /// [`FromNode::Chat`].
    Chat,
    /// [`FromNode::Reaction`].
    Reaction,
    /// [`FromNode::Caption`] that stays so.
    Caption,
}

impl WordKind {
    /// Whether a newer message takes the place of an older one.
    #[must_use]
    pub const fn is_state(self) -> bool {
        !matches!(self, Self::Answer | Self::Problem | Self::Chat | Self::Reaction | Self::Caption)
    }

    /// How many of it may wait for one client, where each matters.
    #[must_use]
    pub const fn waiting_max(self) -> usize {
        match self {
            Self::Chat => limits::CHATS_WAITING_MAX,
            Self::Reaction => limits::REACTIONS_WAITING_MAX,
            Self::Caption => limits::CAPTIONS_WAITING_MAX,
            _ => limits::PROBLEMS_WAITING_MAX,
        }
    }
}

/// What a participant says to the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    /// Renegotiates: one outstanding at a time, answered by `answer` or `problem`.
    Offer {
        /// SDP, type `offer`; the m-lines so far stay in their places.
        sdp: String,
    },
    /// What your tracks carry from now on, so that a tile turns to its placeholder at once.
    State {
        /// Whether the microphone is muted.
        muted: bool,
        /// Whether the camera sends pictures.
        camera: bool,
        /// Whether a screen is shared.
        #[serde(default)]
        screen: bool,
    },
    /// Lays the room out anew for everyone, turns its page, or both; refused by `problem`.
    Layout {
        /// A document as `docs/layout.md` describes it; absent: the layout stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layout: Option<serde_json::Value>,
        /// The page to show, counted from 1; beyond the last, the last shows. Absent: a new layout begins with its
        /// first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<u32>,
    },
    /// You raise your hand, or lower it.
    Hand {
        /// Whether it is up.
        raised: bool,
    },
    /// You want to be heard: once after mute on entry, and while the key is held in a room of push-to-talk.
    Talk {
        /// False when the key is let go.
        talking: bool,
    },
    /// Begins or ends the room's recording, for those who may; answered by `state`, or refused by `problem`.
    Record {
        /// Whether the room is to be recorded.
        recording: bool,
    },
    /// Whether recordings may show and sound you.
    Recordable {
        /// False: not from now on.
        recordable: bool,
    },
    /// You write to everyone, or to one person.
    Chat {
        /// What you write; `limits::CHAT_TEXT_CHARS_MAX` characters at most.
        text: String,
        /// Who alone reads it, beside you; absent: everyone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ParticipantId>,
    },
    /// You show everyone what you feel.
    Reaction {
        /// What.
        reaction: Reaction,
    },
    /// You leave now; the same as DELETE on your resource.
    Leave,
}

/// One person in the room, as everyone there may know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// The person's id.
    #[schemars(with = "String")]
    pub id: ParticipantId,
    /// The name they typed.
    pub name: String,
    /// Whether their camera sends pictures.
    pub camera: bool,
    /// Whether their microphone is connected.
    pub microphone: bool,
    /// Whether they share a screen.
    pub screen: bool,
    /// Whether they muted themselves.
    pub muted: bool,
    /// Whether nobody hears them, by a host's word or the room's rules.
    #[serde(default)]
    #[serde(rename = "hushed")]
    pub host_muted: bool,
    /// Whether their hand is raised.
    #[serde(default)]
    pub hand: bool,
    /// Whether they do not want to be recorded: recordings neither show nor sound them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrecorded: bool,
    /// Whether their connection broke, while their place is kept for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
}

/// Somebody who waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Knocker {
    /// By what a host lets them in.
    pub id: String,
    /// What they call themselves.
    pub name: String,
    /// For how long they have waited, seconds.
    pub waited_s: u64,
}

/// One placed picture, in canvas pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TilePlace {
    /// Whose picture.
    pub participant: ParticipantId,
    /// Which of the person's pictures; absent: the camera.
    #[serde(default, skip_serializing_if = "VideoTrack::is_camera")]
    pub track: VideoTrack,
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Higher lies above lower.
    pub z: u32,
    /// Left edge, upper edge, columns and rows where it comes from; absent: it lies there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<[u32; 4]>,
}

/// The tracks whose sending can be steered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoTrack {
    /// The person's picture.
    #[default]
    Camera,
    /// A shared screen.
    Screen,
}

impl VideoTrack {
    fn is_camera(&self) -> bool {
        *self == Self::Camera
    }
}

impl From<VideoTrack> for TrackKind {
    fn from(track: VideoTrack) -> Self {
        match track {
            VideoTrack::Camera => Self::Camera,
            VideoTrack::Screen => Self::Screen,
        }
    }
}

/// Why a text is no message of this grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Longer than the limit.
    #[error("a message has at most {max} bytes, this one has {0}", max = limits::SIGNAL_LEN_MAX)]
    Length(usize),
    /// No JSON object with `v` and `type`, or fields of a known type that do not fit.
    #[error("not a message: {0}")]
    Malformed(String),
    /// Another generation of the grammar.
    #[error("this side speaks version {VERSION} of the grammar, the message says {0}")]
    Version(u64),
}

impl FromNode {
    /// Every `type` the node says.
    pub const TYPES: [&str; 16] = [
        "welcome", "room", "speaking", "scene", "send", "layout", "state", "answer", "rules", "lobby", "node", "moved",
        "chat", "reaction", "caption", "problem",
    ];

    /// That something asked cannot be: what is wrong in a few words, and what to do.
    #[must_use]
    pub fn problem(kind: ProblemKind, title: &str, detail: &str) -> Self {
        Self::Problem { kind: problem_urn(kind.name()), title: title.into(), detail: detail.into() }
    }

    /// What it tells.
    #[must_use]
    pub const fn kind(&self) -> WordKind {
        match self {
            Self::Welcome { .. } => WordKind::Welcome,
            Self::Room { .. } => WordKind::Room,
            Self::Speaking { .. } => WordKind::Speaking,
            Self::Scene { .. } => WordKind::Scene,
            Self::Send { track, .. } => WordKind::Send(*track),
            Self::Layout { .. } => WordKind::Layout,
            Self::State { .. } => WordKind::State,
            Self::Answer { .. } => WordKind::Answer,
            Self::Rules { .. } => WordKind::Rules,
            Self::Lobby { .. } => WordKind::Lobby,
            Self::Node { .. } => WordKind::Node,
            Self::Moved { .. } => WordKind::Moved,
            Self::Problem { .. } => WordKind::Problem,
            Self::Chat { .. } => WordKind::Chat,
            Self::Reaction { .. } => WordKind::Reaction,
            Self::Caption(line) if line.is_final => WordKind::Caption,
            Self::Caption(line) => WordKind::Interim(line.participant),
        }
    }

    /// The message as one line of JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a message; `None` is a type this side does not know yet, to be ignored.
    ///
    /// # Errors
    /// When the text is too long, malformed or of another version.
    pub fn parse(text: &str) -> Result<Option<Self>, SignalError> {
        parse(text, &Self::TYPES)
    }
}

impl FromClient {
    /// Every `type` a client says.
    pub const TYPES: [&str; 10] =
        ["offer", "state", "layout", "hand", "talk", "record", "recordable", "chat", "reaction", "leave"];

    /// What leave it takes.
    #[must_use]
    pub const fn act(&self) -> Act {
        match self {
            Self::Offer { .. } | Self::State { .. } | Self::Recordable { .. } | Self::Leave => Act::SteerOwn,
            Self::Hand { .. } | Self::Talk { .. } | Self::Chat { .. } | Self::Reaction { .. } => Act::TakePart,
            Self::Layout { .. } => Act::Arrange,
            Self::Record { .. } => Act::Record,
        }
    }

    /// The `type` of a message that is not read any further; `None` for all that is no message of this grammar.
    #[must_use]
    pub fn type_of(text: &str) -> Option<&'static str> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(rename = "type", borrow)]
            name: std::borrow::Cow<'a, str>,
        }
        let Typed { name } = serde_json::from_str(text).ok()?;
        Self::TYPES.into_iter().find(|known| *known == name)
    }

    /// The message as one line of JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a message; `None` is a type this side does not know yet, to be ignored.
    ///
    /// # Errors
    /// When the text is too long, malformed or of another version.
    pub fn parse(text: &str) -> Result<Option<Self>, SignalError> {
        parse(text, &Self::TYPES)
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u64,
    #[serde(flatten)]
    message: &'a T,
}

/// The `type` of a message that [`FromNode::encode`] wrote; `None` for another text.
#[must_use]
pub fn kind_of(text: &str) -> Option<&str> {
    text.strip_prefix(r#"{"v":1,"type":""#)?.split('"').next()
}

fn encode<T: Serialize>(message: &T) -> String {
    serde_json::to_string(&Envelope { v: VERSION, message }).expect("messages have string keys and finite numbers")
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str, types: &[&str]) -> Result<Option<T>, SignalError> {
    if text.len() > limits::SIGNAL_LEN_MAX {
        return Err(SignalError::Length(text.len()));
    }
    let malformed = |why: serde_json::Error| SignalError::Malformed(why.to_string());
    let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
    let version = value.get("v").and_then(serde_json::Value::as_u64);
    let version = version.ok_or_else(|| SignalError::Malformed("'v' is missing or no number".into()))?;
    if version != VERSION {
        return Err(SignalError::Version(version));
    }
    let kind = value.get("type").and_then(serde_json::Value::as_str);
    let kind = kind.ok_or_else(|| SignalError::Malformed("'type' is missing or no text".into()))?;
    if !types.contains(&kind) {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(malformed)
}

#[cfg(test)]
mod tests;
