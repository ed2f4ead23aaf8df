//! **The question:** what does every request pass before its handler? Its host, its page, its route and the leave that
//! takes, then a place for its body: each can turn it away, and none reads more than its head.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::base::limits;
use crate::base::media::{RoomId, Wallclock};
use crate::core::access::{Act, Caller, Denied, Grant, Policy, TokenFault};
use crate::io::api::{BearerToken, IceServer, Refusal};
use crate::io::http::admission::Recordings;
use crate::io::http::connections::Connections;
use crate::io::http::extract::RoomPath;
use crate::io::http::fleet::{Leading, Question};
use crate::io::http::frames::Frames;
use crate::io::http::gate::{Gate, InHand};
use crate::io::http::ice;
use crate::io::http::origin::{self, Names, Page};
use crate::io::http::problem::Problem;
use crate::io::http::rights::{self, Known};
use crate::io::live::LiveRooms;
use crate::io::tokens::Keyring;

/// What the entrance knows; shared by all requests.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) policy: Policy,
    pub(super) token: Option<BearerToken>,
    pub(super) keys: Keyring,
    pub(super) recordings: Option<Recordings>,
    pub(super) live: LiveRooms,
    pub(super) leading: Leading,
    pub(super) names: Arc<Names>,
    pub(super) frames: Frames,
    pub(super) gate: Gate,
    pub(super) connections: Connections,
    pub(super) ice_servers: Arc<[IceServer]>,
}

/// Who asks, and for what.
struct Asked {
    page: Page,
    /// Whether it carries a token, right or wrong, or announces one.
    shows_token: bool,
    caller: Caller,
    route: Option<Known>,
    /// What the request takes; `None`: it is only asked what there is.
    act: Option<Act>,
}

/// Passes a request on to its handler, or answers it.
pub(super) async fn enter(
    State(entrance): State<Entrance>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let in_hand = InHand::new(entrance.gate.clone(), entrance.connections.clone(), peer);
    let (mut parts, body) = request.into_parts();
    let is_whole = body.is_end_stream();
    if is_whole {
        in_hand.has_arrived();
    }
    let body = in_hand.watch(body);
    let room = RoomPath::from_request_parts(&mut parts, &()).await.ok().map(|RoomPath(room)| room);
    let asked = match entrance.admit(&parts, room.as_ref(), peer).await {
        Ok(asked) => asked,
        Err(turned) => {
            let (mut response, page, shows_token) = *turned;
            in_hand.discard(body, &parts.headers).await;
            if page != Page::Foreign || shows_token {
                origin::share(response.headers_mut(), &page, shows_token);
            }
            return response;
        }
    };
    let Some(act) = asked.act else {
        let mut response = asked.options(&parts.method, &parts.headers);
        // Some of them want credentials, which are given to those alone who may come in.
        let may_enter = !entrance.policy.is_locked || asked.caller != Caller::Anyone;
        if asked.makes_connections() && asked.page != Page::Foreign && may_enter {
            ice::tell(&entrance.ice_servers, response.headers_mut());
        }
        return response;
    };
    let path = parts.extensions.get::<MatchedPath>().cloned();
    parts.extensions.insert(asked.caller.clone());
    parts.extensions.insert(in_hand.clone());
    // What is live is the same bytes for all who watch, and many wait for it by one proxy's connection; a probe is
    // answered in a word, whoever else that connection carries.
    let matched = path.as_ref().map_or("", MatchedPath::as_str);
    let has_turn = !matched.starts_with("/hls/") && !is_probe(matched);
    let turn = async || if has_turn { entrance.connections.turn(peer).await } else { None };
    let answer = async {
        // A body that is still on its way, from whomever, keeps nobody's answer back.
        let before = if is_whole { turn().await } else { None };
        let response = next.run(Request::from_parts(parts, body)).await;
        let turn = if is_whole { before } else { turn().await };
        (response, turn)
    };
    let answered = tokio::time::timeout(limits::HTTP_REQUEST_SPAN, answer).await;
    let (response, turn) = answered.unwrap_or_else(|_| (Problem::slow().into_response(), None));
    let response = in_hand.misfortune().map_or(response, IntoResponse::into_response);
    in_hand.let_go();
    let mut response = held_until_read(response, in_hand, turn);
    if response.status() == StatusCode::CREATED && asked.makes_connections() {
        ice::tell(&entrance.ice_servers, response.headers_mut());
    }
    entrance.frames.allow(path.as_ref().map_or("", MatchedPath::as_str), response.headers_mut());
    entrance.leading.allow(path.as_ref().map_or("", MatchedPath::as_str), response.headers_mut());
    if entrance.is_private(act) {
        keep_private(response.headers_mut());
    }
    origin::share(response.headers_mut(), &asked.page, asked.shows_token);
    response
}

