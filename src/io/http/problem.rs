//! **The question:** how is a client told what went wrong, and what to do? Problem details, RFC 9457.

mod owned;

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::base::limits;
use crate::core::access::TokenFault;
use crate::core::fleet::Nowhere;
use crate::core::signal::problem_urn;
use crate::engine::compose::overlays::PictureError;
use crate::io::api::{FragmentError, Refusal};
use crate::io::fleet::Unplaced;
use crate::io::store::ReadError;

const EXPIRED: &str = "token-expired";
const NOT_YET: &str = "token-not-yet";
const REFUSED: &str = "token-refused";
const WRONG_ROLE: &str = "wrong-role";
const WRONG_ROOM: &str = "wrong-room";
/// What one has no more of until another has less.
const TENANT_FULL: &str = "tenant-full";
/// They wait until a host lets them in.
const LOBBY: &str = "in-lobby";
const WRONG_TENANT: &str = "wrong-tenant";

/// One problem: `application/problem+json` with `type`, `title`, `status` and `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into() }
    }

    pub(super) fn bad_request(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, title, detail)
    }

    pub(super) fn no_page() -> Self {
        let detail = "/api tells every path that the node answers at, and /openapi.json tells it to programs.";
        Self::new(StatusCode::NOT_FOUND, "not-found", "Nothing is here", detail)
    }

    pub(super) fn method() -> Self {
        let detail = "Use one of the methods that the Allow header names.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method has no meaning here", detail)
    }

    /// 421: it is meant for another host (RFC 9110 section 15.5.20).
    pub(super) fn misdirected() -> Self {
        let detail = "Host names another one; where it is a name of this node, its operator adds it to [http] hosts.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", "This node has another name", detail)
    }

    pub(super) fn foreign_page() -> Self {
        let detail =
            "A page of another origin asks; the node's operator adds it to [http] origins, or it shows a token.";
        Self::new(StatusCode::FORBIDDEN, "foreign-page", "This page may not ask here", detail)
    }

    pub(super) fn wrong_token() -> Self {
        let detail = "A page of another origin sends Authorization: Bearer with the node's own token, or asks its \
                      operator to add it to [http] origins.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "This token opens nothing", detail)
    }

    fn no_leave(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::TokenMissing => {
                let detail = "Send Authorization: Bearer with the token that the operator set as [http] token.";
                let title = "Steering a room takes the node's token";
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
            }
            Refusal::SteeringOff => {
                let detail = "Other machines reach this node, so steering takes a token, and it has none: its operator \
                              sets [http] token, or starts it with --token.";
                Self::new(StatusCode::FORBIDDEN, "steering-off", "Nobody steers rooms here from outside", detail)
            }
            Refusal::AccessMissing => {
                let detail = "Open the link that you were sent, or send Authorization: Bearer with an access token; \
                              whoever runs this node, or invites, has one for you.";
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "This takes an access token", detail)
            }
            Refusal::WrongRole => {
                let detail = "It is good, and its role may not do this; ask whoever gave it to you for another.";
                Self::new(StatusCode::FORBIDDEN, WRONG_ROLE, "Your token does not reach that far", detail)
            }
            Refusal::WrongRoom => {
                let detail = "It is good, and leads into another room alone; open the link for this one.";
                Self::new(StatusCode::FORBIDDEN, WRONG_ROOM, "Your token is for another room", detail)
            }
            Refusal::WrongTenant => {
                let detail = "It is good, and its key is for rooms of its own, whose names begin with its tenant's id \
                              and '~'; ask whoever runs this room for a token.";
                Self::new(StatusCode::FORBIDDEN, WRONG_TENANT, "Your token is of another tenant", detail)
            }
            _ => {
                let detail = "Ask whoever runs this node for leave.";
                Self::new(StatusCode::FORBIDDEN, "not-allowed", "You may not do this here", detail)
            }
        }
    }

    fn of_drain(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Leaving => {
                let detail = "The process was asked to end, and does with its last room; nothing takes that back.";
                Self::new(StatusCode::CONFLICT, "leaving", "The node goes down", detail)
            }
            Refusal::NoNewRooms => {
                let detail = "This node is about to go down for upkeep: rooms that run here can still be joined, none \
                              begins. Ask another node, or try again in a few seconds.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "The node begins no new room", detail)
            }
            _ => {
                let detail = "The node is about to stop; try again in a few seconds, or ask another.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "The node takes nobody in", detail)
            }
        }
    }

    /// 409: another node has it, and a browser would leave the token behind on the way there.
    pub(super) fn elsewhere() -> Self {
        let detail = "Another node has this room; ask at the address in Location, with the same token.";
        Self::new(StatusCode::CONFLICT, "elsewhere", "The room is on another node", detail)
    }

    /// The thread that decides everything says nothing, or one that sends and receives.
    pub(super) fn lifeless() -> Self {
        let seconds = limits::HEALTH_SPAN.as_secs();
        let detail = format!("A thread that it cannot do without said nothing for {seconds} s; restart it.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "lifeless", "The node does not work", detail)
    }

    /// Too many others are being dealt with.
    pub(super) fn crowded() -> Self {
        let detail = "The node has as many large requests in hand as it may; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The node is busy", detail)
    }

    pub(super) fn stalled() -> Self {
        let detail = format!("Nothing of the body came for {} s; try again.", limits::HTTP_STALL_SPAN.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request stalled", detail)
    }

    pub(super) fn broken_off(why: &dyn std::fmt::Display) -> Self {
        Self::bad_request("bad-body", "The body did not arrive", format!("{why}; send it again."))
    }

    pub(super) fn too_large(len_max: usize) -> Self {
        let detail = format!("A body has at most {} KiB here.", len_max / 1024);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    pub(super) fn content_type(wanted: &str) -> Self {
        let detail = format!("Send the body as Content-Type: {wanted}.");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body has the wrong type", detail)
    }

    pub(super) fn no_condition() -> Self {
        let detail =
            "Send If-Match with the ETag of the newest answer, or with \"*\" to restart ICE (RFC 9725 section 4.3).";
        Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition-required", "If-Match is missing", detail)
    }

    /// Nothing of a live stream is called so, or no longer.
    pub(super) fn no_stream() -> Self {
        let detail = "Ask /hls/{room}/index.m3u8 again, which names what can be watched now.";
        Self::new(StatusCode::NOT_FOUND, "stream-not-found", "There is no such piece of a live stream", detail)
    }

    pub(super) fn bad_directive(why: String) -> Self {
        Self::bad_request("bad-directive", "This cannot be waited for", format!("{why}."))
    }

    /// What a player waits for does not come.
    pub(super) fn late_stream() -> Self {
        let detail = "The room's pictures are late; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stream-late", "The live stream stands still", detail)
    }

    pub(super) fn gone() -> Self {
        let detail = "Recordings live for at most 7 days; then nobody can open them.";
        Self::new(StatusCode::GONE, "gone", "This recording is gone", detail)
    }

    pub(super) fn no_recording() -> Self {
        let detail = "Look into /v1/recordings for those that there are.";
        Self::new(StatusCode::NOT_FOUND, "recording-not-found", "There is no such recording", detail)
    }

    pub(super) fn not_recorded() -> Self {
        let detail = "This node does not record; start it with --record.";
        Self::new(StatusCode::NOT_FOUND, "not-recorded", "There are no recordings", detail)
    }

    pub(super) fn damaged() -> Self {
        let detail = "What is stored is not what was recorded: something was altered or lost.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "recording-damaged", "This recording is damaged", detail)
    }

    pub(super) fn store() -> Self {
        let detail = "The place where recordings lie does not answer; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", "The store does not answer", detail)
    }

    pub(super) fn doubt() -> Self {
        let detail = "This machine came up a moment ago and its clock is not synchronised, so it is not known what has \
                      expired; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "clock-in-doubt", "The clock is in doubt", detail)
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "Send Authorization: Bearer with the token that the node was given or told at its start.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Recordings need a token", detail)
    }

    pub(super) fn no_node() -> Self {
        let detail = "Nodes sign with what [fleet] secret_file says, the same on all of them, by clocks that differ by \
                      less than a minute.";
        Self::new(StatusCode::FORBIDDEN, "no-node", "No node of this fleet signed that", detail)
    }

    pub(super) fn bad_signature() -> Self {
        let detail = "It has ended, was altered, or is from before the node started; ask for a new one.";
        Self::new(StatusCode::FORBIDDEN, "link-refused", "This link opens nothing", detail)
    }

    pub(super) fn bad_link(files: &str) -> Self {
        let detail = format!("Name one of {files} as 'file', and at least one second as 'seconds'.");
        Self::bad_request("bad-link", "There is no link to that", detail)
    }

    pub(super) fn not_final() -> Self {
        let detail = "Playlists come when the call ends; video.mp4 plays as far as it goes.";
        Self::new(StatusCode::CONFLICT, "recording-not-final", "This recording is not final", detail)
    }

    pub(super) fn no_host() -> Self {
        let detail = "This node hands nothing over; its operator sets [hand_over] url to the place.";
        Self::new(StatusCode::NOT_FOUND, "hand-over-off", "There is nowhere to hand over to", detail)
    }

    pub(super) fn no_hand_over() -> Self {
        let detail = "Nobody asked for one since this node started; POST to this address begins it.";
        Self::new(StatusCode::NOT_FOUND, "no-hand-over", "This recording is not being handed over", detail)
    }

    pub(super) fn bad_hand_over(why: &str) -> Self {
        let detail =
            format!("{why}; send nothing or {{\"keep\":true}}: the place is the one that the operator configured.");
        Self::bad_request("bad-hand-over", "This is no hand-over", detail)
    }

    pub(super) fn not_to_be_handed_over() -> Self {
        let detail =
            "Its call still runs, or a crash left it open; video.mp4 and `tessera recordings export` give it as it is.";
        Self::new(StatusCode::CONFLICT, "recording-not-final", "This recording is not final", detail)
    }

    pub(super) fn hand_overs_full() -> Self {
        let detail = "Too many recordings wait for it; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many recordings are handed over", detail)
    }

    pub(super) fn range() -> Self {
        let detail = "The range lies outside the file; Content-Range says how long that is.";
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "There are no such bytes", detail)
    }

    pub(super) fn announcement(why: &crate::engine::decode::AnnouncementError) -> Self {
        let detail = format!("{why}; send a WAV file, or Opus in Ogg.");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-announcement", "The file cannot be announced", detail)
    }

    pub(super) fn moderation(why: String) -> Self {
        Self::bad_request("bad-moderation", "This is no moderation", why)
    }

    pub(super) fn leg(why: String) -> Self {
        Self::bad_request("bad-leg", "There can be no such leg", why)
    }

    pub(super) fn push(why: String) -> Self {
        Self::bad_request("bad-push", "There can be no such push", why)
    }

    /// A body that did not arrive, where `len_max` bounds it.
    pub(super) fn body(rejection: &BytesRejection, len_max: usize) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large(len_max);
        }
        Self::bad_request("bad-body", "The body did not arrive", rejection.body_text())
    }

    pub(super) fn slow() -> Self {
        let detail = format!("A request has {} s to arrive in full; try again.", limits::HTTP_REQUEST_SPAN.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long", detail)
    }
}

