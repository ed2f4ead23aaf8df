//! **The question:** how does an operator learn how the node stands, empty it of rooms, and take that back?

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::core::access::Caller;
use crate::io::api::{CertificateTold, Command, ControlHandle, NodeFacts, NodeState};
use crate::io::http::extract::Body;
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::{NodeView, ServerState};

/// `/v1/node` and its drain, and the fleet that it is of.
pub(super) fn routes() -> Router<ServerState> {
    let drain = post(drain).delete(revoke).layer(DefaultBodyLimit::max(limits::DRAIN_ASKED_LEN_MAX));
    Router::new().route("/v1/fleet", get(fleet)).route("/v1/node", get(node)).route("/v1/node/drain", drain)
}

/// What `GET /v1/node` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct NodeTold {
    #[serde(flatten)]
    facts: NodeFacts,
    #[serde(flatten)]
    state: NodeState,
    /// Of the door; absent where HTTP is plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateTold>,
}

/// `{"within_s": 480}`; it may be missing, and so may the body.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// How long the rooms that run may still, seconds. Absent: of a node that drains already, as long as was said
    /// before, no time begins anew; else until they end by themselves, or, where rooms move, `node.drain_seconds`.
    within_s: Option<u32>,
}

async fn node(State(control): State<ControlHandle>, State(view): State<NodeView>) -> Result<Response, Problem> {
    let state = control.request(Caller::Anyone, |reply| Command::Node { reply }).await?;
    let certificate = view.certificate.told();
    Ok(private(Json(NodeTold { facts: (*view.facts).clone(), state, certificate }).into_response()))
}

/// What this node knows of its fleet.
async fn fleet(State(view): State<NodeView>) -> Response {
    private(Json(view.leading.placement.shown()).into_response())
}

/// No room begins from now on; those that run go on, and can be joined.
async fn drain(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<NodeState>, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection, limits::DRAIN_ASKED_LEN_MAX))?;
    let bad = |why: String| Problem::bad_request("bad-drain", "The node cannot drain so", why);
    let asked = if body.is_empty() { Ok(Asked::default()) } else { serde_json::from_slice(&body) };
    let Asked { within_s } = asked.map_err(|error| bad(error.to_string()))?;
    if within_s.is_some_and(|seconds| seconds > limits::DRAIN_SECONDS_MAX) {
        return Err(bad(format!("within_s is at most {}.", limits::DRAIN_SECONDS_MAX)));
    }
    let span = within_s.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Json(control.request(caller, |reply| Command::Drain { span, reply }).await?))
}

/// Rooms begin again.
async fn revoke(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<NodeState>, Problem> {
    Ok(Json(control.request(caller, |reply| Command::RevokeDrain { reply }).await?))
}
