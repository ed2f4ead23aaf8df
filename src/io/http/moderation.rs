//! **The question:** how does a host steer over HTTP who is heard?

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::core::access::Caller;
use crate::core::signal::Knocker;
use crate::io::api::{Command, ControlHandle, Moderation};
use crate::io::http::extract::{Body, RoomPath};
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::ServerState;

/// The endpoint, with a bound of its own.
pub(super) fn routes() -> Router<ServerState> {
    let moderate = patch(moderate).layer(DefaultBodyLimit::max(limits::MODERATION_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/moderation", moderate).route("/v1/rooms/{room}/lobby", get(lobby))
}

/// What `GET /v1/rooms/{room}/lobby` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct LobbyTold {
    /// Those who wait to be let in, in the order in which they came.
    people: Vec<Knocker>,
}

async fn lobby(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<Response, Problem> {
    let people = control.request(caller, |reply| Command::Lobby { room, reply }).await?;
    Ok(private(Json(LobbyTold { people }).into_response()))
}

async fn moderate(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::MODERATION_LEN_MAX))?;
    let parsed = serde_json::from_slice::<Moderation>(&body);
    let moderation = parsed.map_err(|why| Problem::moderation(why.to_string()))?;
    if moderation.participants.values().any(|p| p.volume_percent.is_some_and(|v| v > limits::VOLUME_PERCENT_MAX)) {
        let why = format!("A volume is at most {} per cent.", limits::VOLUME_PERCENT_MAX);
        return Err(Problem::moderation(why));
    }
    control.request(caller, |reply| Command::Moderate { room, moderation, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
