//! **The question:** which routes are there, by which methods, and what leave does each take? One table; a route that
//! is not in it answers nobody.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::core::access::Act;

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// An offer.
pub(super) const SDP: &str = "application/sdp";
/// Trickled candidates.
pub(super) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A path as axum names it, and what each method takes; HEAD goes with GET, and anyone may ask OPTIONS.
struct Route {
    path: &'static str,
    rights: &'static [(Method, Act)],
    /// What the route takes in, where clients ask for it before.
    takes: Option<Takes>,
}

/// What clients of WHIP and WHEP send.
#[derive(Clone, Copy)]
enum Takes {
    Offers,
    Fragments,
}

const fn route(path: &'static str, rights: &'static [(Method, Act)]) -> Route {
    Route { path, rights, takes: None }
}

const VISIT: &[(Method, Act)] = &[(Method::GET, Act::Visit)];
const SURVEY: &[(Method, Act)] = &[(Method::GET, Act::Survey)];
const LOOK: &[(Method, Act)] = &[(Method::GET, Act::Look)];
const JOIN: &[(Method, Act)] = &[(Method::POST, Act::Join)];
const PUBLISH: &[(Method, Act)] = &[(Method::POST, Act::Publish)];
const WATCH: &[(Method, Act)] = &[(Method::GET, Act::Look), (Method::POST, Act::Watch)];
const STREAM: &[(Method, Act)] = &[(Method::GET, Act::Stream)];
const OWN: &[(Method, Act)] = &[(Method::PATCH, Act::SteerOwn), (Method::DELETE, Act::SteerOwn)];
const DRESS: &[(Method, Act)] = &[(Method::PUT, Act::Arrange), (Method::DELETE, Act::Arrange)];
const ARCHIVE: &[(Method, Act)] = &[(Method::GET, Act::Archive)];

static ROUTES: &[Route] = &[
    route("/", VISIT),
    route("/r/{room}", VISIT),
    route("/w/{room}", VISIT),
    route("/assets/{name}", VISIT),
    route("/assets/console/{name}", VISIT),
    route("/recordings", VISIT),
    route("/console", VISIT),
    route("/favicon.ico", VISIT),
    route("/api", VISIT),
    route("/openapi.json", VISIT),
    route("/healthz", VISIT),
    route("/readyz", VISIT),
    route("/metrics", VISIT),
    route("/v1/node", VISIT),
    route("/v1/node/stats", SURVEY),
    route("/v1/node/history", &[(Method::GET, Act::Oversee)]),
    route("/v1/fleet", &[(Method::GET, Act::Oversee)]),
    route("/v1/fleet/rooms", &[(Method::POST, Act::Settle)]),
    route("/v1/fleet/relays", &[(Method::POST, Act::Settle)]),
    route("/v1/node/drain", &[(Method::POST, Act::Oversee), (Method::DELETE, Act::Oversee)]),
    route("/v1/usage", &[(Method::GET, Act::Account)]),
    route("/v1/rooms", SURVEY),
    route("/v1/rooms/{room}", LOOK),
    Route { takes: Some(Takes::Offers), ..route("/v1/rooms/{room}/participants", JOIN) },
    Route { takes: Some(Takes::Fragments), ..route("/v1/rooms/{room}/participants/{token}", OWN) },
    Route { takes: Some(Takes::Offers), ..route("/whip/{room}", PUBLISH) },
    Route { takes: Some(Takes::Fragments), ..route("/whip/{room}/{token}", OWN) },
    Route { takes: Some(Takes::Offers), ..route("/whep/{room}", WATCH) },
    Route { takes: Some(Takes::Fragments), ..route("/whep/{room}/{token}", OWN) },
    route(
        "/v1/rooms/{room}/participants/{token}/avatar",
        &[(Method::PUT, Act::SteerOwn), (Method::DELETE, Act::SteerOwn)],
    ),
    route("/hls/{room}/index.m3u8", STREAM),
    route("/hls/{room}/{run}/{rung}/{piece}", STREAM),
    route("/v1/rooms/{room}/legs", JOIN),
    route("/v1/rooms/{room}/legs/{token}", &[(Method::GET, Act::SteerOwn), (Method::DELETE, Act::SteerOwn)]),
    route("/v1/rooms/{room}/layout", &[(Method::GET, Act::Look), (Method::PUT, Act::Arrange)]),
    route("/v1/rooms/{room}/page", &[(Method::PUT, Act::Arrange)]),
    route("/v1/rooms/{room}/background", DRESS),
    route("/v1/rooms/{room}/logo", DRESS),
    route("/v1/rooms/{room}/banner", DRESS),
    route("/v1/rooms/{room}/clock", DRESS),
    route("/v1/rooms/{room}/announcements", &[(Method::POST, Act::Moderate)]),
    route("/v1/rooms/{room}/moderation", &[(Method::PATCH, Act::Moderate)]),
    route("/v1/rooms/{room}/lobby", &[(Method::GET, Act::Moderate)]),
    route("/v1/rooms/{room}/recording", &[(Method::POST, Act::Record), (Method::DELETE, Act::Record)]),
    route("/v1/rooms/{room}/pushes", &[(Method::GET, Act::Push), (Method::POST, Act::Push)]),
    route("/v1/rooms/{room}/pushes/{push}", &[(Method::DELETE, Act::Push)]),
    route("/v1/rooms/{room}/captions", &[(Method::GET, Act::Caption)]),
    route("/v1/recordings", ARCHIVE),
    route("/v1/recordings/{recording}", &[(Method::GET, Act::Archive), (Method::DELETE, Act::Archive)]),
    route("/v1/recordings/{recording}/video.mp4", ARCHIVE),
    route("/v1/recordings/{recording}/track.mp4", ARCHIVE),
    route("/v1/recordings/{recording}/master.m3u8", ARCHIVE),
    route("/v1/recordings/{recording}/media.m3u8", ARCHIVE),
    route("/v1/recordings/{recording}/poster.jpg", ARCHIVE),
    route("/v1/recordings/{recording}/chapters.vtt", ARCHIVE),
    route("/v1/recordings/{recording}/captions.vtt", ARCHIVE),
    route("/v1/recordings/{recording}/captions.m3u8", ARCHIVE),
    route("/v1/participants/{participant}/recordings", &[(Method::GET, Act::Archive), (Method::DELETE, Act::Archive)]),
    route("/v1/recordings/{recording}/link", &[(Method::POST, Act::Archive)]),
    route("/v1/recordings/{recording}/hand-over", &[(Method::GET, Act::Archive), (Method::POST, Act::Archive)]),
];

