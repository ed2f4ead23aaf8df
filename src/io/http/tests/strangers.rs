//! **The question:** what does the door do for those who have no leave: other machines, pages of others, names of
//! others, requests that are too large or never end?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::header::{HOST, HeaderName, ORIGIN, VARY};

use super::*;
use crate::core::access::Steering;

const TOKEN: &str = "0123456789abcdef";
const EVIL: &str = "https://evil.example";
const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const ALLOW_HEADERS: HeaderName = HeaderName::from_static("access-control-allow-headers");
const ALLOW_METHODS: HeaderName = HeaderName::from_static("access-control-allow-methods");

/// A door that others reach, with or without a token.
fn guarded(token: Option<&str>) -> Guard {
    let policy = Policy { steering: Steering::new(token.is_some(), true), ..Policy::default() };
    Guard { policy, token: token.map(|token| token.parse().unwrap()), ..guard() }
}

/// Every route that steers a room.
fn steering() -> Vec<(Method, &'static str)> {
    let (put, delete) = (Method::PUT, Method::DELETE);
    let paths =
        ["/v1/rooms/daily/background", "/v1/rooms/daily/logo", "/v1/rooms/daily/banner", "/v1/rooms/daily/clock"];
    let dress = paths.into_iter().flat_map(|path| [(put.clone(), path), (delete.clone(), path)]);
    let others = [
        (put.clone(), "/v1/rooms/daily/layout"),
        (put.clone(), "/v1/rooms/daily/page"),
        (Method::POST, "/v1/rooms/daily/announcements"),
        (Method::PATCH, "/v1/rooms/daily/moderation"),
        (Method::POST, "/v1/rooms/daily/recording"),
        (delete.clone(), "/v1/rooms/daily/recording"),
        (Method::GET, "/v1/node/history"),
        (Method::POST, "/v1/node/drain"),
        (delete.clone(), "/v1/node/drain"),
    ];
    dress.chain(others).collect()
}

