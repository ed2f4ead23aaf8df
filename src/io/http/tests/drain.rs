//! **The question:** how is a node emptied of rooms over HTTP, and what do probes read meanwhile?

use std::time::Duration;

use super::*;
use crate::core::drain::Drain;
use crate::core::ladder::Capacity;
use crate::io::api::{DrainShown, NodeState};

/// How a node of three rooms stands.
pub(super) fn standing(state: Standing, drain: Option<DrainShown>) -> NodeState {
    let capacity = Capacity { units: 140, reserved_units: 95, free_room100_slots: 0 };
    NodeState { state, rooms: 3, people: 12, finishing: 1, unsent_bytes: 7, capacity, drain }
}

/// Stands in for a control thread that drains as its core says, and is asked to end by `leaves`.
fn control(requests: crossbeam_channel::Receiver<Request>, leaves: &AtomicBool) {
    let (mut drain, now) = (Drain::default(), std::time::Instant::now());
    for Request { command, .. } in requests {
        if leaves.load(Ordering::Relaxed) {
            drain.leave(now, Duration::from_secs(480));
        }
        let state = |drain: &Drain| {
            let ends_in_s = drain.until().map(|until| (until - now).as_secs());
            let shown = DrainShown { ends_in_s, ..DrainShown::default() };
            standing(if drain.is_on() { Standing::Draining } else { Standing::Open }, drain.is_on().then_some(shown))
        };
        match command {
            Command::Node { reply } => drop(reply.send(Ok(state(&drain)))),
            Command::Drain { span, reply } => {
                drain.begin(now, span);
                drop(reply.send(Ok(state(&drain))));
            }
            Command::RevokeDrain { reply } => {
                let revoked = drain.revoke().map_err(|_| Refusal::Leaving);
                drop(reply.send(revoked.map(|()| state(&drain))));
            }
            command if drain.is_on() => command.refuse(Refusal::NoNewRooms),
            command => StandIn::default().answer(command),
        }
    }
}

#[tokio::test]
async fn a_drain_is_asked_for_told_to_probes_and_taken_back() {
    let leaves = Arc::new(AtomicBool::new(false));
    let told = leaves.clone();
    let door = door(Tls::Off, move |requests| control(requests, &told));
    let ask = async |method: Method, body: &str| {
        let request = door.client.request(method, format!("{}/v1/node/drain", door.url)).body(body.to_owned());
        request.send().await.unwrap()
    };
    assert_eq!(door.get("/readyz").await.text().await.unwrap(), "ready\n");
    let begun = ask(Method::POST, "").await;
    assert_eq!(begun.status(), 200);
    let state: Value = begun.json().await.unwrap();
    assert_eq!((&state["state"], &state["rooms"], &state["people"]), (&json!("draining"), &json!(3), &json!(12)));
    let none = json!({ "since_s": 0, "moving": 0, "moved": 0, "stayed": 0 });
    assert_eq!(state["drain"], none, "they may run on");
    let bounded: Value = ask(Method::POST, r#"{"within_s":480}"#).await.json().await.unwrap();
    assert_eq!(bounded["drain"]["ends_in_s"], 480);
    let again: Value = ask(Method::POST, "").await.json().await.unwrap();
    assert_eq!(again["drain"], bounded["drain"], "asked again, what was said first stands");
    let node: Value = door.get("/v1/node").await.json().await.unwrap();
    assert_eq!((&node["drain"], &node["finishing"], &node["unsent_bytes"]), (&bounded["drain"], &json!(1), &json!(7)));
    let unready = door.get("/readyz").await;
    assert!(unready.headers().contains_key(RETRY_AFTER));
    let told = problem(unready, 503, "draining").await;
    assert!(told["detail"].as_str().unwrap().contains("can still be joined"), "{told}");
    assert_eq!(door.get("/healthz").await.status(), 200, "the node lives, and is not to be restarted");
    problem(door.post("/whip/daily").send().await.unwrap(), 503, "draining").await;
    for (body, kind) in [("{\"within_s\":86401}", "bad-drain"), ("{\"within\":1}", "bad-drain"), ("[", "bad-drain")] {
        problem(ask(Method::POST, body).await, 400, kind).await;
    }
    problem(ask(Method::POST, &" ".repeat(limits::DRAIN_ASKED_LEN_MAX + 1)).await, 413, "too-large").await;
    let open: Value = ask(Method::DELETE, "").await.json().await.unwrap();
    assert_eq!((&open["state"], &open["drain"]), (&json!("open"), &Value::Null));
    assert_eq!(door.get("/readyz").await.status(), 200);
    leaves.store(true, Ordering::Relaxed);
    problem(ask(Method::DELETE, "").await, 409, "leaving").await;
}

#[tokio::test]
async fn readiness_is_what_who_asks_for_a_new_room_would_be_told_and_says_nothing_of_life() {
    for (refusal, kind) in [
        (Refusal::NoNewRooms, "draining"),
        (Refusal::NodeAtLimit, "node-at-limit"),
        (Refusal::NodeFull, "node-full"),
        (Refusal::Draining, "draining"),
    ] {
        let door = door(Tls::Off, move |requests| {
            requests.iter().for_each(|Request { command, .. }| command.refuse(refusal.clone()));
        });
        problem(door.get("/readyz").await, 503, kind).await;
        assert_eq!(door.get("/healthz").await.text().await.unwrap(), "ok\n", "{kind}");
    }
    let hangs = door(Tls::Off, |requests| {
        requests.iter().for_each(|Request { command, .. }| command.refuse(Refusal::Hung));
    });
    for probe in ["/healthz", "/readyz"] {
        problem(hangs.get(probe).await, 503, "lifeless").await;
    }
}