/// Keeps the connection's place while an answer that is not in memory yet flows, and its turn until the bytes of one
/// that is were taken.
fn held_until_read(mut response: Response, in_hand: Arc<InHand>, turn: Option<OwnedSemaphorePermit>) -> Response {
    if let Some(len) = response.body().size_hint().exact() {
        let Some(turn) = turn.filter(|_| len > 0).map(Arc::new) else { return response };
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(len));
        return response.map(|body| {
            let held = move |piece: Bytes| Bytes::from_owner(Held { piece, _turn: turn.clone() });
            Body::from_stream(body.into_data_stream().map(move |piece| piece.map(&held)))
        });
    }
    response.map(|body| {
        Body::from_stream(body.into_data_stream().inspect(move |_| {
            let _ = &in_hand;
        }))
    })
}

fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Bytes of an answer, which are let go of once the connection has written them.
struct Held {
    piece: Bytes,
    _turn: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

/// What a request is answered that goes no further, what page asked, and whether it showed a token.
type Turned = Box<(Response, Page, bool)>;

/// What stands behind `Authorization`.
enum Shown {
    /// Nothing that this door reads: nothing at all, the recordings' token, another door's.
    Other,
    /// The recordings' token.
    Recordings,
    /// The operator's.
    Operator,
    /// An access token that holds.
    Token(Grant),
    /// What should be one.
    Refused(TokenFault),
}

impl Shown {
    /// Whether it opens anything here: a page that knows one is no stranger.
    const fn is_known(&self) -> bool {
        matches!(self, Self::Recordings | Self::Operator | Self::Token(_))
    }

    fn caller(&self) -> Caller {
        match self {
            Self::Operator => Caller::Operator,
            Self::Token(grant) => Caller::Bearer(grant.clone()),
            Self::Other | Self::Recordings | Self::Refused(_) => Caller::Anyone,
        }
    }

    /// Why leave is denied: what is wrong with the token that was shown tells more than that one is missing.
    fn problem(&self, denied: Denied) -> Problem {
        match (self, denied) {
            (Self::Refused(fault), Denied::AccessMissing) => (*fault).into(),
            _ => Refusal::from(denied).into(),
        }
    }
}

impl Entrance {
    /// Judges a request, and sends on whoever is good and asks about a room of another node.
    async fn admit(&self, parts: &Parts, room: Option<&RoomId>, peer: SocketAddr) -> Result<Asked, Turned> {
        let asked = self.judge(parts, room)?;
        let (Some(act), Some(room)) = (asked.act, room) else { return Ok(asked) };
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let (page, shows_token) = (&asked.page, asked.shows_token);
        let bound_to = asked.caller.region();
        let question = Question { parts, path, act, room, page, shows_token, from: peer.ip(), bound_to };
        // Apart: each of thousands of requests that wait would be as large as what is asked of a fleet.
        match Box::pin(self.leading.lead(question)).await {
            None => Ok(asked),
            Some(led) => Err(Box::new((led, asked.page, asked.shows_token))),
        }
    }

