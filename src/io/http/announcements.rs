//! **The question:** how is a sound played to everybody in a room?

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::base::media::ShortBlock;
use crate::core::access::Caller;
use crate::engine::decode;
use crate::io::api::{Command, ControlHandle, Place};
use crate::io::http::extract::{RoomPath, file};
use crate::io::http::gate::InHand;
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

/// The endpoint.
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/v1/rooms/{room}/announcements", post(announce))
}

/// What is told of an announcement that plays.
#[derive(Serialize, JsonSchema)]
pub(super) struct Announced {
    /// How long it lasts.
    duration_ms: u64,
}

/// 202: it plays from the next tick on. The file says by its first bytes what it is.
async fn announce(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    Extension(in_hand): Extension<Arc<InHand>>,
    RoomPath(room): RoomPath,
    request: Request,
) -> Result<Response, Problem> {
    let place = Place::Room(room.clone());
    let file = file(&control, &in_hand, place, request, limits::ANNOUNCEMENT_LEN_MAX).await?;
    let read = in_hand.decode(move || decode::announcement(&file)).await?;
    let blocks: Arc<[ShortBlock]> = read.map_err(|why| Problem::announcement(&why))?.into();
    let duration_ms = blocks.len() as u64 * limits::AUDIO_TICK.as_millis() as u64;
    control.request(caller, |reply| Command::Announce { room, blocks, reply }).await?;
    Ok((StatusCode::ACCEPTED, Json(Announced { duration_ms })).into_response())
}
