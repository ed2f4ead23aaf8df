//! **The question:** how is a room's sound steered over HTTP? Announcements, and a host's moderation.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use axum::{Json, Router};
use serde_json::json;

use crate::decode;
use crate::http::problem::Problem;
use crate::http::resource::RoomPath;
use crate::http::server::Shared;
use crate::http::{Command, Desk, Moderation};
use crate::limits;
use crate::media::PcmBlock;

/// The two endpoints, with bounds of their own.
pub(super) fn routes() -> Router<Shared> {
    let announce = post(announce).layer(DefaultBodyLimit::max(limits::ANNOUNCEMENT_LEN_MAX));
    let moderate = patch(moderate).layer(DefaultBodyLimit::max(limits::MODERATION_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/announcements", announce).route("/v1/rooms/{room}/moderation", moderate)
}

/// 202: it plays from the next tick on. The file says by its first bytes what it is.
async fn announce(
    State(desk): State<Desk>,
    RoomPath(room): RoomPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let file = body.map_err(|rejection| Problem::body(&rejection, limits::ANNOUNCEMENT_LEN_MAX))?;
    let read = tokio::task::spawn_blocking(move || decode::announcement(&file)).await;
    let blocks = read.expect("reading a file does not panic").map_err(|why| Problem::announcement(&why))?;
    let blocks: Arc<[PcmBlock]> = blocks.into();
    let duration_ms = blocks.len() as u128 * limits::AUDIO_TICK.as_millis();
    desk.ask(|reply| Command::Announce { room, blocks, reply }).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "duration_ms": duration_ms }))).into_response())
}

async fn moderate(
    State(desk): State<Desk>,
    RoomPath(room): RoomPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::MODERATION_LEN_MAX))?;
    let parsed = serde_json::from_slice::<Moderation>(&body);
    let moderation = parsed.map_err(|why| Problem::moderation(why.to_string()))?;
    if moderation.participants.values().any(|p| p.volume_percent.is_some_and(|v| v > limits::VOLUME_PERCENT_MAX)) {
        let why = format!("A volume is at most {} per cent.", limits::VOLUME_PERCENT_MAX);
        return Err(Problem::moderation(why));
    }
    desk.ask(|reply| Command::Moderate { room, moderation, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
