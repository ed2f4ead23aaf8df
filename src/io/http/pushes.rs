//! **The question:** how does an operator send a room on to another server, see how that goes, and end it?

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{Codec, NoRungName};
use crate::core::access::Caller;
use crate::core::push::PushId;
use crate::io::api::{Command, ControlHandle, PushShown, PushWish, Refusal, SoundWish};
use crate::io::http::extract::{Body, RoomPath, text_of_type};
use crate::io::http::problem::Problem;
use crate::io::http::reply::insert_text;
use crate::io::http::state::ServerState;
use crate::io::telemetry::log::Redacted;

/// The pushes of a room, and each of them.
pub(super) fn routes() -> Router<ServerState> {
    let all = get(list).post(begin).layer(DefaultBodyLimit::max(limits::PUSH_REQUEST_LEN_MAX));
    let one = axum::routing::delete(end);
    Router::new().route("/v1/rooms/{room}/pushes", all).route("/v1/rooms/{room}/pushes/{push}", one)
}

/// What is asked for; all but the URL may be left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    url: String,
    token: Option<String>,
    rung: Option<String>,
    codec: Option<AskedCodec>,
    sound: Option<SoundWish>,
}

/// What the pictures shall be coded in.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum AskedCodec {
    Av1,
    H264,
    Vp8,
}

/// Every push of a room.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pushes {
    pushes: Vec<PushShown>,
}

impl TryFrom<Asked> for PushWish {
    type Error = Problem;

    fn try_from(asked: Asked) -> Result<Self, Problem> {
        let Asked { url, token, rung, codec, sound } = asked;
        let rung = rung.map(|rung| rung.parse()).transpose();
        let rung = rung.map_err(|why: NoRungName| Problem::push(why.to_string()))?;
        let codec = codec.map(|codec| match codec {
            AskedCodec::Av1 => Codec::Av1,
            AskedCodec::H264 => Codec::H264,
            AskedCodec::Vp8 => Codec::Vp8,
        });
        Ok(Self { url: Redacted::new(url), token: token.map(Redacted::new), rung, codec, sound })
    }
}

/// 201 with its place in `Location`, and how it stands: the first try has begun.
async fn begin(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::PUSH_REQUEST_LEN_MAX))?;
    let text = text_of_type(&headers, Ok(body), "application/json")?;
    // Words of the parser may repeat what it read.
    let asked: Asked = serde_json::from_str(&text).map_err(|why| {
        Problem::push(format!("line {}, column {}: this is not {{\"url\": …}}", why.line(), why.column()))
    })?;
    let (of, wish) = (room.clone(), asked.try_into()?);
    let shown = control.request(caller, |reply| Command::Push { room: of, wish, reply }).await?;
    let location = format!("/v1/rooms/{room}/pushes/{}", shown.push);
    let mut response = (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(shown)).into_response();
    insert_text(response.headers_mut(), header::LOCATION, location);
    Ok(response)
}

async fn list(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<Response, Problem> {
    let pushes = control.request(caller, |reply| Command::Pushes { room, reply }).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Pushes { pushes })).into_response())
}

async fn end(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    Path((_, push)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let push: PushId = push.parse().map_err(|_| Refusal::PushNotFound)?;
    control.request(caller, |reply| Command::EndPush { room, push, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
