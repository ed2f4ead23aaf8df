//! **The question:** is each route of a locked node shut to every token but the right one, and is what is said then
//! what is wrong with it?

mod tenants;

use std::time::{Duration, SystemTime};

use reqwest::header::{CACHE_CONTROL, HeaderName};

use super::told::filled;
use super::*;
use crate::base::media::{RoomId, Wallclock};
use crate::core::access::{Act, Caller, Claims, Role};
use crate::io::http::rights;
use crate::io::tokens::{AccessKey, Algorithm, SigningKey};

const OPERATOR: &str = "0123456789abcdef";
const SECRET: &[u8] = b"a secret of more than thirty-two bytes";
const PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                        -----END PUBLIC KEY-----\n";
/// What the public key is, for whoever knows it: an attacker's choice as the secret of HS256.
const POINT: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
    0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
const PRIVATE: &[u8] =
    b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                         -----END PRIVATE KEY-----\n";
const ASKS: HeaderName = HeaderName::from_static("www-authenticate");
const ROLES: [Role; 6] = [Role::Viewer, Role::Speaker, Role::Host, Role::Recorder, Role::Captioner, Role::Admin];

fn locked() -> Guard {
    let key = |id: &str, algorithm, bytes| AccessKey::read(id.parse().unwrap(), algorithm, bytes).unwrap();
    let keys = vec![key("hs", Algorithm::Hs256, SECRET), key("ed", Algorithm::EdDsa, PUBLIC)];
    let policy = Policy { is_locked: true, ..Policy::default() };
    let keys = Keyring::new(keys, Duration::from_secs(3600));
    Guard { policy, keys, token: Some(OPERATOR.parse().unwrap()), ..guard() }
}

fn now() -> u64 {
    Wallclock::from_system_time(SystemTime::now()).unix_seconds()
}

fn claims(role: Role, room: Option<&str>) -> Claims {
    let room = room.map(|name| name.parse::<RoomId>().unwrap());
    let (exp, iat) = (now() + 600, Some(now()));
    Claims { room, role, exp, nbf: None, iat, region: None, sub: None, name: None, jti: None }
}

fn signed(id: &str, algorithm: Algorithm, bytes: &[u8], claims: &Claims) -> String {
    SigningKey::read(id.parse().unwrap(), algorithm, bytes).unwrap().sign(claims).unwrap()
}

fn good(claims: &Claims) -> String {
    signed("hs", Algorithm::Hs256, SECRET, claims)
}

/// Every way in which a token that would reach this far opens nothing, with what is said of it.
fn spoilt(claims: &Claims) -> Vec<(&'static str, String, &'static str)> {
    let token = good(claims);
    let (head_and_claims, tag) = token.rsplit_once('.').unwrap();
    let (_, payload) = head_and_claims.split_once('.').unwrap();
    let turned = format!("{}{}", if tag.starts_with('A') { "B" } else { "A" }, &tag[1..]);
    let of_other = good(&Claims { room: Some("raised".parse().unwrap()), ..claims.clone() });
    let other_payload = of_other.split('.').nth(1).unwrap();
    // {"alg":"none","kid":"hs"}
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiaHMifQ";
    let (past, future) = (now() - 600, now() + 300);
    let ended = Claims { exp: past, iat: Some(past - 60), ..claims.clone() };
    vec![
        ("expired", good(&ended), "token-expired"),
        ("not yet", good(&Claims { nbf: Some(future), ..claims.clone() }), "token-not-yet"),
        ("too long", good(&Claims { exp: now() + 86_400, ..claims.clone() }), "token-refused"),
        ("a signature tampered with", format!("{head_and_claims}.{turned}"), "token-refused"),
        ("claims tampered with", token.replace(payload, other_payload), "token-refused"),
        ("cut off", head_and_claims.to_owned(), "token-refused"),
        ("another key", signed("hs", Algorithm::Hs256, &[SECRET, b"!"].concat(), claims), "token-refused"),
        ("a key of another name", signed("old", Algorithm::Hs256, SECRET, claims), "token-refused"),
        ("alg none", format!("{none}.{payload}."), "token-refused"),
        ("alg none, signed", format!("{none}.{payload}.{tag}"), "token-refused"),
        ("HS256 by the public key", signed("ed", Algorithm::Hs256, &POINT, claims), "token-refused"),
        ("EdDSA for the secret", signed("hs", Algorithm::EdDsa, PRIVATE, claims), "token-refused"),
        ("no token", "what an encoder sends".to_owned(), "token-refused"),
    ]
}

/// As `docs/access.md` has it.
fn may(role: Role, act: Act) -> bool {
    match act {
        Act::Visit | Act::SteerOwn | Act::Look => true,
        Act::TakePart | Act::Settle => false,
        Act::Watch | Act::Stream => !matches!(role, Role::Recorder | Role::Captioner),
        Act::Publish | Act::Join => matches!(role, Role::Speaker | Role::Host | Role::Admin),
        Act::Arrange | Act::Moderate => matches!(role, Role::Host | Role::Admin),
        Act::Record => matches!(role, Role::Host | Role::Recorder | Role::Admin),
        Act::Archive => role == Role::Recorder,
        Act::Caption => matches!(role, Role::Captioner | Role::Admin),
        Act::Push | Act::Survey | Act::Account | Act::Oversee => role == Role::Admin,
    }
}