    /// Judges a request by its head, about `room` where its path names one.
    fn judge(&self, parts: &Parts, room: Option<&RoomId>) -> Result<Asked, Turned> {
        let Parts { method, uri, headers, extensions, .. } = parts;
        let path = extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // A probe knows an address, and learns nothing else here.
        if !is_probe(path) && !self.names.are_meant(uri, headers) {
            return Err(Box::new((Problem::misdirected().into_response(), Page::Foreign, false)));
        }
        // What anyone's page may show.
        let is_open = path.starts_with("/hls/") && self.live.is_open();
        let page = if is_open { Page::Any } else { self.leading.known(self.names.page(uri, headers), headers) };
        let shown = self.shown(bearer(headers));
        let is_preflight = origin::is_preflight(method, headers);
        let shows_token =
            headers.contains_key(header::AUTHORIZATION) || is_preflight && origin::announces_token(headers);
        let turned = |problem: Problem| Box::new((problem.into_response(), page.clone(), shows_token));
        if page == Page::Foreign && !(is_preflight && shows_token) && !shown.is_known() {
            return Err(turned(match shown {
                Shown::Refused(fault) => fault.into(),
                _ if shows_token => Problem::wrong_token(),
                _ => Problem::foreign_page(),
            }));
        }
        let caller = shown.caller();
        let route = rights::known(path);
        let act = route.and_then(|route| route.act(method));
        match (route, act) {
            (Some(_), None) if *method == Method::OPTIONS => {}
            (Some(route), None) => return Err(Box::new((not_allowed(route), page, shows_token))),
            // Without a path nothing matched, and the router says so; a path without a row is a fault of ours.
            (None, _) if path.is_empty() => {}
            (None, _) => return Err(turned(Refusal::NotAllowed.into())),
            (Some(_), Some(act)) => {
                self.policy.judge(&caller, act, room).map_err(|denied| turned(shown.problem(denied)))?;
                // Recordings have a token of their own, and links; what is neither is told what is wrong with it.
                let by_link = uri.query().is_some_and(|query| query.contains("signature="));
                if let (Act::Archive, false, Shown::Refused(fault)) = (act, by_link, &shown) {
                    return Err(turned((*fault).into()));
                }
            }
        }
        let act = act.or((route.is_none()).then_some(Act::Visit));
        Ok(Asked { page, shows_token, caller, route, act })
    }

    fn shown(&self, text: Option<&str>) -> Shown {
        let Some(text) = text else { return Shown::Other };
        if self.token.as_ref().is_some_and(|token| token.is(text)) {
            return Shown::Operator;
        }
        if self.recordings.as_ref().is_some_and(|recordings| recordings.is_opened_by(text)) {
            return Shown::Recordings;
        }
        if self.keys.is_empty() {
            return Shown::Other;
        }
        match self.keys.read(text, Wallclock::from_system_time(SystemTime::now()).unix_seconds()) {
            Ok(grant) => Shown::Token(grant),
            Err(fault) => {
                tracing::debug!(?fault, "an access token opens nothing");
                Shown::Refused(fault)
            }
        }
    }

    /// Whether an answer to `act` is for nobody but who asked, whatever its handler says: caches in front of the node
    /// ask nobody for a token.
    fn is_private(&self, act: Act) -> bool {
        let is_open = act == Act::Visit || act == Act::Stream && self.policy.streams_are_open;
        self.policy.is_locked && !is_open
    }
}

/// Has caches that serve several keep nothing of an answer.
fn keep_private(headers: &mut HeaderMap) {
    let said = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let private = match said {
        None => HeaderValue::from_static("no-store"),
        Some(said) => match HeaderValue::try_from(said.replace("public", "private")) {
            Ok(private) => private,
            Err(_) => HeaderValue::from_static("no-store"),
        },
    };
    headers.insert(header::CACHE_CONTROL, private);
}

impl Asked {
    /// Whether clients begin connections there.
    fn makes_connections(&self) -> bool {
        self.route.is_some_and(Known::takes_offers)
    }

    fn options(&self, method: &Method, headers: &HeaderMap) -> Response {
        let Some(route) = self.route else { return StatusCode::NO_CONTENT.into_response() };
        let mut response = route.options();
        if origin::is_preflight(method, headers) {
            origin::allow(response.headers_mut(), route.methods());
        }
        origin::share(response.headers_mut(), &self.page, self.shows_token);
        if self.page == Page::Own && headers.contains_key(header::ORIGIN) && !self.shows_token {
            // Its own pages need no leave; who asks all the same is told.
            if let Some(own) = headers.get(header::ORIGIN).cloned() {
                response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, own);
            }
        }
        response
    }
}

fn not_allowed(route: Known) -> Response {
    let mut response = Problem::method().into_response();
    response.headers_mut().insert(header::ALLOW, route.methods());
    response
}

/// What stands behind `Bearer`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value: &HeaderValue = headers.get(header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anyone_might_keep_is_kept_by_who_asked_alone() {
        let kept = |said: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(said.map(|said| (header::CACHE_CONTROL, HeaderValue::from_static(said))));
            keep_private(&mut headers);
            headers[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert_eq!(kept(None), "no-store");
        assert_eq!(kept(Some("no-store")), "no-store");
        assert_eq!(kept(Some("public, max-age=24")), "private, max-age=24");
    }
}
