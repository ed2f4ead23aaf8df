//! **The question:** what can be read of the node? Rooms, health, metrics and stats.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::resource::RoomPath;
use crate::http::server::Shared;
use crate::http::{Command, Desk, Refusal, RoomDetail, Telling};

/// Everything that is only read.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/rooms", get(rooms))
        .route("/v1/rooms/{room}", get(room))
        .route("/v1/node/stats", get(stats))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

async fn rooms(State(desk): State<Desk>) -> Result<Response, Problem> {
    let rooms = desk.ask(|reply| Command::Rooms { reply }).await?;
    Ok(Json(json!({ "rooms": rooms })).into_response())
}

async fn room(State(desk): State<Desk>, RoomPath(room): RoomPath) -> Result<Json<RoomDetail>, Problem> {
    Ok(Json(desk.ask(|reply| Command::Room { room, reply }).await?))
}

async fn stats(State(desk): State<Desk>) -> Result<Json<serde_json::Value>, Problem> {
    Ok(Json(desk.ask(|reply| Command::Stats { reply }).await?))
}

/// The process answers: it is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The node takes people in.
async fn readyz(State(telling): State<Telling>) -> Result<&'static str, Problem> {
    if telling.ready.load(Ordering::Relaxed) { Ok("ready\n") } else { Err(Refusal::Draining.into()) }
}

async fn metrics(State(telling): State<Telling>) -> Response {
    let text = (telling.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
