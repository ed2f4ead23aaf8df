//! **The question:** is this request meant for this node, and does a page of it ask? A name that an attacker's DNS
//! leads here is refused by `Host`; a page of somebody else by `Origin`, unless it shows a token or the operator lists
//! it.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::io::api::{Authority as Named, HostName, WebOrigin};

const ALLOWED_HEADERS: &str = "Authorization, Content-Type, If-Match, Range, Traceparent";
const EXPOSED_HEADERS: &str = "ETag, Link, Location, Retry-After, Accept-Post, Accept-Patch, Accept-Ranges, \
     Content-Range, Content-Disposition, WWW-Authenticate";
/// Seconds that a browser may remember a preflight's answer.
const PREFLIGHT_AGE: &str = "3600";

/// Under which names the node is reached, and whose pages may ask it.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Names beside localhost and IP addresses.
    pub hosts: Vec<HostName>,
    /// Pages of others that may ask as the node's own do.
    pub origins: Vec<WebOrigin>,
    /// Whether TLS shows a certificate that only the true owner of its names has, so that browsers compare the name.
    pub is_proven: bool,
    /// Whether the door itself speaks TLS.
    pub is_secure: bool,
}

/// Who asks, as far as browsers tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// No page, or one of the node's own.
    Own,
    /// One that the operator lists.
    Listed(HeaderValue),
    /// Whichever: what is asked for is open to all, and no answer depends on who asks.
    Any,
    /// Another one.
    Foreign,
}

impl Names {
    /// Whether the request names this node. None at all is no browser's request (HTTP/1.0).
    pub(super) fn are_meant(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter().map(|value| value.to_str().ok());
        let first = named.next();
        let several = named.next().is_some();
        let of_uri = uri.authority().map(|authority| Some(authority.as_str()));
        !several && [first, of_uri].into_iter().flatten().all(|name| name.is_some_and(|name| self.is_ours(name)))
    }

    fn is_ours(&self, named: &str) -> bool {
        let Some(named) = Named::parse(named) else { return false };
        self.is_proven || named.is_local() || named.is_address() || self.hosts.iter().any(|name| name.is(named.host()))
    }

    /// Which page asks. Its own is one at the address that the request names, or at the usual port of a name that the
    /// operator gave: a proxy may have put another `Host`.
    pub(super) fn page(&self, uri: &Uri, headers: &HeaderMap) -> Page {
        let Some(value) = headers.get(header::ORIGIN) else { return Page::Own };
        let Some(origin) = value.to_str().ok().and_then(|text| text.parse::<WebOrigin>().ok()) else {
            return Page::Foreign;
        };
        if self.origins.contains(&origin) {
            return Page::Listed(value.clone());
        }
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let named = uri.authority().map(Authority::as_str).or(host).and_then(Named::parse);
        let is_here = named.is_some_and(|named| origin.is_at(&named));
        let is_named = self.hosts.iter().any(|name| origin.is_of(name));
        // A page that came without TLS is anyone's on the way.
        if (is_here || is_named) && (origin.is_secure() || !self.is_secure) { Page::Own } else { Page::Foreign }
    }
}

/// Whether a browser asks here before it lets a page ask.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the request for which a browser asks will show a token.
pub(super) fn announces_token(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = named.filter_map(|value| value.to_str().ok()).flat_map(|names| names.split(','));
    names.into_iter().any(|name| name.trim().eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
}

/// What an answer lets pages do with it; `shows_token`: its request carried one, or will.
pub(super) fn share(headers: &mut HeaderMap, page: &Page, shows_token: bool) {
    if *page != Page::Any {
        headers.append(header::VARY, HeaderValue::from_static("Origin, Authorization"));
    }
    let origin = match page {
        Page::Listed(origin) => origin.clone(),
        Page::Any => HeaderValue::from_static("*"),
        Page::Own | Page::Foreign if shows_token => HeaderValue::from_static("*"),
        Page::Own | Page::Foreign => return,
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
}

/// What a preflight's answer allows beside that.
pub(super) fn allow(headers: &mut HeaderMap, methods: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let fixed: [(HeaderName, &str); 2] =
        [(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS), (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE)];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(is_secure: bool) -> Names {
        let hosts = vec!["Call.Example.org".to_owned().try_into().unwrap()];
        let origins = vec!["https://portal.example".parse().unwrap()];
        Names { hosts, origins, is_proven: false, is_secure }
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_names_of_the_node_lead_to_it() {
        let path = Uri::from_static("/v1/rooms");
        let meant = |host: &str| names(false).are_meant(&path, &headers(&[(header::HOST, host)]));
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "a.localhost:1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "203.0.113.7",
            "call.example.org",
            "CALL.example.org.:443",
        ] {
            assert!(meant(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "call.example.org.evil.example",
            "evilcall.example.org",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "localhost:",
            "localhost:x",
            "",
            "[::1",
            "a b",
        ] {
            assert!(!meant(host), "{host}");
        }
        assert!(names(false).are_meant(&path, &HeaderMap::new()), "no browser leaves it out");
        let mut two = headers(&[(header::HOST, "localhost")]);
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(!names(false).are_meant(&path, &two));
        let absolute = Uri::from_static("http://evil.example/v1/rooms");
        assert!(!names(false).are_meant(&absolute, &headers(&[(header::HOST, "localhost")])));
        let proven = Names { is_proven: true, ..names(true) };
        assert!(proven.are_meant(&path, &headers(&[(header::HOST, "any.example")])), "a browser compared it");
    }

    #[test]
    fn a_page_is_the_nodes_own_only_at_its_address() {
        let path = Uri::from_static("/v1/rooms");
        let page = |names: &Names, host: &str, origin: &str| {
            names.page(&path, &headers(&[(header::HOST, host), (header::ORIGIN, origin)]))
        };
        let plain = names(false);
        assert_eq!(plain.page(&path, &headers(&[(header::HOST, "localhost")])), Page::Own, "no page asks");
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1:80", "http://127.0.0.1"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("call.example.org", "https://call.example.org"),
            ("127.0.0.1:8080", "https://call.example.org"),
        ] {
            assert_eq!(page(&plain, host, origin), Page::Own, "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8081"),
            ("localhost:8080", "http://localhost"),
            ("localhost:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "https://evil.example"),
            ("localhost:8080", "null"),
            ("localhost:8080", "https://portal.example.evil.example"),
            ("localhost:8080", "http://portal.example"),
            ("127.0.0.1:8080", "https://call.example.org:9999"),
        ] {
            assert_eq!(page(&plain, host, origin), Page::Foreign, "{host} {origin}");
        }
        let listed = Page::Listed(HeaderValue::from_static("https://portal.example"));
        assert_eq!(page(&plain, "localhost:8080", "https://portal.example"), listed);
        assert_eq!(page(&names(true), "localhost:8080", "http://localhost:8080"), Page::Foreign, "it came without TLS");
        assert_eq!(page(&names(true), "localhost:8080", "https://localhost:8080"), Page::Own);
    }
}
