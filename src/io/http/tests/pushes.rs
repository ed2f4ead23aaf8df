//! **The question:** who may send a room on, and is what they ask for read and refused in words that repeat no secret?

use super::*;
use crate::base::media::Codec;
use crate::core::access::{Act, Caller, Steering};
use crate::io::api::{BearerToken, PushShown, PushWish};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PATH: &str = "/v1/rooms/daily/pushes";

/// How a push stands that was just begun.
pub(super) fn push() -> PushShown {
    PushShown {
        push: "7".into(),
        target: "https://live.example".into(),
        rung: Some("640x360".into()),
        codec: Some("h264"),
        sound: "opus",
        state: "waiting",
        seconds: 3,
        tries: 2,
        failures: 1,
        last_error: Some("it answers 503 Service Unavailable".into()),
        bytes: 1_000,
    }
}

/// Takes what one wish has, and refuses all else.
fn control(requests: crossbeam_channel::Receiver<Request>, policy: Policy) {
    let wished = PushWish {
        url: "https://live.example/whip/s3cret".to_owned().into(),
        token: Some("s3cret".to_owned().into()),
        rung: Some("640x360".parse().unwrap()),
        codec: Some(Codec::H264),
        sound: None,
    };
    for Request { caller, command } in requests {
        assert_eq!((command.act(), policy.judge(&caller, Act::Push, None)), (Act::Push, Ok(())), "{caller:?}");
        assert!(!format!("{command:?}").contains("s3cret"), "{command:?}");
        match command {
            Command::Push { room, wish, reply } if room.as_str() == "daily" => {
                let known = wish == wished;
                drop(reply.send(if known { Ok(push()) } else { Err(Refusal::BadPush("'url' is no URL".into())) }));
            }
            Command::Pushes { reply, .. } => drop(reply.send(Ok(vec![push()]))),
            Command::EndPush { push, reply, .. } => {
                drop(reply.send(if push.0 == 7 { Ok(()) } else { Err(Refusal::PushNotFound) }));
            }
            other => other.refuse(Refusal::RoomNotFound),
        }
    }
}

#[tokio::test]
async fn whoever_has_the_token_sends_a_room_on_and_nobody_else_even_sees_where_to() {
    let policy = Policy { steering: Steering::ByToken, ..Policy::default() };
    let token: BearerToken = TOKEN.parse().unwrap();
    let door =
        door_of(Tls::Off, Guard { policy, token: Some(token), ..guard() }, move |requests| control(requests, policy));
    let ask = |method: Method, path: &str, body: String| {
        let request = door.client.request(method, format!("{}{path}", door.url));
        request.header(CONTENT_TYPE, "application/json").body(body)
    };
    let wish = json!({
        "url": "https://live.example/whip/s3cret", "token": "s3cret", "rung": "640x360", "codec": "h264",
    });
    for (method, path) in [(Method::GET, PATH), (Method::POST, PATH), (Method::DELETE, "/v1/rooms/daily/pushes/7")] {
        problem(ask(method, path, wish.to_string()).send().await.unwrap(), 401, "unauthorized").await;
    }
    let ask = |method: Method, path: &str, body: String| ask(method, path, body).bearer_auth(TOKEN).send();
    let begun = ask(Method::POST, PATH, wish.to_string()).await.unwrap();
    assert_eq!((begun.status().as_u16(), text(&begun, &LOCATION)), (201, "/v1/rooms/daily/pushes/7"));
    assert_eq!(begun.json::<Value>().await.unwrap(), json!(push()));
    let listed = ask(Method::GET, PATH, String::new()).await.unwrap();
    assert_eq!(listed.json::<Value>().await.unwrap(), json!({ "pushes": [push()] }));
    assert_eq!(ask(Method::DELETE, "/v1/rooms/daily/pushes/7", String::new()).await.unwrap().status(), 204);
    for unknown in ["8", "-1", "x", "99999999999999999999"] {
        let answer = ask(Method::DELETE, &format!("/v1/rooms/daily/pushes/{unknown}"), String::new()).await.unwrap();
        problem(answer, 404, "push-not-found").await;
    }
    problem(ask(Method::POST, "/v1/rooms/other/pushes", wish.to_string()).await.unwrap(), 404, "room-not-found").await;
}

#[tokio::test]
async fn what_is_no_push_is_told_and_not_repeated() {
    let policy = Policy::default();
    let door = door(Tls::Off, move |requests| control(requests, policy));
    let ask = |body: String| {
        let request = door.client.post(format!("{}{PATH}", door.url));
        request.header(CONTENT_TYPE, "application/json").body(body).send()
    };
    for body in [
        String::new(),
        "{".into(),
        json!("s3cret").to_string(),
        json!({ "token": "s3cret" }).to_string(),
        json!({ "url": ["s3cret"] }).to_string(),
        json!({ "url": "https://x.example", "s3cret": 1 }).to_string(),
        json!({ "url": "https://x.example", "codec": "s3cret" }).to_string(),
        json!({ "url": "s3cret" }).to_string(),
    ] {
        let told = problem(ask(body.clone()).await.unwrap(), 400, "bad-push").await;
        assert!(!told.to_string().contains("s3cret"), "{body}: {told}");
    }
    let long = json!({ "url": "x".repeat(limits::PUSH_REQUEST_LEN_MAX) });
    problem(ask(long.to_string()).await.unwrap(), 413, "too-large").await;
    let plain = door.client.post(format!("{}{PATH}", door.url)).body("{}").send().await.unwrap();
    problem(plain, 415, "unsupported-media-type").await;
    let caller = Caller::Participant(ADA, None);
    assert!(policy.judge(&caller, Act::Push, None).is_err(), "nor does somebody in the call");
}
