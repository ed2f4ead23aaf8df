//! **The question:** how is a recording handed over on request? Only to the host that the node's operator configured:
//! no request names another.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::io::http::admission::{Admitted, Recordings, recording};
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::ServerState;
use crate::io::store::ReadError;
use crate::io::transfer::{Refused, TransferState, Transfers};

pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/v1/recordings/{recording}/hand-over", get(state).post(begin))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    keep: bool,
}

async fn begin(Admitted(recordings): Admitted, Path(name): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (recording, transfers) = (recording(&name)?, configured(&recordings)?);
    let asked = if body.is_empty() { Ok(Asked::default()) } else { serde_json::from_slice::<Asked>(&body) };
    let asked = asked.map_err(|error| Problem::bad_hand_over(&error.to_string()))?;
    transfers.begin(recording, asked.keep).await?;
    // It may have ended already.
    let state = transfers.state(recording).unwrap_or(TransferState::Waiting);
    let mut response = private((StatusCode::ACCEPTED, Json(state)).into_response());
    let place = HeaderValue::from_str(&format!("/v1/recordings/{recording}/hand-over"));
    response.headers_mut().insert(header::LOCATION, place.expect("names are digits and letters"));
    Ok(response)
}

async fn state(Admitted(recordings): Admitted, Path(name): Path<String>) -> Result<Response, Problem> {
    let (recording, transfers) = (recording(&name)?, configured(&recordings)?);
    recordings.archive.custody().refuse(recording.hour).map_err(ReadError::from)?;
    let state = transfers.state(recording).ok_or_else(Problem::no_hand_over)?;
    Ok(private(Json(state).into_response()))
}

fn configured(recordings: &Recordings) -> Result<&Arc<Transfers>, Problem> {
    recordings.transfers.as_ref().ok_or_else(Problem::no_host)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::hand_overs_full(),
            Refused::NotFinal => Self::not_to_be_handed_over(),
            Refused::Read(error) => error.into(),
        }
    }
}
