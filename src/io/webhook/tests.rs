//! **The question:** does a server hear of everything once, in order, whatever it answers, and never where nothing may
//! be sent? A server of a few lines, by hand, that keeps what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::core::webhook::{Happening, SigningSecret};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

type Told = Arc<Mutex<Vec<String>>>;

/// A server that answers each request by the next of `answers`, and by 204 once there is none left.
async fn server(answers: Vec<&'static str>) -> (u16, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, told) = (listener.local_addr().unwrap().port(), Told::default());
    let kept = told.clone();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            // Each body here is one object, closed twice.
            while !bytes.ends_with(b"}}") {
                match stream.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => bytes.extend_from_slice(&part[..count]),
                }
            }
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(String::from_utf8_lossy(&bytes).into_owned());
            let status = answers.next().unwrap_or("204 No Content");
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        }
    });
    (port, told)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn webhooks(runtime: &Runtime, url: &str, allow_private: bool, counters: &WebhookCounters) -> Webhooks {
    let secrets = vec![SECRET.parse::<SigningSecret>().unwrap()];
    let target = WebhookTarget::new(url, Vec::new(), secrets, allow_private).unwrap();
    let setup = WebhookSetup { targets: vec![target], node: "tested".into(), allow_private };
    Webhooks::start(setup, runtime.handle(), counters.clone())
}

fn wait_until(so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < until, "it never came to that");
        std::thread::yield_now();
    }
}

fn told(told: &Told) -> Vec<String> {
    told.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn what_a_server_does_not_take_comes_again_under_the_same_id_and_a_redirect_is_not_followed() {
    let (runtime, counters) = (runtime(), WebhookCounters::default());
    let moved = "307 Temporary Redirect\r\nLocation: /elsewhere";
    let (port, heard) = runtime.block_on(server(vec!["503 Service Unavailable", moved]));
    let webhooks = webhooks(&runtime, &format!("http://127.0.0.1:{port}/hook"), true, &counters);
    webhooks.tell(&Happening::RoomBegan { room: "stage".parse().unwrap() });
    wait_until(|| counters.delivered.get() == 1 && counters.waiting.get() == 0);
    let heard = told(&heard);
    assert_eq!((heard.len(), counters.failures.get()), (3, 2));
    let id = |request: &str| request.lines().find(|line| line.starts_with("webhook-id: msg_")).map(str::to_owned);
    assert!(id(&heard[0]).is_some() && heard.iter().all(|request| id(request) == id(&heard[0])));
    assert!(heard.iter().all(|request| request.starts_with("POST /hook ")), "{heard:?}");
    webhooks.end(&runtime);
}

#[test]
fn a_server_that_wants_no_more_is_told_no_more() {
    let (runtime, counters) = (runtime(), WebhookCounters::default());
    let (port, heard) = runtime.block_on(server(vec!["410 Gone"]));
    let webhooks = webhooks(&runtime, &format!("http://127.0.0.1:{port}/hook"), true, &counters);
    webhooks.tell(&Happening::RoomBegan { room: "stage".parse().unwrap() });
    wait_until(|| counters.given_up.get() == 1);
    webhooks.tell(&Happening::RoomBegan { room: "other".parse().unwrap() });
    wait_until(|| counters.discarded.get() == 1);
    assert_eq!(told(&heard).len(), 1);
}

#[test]
fn a_name_that_leads_to_this_machine_is_not_gone_to_and_the_end_waits_for_it_no_longer_than_it_may() {
    let (runtime, counters) = (runtime(), WebhookCounters::default());
    let (port, heard) = runtime.block_on(server(Vec::new()));
    let webhooks = webhooks(&runtime, &format!("https://localhost:{port}/hook"), false, &counters);
    webhooks.tell(&Happening::RoomBegan { room: "stage".parse().unwrap() });
    wait_until(|| counters.failures.get() > 0);
    webhooks.end(&runtime);
    assert_eq!((counters.given_up.get(), counters.delivered.get(), counters.waiting.get()), (1, 0, 0));
    assert!(told(&heard).is_empty());
}

#[test]
fn what_was_said_last_arrives_before_the_node_is_gone() {
    let (runtime, counters) = (runtime(), WebhookCounters::default());
    let (port, heard) = runtime.block_on(server(Vec::new()));
    let webhooks = webhooks(&runtime, &format!("http://127.0.0.1:{port}/hook"), true, &counters);
    let room: crate::base::media::RoomId = "stage".parse().unwrap();
    webhooks.tell(&Happening::RoomBegan { room: room.clone() });
    webhooks.tell(&Happening::RoomEnded { room, duration_s: 1, reason: "the node is shutting down".into() });
    webhooks.end(&runtime);
    let heard = told(&heard);
    assert_eq!(heard.len(), 2);
    assert!(heard[0].contains("room.began") && heard[1].contains("room.ended"), "{heard:?}");
}