impl From<TokenFault> for Problem {
    fn from(fault: TokenFault) -> Self {
        let new = |kind, title, detail: &str| Self::new(StatusCode::UNAUTHORIZED, kind, title, detail);
        match fault {
            TokenFault::Expired => new(EXPIRED, "Your link or token has ended", "Ask whoever sent it for a new one."),
            TokenFault::NotYet => {
                let detail = "Come back when it begins; if it should have, the clock of whoever made it is fast.";
                new(NOT_YET, "Your link or token does not hold yet", detail)
            }
            TokenFault::LongLived => {
                let detail = "From its making to its end is longer than [access] longest_hours of this node; make a \
                              shorter one.";
                new(REFUSED, "This token lives too long", detail)
            }
            TokenFault::UnknownKey => {
                let detail = "Its kid names no key of [access] keys here; it is another node's, or its key was taken \
                              back. Ask whoever sent it for a new one.";
                new(REFUSED, "No key of this node signed this token", detail)
            }
            TokenFault::Outside => {
                let detail = "It names a room that is not of those whom its key is for: their names begin with the \
                              tenant's id and '~'. Ask whoever made it for another.";
                new(REFUSED, "Its key does not reach this room", detail)
            }
            TokenFault::Forged | TokenFault::Unreadable => {
                let detail = "It is cut off, altered, for another service or no access token at all; use it whole, or \
                              ask whoever sent it for a new one.";
                new(REFUSED, "This token opens nothing", detail)
            }
        }
    }
}

