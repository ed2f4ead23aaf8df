//! **The question:** what can be read of the node? Rooms, health, metrics and stats.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::access::Caller;
use crate::io::api::{Command, ControlHandle, Pulse, Refusal, RoomDetail, RoomSummary};
use crate::io::http::extract::RoomPath;
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::{NodeView, ServerState};

/// Everything that is only read.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/rooms", get(rooms))
        .route("/v1/rooms/{room}", get(room))
        .route("/v1/node/stats", get(stats))
        .route("/v1/usage", get(usage))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

/// What `GET /v1/rooms` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rooms {
    /// Every room, by name.
    rooms: Vec<RoomSummary>,
}

async fn rooms(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let rooms = control.request(caller, |reply| Command::Rooms { reply }).await?;
    Ok(Json(Rooms { rooms }).into_response())
}

async fn room(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<Json<RoomDetail>, Problem> {
    Ok(Json(control.request(caller, |reply| Command::Room { room, reply }).await?))
}

async fn usage(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let told = control.request(caller, |reply| Command::Usage { reply }).await?;
    Ok(private(Json(told).into_response()))
}

async fn stats(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<serde_json::Value>, Problem> {
    Ok(Json(control.request(caller, |reply| Command::Stats { reply }).await?))
}

/// The control thread says a word: the node is alive, also while no room begins. Nobody else is asked: a store or
/// keepers that are down are no reason to end the calls that run.
async fn healthz(State(control): State<ControlHandle>) -> Result<&'static str, Problem> {
    match control.pulse().await {
        Pulse::Open | Pulse::Closed(_) => Ok("ok\n"),
        Pulse::None => Err(Problem::lifeless()),
    }
}

/// The control thread says that a new room would begin.
async fn readyz(State(control): State<ControlHandle>, State(view): State<NodeView>) -> Result<&'static str, Problem> {
    if !view.ready.load(Ordering::Acquire) {
        return Err(Refusal::Draining.into());
    }
    match control.pulse().await {
        Pulse::Open => match view.leading.placement.admits() {
            Ok(()) => Ok("ready\n"),
            Err(why) => Err(why.into()),
        },
        Pulse::Closed(refusal) => Err(refusal.into()),
        Pulse::None => Err(Problem::lifeless()),
    }
}

async fn metrics(State(view): State<NodeView>) -> Response {
    let text = (view.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
