//! **The question:** is a request answered by this node, or by another of its fleet? Whoever asks about a room that
//! another node has is sent there; a room that is new gets its node first. It is asked after a request was judged, so
//! nobody learns where a room is, or begins one, who may not be in it.

use std::net::IpAddr;
use std::time::SystemTime;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::base::media::{RoomId, Wallclock};
use crate::core::access::{Act, Tenants};
use crate::core::fleet::{Label, Need};
use crate::io::api::{Refusal, WebOrigin};
use crate::io::fleet::{Lookup, Placed, Placement, Trust, Wish};
use crate::io::http::origin::Page;
use crate::io::http::problem::Problem;
use crate::io::http::reply::{insert_text, private};

/// What says in a query that a room of another node is to be watched here: a pass, or of a connection that it is.
pub(super) const RELAY: &str = "relay";
/// What it says of a connection.
pub(super) const RELAYED_HERE: &str = "here";

/// Who says where rooms are, and what is asked for a new one.
#[derive(Debug, Clone, Default)]
pub struct Leading {
    /// Who says so.
    pub placement: Placement,
    /// Media units that are reserved for a new room.
    pub units: u64,
    /// Where a room has to be for which no region is asked.
    pub region: Option<Label>,
    /// Whose rooms are bound to a region.
    pub tenants: Tenants,
    /// What nodes of the fleet know each other by, if they share a secret.
    pub trust: Option<Trust>,
}

/// What was asked, and by whom.
pub(super) struct Question<'a> {
    pub(super) parts: &'a Parts,
    /// The path as axum matched it.
    pub(super) path: &'a str,
    pub(super) act: Act,
    pub(super) room: &'a RoomId,
    pub(super) page: &'a Page,
    pub(super) shows_token: bool,
    pub(super) from: IpAddr,
    /// Where the token of whoever asks wants the room to be.
    pub(super) bound_to: Option<&'a Label>,
}

impl Leading {
    /// What is answered instead of what was asked: the way to another node, or why there is no place. `None`: this node
    /// answers.
    pub(super) async fn lead(&self, question: Question<'_>) -> Option<Response> {
        if self.is_of_relay(&question) {
            return None;
        }
        let begins = matches!(question.act, Act::Join | Act::Publish);
        let has_wish = region_of(question.parts).is_some() || self.bound(&question).is_some();
        if self.placement.is_alone() && !(begins && has_wish) {
            return None;
        }
        if question.act == Act::SteerOwn && self.placement.is_gone(question.room) {
            // The connection is one of those that have not left yet.
            return None;
        }
        let url = match (begins, question.path) {
            (true, _) => match self.place(&question).await {
                Ok(Placed::Here) => return None,
                Ok(Placed::Elsewhere(url)) => url,
                Err(problem) => return Some(problem.into_response()),
            },
            // Also of a room that is not there: an address that anyone may open tells nobody which rooms there are.
            (false, "/r/{room}" | "/w/{room}") => match self.foresee(&question) {
                Lookup::Here => return None,
                Lookup::Elsewhere(url) => url,
            },
            (false, _) => match self.placement.locate(question.room) {
                Lookup::Here => return None,
                Lookup::Elsewhere(url) => url,
            },
        };
        self.placement.note_redirect();
        Some(sent_on(&question, &url))
    }

    /// Whether it is asked for a room of another node that is watched here: by who was sent here with a pass, or about
    /// a connection that came of that.
    fn is_of_relay(&self, question: &Question<'_>) -> bool {
        let Some(pass) = field(question.parts, RELAY) else { return false };
        match question.act {
            Act::SteerOwn => pass == RELAYED_HERE && question.path == "/whep/{room}/{token}",
            Act::Watch => self.is_sent_here(question.room, Some(pass)),
            _ => false,
        }
    }

    /// Whether another node of the fleet sent somebody here a moment ago to watch its room.
    pub(super) fn is_sent_here(&self, room: &RoomId, pass: Option<&str>) -> bool {
        let (Some(trust), Some(pass), Some(own)) = (&self.trust, pass, self.placement.own_id()) else { return false };
        trust.is_relay_pass(now(), room, &own, pass)
    }

    /// The way to a node that relays a room, with a pass, for whoever asks to watch it by `parts`.
    pub(super) fn send_to_relay(&self, parts: &Parts, room: &RoomId, (node, url): (&Label, &str)) -> Response {
        self.placement.note_redirect();
        let pass = self.trust.as_ref().map(|trust| trust.relay_pass(now(), room, node));
        let fields = parts.uri.query().unwrap_or_default().split('&');
        let kept = fields.filter(|field| !field.is_empty() && field.split('=').next() != Some(RELAY));
        let fields: Vec<String> = kept.map(str::to_owned).chain(pass.map(|pass| format!("{RELAY}={pass}"))).collect();
        let is_page = parts.headers.contains_key(header::ORIGIN);
        let shows_token = parts.headers.contains_key(header::AUTHORIZATION);
        led(is_page && shows_token, format!("{url}{}?{}", parts.uri.path(), fields.join("&")))
    }

