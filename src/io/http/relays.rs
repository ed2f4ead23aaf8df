//! **The question:** may this node's room be shown at another one? To nodes that sign what they say.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};

use crate::base::limits;
use crate::core::access::Caller;
use crate::core::fleet::{RelayAnswer, RelayWord};
use crate::io::api::{Command, ControlHandle};
use crate::io::fleet::RELAY_PATH;
use crate::io::http::extract::Body;
use crate::io::http::moving::signed_by_node;
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};

/// `/v1/fleet/relays`
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route(RELAY_PATH, post(hear)).layer(DefaultBodyLimit::max(limits::RELAY_LEN_MAX))
}

/// A word of a node that relays a room of this one, or wants to.
async fn hear(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RelayAnswer>, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::RELAY_LEN_MAX))?;
    signed_by_node(&view, &headers, &body)?;
    let word: RelayWord = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request("bad-handover", "This is no word of a relay", error.to_string()))?;
    Ok(Json(control.request(Caller::Anyone, |reply| Command::Relay { word, reply }).await?))
}
