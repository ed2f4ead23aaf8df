//! **The question:** how does an operator see and choose a room's layout and page? `docs/layout.md` describes the
//! document.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::access::Caller;
use crate::core::scene::{Layout, TileCount};
use crate::io::api::{Command, ControlHandle, LayoutShown};
use crate::io::http::extract::{Body, RoomPath, text_of_type};
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

const JSON: &str = "application/json";

/// A room's layout and page.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/rooms/{room}/layout", get(shown).put(choose))
        .route("/v1/rooms/{room}/page", axum::routing::put(turn))
}

/// `{"page": 2}`, counted from 1. A layout has at least one tile, so there are no more pages than people.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[schemars(with = "u32", range(min = 1))]
    page: TileCount,
}

async fn shown(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
) -> Result<Json<LayoutShown>, Problem> {
    Ok(Json(control.request(caller, |reply| Command::Layout { room, reply }).await?))
}

async fn choose(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let text = text_of_type(&headers, body, JSON)?;
    let bad = |why: String| Problem::bad_request("bad-layout", "This is no layout", why);
    let layout = Layout::parse(&text).map_err(|error| bad(error.to_string()))?;
    control.request(caller, |reply| Command::SetLayout { room, layout, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn turn(
    State(control): State<ControlHandle>,
    Extension(caller): Extension<Caller>,
    RoomPath(room): RoomPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let text = text_of_type(&headers, body, JSON)?;
    let bad = |why: String| Problem::bad_request("bad-page", "This is no page", why);
    let Page { page } = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let page = page.get() as usize - 1;
    control.request(caller, |reply| Command::TurnPage { room, page, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}