/// The status, the type of the problem if it is one, and what is asked for.
async fn ask(door: &Fixture, method: &Method, path: &str, token: Option<&str>) -> (u16, String, String) {
    let request = door.client.request(method.clone(), format!("{}{path}", door.url));
    let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
    let answer = request.send().await.unwrap();
    let (status, asks) = (answer.status().as_u16(), text(&answer, &ASKS).to_owned());
    let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null);
    let kind = said["type"].as_str().unwrap_or("").trim_start_matches("urn:tessera:problem:").to_owned();
    (status, kind, asks)
}

#[tokio::test]
async fn each_route_of_a_locked_node_opens_to_the_right_token_and_to_no_other() {
    let door = door_of(Tls::Off, locked(), stand_in);
    let mut asked = 0;
    for (pattern, method, act) in rights::all() {
        let path = filled(pattern);
        let what = format!("{method} {pattern}");
        let is_of_node = matches!(act, Act::Survey | Act::Account | Act::Oversee);
        let is_open = matches!(act, Act::Visit | Act::SteerOwn);
        let room = (!is_of_node).then_some("daily");
        if act == Act::Settle {
            // No token makes anybody a node: that takes what nodes sign with, and this one shares nothing with any.
            let told = ask(&door, method, &path, None).await;
            assert_eq!((told.0, told.1.as_str()), (403, "no-node"), "{what}");
            let told = ask(&door, method, &path, Some(&good(&claims(Role::Admin, None)))).await;
            assert_eq!((told.0, told.1.as_str()), (403, "wrong-role"), "{what}");
            continue;
        }
        let role = ROLES.into_iter().find(|role| may(*role, act)).unwrap();
        for (fault, token, kind) in spoilt(&claims(role, room)) {
            let (status, said, asks) = ask(&door, method, &path, Some(&token)).await;
            if is_open {
                assert!(!matches!(status, 401 | 403), "{what}, {fault}: {status}");
            } else {
                let told = (status, said.as_str(), asks.as_str());
                assert_eq!(told, (401, kind, "Bearer error=\"invalid_token\""), "{what}, {fault}");
            }
            asked += 1;
        }
        let (status, said, asks) = ask(&door, method, &path, None).await;
        // Whether there are recordings here is said before who may see them.
        if is_open || act == Act::Archive {
            assert!(!matches!(status, 401 | 403), "{what}: {status}");
        } else {
            assert_eq!((status, said.as_str(), asks.as_str()), (401, "unauthorized", "Bearer"), "{what}");
        }
        for role in ROLES {
            let (status, said, asks) = ask(&door, method, &path, Some(&good(&claims(role, room)))).await;
            if may(role, act) {
                assert!(!matches!(status, 401 | 403 | 405), "{what}, {role}: {status} {said}");
            } else {
                let told = (status, said.as_str(), asks.as_str());
                assert_eq!(told, (403, "wrong-role", "Bearer error=\"insufficient_scope\""), "{what}, {role}");
            }
        }
        let ed = signed("ed", Algorithm::EdDsa, PRIVATE, &claims(role, room));
        for token in [good(&claims(role, None)), ed] {
            let (status, ..) = ask(&door, method, &path, Some(&token)).await;
            assert!(!matches!(status, 401 | 403 | 405), "{what}: {status}");
        }
        let (status, said, _) = ask(&door, method, &path, Some(&good(&claims(role, Some("daily2"))))).await;
        // Of which room a recording is shows where it lies.
        if is_open || act == Act::Archive {
            assert!(!matches!(status, 401 | 403), "{what}: {status}");
        } else {
            assert_eq!((status, said.as_str()), (403, "wrong-room"), "{what}");
        }
        let (status, ..) = ask(&door, method, &path, Some(OPERATOR)).await;
        assert!(!matches!(status, 401 | 403 | 405), "{what}, the operator: {status}");
    }
    assert!(asked > 700, "{asked}");
}

#[tokio::test]
async fn a_room_is_the_same_however_its_name_is_written() {
    let door = door_of(Tls::Off, locked(), stand_in);
    let token = good(&claims(Role::Host, Some("daily")));
    for path in ["/v1/rooms/daily", "/v1/rooms/d%61ily"] {
        assert_eq!(ask(&door, &Method::GET, path, Some(&token)).await.0, 200, "{path}");
    }
    for path in ["/v1/rooms/Daily", "/v1/rooms/daily%20", "/v1/rooms/daily2", "/v1/rooms/dail%79%32"] {
        let (status, said, _) = ask(&door, &Method::GET, path, Some(&token)).await;
        assert_eq!((status, said.as_str()), (403, "wrong-room"), "{path}");
    }
}

