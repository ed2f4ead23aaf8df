//! **The question:** which pages are there for whoever runs a node? Recordings and the console; each asks for what it
//! shows with the token that its user gives it, so that the pages themselves are nobody's secret. And the API, to be
//! read.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

use crate::io::http::extract::FilePath;
use crate::io::http::page::{Asset, asset, respond};
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

const RECORDINGS: Asset = asset!("console/recordings.html", "text/html; charset=utf-8");
const CONSOLE: Asset = asset!("console/console.html", "text/html; charset=utf-8");
const API: Asset = asset!("console/api.html", "text/html; charset=utf-8");
const ASSETS: [Asset; 6] = [
    asset!("console/console.js", "text/javascript; charset=utf-8"),
    asset!("console/plots.js", "text/javascript; charset=utf-8"),
    asset!("console/api.js", "text/javascript; charset=utf-8"),
    asset!("console/pages.css", "text/css; charset=utf-8"),
    asset!("console/common.js", "text/javascript; charset=utf-8"),
    asset!("console/recordings.js", "text/javascript; charset=utf-8"),
];

/// `/recordings`, `/console`, `/api`, and what it loads.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/recordings", get(async |headers: HeaderMap| respond(&headers, &RECORDINGS)))
        .route("/console", get(async |headers: HeaderMap| respond(&headers, &CONSOLE)))
        .route("/api", get(async |headers: HeaderMap| respond(&headers, &API)))
        .route("/assets/console/{name}", get(file))
}

async fn file(headers: HeaderMap, FilePath(name): FilePath) -> Result<Response, Problem> {
    let is_named = |asset: &&Asset| asset.name.strip_prefix("console/") == Some(name.as_str());
    let asset = ASSETS.iter().find(is_named).ok_or_else(Problem::no_page)?;
    Ok(respond(&headers, asset))
}
