//! **The question:** how is a connection made, steered and ended over HTTP? WHIP (RFC 9725), WHEP, and the participants
//! of a room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use axum::{Extension, Json, Router};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::{IdError, NoRungName, ParticipantId, RoomId, RungName};
use crate::core::access::Caller;
use crate::core::trace::{TraceParent, TraceStart};
use crate::io::api::{Command, ControlHandle, Joined, Refusal, RungShown, SdpFragment, SeatWish, Trickled};
use crate::io::http::extract::{Body, ResourcePath, RoomPath, address_of, display_name, text_of_type};
use crate::io::http::fleet::{RELAY, RELAYED_HERE};
use crate::io::http::problem::Problem;
use crate::io::http::reply::insert_text;
use crate::io::http::rights::{FRAGMENT, SDP};
use crate::io::http::state::{NodeView, ServerState};

/// The relation from a publisher to the room without their own voice.
const REL_WHEP: &str = "urn:tessera:whep";

/// The three endpoints and their resources.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/rooms/{room}/participants", post(join))
        .route("/v1/rooms/{room}/participants/{token}", patch(trickle).delete(leave))
        .route("/whip/{room}", post(publish))
        .route("/whip/{room}/{token}", patch(trickle).delete(leave))
        .route("/whep/{room}", post(watch).get(rungs))
        .route("/whep/{room}/{token}", patch(trickle).delete(leave))
}

/// `?name=`, `?as=`, `?record=`, `?rung=`, `?seat=` and `?relay=`.
struct Asked {
    name: String,
    seat: SeatWish,
    rung: Option<RungName>,
    consents_to_recording: bool,
    minus: Option<ParticipantId>,
    /// What they show by which another node sent them here.
    relay: Option<String>,
}

/// What every way into a room brings: the room, what is asked of it, and an SDP offer.
struct Offered {
    caller: Caller,
    room: RoomId,
    asked: Asked,
    /// All but the body.
    parts: Parts,
    offer: String,
    from: Option<IpAddr>,
    trace: TraceStart,
}

async fn join(State(control): State<ControlHandle>, offered: Offered) -> Result<Response, Problem> {
    let Offered { caller, room, asked, offer, from, trace, .. } = offered;
    let Asked { name, consents_to_recording, rung, seat, .. } = asked;
    let base = format!("/v1/rooms/{room}/participants");
    let of = room.clone();
    let join = |reply| Command::Join { room, name, offer, from, consents_to_recording, rung, seat, trace, reply };
    Ok(created(&base, &of, &control.request(caller, join).await?))
}

async fn publish(State(control): State<ControlHandle>, offered: Offered) -> Result<Response, Problem> {
    let Offered { caller, room, asked: Asked { name, consents_to_recording, .. }, offer, from, trace, .. } = offered;
    let of = room.clone();
    let publish = |reply| Command::Publish { room, name, offer, from, consents_to_recording, trace, reply };
    Ok(created(&format!("/whip/{of}"), &of, &control.request(caller, publish).await?))
}

async fn watch(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    offered: Offered,
) -> Result<Response, Problem> {
    let Offered { caller, room, asked: Asked { minus, rung, seat, relay, .. }, parts, offer, from, trace } = offered;
    let of = room.clone();
    let shows = if let SeatWish::Resume(token) = seat { Some(token) } else { None };
    let relayed = view.leading.is_sent_here(&room, relay.as_deref());
    let watch = |reply| Command::Watch { room, minus, shows, offer, from, rung, relayed, trace, reply };
    match control.request(caller, watch).await {
        Err(Refusal::WatchElsewhere { node, url }) => Ok(view.leading.send_to_relay(&parts, &of, (&node, &url))),
        joined => {
            let joined = joined?;
            let mut response = created(&format!("/whep/{of}"), &of, &joined);
            if relayed {
                // Asked about it without this, a node sends one on to where the room is.
                let location = format!("/whep/{of}/{}?{RELAY}={RELAYED_HERE}", joined.resource);
                insert_text(response.headers_mut(), header::LOCATION, location);
            }
            Ok(response)
        }
    }
}

/// What `GET /whep/{room}` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rungs {
    /// The largest first.
    rungs: Vec<RungShown>,
}

