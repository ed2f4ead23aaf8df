//! **The question:** what do recordings hold of one participant, and how is it erased? Picture and sound are one for
//! all who were in a call, so what is erased is whole recordings.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::{IdError, ParticipantId};
use crate::core::retention::RecordingName;
use crate::io::http::admission::{Admitted, Recordings, Within};
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::ServerState;
use crate::io::store::{HeldOf, ReadError};

pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/v1/participants/{participant}/recordings", get(held).delete(erase))
}

/// What `GET /v1/participants/{participant}/recordings` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct HeldTold {
    /// Each recording in which they take part, with what is of them alone.
    recordings: Vec<HeldOf>,
}

/// What `DELETE /v1/participants/{participant}/recordings` did.
#[derive(Serialize, JsonSchema)]
pub(super) struct ErasedTold {
    /// Recordings that are erased, whole: of everybody who was in them.
    erased: Vec<String>,
    /// Those that could not be, and may be tried again.
    failed: Vec<String>,
}

fn participant(name: &str) -> Result<ParticipantId, Problem> {
    name.parse()
        .map_err(|why: IdError| Problem::bad_request("bad-participant", "This is no participant", why.to_string()))
}

async fn held(
    Admitted(Recordings { archive, .. }): Admitted,
    within: Within,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let recordings = archive.held_of(participant(&name)?, |detail| within.covers(&detail.room)).await?;
    Ok(private(Json(HeldTold { recordings }).into_response()))
}

async fn erase(
    Admitted(Recordings { archive, .. }): Admitted,
    within: Within,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let held = archive.held_of(participant(&name)?, |detail| within.covers(&detail.room)).await?;
    let mut told = ErasedTold { erased: Vec::new(), failed: Vec::new() };
    for HeldOf { recording, .. } in held {
        let erased = match recording.parse::<RecordingName>() {
            Ok(name) => archive.shred(name).await,
            Err(_) => Err(ReadError::Missing),
        };
        match erased {
            // Its hour came meanwhile, or somebody else was faster.
            Ok(()) | Err(ReadError::Gone | ReadError::Missing) => told.erased.push(recording),
            Err(error) => {
                tracing::warn!(%error, "a recording of a participant could not be erased");
                told.failed.push(recording);
            }
        }
    }
    Ok(private(Json(told).into_response()))
}
