//! **The question:** how does a voice over plain RTP come into a room, and go? For a telephone gateway, which signals by itself.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use crate::http::problem::Problem;
use crate::http::resource::{ResourcePath, RoomPath, display_name, insert_text};
use crate::http::server::Shared;
use crate::http::{Command, Desk};
use crate::leg::{LegCodec, LegSetup};
use crate::limits;

/// The endpoint and its resources.
pub(super) fn routes() -> Router<Shared> {
    let add = post(add).layer(DefaultBodyLimit::max(limits::LEG_REQUEST_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/legs", add).route("/v1/rooms/{room}/legs/{token}", get(look).delete(end))
}

/// What is asked for; all but the codec may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    codec: LegCodec,
    #[serde(default)]
    name: String,
    payload_type: Option<u8>,
    event_type: Option<u8>,
    ptime: Option<u8>,
    remote: Option<SocketAddr>,
}

/// 201 with the capability in `Location`, and where to send.
async fn add(
    State(desk): State<Desk>,
    RoomPath(room): RoomPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::LEG_REQUEST_LEN_MAX))?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|why| Problem::leg(why.to_string()))?;
    let name = display_name(&asked.name)?;
    let leg = LegSetup::new(asked.codec, asked.payload_type, asked.event_type, asked.ptime, asked.remote);
    let leg = leg.map_err(|why| Problem::leg(why.to_string()))?;
    let joined = desk.ask(|reply| Command::AddLeg { room: room.clone(), name, leg, reply }).await?;
    let mut response = (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(joined.state)).into_response();
    let location = format!("/v1/rooms/{room}/legs/{}", joined.resource);
    insert_text(response.headers_mut(), header::LOCATION, location);
    Ok(response)
}

async fn look(State(desk): State<Desk>, ResourcePath(resource): ResourcePath) -> Result<Response, Problem> {
    let state = desk.ask(|reply| Command::Leg { resource, reply }).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response())
}

async fn end(State(desk): State<Desk>, ResourcePath(resource): ResourcePath) -> Result<StatusCode, Problem> {
    desk.ask(|reply| Command::Leave { resource, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