/// What can be watched in a room, and what of it runs.
async fn rungs(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<Response, Problem> {
    let rungs = control.request(caller, |reply| Command::Rungs { room, reply }).await?;
    Ok(Json(Rungs { rungs }).into_response())
}

async fn trickle(
    State(control): State<ControlHandle>,
    ResourcePath(resource): ResourcePath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let text = text_of_type(&headers, body, FRAGMENT)?;
    let session = condition(&headers)?;
    let fragment = SdpFragment::parse(&text)?;
    match control.request(Caller::Anyone, |reply| Command::Trickle { resource, session, fragment, reply }).await? {
        Trickled::Accepted => Ok(StatusCode::NO_CONTENT.into_response()),
        Trickled::Restarted { answer } => {
            let mut response = ([(header::CONTENT_TYPE, FRAGMENT)], answer.clone()).into_response();
            insert_etag(response.headers_mut(), &answer);
            Ok(response)
        }
    }
}

async fn leave(
    State(control): State<ControlHandle>,
    ResourcePath(resource): ResourcePath,
) -> Result<Response, Problem> {
    control.request(Caller::Anyone, |reply| Command::Leave { resource, reply }).await?;
    Ok(StatusCode::OK.into_response())
}

/// 201 with the answer, the capability in `Location`, the ICE generation as `ETag`, and the way to watch as oneself.
fn created(base: &str, room: &RoomId, joined: &Joined) -> Response {
    let mut response = (
        StatusCode::CREATED,
        [(header::CONTENT_TYPE, SDP), (header::CACHE_CONTROL, "no-store")],
        joined.answer.clone(),
    )
        .into_response();
    let headers = response.headers_mut();
    insert_text(headers, header::LOCATION, format!("{base}/{}", joined.resource));
    insert_etag(headers, &joined.answer);
    if let Some(participant) = joined.participant {
        insert_text(headers, header::LINK, format!("</whep/{room}?as={participant}>; rel=\"{REL_WHEP}\""));
    }
    response
}

/// The node's `ice-ufrag` names the ICE generation, so it is the entity tag (RFC 9725 section 4.3.1).
fn insert_etag(headers: &mut HeaderMap, sdp: &str) {
    if let Some(ufrag) = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")) {
        insert_text(headers, header::ETAG, format!("\"{}\"", ufrag.trim()));
    }
}

/// `If-Match`: `Some` of the quoted tag, `None` for `*`, which RFC 9725 writes with quotes.
fn condition(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let value = headers.get(header::IF_MATCH).ok_or_else(Problem::no_condition)?;
    let text = value.to_str().map_err(|_| Refusal::SessionChanged)?.trim();
    let tag = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    Ok((tag != "*").then(|| tag.to_owned()))
}

fn offer_in(headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    let text = text_of_type(headers, body, SDP)?;
    // RFC 8866 section 5: a description begins with its version, which is 0.
    if !text.starts_with("v=0") {
        return Err(Refusal::BadOffer("The body is no SDP: its first line must be 'v=0'.".into()).into());
    }
    Ok(text)
}

impl<S: Send + Sync> FromRequest<S> for Offered {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let parent = parts.headers.get("traceparent").and_then(|text| TraceParent::parse(text.to_str().ok()?));
        let trace = TraceStart { at: Instant::now(), parent };
        let RoomPath(room) = RoomPath::from_request_parts(&mut parts, state).await?;
        let mut asked = Asked::from_request_parts(&mut parts, state).await?;
        let caller = parts.extensions.get::<Caller>().cloned().ok_or(Refusal::NotAllowed)?;
        // Nobody bears the name of another whom a token names.
        if let Some(name) = caller.name() {
            asked.name = name.to_owned();
        }
        let from = address_of(&parts);
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let offer = offer_in(&parts.headers, body)?;
        Ok(Self { caller, room, asked, parts, offer, from, trace })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parsed = Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Query(fields) = parsed.map_err(|rejection| {
            Problem::bad_request("bad-query", "The query cannot be read", rejection.body_text())
        })?;
        let minus = match fields.get("as") {
            Some(text) => Some(text.parse().map_err(|why: IdError| {
                Problem::bad_request("bad-participant", "'as' is no participant's id", why.to_string())
            })?),
            None => None,
        };
        let consents_to_recording = match fields.get("record").map_or("yes", String::as_str) {
            "yes" => true,
            "no" => false,
            other => {
                let why = format!("'record' is yes or no, not {other:?}.");
                return Err(Problem::bad_request("bad-query", "The query cannot be read", why));
            }
        };
        let rung = fields.get("rung").map(|text| text.parse()).transpose();
        let rung = rung.map_err(|why: NoRungName| {
            Problem::bad_request("bad-query", "The query cannot be read", format!("{why}."))
        })?;
        let seat = fields.get("seat").map_or(Ok(SeatWish::Free), |text| text.parse());
        let seat = seat.map_err(|_| {
            let why = "'seat' is keep, or what named your former connection: the end of its Location.";
            Problem::bad_request("bad-query", "The query cannot be read", why)
        })?;
        Ok(Self {
            rung,
            seat,
            name: display_name(fields.get("name").map_or("", String::as_str))?,
            consents_to_recording,
            minus,
            relay: fields.get(RELAY).cloned(),
        })
    }
}
