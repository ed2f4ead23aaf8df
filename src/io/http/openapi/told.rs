//! **The question:** what does each method of each route take and tell, in a line? The rows of the OpenAPI document; a
//! test holds them to the table of routes.

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use crate::core::scene::Layout;
use crate::io::api::{LayoutShown, LegState, Moderation, NodeState, PushShown, RoomDetail, UsageTold};
use crate::io::fleet::FleetShown;
use crate::io::http::announcements::Announced;
use crate::io::http::layout::Page;
use crate::io::http::legs;
use crate::io::http::moderation::LobbyTold;
use crate::io::http::node;
use crate::io::http::participants::{ErasedTold, HeldTold};
use crate::io::http::playback::{LinkAsked, LinkTold};
use crate::io::http::pushes;
use crate::io::http::recording::Wish;
use crate::io::http::recordings::{Listed, RecordingTold};
use crate::io::http::resource::Rungs;
use crate::io::http::rights::{FRAGMENT, SDP};
use crate::io::http::rooms::Rooms;
use crate::io::http::transfer;
use crate::io::telemetry::history::HistoryTold;
use crate::io::transfer::TransferState;

/// A schema, once the generator asks for it.
pub(super) type Of = fn(&mut SchemaGenerator) -> Schema;

/// What a request's body is.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    Json(Of),
    /// It may be missing.
    MaybeJson(Of),
    /// One of these media types.
    File(&'static [&'static str]),
}