    async fn place(&self, question: &Question<'_>) -> Result<Placed, Problem> {
        let region = match region_of(question.parts) {
            None => self.region.clone(),
            Some(text) => Some(text.parse().map_err(|why: crate::core::fleet::LabelError| {
                Problem::bad_request("bad-query", "The query cannot be read", format!("'region': {why}."))
            })?),
        };
        let region = match self.bound(question).cloned() {
            Some(bound) if region_of(question.parts).is_some() && region.as_ref() != Some(&bound) => {
                return Err(Refusal::OutsideRegion(bound).into());
            }
            bound => bound.or(region),
        };
        let need = Need { region, ..self.need(question.room) };
        // Pages ask by fetch, which takes no token along to another origin.
        let stays = question.parts.headers.contains_key(header::ORIGIN);
        Ok(self.placement.place(Wish { need, stays, from: Some(question.from.to_canonical()) }).await?)
    }

    /// A page goes to the node that has its room, or would have it: then it asks where it came from.
    fn foresee(&self, question: &Question<'_>) -> Lookup {
        let region = self.bound(question).or(self.region.as_ref()).cloned();
        self.placement.foresee(&Need { region, ..self.need(question.room) })
    }

    /// The region that a room is bound to, whatever is asked for: its tenant's, or that of the token that asks. Where
    /// both are bound, each node looks at both when somebody comes in.
    fn bound<'a>(&'a self, question: &Question<'a>) -> Option<&'a Label> {
        let of_tenant = self.tenants.region(question.room);
        of_tenant.or(question.bound_to)
    }

    fn need(&self, room: &RoomId) -> Need {
        Need { room: room.clone(), units: self.units, region: None, prefers: None }
    }

    /// The same page, but that pages of the fleet's nodes are no strangers.
    pub(super) fn known(&self, page: Page, headers: &HeaderMap) -> Page {
        let origin = headers.get(header::ORIGIN).filter(|_| page == Page::Foreign);
        let asked = origin.and_then(|value| Some((value, value.to_str().ok()?.parse::<WebOrigin>().ok()?)));
        let Some((value, origin)) = asked else { return page };
        let is_ours = |url: &String| url.parse::<WebOrigin>().is_ok_and(|known| known == origin);
        if self.placement.urls().iter().any(is_ours) { Page::Listed(value.clone()) } else { page }
    }

    /// Says in the answer to a request for the route `path` that the page may ask every node, whichever it came from:
    /// behind a balancer its address does not tell.
    pub(super) fn allow(&self, path: &str, headers: &mut HeaderMap) {
        if self.placement.is_alone() || !matches!(path, "/" | "/r/{room}" | "/w/{room}") {
            return;
        }
        let urls = self.placement.urls().join(" ");
        let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
        let Some(policy) = policy.filter(|_| !urls.is_empty()) else { return };
        let policy = policy.replace("connect-src 'self'", &format!("connect-src 'self' {urls}"));
        let policy = policy.replace("media-src 'self'", &format!("media-src 'self' {urls}"));
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

/// The way to another node. A browser's fetch follows a redirect by itself and leaves the token behind; a page that
/// shows one is told where to go instead.
fn sent_on(question: &Question<'_>, url: &str) -> Response {
    let Parts { method, uri, headers, .. } = question.parts;
    let is_read = method == Method::GET || method == Method::HEAD;
    let is_page = headers.contains_key(header::ORIGIN) || *question.page != Page::Own;
    let asked = uri.path_and_query().map_or(uri.path(), |asked| asked.as_str());
    led(!is_read && is_page && question.shows_token, format!("{url}{asked}"))
}

/// The way to `location`, which whoever asks goes by themselves, or is told where they would leave a token behind.
fn led(loses_token: bool, location: String) -> Response {
    let mut response = match loses_token {
        true => Problem::elsewhere().into_response(),
        false => StatusCode::TEMPORARY_REDIRECT.into_response(),
    };
    insert_text(response.headers_mut(), header::LOCATION, location);
    private(response)
}

/// `?region=`.
fn region_of(parts: &Parts) -> Option<&str> {
    field(parts, "region")
}

/// A field of the query; the last one counts.
fn field<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let fields = parts.uri.query()?.split('&').filter_map(|field| field.split_once('='));
    fields.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
}

/// Seconds since 1970.
fn now() -> u64 {
    Wallclock::from_system_time(SystemTime::now()).unix_seconds()
}