/// One route, found.
#[derive(Clone, Copy)]
pub(super) struct Known(&'static Route);

/// The route of a path as axum matched it.
pub(super) fn known(path: &str) -> Option<Known> {
    ROUTES.iter().find(|route| route.path == path).map(Known)
}

/// Every path, with each of its methods and the leave that it takes.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static Method, Act)> {
    ROUTES.iter().flat_map(|route| route.rights.iter().map(|(method, act)| (route.path, method, *act)))
}

impl Known {
    /// What a method takes here; `None`: the route has no such method.
    pub(super) fn act(self, method: &Method) -> Option<Act> {
        let of = if method == Method::HEAD { &Method::GET } else { method };
        self.0.rights.iter().find(|(known, _)| known == of).map(|(_, act)| *act)
    }

    /// `GET, HEAD, POST, OPTIONS`.
    pub(super) fn methods(self) -> HeaderValue {
        let mut names: Vec<&str> = Vec::new();
        for (method, _) in self.0.rights {
            names.push(method.as_str());
            if method == Method::GET {
                names.push("HEAD");
            }
        }
        names.push("OPTIONS");
        HeaderValue::try_from(names.join(", ")).expect("methods are visible letters")
    }

    /// Whether offers are taken here.
    pub(super) fn takes_offers(self) -> bool {
        matches!(self.0.takes, Some(Takes::Offers))
    }

    /// What OPTIONS is answered: 204, the methods, and what is taken in (RFC 9725 section 4.2).
    pub(super) fn options(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.headers_mut().insert(header::ALLOW, self.methods());
        let (name, kind) = match self.0.takes {
            None => return response,
            Some(Takes::Offers) => (ACCEPT_POST, SDP),
            Some(Takes::Fragments) => (ACCEPT_PATCH, FRAGMENT),
        };
        response.headers_mut().insert(name, HeaderValue::from_static(kind));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_stands_once_and_says_its_methods() {
        let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), ROUTES.len());
        let watch = known("/whep/{room}").unwrap();
        assert_eq!(watch.methods(), "GET, HEAD, POST, OPTIONS");
        assert_eq!((watch.act(&Method::HEAD), watch.act(&Method::POST)), (Some(Act::Look), Some(Act::Watch)));
        assert_eq!(watch.act(&Method::DELETE), None);
        assert!(known("/v1/nothing").is_none());
    }

    #[test]
    fn what_each_route_takes_stands_in_the_docs() {
        let row = |(path, method, act): (&str, &Method, Act)| format!("| `{method} {path}` | {act:?} |\n");
        let rows: String = all().map(row).collect();
        println!("{rows}");
        let docs = include_str!("../../../docs/access.md");
        assert!(docs.contains(&rows), "docs/access.md has other rows than:\n{rows}");
    }
}