/// Whether it says what is wrong with a token that was shown.
fn is_of_token(kind: &str) -> bool {
    matches!(kind, EXPIRED | NOT_YET | REFUSED)
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::body(&rejection, limits::SDP_LEN_MAX)
    }
}

impl From<FragmentError> for Problem {
    fn from(error: FragmentError) -> Self {
        Self::bad_request("bad-fragment", "The SDP fragment cannot be read", error.to_string())
    }
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        let status = match error {
            PictureError::Long { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            PictureError::Format => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PictureError::Large { .. } | PictureError::Damaged => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, "bad-picture", "This picture cannot be taken", error.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::gone(),
            ReadError::Missing => Self::no_recording(),
            ReadError::Damaged => Self::damaged(),
            ReadError::Doubt => Self::doubt(),
            ReadError::Store(error) => {
                tracing::warn!(%error, "the store did not answer");
                Self::store()
            }
        }
    }
}

impl Problem {
    /// It passes, here or elsewhere.
    fn busy() -> Self {
        let detail = "The node is busy; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The node is busy", detail)
    }

    /// Too many wait to come in.
    fn of_waiting(refusal: &Refusal) -> Self {
        if *refusal == Refusal::ManyJoiningHere {
            let detail = "Too many offers of your address were answered and never followed by a connection; connect or \
                          DELETE those, and try again in a few seconds.";
            let title = "Too many are joining from your address";
            return Self::new(StatusCode::TOO_MANY_REQUESTS, "many-joining-here", title, detail);
        }
        let detail = "As many connections are coming up as may at once; try again in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "many-joining", "Too many are joining", detail)
    }

    /// There can be no such leg here.
    fn of_leg(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::LegOutside(remote) => Self::leg(format!(
                "'remote' {remote} is in no network for legs; its operator sets [media] leg_networks."
            )),
            Refusal::LegsOff => {
                let detail = "This node takes no plain RTP; its operator sets [media] legs to the ports for it.";
                Self::new(StatusCode::NOT_FOUND, "legs-off", "There are no legs here", detail)
            }
            _ => {
                let detail = "Every port for legs is taken; try again when one has ended.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "legs-full", "There is no port left", detail)
            }
        }
    }
}

