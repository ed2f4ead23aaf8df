//! **The question:** how is a sound played to everybody in a room?

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::base::limits;
use crate::base::media::PcmBlock;
use crate::core::access::Caller;
use crate::engine::decode;
use crate::io::api::{Command, ControlHandle};
use crate::io::http::extract::{Body, RoomPath};
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

/// The endpoint, with a bound of its own.
pub(super) fn routes() -> Router<ServerState> {
    let announce = post(announce).layer(DefaultBodyLimit::max(limits::ANNOUNCEMENT_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/announcements", announce)
}

/// 202: it plays from the next tick on. The file says by its first bytes what it is.
async fn announce(
    State(control): State<ControlHandle>,
    RoomPath(room): RoomPath,
    body: Body,
) -> Result<Response, Problem> {
    let file = body.map_err(|rejection| Problem::body(&rejection, limits::ANNOUNCEMENT_LEN_MAX))?;
    let read = tokio::task::spawn_blocking(move || decode::announcement(&file)).await;
    let blocks = read.expect("reading a file does not panic").map_err(|why| Problem::announcement(&why))?;
    let blocks: Arc<[PcmBlock]> = blocks.into();
    let duration_ms = blocks.len() as u128 * limits::AUDIO_TICK.as_millis();
    control.request(Caller::Anyone, |reply| Command::Announce { room, blocks, reply }).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "duration_ms": duration_ms }))).into_response())
}
