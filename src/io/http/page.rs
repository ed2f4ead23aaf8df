//! **The question:** what does a browser get at `/`? The page's files, compiled in, with the headers that keep them
//! safe.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::io::http::extract::{FilePath, RoomPath};
use crate::io::http::packed;
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

/// Nothing from elsewhere, no inline code, no tracking, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self' blob: mediastream:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), geolocation=()";

/// A file that is compiled in.
pub(super) struct Asset {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: &'static [u8],
    /// The same in gzip, packed when the node was built.
    pub(super) packed: &'static [u8],
}

/// A file of `web/`.
macro_rules! asset {
    ($name:literal, $content_type:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../web/", $name)),
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/packed/", $name, ".gz")),
        }
    };
}
pub(super) use asset;

const INDEX: Asset = asset!("index.html", "text/html; charset=utf-8");
const WATCH: Asset = asset!("watch.html", "text/html; charset=utf-8");
const ASSETS: &[Asset] = &[
    asset!("captions.css", "text/css; charset=utf-8"),
    asset!("lobby.css", "text/css; charset=utf-8"),
    asset!("lobby.js", "text/javascript; charset=utf-8"),
    asset!("captions.js", "text/javascript; charset=utf-8"),
    asset!("captions-hls.js", "text/javascript; charset=utf-8"),
    asset!("watch.css", "text/css; charset=utf-8"),
    asset!("watch.js", "text/javascript; charset=utf-8"),
    asset!("style.css", "text/css; charset=utf-8"),
    asset!("arrange.css", "text/css; charset=utf-8"),
    asset!("arrange.js", "text/javascript; charset=utf-8"),
    asset!("moment.js", "text/javascript; charset=utf-8"),
    asset!("places.js", "text/javascript; charset=utf-8"),
    asset!("main.js", "text/javascript; charset=utf-8"),
    asset!("call.js", "text/javascript; charset=utf-8"),
    asset!("moved.js", "text/javascript; charset=utf-8"),
    asset!("chat.js", "text/javascript; charset=utf-8"),
    asset!("keeper.js", "text/javascript; charset=utf-8"),
    asset!("knock.js", "text/javascript; charset=utf-8"),
    asset!("token.js", "text/javascript; charset=utf-8"),
    asset!("unsaid.js", "text/javascript; charset=utf-8"),
    asset!("people.js", "text/javascript; charset=utf-8"),
    asset!("quality.js", "text/javascript; charset=utf-8"),
    asset!("words.js", "text/javascript; charset=utf-8"),
    asset!("devices.js", "text/javascript; charset=utf-8"),
    asset!("wire.js", "text/javascript; charset=utf-8"),
    asset!("stage.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("embed.js", "text/javascript; charset=utf-8"),
];

/// Others' modules that this build has, `build.rs` says which: hls.js, uPlot.
const CARRIED: &[Asset] = include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// `/`, `/r/{room}`, `/w/{room}` for viewers, `/assets/…` and the icon that browsers ask for by themselves.
pub(super) fn routes() -> Router<ServerState> {
    let pages = Router::new().route("/", get(index)).route("/r/{room}", get(join)).route("/w/{room}", get(watch));
    pages.route("/assets/{name}", get(file)).route("/favicon.ico", get(icon))
}

async fn index(headers: HeaderMap) -> Response {
    respond(&headers, &INDEX)
}

/// Where one joins a room; which it is the page reads from its address.
async fn join(RoomPath(_): RoomPath, headers: HeaderMap) -> Response {
    respond(&headers, &INDEX)
}

/// Where one watches it.
async fn watch(RoomPath(_): RoomPath, headers: HeaderMap) -> Response {
    respond(&headers, &WATCH)
}

async fn icon(headers: HeaderMap) -> Result<Response, Problem> {
    named(&headers, "icon.svg")
}

async fn file(headers: HeaderMap, FilePath(name): FilePath) -> Result<Response, Problem> {
    named(&headers, &name)
}

fn named(headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
    let asset = ASSETS.iter().chain(CARRIED).find(|asset| asset.name == name).ok_or_else(Problem::no_page)?;
    Ok(respond(headers, asset))
}

/// Browsers may keep a file but ask each time whether it changed: a new node never meets an old page.
pub(super) fn respond(request: &HeaderMap, asset: &Asset) -> Response {
    let mut hasher = DefaultHasher::new();
    asset.bytes.hash(&mut hasher);
    let gzip = packed::is_read(request);
    // What is packed otherwise is another representation (RFC 9110 section 8.8.3.3).
    let etag = format!("\"{:016x}{}\"", hasher.finish(), if gzip { "-gz" } else { "" });
    let unchanged = request.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str());
    let mut response = match (unchanged, gzip) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, true) => asset.packed.into_response(),
        (false, false) => asset.bytes.into_response(),
    };
    let headers = response.headers_mut();
    if gzip && !unchanged {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::ETAG, HeaderValue::try_from(etag).expect("hexadecimal digits in quotes are a header value"));
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_was_packed_is_the_file() {
        for asset in ASSETS.iter().chain(CARRIED).chain([&INDEX, &WATCH]) {
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(asset.packed).read_to_end(&mut back).unwrap();
            assert!(back == asset.bytes, "{}", asset.name);
        }
    }
}
