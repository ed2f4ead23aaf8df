//! **The question:** may this be handed over, and by whom? A room of another node, which signs what it says.

use std::time::SystemTime;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::access::Caller;
use crate::core::fleet::Fence;
use crate::io::api::{Command, ControlHandle, Place};
use crate::io::fleet::{MOVE_PATH, MoveWord, SIGNATURE};
use crate::io::http::extract::Body;
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};

/// `/v1/fleet/rooms`
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route(MOVE_PATH, post(hear)).layer(DefaultBodyLimit::max(limits::MOVE_LEN_MAX))
}

/// A word of another node: whether this one would take a room, or that it is to.
async fn hear(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::MOVE_LEN_MAX))?;
    signed_by_node(&view, &headers, &body)?;
    let bad = |why: String| Problem::bad_request("bad-handover", "This is no room that is handed over", why);
    let word: MoveWord = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    match word {
        MoveWord::Ask { .. } => {
            let place = Place::NewRoom;
            control.request(Caller::Anyone, |reply| Command::Find { place, reply }).await?;
        }
        MoveWord::Take { fence, baggage } => {
            baggage.check().map_err(|error| bad(error.to_string()))?;
            let fence = Fence(fence);
            control.request(Caller::Anyone, |reply| Command::TakeUp { baggage, fence, reply }).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a node of this fleet signed a request with this body a moment ago.
///
/// # Errors
/// When none did.
pub(super) fn signed_by_node(view: &NodeView, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let trust = view.leading.trust.as_ref().ok_or_else(Problem::no_node)?;
    let now = Wallclock::from_system_time(SystemTime::now()).unix_seconds();
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if trust.is_signed(now, body, signature) { Ok(()) } else { Err(Problem::no_node()) }
}