/// What an answer's body is.
#[derive(Clone, Copy)]
pub(super) enum Gives {
    Nothing,
    Json(Of),
    File(&'static str),
}

/// A status, when it is answered, and the body.
type Answer = (u16, &'static str, Gives);

/// One method of one route.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// Names and what they mean.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) takes: Takes,
    /// Beside problems.
    pub(super) gives: &'static [Answer],
    /// Whether a signed link opens it too.
    pub(super) by_link: bool,
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

impl Told {
    const fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    const fn gives(self, gives: &'static [Answer]) -> Self {
        Self { gives, ..self }
    }

    const fn by_link(self) -> Self {
        Self { by_link: true, ..self }
    }
}

const fn told(tag: &'static str, method: &'static str, path: &'static str, summary: &'static str) -> Told {
    Told { method, path, tag, summary, query: &[], takes: Takes::Nothing, gives: DONE, by_link: false }
}

const fn page(path: &'static str, summary: &'static str) -> Told {
    told("Pages", "GET", path, summary).gives(&[(200, "The page", Gives::File("text/html"))])
}

/// A way into a room by an SDP offer.
const fn enter(path: &'static str, summary: &'static str) -> Told {
    told("Connections", "POST", path, summary).takes(Takes::File(&[SDP])).gives(ANSWERED)
}

const fn trickle(path: &'static str) -> Told {
    told(
        "Connections",
        "PATCH",
        path,
        "More ICE candidates, or an ICE restart (RFC 9725); If-Match names the generation",
    )
    .takes(Takes::File(&[FRAGMENT]))
    .gives(TRICKLED)
}

const fn leave(path: &'static str) -> Told {
    told("Connections", "DELETE", path, "End the connection").gives(&[(200, "It is closed", Gives::Nothing)])
}

/// One file of a recording.
const fn file(path: &'static str, summary: &'static str, gives: &'static [Answer]) -> Told {
    told("Recordings", "GET", path, summary).query(TAKE).gives(gives).by_link()
}

const DONE: &[Answer] = &[(204, "Done", Gives::Nothing)];
const ANSWERED: &[Answer] = &[(201, "The answer; the connection's capability is in Location", Gives::File(SDP))];
const TRICKLED: &[Answer] =
    &[(204, "Taken", Gives::Nothing), (200, "ICE restarts: the node's own fragment", Gives::File(FRAGMENT))];
const WORDS: &[Answer] = &[(200, "It is so", Gives::File("text/plain"))];
const STANDS: &[Answer] = &[(200, "How the node stands now", Gives::Json(of::<NodeState>))];
const HANDED: Gives = Gives::Json(of::<TransferState>);
const PICTURES: Takes = Takes::File(&["image/png", "image/jpeg"]);
const NAME: (&str, &str) = ("name", "How others see the person; Guest, if it is missing");
const REGION: (&str, &str) = ("region", "Where a room that begins has to be; one that runs elsewhere is not joined");
const RECORD: (&str, &str) = ("record", "no: recordings neither show nor sound them; else yes");
const RUNG: (&str, &str) = ("rung", "Which rung to watch, as GET /whep/{room} names them; else the link decides");
const SEAT: (&str, &str) =
    ("seat", "keep: the place is kept when the connection breaks; or the end of the former Location: that place");
const TAKE: &[(&str, &str)] = &[
    ("take", "Which file, from 0"),
    ("until", "Of a signed link: when it ends, seconds since 1970"),
    ("signature", "Of a signed link"),
];
const BLOCKING: &[(&str, &str)] = &[
    ("_HLS_msn", "Of a playlist: wait until it has this segment"),
    ("_HLS_part", "And this part of it"),
    ("_HLS_skip", "YES: without what is older"),
];
const SOUNDS: &[&str] = &["audio/wav", "audio/ogg"];

/// Every one.
pub(super) const TOLD: &[Told] = &[
    page("/", "The page that people start a call by"),
    page("/r/{room}", "The page that people join a room by"),
    page("/w/{room}", "The page that a room is watched by"),
    page("/recordings", "The page of recordings; it asks for their token"),
    page("/console", "The page that shows how the node and its rooms fare; it asks for the node's token"),
    told("Pages", "GET", "/assets/{name}", "What the pages load").gives(&[(200, "The file", Gives::File("*/*"))]),
    told("Pages", "GET", "/assets/console/{name}", "What the pages of operators load").gives(&[(
        200,
        "The file",
        Gives::File("*/*"),
    )]),
    told("Pages", "GET", "/favicon.ico", "The icon").gives(&[(200, "The icon", Gives::File("image/svg+xml"))]),
    page("/api", "This document, to be read"),
    told("Node", "GET", "/openapi.json", "This document").gives(&[(
        200,
        "OpenAPI 3.1",
        Gives::File("application/json"),
    )]),
    told("Node", "GET", "/healthz", "Whether the node lives").gives(WORDS),
    told("Node", "GET", "/readyz", "Whether a new room would begin").gives(WORDS),
    told("Node", "GET", "/metrics", "What the node counts, for Prometheus").gives(WORDS),
    told("Node", "GET", "/v1/node", "What the node is, and why; how it stands").gives(&[(
        200,
        "What it is, and how it stands",
        Gives::Json(of::<node::NodeTold>),
    )]),
    told("Node", "GET", "/v1/fleet", "What this node knows of its fleet: nodes, rooms, and whether etcd answers")
        .gives(&[(
            200,
            "The fleet, as this node sees it; a lease is text, in hexadecimal",
            Gives::Json(of::<FleetShown>),
        )]),
    told("Node", "POST", "/v1/fleet/rooms", "Hand a room over, as one node of the fleet to another, signed by it")
        .takes(Takes::File(&["application/json"]))
        .gives(&[(204, "It is here, or would be taken", Gives::Nothing)]),
    told("Node", "POST", "/v1/fleet/relays", "Watch a room as a node that shows it to others does, signed by it")
        .takes(Takes::File(&["application/json"]))
        .gives(&[(200, "How the room stands, or an SDP answer", Gives::File("application/json"))]),
    told("Node", "POST", "/v1/node/drain", "Begin no room any more; those that run go on, and can be joined")
        .takes(Takes::MaybeJson(of::<node::Asked>))
        .gives(STANDS),
    told("Node", "DELETE", "/v1/node/drain", "Begin rooms again").gives(STANDS),
    told("Node", "GET", "/v1/node/stats", "Whatever the node counts; its members may change").gives(&[(
        200,
        "An object",
        Gives::File("application/json"),
    )]),
    told("Node", "GET", "/v1/node/history", "How the node fared in the last quarter of an hour")
        .query(&[("after", "The number of a point: only those from it on")])
        .gives(&[(200, "Its charts", Gives::Json(of::<HistoryTold>))]),
    told("Node", "GET", "/v1/usage", "How much was used since the node's start, by each tenant's rooms").gives(&[(
        200,
        "What was used",
        Gives::Json(of::<UsageTold>),
    )]),
    told("Rooms", "GET", "/v1/rooms", "Every room that the token reaches, by name").gives(&[(
        200,
        "The rooms",
        Gives::Json(of::<Rooms>),
    )]),
    told("Rooms", "GET", "/v1/rooms/{room}", "Who is in a room, and how it fares").gives(&[(
        200,
        "The room",
        Gives::Json(of::<RoomDetail>),
    )]),
    enter("/v1/rooms/{room}/participants", "Join: one connection both ways, steered by its data channel")
        .query(&[NAME, RECORD, RUNG, SEAT, REGION]),
    trickle("/v1/rooms/{room}/participants/{token}"),
    leave("/v1/rooms/{room}/participants/{token}"),
    told("Rooms", "PUT", "/v1/rooms/{room}/participants/{token}/avatar", "The picture shown while a camera is off")
        .takes(PICTURES),
    told("Rooms", "DELETE", "/v1/rooms/{room}/participants/{token}/avatar", "Back to initials"),
    enter("/whip/{room}", "Publish by WHIP (RFC 9725)").query(&[NAME, RECORD, REGION]),
    trickle("/whip/{room}/{token}"),
    leave("/whip/{room}/{token}"),
    enter("/whep/{room}", "Watch by WHEP").query(&[
        RUNG,
        ("as", "Whose voice to leave out: a participant's id"),
        (
            "seat",
            "Where a room is locked or has a lobby: the end of that participant's own Location, which lets them watch",
        ),
    ]),
    told("Connections", "GET", "/whep/{room}", "What can be watched in a room").gives(&[(
        200,
        "The rungs",
        Gives::Json(of::<Rungs>),
    )]),
    trickle("/whep/{room}/{token}"),
    leave("/whep/{room}/{token}"),
    told("Connections", "GET", "/hls/{room}/index.m3u8", "Watch by HLS at low latency (RFC 8216bis): its rungs")
        .gives(HLS),
    told("Connections", "GET", "/hls/{room}/{run}/{rung}/{piece}", "A playlist, header, part or segment of a rung")
        .query(BLOCKING)
        .gives(&[(200, "The piece, as the playlists name it", Gives::File("*/*"))]),
    told("Connections", "POST", "/v1/rooms/{room}/legs", "Bring in a voice over plain RTP")
        .takes(Takes::Json(of::<legs::Asked>))
        .gives(&[(201, "Where it is to send; its capability is in Location", Gives::Json(of::<LegState>))]),
    told("Connections", "GET", "/v1/rooms/{room}/legs/{token}", "How a leg stands").gives(&[(
        200,
        "The leg",
        Gives::Json(of::<LegState>),
    )]),
    told("Connections", "DELETE", "/v1/rooms/{room}/legs/{token}", "End a leg"),
    told("Rooms", "GET", "/v1/rooms/{room}/layout", "How a room is laid out").gives(&[(
        200,
        "The layout in force",
        Gives::Json(of::<LayoutShown>),
    )]),
    told("Rooms", "PUT", "/v1/rooms/{room}/layout", "Lay a room out").takes(Takes::Json(of::<Layout>)),
    told("Rooms", "PUT", "/v1/rooms/{room}/page", "Turn to a page").takes(Takes::Json(of::<Page>)),
    told("Rooms", "PUT", "/v1/rooms/{room}/background", "A picture behind the tiles").takes(PICTURES),
    told("Rooms", "DELETE", "/v1/rooms/{room}/background", "Back to the node's own background"),
    told("Rooms", "PUT", "/v1/rooms/{room}/logo", "A picture in the upper right corner").takes(PICTURES),
    told("Rooms", "DELETE", "/v1/rooms/{room}/logo", "No logo"),
    told("Rooms", "PUT", "/v1/rooms/{room}/banner", "Words along the lower edge").takes(Takes::File(&["text/plain"])),
    told("Rooms", "DELETE", "/v1/rooms/{room}/banner", "No banner"),
    told("Rooms", "PUT", "/v1/rooms/{room}/clock", "The time of day, UTC, in the upper left corner"),
    told("Rooms", "DELETE", "/v1/rooms/{room}/clock", "No clock"),
    told("Rooms", "POST", "/v1/rooms/{room}/announcements", "Play a sound to everybody: WAV, or Opus in Ogg")
        .takes(Takes::File(SOUNDS))
        .gives(&[(202, "It plays", Gives::Json(of::<Announced>))]),
    told("Rooms", "PATCH", "/v1/rooms/{room}/moderation", "Say who is heard, and how loud")
        .takes(Takes::Json(of::<Moderation>)),
    told("Rooms", "GET", "/v1/rooms/{room}/lobby", "Who waits to be let in").gives(&[(
        200,
        "Those who wait",
        Gives::Json(of::<LobbyTold>),
    )]),
    told("Rooms", "POST", "/v1/rooms/{room}/recording", "Begin to record a room")
        .takes(Takes::MaybeJson(of::<Wish>))
        .gives(&[(201, "It begins", Gives::Nothing), (200, "The room is recorded already", Gives::Nothing)]),
    told("Rooms", "DELETE", "/v1/rooms/{room}/recording", "End a room's recording"),
    told(
        "Rooms",
        "POST",
        "/v1/rooms/{room}/pushes",
        "Send a room on to another server by WHIP, RTMP or SRT, until it ends",
    )
    .takes(Takes::Json(of::<pushes::Asked>))
    .gives(&[(201, "How it stands; its place is in Location", Gives::Json(of::<PushShown>))]),
    told("Rooms", "GET", "/v1/rooms/{room}/pushes", "Where a room is sent on to, and how that goes").gives(&[(
        200,
        "Its pushes",
        Gives::Json(of::<pushes::Pushes>),
    )]),
    told("Rooms", "DELETE", "/v1/rooms/{room}/pushes/{push}", "End a push"),
    told("Rooms", "GET", "/v1/rooms/{room}/captions", "Hear each voice by itself, and show what was said: a WebSocket")
        .gives(&[(101, "It speaks as docs/captions.md says", Gives::Nothing)]),
    told("Recordings", "GET", "/v1/recordings", "Those that have not expired, in the order of their expiry")
        .query(&[("room", "Of this room only"), ("owner", "Of this owner only")])
        .gives(&[(200, "The list", Gives::Json(of::<Listed>))]),
    told("Recordings", "GET", "/v1/recordings/{recording}", "One recording").gives(&[(
        200,
        "The recording",
        Gives::Json(of::<RecordingTold>),
    )]),
    told("Recordings", "DELETE", "/v1/recordings/{recording}", "Erase it now: nobody opens it again"),
    file("/v1/recordings/{recording}/video.mp4", "The video, with byte ranges", MP4),
    file("/v1/recordings/{recording}/track.mp4", "A participant's own track; take counts tracks", MP4),
    file("/v1/recordings/{recording}/master.m3u8", "HLS, multivariant playlist of a finished recording", HLS),
    file("/v1/recordings/{recording}/media.m3u8", "HLS, media playlist of a finished recording", HLS),
    file("/v1/recordings/{recording}/poster.jpg", "A keyframe near its middle", JPEG),
    file("/v1/recordings/{recording}/chapters.vtt", "What began when, without names", VTT),
    file("/v1/recordings/{recording}/captions.vtt", "What was said, where a captioner wrote it down", VTT),
    file("/v1/recordings/{recording}/captions.m3u8", "HLS, media playlist of what was said", HLS),
    told("Recordings", "POST", "/v1/recordings/{recording}/link", "A link that opens one file for a while")
        .takes(Takes::Json(of::<LinkAsked>))
        .gives(&[(201, "The link", Gives::Json(of::<LinkTold>))]),
    told(
        "Recordings",
        "GET",
        "/v1/participants/{participant}/recordings",
        "What recordings hold of one participant, by the id that they had in a call",
    )
    .gives(&[(200, "What they hold", Gives::Json(of::<HeldTold>))]),
    told(
        "Recordings",
        "DELETE",
        "/v1/participants/{participant}/recordings",
        "Erase every recording in which they take part, whole",
    )
    .gives(&[(200, "What was erased", Gives::Json(of::<ErasedTold>))]),
    told("Recordings", "GET", "/v1/recordings/{recording}/hand-over", "How its hand-over goes").gives(&[(
        200,
        "How it goes",
        HANDED,
    )]),
    told("Recordings", "POST", "/v1/recordings/{recording}/hand-over", "Copy it to the configured host, erase it here")
        .takes(Takes::MaybeJson(of::<transfer::Asked>))
        .gives(&[(202, "It is on its way", HANDED)]),
];

const MP4: &[Answer] =
    &[(200, "The file", Gives::File("video/mp4")), (206, "The part asked for by Range", Gives::File("video/mp4"))];
const HLS: &[Answer] = &[(200, "The playlist", Gives::File("application/vnd.apple.mpegurl"))];
const JPEG: &[Answer] = &[(200, "The picture", Gives::File("image/jpeg"))];
const VTT: &[Answer] = &[(200, "WebVTT", Gives::File("text/vtt"))];
