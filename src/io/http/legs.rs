//! **The question:** how does a voice over plain RTP come into a room, and go? For a telephone gateway, which signals
//! by itself.

use std::net::SocketAddr;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::limits;
use crate::core::access::Caller;
use crate::io::api::{Command, ControlHandle};
use crate::io::http::extract::{Address, Body, ResourcePath, RoomPath, display_name};
use crate::io::http::problem::Problem;
use crate::io::http::reply::insert_text;
use crate::io::http::state::ServerState;
use crate::io::rtp::{LegCodec, LegSetup};

/// The endpoint and its resources.
pub(super) fn routes() -> Router<ServerState> {
    let add = post(add).layer(DefaultBodyLimit::max(limits::LEG_REQUEST_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/legs", add).route("/v1/rooms/{room}/legs/{token}", get(look).delete(end))
}

/// What is asked for; all but the codec may be left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    codec: LegCodec,
    #[serde(default)]
    name: String,
    payload_type: Option<u8>,
    event_type: Option<u8>,
    ptime: Option<u8>,
    #[schemars(with = "Option<String>")]
    remote: Option<SocketAddr>,
}

/// 201 with the capability in `Location`, and where to send.
async fn add(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    Address(from): Address,
    body: Body,
) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::LEG_REQUEST_LEN_MAX))?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|why| Problem::leg(why.to_string()))?;
    let name = display_name(caller.name().unwrap_or(&asked.name))?;
    let leg = LegSetup::new(asked.codec, asked.payload_type, asked.event_type, asked.ptime, asked.remote);
    let leg = leg.map_err(|why| Problem::leg(why.to_string()))?;
    let of = room.clone();
    let add = |reply| Command::AddLeg { room: of, name, leg, from, reply };
    let joined = control.request(caller, add).await?;
    let mut response = (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(joined.state)).into_response();
    let location = format!("/v1/rooms/{room}/legs/{}", joined.resource);
    insert_text(response.headers_mut(), header::LOCATION, location);
    Ok(response)
}

async fn look(State(control): State<ControlHandle>, ResourcePath(resource): ResourcePath) -> Result<Response, Problem> {
    let state = control.request(Caller::Anyone, |reply| Command::Leg { resource, reply }).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response())
}

async fn end(
    State(control): State<ControlHandle>,
    ResourcePath(resource): ResourcePath,
) -> Result<StatusCode, Problem> {
    control.request(Caller::Anyone, |reply| Command::Leave { resource, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
