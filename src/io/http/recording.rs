//! **The question:** how does somebody begin and end a room's recording over HTTP?

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::limits;
use crate::core::access::Caller;
use crate::core::retention::Retention;
use crate::io::api::{Command, ControlHandle};
use crate::io::http::extract::{Body, RoomPath};
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;
use crate::io::store::RecordingWish;

/// Begin and end.
pub(super) fn routes() -> Router<ServerState> {
    let begin = post(begin).delete(end).layer(DefaultBodyLimit::max(limits::RECORDING_WISH_LEN_MAX));
    Router::new().route("/v1/rooms/{room}/recording", begin)
}

/// `{"owner": "…", "retention_hours": 24}`; both may be missing, and so may the body.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wish {
    owner: Option<String>,
    retention_hours: Option<u32>,
}

/// 201 when it begins, 200 when the room is recorded already: that recording goes on as it is.
async fn begin(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::RECORDING_WISH_LEN_MAX))?;
    let wish = if body.is_empty() { RecordingWish::default() } else { wish(&body)? };
    let is_new = control.request(caller, |reply| Command::Record { room, wish, reply }).await?;
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::OK })
}

/// 204, whether the room was recorded or not.
async fn end(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<StatusCode, Problem> {
    control.request(caller, |reply| Command::StopRecording { room, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wish(body: &[u8]) -> Result<RecordingWish, Problem> {
    let bad = |why: String| Problem::bad_request("bad-recording", "There can be no such recording", why);
    let Wish { owner, retention_hours } = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    if owner.as_ref().is_some_and(|owner| owner.is_empty() || owner.len() > limits::OWNER_LEN_MAX) {
        return Err(bad(format!("An owner has 1 to {} bytes.", limits::OWNER_LEN_MAX)));
    }
    let retention = retention_hours.map(|hours| Retention::new(Duration::from_secs(u64::from(hours) * 3600)));
    let retention = retention.transpose().map_err(|error| bad(format!("retention_hours: {error}")))?;
    Ok(RecordingWish { owner, retention })
}