#[tokio::test]
async fn whoever_comes_in_by_a_token_has_its_role_and_its_name() {
    let (seen, who) = std::sync::mpsc::sync_channel(8);
    let door = door_of(Tls::Off, locked(), move |requests| {
        let mut control = StandIn::default();
        for Request { caller, command } in requests {
            if let Command::Join { name, .. } | Command::Publish { name, .. } = &command {
                seen.send((caller.role(), name.clone())).unwrap();
            }
            control.answer(command);
        }
    });
    let named = |role| good(&Claims { name: Some("Ada".into()), ..claims(role, Some("daily")) });
    for (path, token, role, name) in [
        ("/v1/rooms/daily/participants?name=Eve", named(Role::Host), Role::Host, "Ada"),
        ("/whip/daily?name=Eve", named(Role::Speaker), Role::Speaker, "Ada"),
        ("/v1/rooms/daily/participants?name=Eve", good(&claims(Role::Speaker, None)), Role::Speaker, "Eve"),
        ("/v1/rooms/daily/participants?name=Eve", OPERATOR.to_owned(), Role::Admin, "Eve"),
    ] {
        assert_eq!(door.post(path).bearer_auth(token).send().await.unwrap().status(), 201, "{path}");
        assert_eq!(who.recv().unwrap(), (Some(role), name.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn no_shared_cache_keeps_what_took_a_token_and_no_stranger_learns_of_turn_servers() {
    let ice_servers = serde_json::from_value(json!([{ "urls": ["turn:a.example"], "secret": "only the two know" }]));
    let door = door_of(Tls::Off, Guard { ice_servers: ice_servers.unwrap(), ..locked() }, stand_in);
    let token = good(&claims(Role::Viewer, Some("daily")));
    for path in ["/v1/rooms/daily", "/whep/daily", "/v1/rooms/daily/layout", "/hls/daily/index.m3u8"] {
        let answer = door.client.get(format!("{}{path}", door.url)).bearer_auth(&token).send().await.unwrap();
        assert_eq!(text(&answer, &CACHE_CONTROL), "no-store", "{path}");
    }
    let options = || door.client.request(Method::OPTIONS, format!("{}/whip/daily", door.url));
    assert!(!options().send().await.unwrap().headers().contains_key(LINK));
    assert!(!options().bearer_auth("a guess").send().await.unwrap().headers().contains_key(LINK));
    assert!(options().bearer_auth(&token).send().await.unwrap().headers().contains_key(LINK));
}

#[tokio::test]
async fn streams_that_the_operator_opens_take_no_token_and_nothing_else_is_open_by_that() {
    let guard = locked();
    let policy = Policy { streams_are_open: true, ..guard.policy };
    let door = door_of(Tls::Off, Guard { policy, ..guard }, stand_in);
    for token in [None, Some("what a player sends")] {
        assert_eq!(ask(&door, &Method::GET, "/hls/daily/index.m3u8", token).await.0, 404, "no such room, and no 401");
        assert_eq!(ask(&door, &Method::POST, "/whep/daily", token).await.0, 401);
        assert_eq!(ask(&door, &Method::GET, "/v1/rooms/daily", token).await.0, 401);
    }
    let recorder = good(&claims(Role::Recorder, Some("daily")));
    let (status, said, _) = ask(&door, &Method::GET, "/hls/daily/index.m3u8", Some(&recorder)).await;
    assert_eq!((status, said.as_str()), (403, "wrong-role"), "who shows a token is judged by it");
}

#[tokio::test]
async fn without_keys_a_token_is_nobodys_business() {
    let door = door(Tls::Off, stand_in);
    for token in [good(&claims(Role::Viewer, Some("other"))), "a stream key".to_owned()] {
        assert_eq!(door.post("/whip/daily").bearer_auth(token).send().await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_page_of_another_origin_asks_with_a_token_and_is_told_what_is_wrong_with_it() {
    let door = door_of(Tls::Off, locked(), stand_in);
    let token = good(&claims(Role::Viewer, Some("daily")));
    let ended = good(&Claims { exp: now() - 600, iat: None, ..claims(Role::Viewer, Some("daily")) });
    let ask = async |token: &str| {
        let request =
            door.client.get(format!("{}/v1/rooms/daily", door.url)).header("origin", "https://portal.example");
        request.bearer_auth(token).send().await.unwrap()
    };
    assert_eq!(ask(&token).await.status(), 200);
    problem(ask(&ended).await, 401, "token-expired").await;
}

/// What is judged is the caller: the door itself asks for nobody.
#[test]
fn the_door_finds_what_is_asked_about_whoever_asks() {
    let policy = Policy { is_locked: true, ..Policy::default() };
    assert_eq!(policy.judge(&Caller::Anyone, Act::Visit, None), Ok(()));
    let (reply, _answer) = oneshot::channel();
    assert_eq!(Command::Find { place: Place::NewRoom, reply }.act(), Act::Visit);
}