impl Problem {
    /// Nobody has a place for one viewer more.
    fn no_relay(why: Nowhere) -> Self {
        let why = match why {
            Nowhere::Empty => "there is no other node",
            Nowhere::Region => "no other node stands where this room may be",
            Nowhere::Draining => "all others go down",
            Nowhere::Full => "all others have none left",
        };
        let detail = format!(
            "As many watch this room at its own node as may, and {why}. Try again in a few seconds, \
             when somebody has left, or watch it by HLS."
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-relay", "There is no place for one viewer more", detail)
    }

    /// There can be no such push, or there is none.
    fn of_push(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadPush(why) => Self::push(format!("{why}.")),
            Refusal::PushNotFound => {
                let detail = "GET the room's pushes for those that there are.";
                Self::new(StatusCode::NOT_FOUND, "push-not-found", "The room has no such push", detail)
            }
            _ => {
                let detail = format!(
                    "A room has at most {} pushes and a node {}; end one of them first.",
                    limits::PUSHES_PER_ROOM_MAX,
                    limits::PUSHES_MAX
                );
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "pushes-full", "There are as many pushes as may be", detail)
            }
        }
    }
}

impl Problem {
    /// There can be no such recording now.
    fn of_recording(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::RetentionTooLong { hours } => {
                let detail = format!("This node keeps recordings for {hours} hours at most; ask for as many or fewer.");
                Self::bad_request("retention-too-long", "No recording lives that long here", detail)
            }
            Refusal::KeepersSilent => {
                let detail = "Too few keepers of recordings answer, or the clock is in doubt, so nobody could open it; \
                              try again later.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "keepers-silent", "No recording can begin", detail)
            }
            _ => Self::not_recorded(),
        }
    }
}

