//! **The question:** what does a request say? Paths, bodies and names, read into types or refused with a problem.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::base::limits;
use crate::base::media::{IdError, RoomId};
use crate::core::access::Caller;
use crate::io::api::{Command, ControlHandle, Place, Refusal, ResourceToken};
use crate::io::http::gate::InHand;
use crate::io::http::problem::Problem;

/// The room a path names; another path is a problem.
pub(super) struct RoomPath(pub(super) RoomId);

/// The file a path names; a name that cannot be read is no file's.
pub(super) struct FilePath(pub(super) String);

/// The connection a path names.
pub(super) struct ResourcePath(pub(super) ResourceToken);

/// A request's body.
pub(super) type Body = Result<Bytes, BytesRejection>;

impl<S: Send + Sync> FromRequestParts<S> for RoomPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bad = |why: String| Problem::bad_request("bad-room", "This is no room's name", why);
        let parsed = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(fields) = parsed.map_err(|rejection| bad(rejection.body_text()))?;
        let name = fields.get("room").map_or("", String::as_str);
        name.parse().map(Self).map_err(|why: IdError| bad(why.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parsed = Path::<String>::from_request_parts(parts, state).await;
        parsed.map(|Path(name)| Self(name)).map_err(|_| Problem::no_page())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ResourcePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parsed = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let token = parsed.ok().and_then(|Path(fields)| fields.get("token").and_then(|text| text.parse().ok()));
        token.map(Self).ok_or_else(|| Refusal::ResourceNotFound.into())
    }
}

/// The address that a request came from, where the door knows it.
pub(super) struct Address(pub(super) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(address_of(parts)))
    }
}

/// As [`Address`], of a request that is taken apart.
pub(super) fn address_of(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// A large body, of at most `len_max` bytes, of a request about `place`: nothing of it is read before that is there.
pub(super) async fn file(
    control: &ControlHandle,
    in_hand: &InHand,
    place: Place,
    request: Request,
    len_max: usize,
) -> Result<Vec<u8>, Problem> {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = control.request(Caller::Anyone, |reply| Command::Find { place, reply }).await {
        in_hand.discard(body, &parts.headers).await;
        return Err(refusal.into());
    }
    in_hand.whole(body, &parts.headers, len_max).await
}

/// A body of `wanted` type as text.
pub(super) fn text_of_type(headers: &HeaderMap, body: Body, wanted: &'static str) -> Result<String, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case(wanted) {
        return Err(Problem::content_type(wanted));
    }
    String::from_utf8(body?.to_vec())
        .map_err(|_| Problem::bad_request("bad-body", "The body is no text", "Send the body as UTF-8."))
}

/// A name as others will read it: trimmed, bounded, printable. Nobody gave one: `Guest`.
pub(super) fn display_name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let bad = |why: String| Err(Problem::bad_request("bad-name", "This is no name to show", why));
    if name.len() > limits::DISPLAY_NAME_LEN_MAX {
        return bad(format!("A name has at most {} bytes of UTF-8.", limits::DISPLAY_NAME_LEN_MAX));
    }
    if name.chars().any(char::is_control) {
        return bad("A name has no control characters.".into());
    }
    Ok(if name.is_empty() { "Guest".into() } else { name.into() })
}
