//! **The question:** how does a console learn of the last quarter of an hour? Of what the node remembers, for whoever
//! may steer rooms.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use crate::io::http::reply::private;
use crate::io::http::state::{NodeView, ServerState};

/// `/v1/node/history`.
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/v1/node/history", get(history))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    after: u64,
}

/// What is younger than point `?after=`, so that a page asks for each once.
async fn history(State(view): State<NodeView>, Query(asked): Query<Asked>) -> Response {
    private(Json(view.history.since(asked.after)).into_response())
}