#[tokio::test]
async fn steering_a_room_takes_the_token_where_others_reach_the_door() {
    let with = door_of(Tls::Off, guarded(Some(TOKEN)), stand_in);
    let without = door_of(Tls::Off, guarded(None), stand_in);
    for (method, path) in steering() {
        let ask = |door: &Fixture, token: Option<&str>| {
            let request = door.client.request(method.clone(), format!("{}{path}", door.url));
            token.iter().fold(request, |request, token| request.bearer_auth(token)).send()
        };
        let told = problem(ask(&without, None).await.unwrap(), 403, "steering-off").await;
        assert!(told["detail"].as_str().unwrap().contains("--token"), "{told}");
        problem(ask(&without, Some("")).await.unwrap(), 403, "steering-off").await;
        for wrong in [None, Some(""), Some("0123456789abcdeF"), Some("0123456789abcdef0")] {
            let response = ask(&with, wrong).await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            problem(response, 401, "unauthorized").await;
        }
        let status = ask(&with, Some(TOKEN)).await.unwrap().status().as_u16();
        assert!(!matches!(status, 401 | 403 | 404 | 405), "{method} {path}: {status}");
    }
    for door in [&with, &without] {
        assert_eq!(door.post("/v1/rooms/daily/participants").send().await.unwrap().status(), 201);
        assert_eq!(door.post("/whip/daily").bearer_auth("a stream key").send().await.unwrap().status(), 201);
        assert_eq!(door.post("/whep/daily").send().await.unwrap().status(), 201);
        for path in ["/", "/v1/rooms", "/v1/rooms/daily", "/v1/rooms/daily/layout", "/metrics", "/v1/node/stats"] {
            assert_eq!(door.get(path).await.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_asks_nothing_without_a_token() {
    let portal = "https://portal.example";
    let origins = vec![portal.parse().unwrap()];
    let door = door_of(Tls::Off, Guard { origins, ..guarded(Some(TOKEN)) }, stand_in);
    let ask = |method: Method, path: &str, origin: &str| {
        door.client.request(method, format!("{}{path}", door.url)).header(ORIGIN, origin)
    };
    let paths = [(Method::GET, "/v1/rooms"), (Method::GET, "/v1/rooms/daily"), (Method::POST, "/whep/daily")];
    let all = paths.into_iter().chain([(Method::POST, "/v1/rooms/daily/announcements"), (Method::GET, "/nowhere")]);
    for (method, path) in all {
        for origin in [EVIL, "null", "http://localhost", "http://127.0.0.1:1"] {
            let response = ask(method.clone(), path, origin).send().await.unwrap();
            assert!(!response.headers().contains_key(ALLOW_ORIGIN), "{method} {path} {origin}");
            problem(response, 403, "foreign-page").await;
        }
    }
    let rooms = ask(Method::GET, "/v1/rooms", EVIL).bearer_auth("a guess").send().await.unwrap();
    assert_eq!(text(&rooms, &ALLOW_ORIGIN), "*", "the page may read why");
    problem(rooms, 401, "unauthorized").await;
    let rooms = ask(Method::GET, "/v1/rooms", EVIL).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((rooms.status().as_u16(), text(&rooms, &ALLOW_ORIGIN)), (200, "*"));
    let rooms = ask(Method::GET, "/v1/rooms", portal).send().await.unwrap();
    assert_eq!((rooms.status().as_u16(), text(&rooms, &ALLOW_ORIGIN)), (200, portal));
    assert!(text(&rooms, &VARY).contains("Origin"));
    let joined = ask(Method::POST, "/whip/daily", portal).header(CONTENT_TYPE, "application/sdp").body(OFFER);
    let joined = joined.send().await.unwrap();
    assert_eq!(joined.status(), 201);
    assert!(joined.headers()["access-control-expose-headers"].to_str().unwrap().contains("Location"));
    let rooms = ask(Method::GET, "/v1/rooms", &door.url).send().await.unwrap();
    assert_eq!(rooms.status(), 200, "its own page asks");
    let none = door.get("/v1/rooms").await;
    assert!(!none.headers().contains_key(ALLOW_ORIGIN));
}

#[tokio::test]
async fn a_preflight_says_what_the_request_will_be_answered() {
    let portal = "https://portal.example";
    let origins = vec![portal.parse().unwrap()];
    let door = door_of(Tls::Off, Guard { origins, ..guarded(Some(TOKEN)) }, stand_in);
    let preflight = |path: &str, origin: &str, headers: &str| {
        let request = door.client.request(Method::OPTIONS, format!("{}{path}", door.url)).header(ORIGIN, origin);
        let request = request.header("access-control-request-method", "PUT");
        request.header("access-control-request-headers", headers.to_owned()).send()
    };
    let layout = "/v1/rooms/daily/layout";
    let refused = preflight(layout, EVIL, "content-type").await.unwrap();
    assert!(!refused.headers().contains_key(ALLOW_ORIGIN));
    problem(refused, 403, "foreign-page").await;
    for (origin, headers, told) in [
        (EVIL, "content-type, Authorization", "*"),
        (portal, "content-type", portal),
        (door.url.as_str(), "content-type", door.url.as_str()),
    ] {
        let allowed = preflight(layout, origin, headers).await.unwrap();
        assert_eq!((allowed.status().as_u16(), text(&allowed, &ALLOW_ORIGIN)), (204, told), "{origin}");
        assert!(text(&allowed, &ALLOW_METHODS).contains("PUT") && text(&allowed, &ALLOW_HEADERS).contains("If-Match"));
    }
    problem(preflight("/nowhere", portal, "content-type").await.unwrap(), 404, "not-found").await;
}

#[tokio::test]
async fn a_name_that_is_not_the_nodes_leads_nowhere() {
    let hosts = vec!["call.example".parse().unwrap()];
    let door = door_of(Tls::Off, Guard { hosts, ..guard() }, stand_in);
    let ask = |path: &str, host: &str| door.client.get(format!("{}{path}", door.url)).header(HOST, host).send();
    for host in ["evil.example", "evil.example:8080", "localhost.evil.example"] {
        for path in ["/", "/v1/rooms", "/metrics", "/nowhere"] {
            let told = problem(ask(path, host).await.unwrap(), 421, "wrong-host").await;
            assert!(told["detail"].as_str().unwrap().contains("hosts"), "{told}");
        }
        assert_eq!(ask("/healthz", host).await.unwrap().status(), 200, "a probe may have any name");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]", "call.example", "CALL.EXAMPLE:8080"] {
        assert_eq!(ask("/v1/rooms", host).await.unwrap().status(), 200, "{host}");
    }
}

#[tokio::test]
async fn every_path_says_its_methods_and_other_paths_are_not_found() {
    let door = door(Tls::Off, stand_in);
    for (path, methods) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/v1/rooms/daily/layout", "GET, HEAD, PUT, OPTIONS"),
        ("/v1/rooms/daily/page", "PUT, OPTIONS"),
        ("/v1/rooms/daily/announcements", "POST, OPTIONS"),
        ("/whep/daily", "GET, HEAD, POST, OPTIONS"),
        ("/whip/daily/0123456789abcdef0123456789abcdef", "PATCH, DELETE, OPTIONS"),
        ("/v1/recordings", "GET, HEAD, OPTIONS"),
    ] {
        let ask = |method: Method| door.client.request(method, format!("{}{path}", door.url)).send();
        let options = ask(Method::OPTIONS).await.unwrap();
        assert_eq!((options.status().as_u16(), text(&options, &ALLOW)), (204, methods), "{path}");
        for method in [Method::TRACE, Method::from_bytes(b"PROPFIND").unwrap()] {
            let refused = ask(method).await.unwrap();
            assert_eq!(text(&refused, &ALLOW), methods, "{path}");
            problem(refused, 405, "method-not-allowed").await;
        }
        let head = ask(Method::HEAD).await.unwrap();
        assert_eq!(head.status() == 405, !methods.contains("HEAD"), "{path}: {}", head.status());
        assert!(head.bytes().await.unwrap().is_empty());
    }
    for path in ["/v1", "/v1/", "/v1/rooms/", "/v1/rooms/daily/layout/", "/whip", "/assets/nothing.js", "//", "/%00"] {
        let ask = |method: Method| door.client.request(method, format!("{}{path}", door.url)).send();
        assert_eq!(ask(Method::GET).await.unwrap().status(), 404, "{path}");
        assert_eq!(ask(Method::HEAD).await.unwrap().status(), 404, "{path}");
    }
}

/// What comes back when these bytes are sent, until the connection ends or nothing comes for some time.
fn raw(door: &Fixture, bytes: &[u8]) -> String {
    let address = door.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_of_a_file_for_a_room_that_is_not_there() {
    let door = door(Tls::Off, stand_in);
    for line in ["POST /v1/rooms/empty/announcements", "PUT /v1/rooms/empty/logo", "PUT /v1/rooms/empty/background"] {
        let asked =
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 6000000\r\n\r\n");
        let begun = Instant::now();
        let answer = tokio::task::block_in_place(|| raw(&door, asked.as_bytes()));
        assert!(answer.starts_with("HTTP/1.1 404 "), "not even asked to send: {answer}");
        assert!(begun.elapsed() < limits::HTTP_STALL_SPAN, "its body was waited for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_ends_its_request() {
    let door = door(Tls::Off, stand_in);
    let asked = "POST /whip/daily HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n\
                 Content-Length: 1000\r\n\r\nv=0";
    let answer = tokio::task::block_in_place(|| raw(&door, asked.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_or_never_ends_closes_its_connection() {
    let door = door(Tls::Off, stand_in);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(limits::HTTP_HEAD_LEN_MAX));
    let answer = tokio::task::block_in_place(|| raw(&door, long.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let begun = Instant::now();
    let answer = tokio::task::block_in_place(|| raw(&door, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow"));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < limits::HTTP_HEAD_SPAN + Duration::from_secs(5));
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let counters = DoorCounters::default();
    let guard = Guard { connections_max: 8, counters: counters.clone(), ..guard() };
    let mut door = door_of(Tls::Off, guard, stand_in);
    // A connection that is kept may be closed as it is used.
    door.client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let address = door.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut idle: Vec<TcpStream> = Vec::new();
    for n in 0..50 {
        let mut stream = TcpStream::connect(&address).unwrap();
        if n % 2 == 0 {
            stream.write_all(b"POST /whip/daily HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nv").unwrap();
        }
        idle.push(stream);
        if n % 10 == 0 {
            assert_eq!(door.post("/whip/daily").send().await.unwrap().status(), 201, "{n} are idle");
        }
    }
    assert_eq!(door.post("/whip/daily").send().await.unwrap().status(), 201);
    assert!(counters.connections.get() <= 8, "{counters:?}");
    assert!(counters.connections_closed.get() >= 40, "{counters:?}");
}

#[tokio::test]
async fn only_pages_that_are_listed_have_the_join_page_in_a_frame_and_no_page_has_the_others() {
    let policy = async |door: &Fixture, path: &str| {
        let response = door.get(path).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        policy.split("; ").find(|rule| rule.starts_with("frame-ancestors")).unwrap().to_owned()
    };
    let embed_origins = ["https://portal.example", "http://127.0.0.1:8081"].map(|origin| origin.parse().unwrap());
    let listed = door_of(Tls::Off, Guard { embed_origins: embed_origins.into(), ..guard() }, stand_in);
    assert_eq!(policy(&listed, "/").await, "frame-ancestors https://portal.example http://127.0.0.1:8081");
    let closed = door(Tls::Off, stand_in);
    for (door, path) in [(&closed, "/"), (&listed, "/recordings"), (&listed, "/console"), (&listed, "/api")] {
        assert_eq!(policy(door, path).await, "frame-ancestors 'none'", "{path}");
    }
}