impl Problem {
    /// A captioner comes without a WebSocket.
    pub(super) fn no_socket() -> Self {
        let detail =
            "Ask with the headers of a WebSocket handshake (RFC 6455), over HTTP/1.1; docs/captions.md says how.";
        Self::new(StatusCode::UPGRADE_REQUIRED, "no-websocket", "Captioners come by WebSocket", detail)
    }

    /// There can be no such captioner or caption.
    fn of_caption(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadCaption(why) => Self::bad_request("bad-caption", "This can be no caption", format!("{why}.")),
            Refusal::CaptionsTooOften(why) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Captions come too fast", format!("{why}."))
            }
            _ => {
                let max = limits::CAPTIONERS_PER_ROOM_MAX;
                let detail = format!("A room has at most {max} captioners; end one of them first.");
                let title = "There are as many captioners as may be";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "captioners-full", title, detail)
            }
        }
    }
}

impl Problem {
    /// What was asked about is not there, or not any more.
    fn of_place(refusal: &Refusal) -> Self {
        use StatusCode as S;
        match refusal {
            Refusal::RoomNotFound => {
                let detail = "A room begins when its first participant joins; join it, or try again when someone has.";
                Self::new(S::NOT_FOUND, "room-not-found", "There is no such room", detail)
            }
            Refusal::ParticipantNotFound => {
                let detail = "'as' names nobody in this room; use the id from the Link header of your own answer.";
                Self::new(S::NOT_FOUND, "participant-not-found", "There is no such participant", detail)
            }
            Refusal::ResourceNotFound => {
                let detail = "This connection has ended or never was; send a new offer.";
                Self::new(S::NOT_FOUND, "resource-not-found", "There is no such connection", detail)
            }
            _ => {
                let detail = "ICE was restarted since; send the ETag of the newest answer as If-Match.";
                Self::new(S::PRECONDITION_FAILED, "session-changed", "The ICE session is another one", detail)
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        use StatusCode as S;
        match refusal {
            Refusal::BadOffer(why) => Self::bad_request("bad-offer", "The offer cannot be read", why),
            Refusal::UnsupportedCodec(why) => {
                Self::new(S::UNPROCESSABLE_ENTITY, "unsupported-codec", "No codec of the offer is taken", why)
            }
            Refusal::BadFragment(why) => Self::bad_request("bad-fragment", "The SDP fragment does not fit", why),
            Refusal::RungNotFound(there) => {
                let detail = format!("Name one of {} as 'rung', or none for the first.", there.join(", "));
                Self::new(S::NOT_FOUND, "rung-not-found", "The room has no such rung", detail)
            }
            Refusal::NotAllowed
            | Refusal::TokenMissing
            | Refusal::SteeringOff
            | Refusal::AccessMissing
            | Refusal::WrongRole
            | Refusal::WrongRoom
            | Refusal::WrongTenant => Self::no_leave(&refusal),
            Refusal::OverQuota(_) | Refusal::OutsideRegion(_) | Refusal::StoredOutside(_) => Self::of_tenant(&refusal),
            Refusal::RoomFull => {
                let detail =
                    "Everyone this room can hold is in it; try again when someone has left, or choose another room.";
                Self::new(S::SERVICE_UNAVAILABLE, "room-full", "The room is full", detail)
            }
            Refusal::WatchElsewhere { .. } => Self::elsewhere(),
            Refusal::NoRelay(why) => Self::no_relay(why),
            Refusal::NodeFull => {
                let detail = "This node runs as many rooms as it may; try again later, or ask another node.";
                Self::new(S::SERVICE_UNAVAILABLE, "node-full", "The node is full", detail)
            }
            Refusal::NodeAtLimit => {
                let detail = "This machine cannot carry more than it does: with one more, those who are there would \
                              see less. Ask another node, or try again in a few seconds.";
                Self::new(S::SERVICE_UNAVAILABLE, "node-at-limit", "The node is at its limit", detail)
            }
            Refusal::ManyJoining | Refusal::ManyJoiningHere => Self::of_waiting(&refusal),
            Refusal::LegsOff | Refusal::LegOutside(_) | Refusal::LegsFull => Self::of_leg(&refusal),
            Refusal::BadPush(_) | Refusal::PushNotFound | Refusal::PushesFull => Self::of_push(refusal),
            Refusal::CaptionersFull | Refusal::BadCaption(_) | Refusal::CaptionsTooOften(_) => {
                Self::of_caption(refusal)
            }
            Refusal::NotRecording | Refusal::RetentionTooLong { .. } | Refusal::KeepersSilent => {
                Self::of_recording(&refusal)
            }
            Refusal::Removed
            | Refusal::RoomLocked
            | Refusal::Banned
            | Refusal::BansFull
            | Refusal::InLobby { .. }
            | Refusal::NotLetIn
            | Refusal::LobbyOver
            | Refusal::LobbyFull
            | Refusal::NobodyWaits => Self::of_host(&refusal),
            Refusal::RoomNotFound
            | Refusal::ParticipantNotFound
            | Refusal::ResourceNotFound
            | Refusal::SessionChanged => Self::of_place(&refusal),
            Refusal::Busy => Self::busy(),
            Refusal::Hung => Self::lifeless(),
            Refusal::Draining | Refusal::NoNewRooms | Refusal::Leaving => Self::of_drain(&refusal),
        }
    }
}

impl From<Unplaced> for Problem {
    fn from(why: Unplaced) -> Self {
        let new = |kind, title, detail: &str| Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, title, detail);
        match why {
            Unplaced::Nowhere(Nowhere::Full) => {
                let detail = "No node has room for one more; its operator adds nodes. Try again in a few seconds.";
                new("fleet-full", "All nodes are full", detail)
            }
            Unplaced::Nowhere(Nowhere::Draining) => {
                let detail = "Every node that could take it is about to go down; try again in a few seconds.";
                new("draining", "No node begins a new room", detail)
            }
            Unplaced::Nowhere(Nowhere::Region) => {
                let detail = "No node stands in the region that was asked for; ask for another one or for none, or try \
                              again in a few seconds.";
                new("no-region", "No node is there", detail)
            }
            Unplaced::Nowhere(Nowhere::Empty) | Unplaced::Away => {
                let detail = "Nodes cannot agree now where a new room goes, for want of etcd; rooms that run go on and \
                              can be joined. Try again in a few seconds.";
                new("fleet-away", "No new room begins now", detail)
            }
            Unplaced::Conflict => {
                let detail = "Too many rooms begin at once; try again in a few seconds.";
                new("busy", "The fleet is busy", detail)
            }
            Unplaced::OtherRegion => {
                let detail = "It runs in another region than was asked for; join it there, without 'region', or take \
                              another room.";
                Self::new(StatusCode::CONFLICT, "other-region", "The room is in another region", detail)
            }
            Unplaced::Greedy => Self::of_waiting(&Refusal::ManyJoiningHere),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": problem_urn(self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            // Calls end in minutes, crowds pass in seconds.
            let seconds = match self.kind {
                TENANT_FULL => 30,
                LOBBY => limits::LOBBY_ASK_SPACING.as_secs(),
                _ => 2,
            };
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750 section 3.1: who showed nothing is told no error.
            let asks = if is_of_token(self.kind) { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(asks));
        }
        if matches!(self.kind, WRONG_ROLE | WRONG_ROOM | WRONG_TENANT) {
            let asks = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
            headers.insert(header::WWW_AUTHENTICATE, asks);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_doubt_is_neither_gone_nor_there_but_worth_another_try() {
        let response = Problem::from(ReadError::Doubt).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }
}
