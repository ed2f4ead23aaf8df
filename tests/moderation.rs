//! **The question:** who is heard, and who may change the room? A real node, people who talk over WebRTC, and what each
//! of them hears and is told on the data channel.

use serde_json::{Value, json};
use tessera::app::config::Config;
use tessera::app::node::Node;

use crate::client::{Client, wait_until};

const ROOM: &str = "council";

/// A node, and a host who asks it by HTTP.
struct Host {
    node: Node,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    fn start(participants_choose_layout: bool) -> Self {
        let mut config = Config::default();
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.media.listen = "127.0.0.1:0".parse().unwrap();
        config.rooms.participants_choose_layout = participants_choose_layout;
        let node = Node::start(config).expect("the node starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { node, client: crate::browser::driver::client(), runtime }
    }

    fn join(&self, name: &str, number: usize) -> Client {
        Client::join(&format!("http://{}/", self.node.http_address()), ROOM, name, number)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}/v1/rooms/{ROOM}{path}", self.node.http_address());
        let request = self.client.request(method.parse().unwrap(), url).header("content-type", "application/json");
        let request = request.body(body.to_string());
        self.runtime.block_on(async {
            let response = request.send().await.expect("the node answers");
            (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
        })
    }

    fn moderate(&self, body: &Value) {
        assert_eq!(self.ask("PATCH", "/moderation", body).0, 204, "{body}");
    }

    fn mute(&self, client: &Client, muted: bool) {
        self.moderate(&json!({ "participants": { (&client.participant): { "muted": muted } } }));
    }
}

/// Waits until everyone has heard, for one more second, everyone else whose number is `audible`, and nobody of the
/// rest.
fn wait_until_heard(clients: &mut [Client], what: &str, audible: &[usize]) {
    clients.iter_mut().for_each(Client::forget);
    wait_until(clients, what, |clients| {
        let right = |own: usize, other: usize| {
            let expected = own != other && audible.contains(&other);
            clients[own].hears(other) == Some(expected)
        };
        (0..clients.len()).all(|own| (0..clients.len()).all(|other| right(own, other)))
    });
}

#[test]
fn whom_the_host_mutes_nobody_hears_until_the_host_unmutes_them() {
    let host = Host::start(true);
    let mut people = vec![host.join("Ada", 0), host.join("Bob", 1), host.join("Cem", 2)];
    let bob = people[1].participant.clone();
    wait_until_heard(&mut people, "all three are heard", &[0, 1, 2]);

    host.mute(&people[1], true);
    wait_until(&mut people, "all are told that Bob is hushed", |people| {
        people.iter().all(|person| person.person(&bob)["hushed"] == true)
    });
    wait_until_heard(&mut people, "nobody hears Bob", &[0, 2]);

    // What Bob says for himself changes nothing but his hand; the channel keeps the order.
    people[1].say("talk", json!({ "talking": true }));
    people[1].say("hand", json!({ "raised": true }));
    wait_until(&mut people, "all are told of Bob's hand", |people| {
        people.iter().all(|person| person.person(&bob)["hand"] == true)
    });
    assert!(people.iter().all(|person| person.person(&bob)["hushed"] == true), "only a host unmutes");
    let roster = host.ask("GET", "", &Value::Null).1;
    let listed = roster["participants"].as_array().unwrap().iter().find(|person| person["id"] == bob.as_str()).unwrap();
    assert_eq!((&listed["hand"], &listed["hushed"]), (&json!(true), &json!(true)), "{roster}");
    wait_until_heard(&mut people, "nobody hears Bob yet", &[0, 2]);

    host.mute(&people[1], false);
    people[1].say("hand", json!({ "raised": false }));
    wait_until_heard(&mut people, "Bob is heard again", &[0, 1, 2]);
    wait_until(&mut people, "his hand is down", |people| {
        people.iter().all(|person| person.person(&bob)["hand"] == false && person.person(&bob)["hushed"] == false)
    });
    host.node.stop();
}

#[test]
fn who_is_muted_on_entry_is_heard_once_they_ask_to_talk() {
    let host = Host::start(true);
    let mut people = vec![host.join("Ada", 0), host.join("Bob", 1)];
    host.moderate(&json!({ "mute_on_entry": true }));
    wait_until(&mut people, "all are told the rule", |people| {
        people.iter().all(|person| person.last("rules").is_some_and(|rules| rules["mute_on_entry"] == true))
    });
    people.push(host.join("Cem", 2));
    let cem = people[2].participant.clone();
    wait_until(&mut people, "all are told that Cem is hushed", |people| {
        people.iter().all(|person| person.person(&cem)["hushed"] == true)
    });
    wait_until_heard(&mut people, "those who were there before are heard, Cem is not", &[0, 1]);
    people[2].say("talk", json!({ "talking": true }));
    wait_until_heard(&mut people, "Cem is heard", &[0, 1, 2]);
    assert!(people.iter().all(|person| person.person(&cem)["hushed"] == false));
    host.node.stop();
}

/// How somebody who asks to come in is answered; whether their offer can be read is asked later.
fn knock(host: &Host, path: &str) -> (u16, Value) {
    const OFFER: &str = include_str!("../src/io/webrtc/tests/offers/firefox.sdp");
    let url = format!("http://{}/{path}", host.node.http_address());
    let request = host.client.post(url).header("content-type", "application/sdp").body(OFFER);
    host.runtime.block_on(async {
        let response = request.send().await.expect("the node answers");
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    })
}

#[test]
fn a_locked_room_lets_nobody_in_until_it_is_opened() {
    let host = Host::start(true);
    let mut people = vec![host.join("Ada", 0), host.join("Bob", 1)];
    let doors = [format!("v1/rooms/{ROOM}/participants"), format!("whip/{ROOM}"), format!("whep/{ROOM}")];
    host.moderate(&json!({ "locked": true }));
    wait_until(&mut people, "all are told that it is locked", |people| {
        people.iter().all(|person| person.last("rules").is_some_and(|rules| rules["locked"] == true))
    });
    for door in &doors {
        let (status, problem) = knock(&host, door);
        assert_eq!((status, &problem["type"]), (403, &json!("urn:tessera:problem:room-locked")), "{door} {problem}");
    }
    host.moderate(&json!({ "locked": false }));
    people.push(host.join("Cem", 2));
    host.node.stop();
}

#[test]
fn participants_lay_the_room_out_where_they_may() {
    let host = Host::start(true);
    let mut people = vec![host.join("Ada", 0), host.join("Bob", 1)];
    wait_until(&mut people, "all are told that they may choose", |people| {
        people.iter().all(|person| person.last("layout").is_some_and(|told| told["may_choose"] == true))
    });
    people[0].say("layout", json!({ "layout": { "layout": "mosaic" } }));
    wait_until(&mut people, "a wrong layout is refused", |people| people[0].last("problem").is_some());
    let problem = people[0].last("problem").unwrap();
    assert_eq!(problem["kind"], "urn:tessera:problem:bad-layout", "{problem}");
    assert_eq!(host.ask("GET", "/layout", &Value::Null).1["layout"], json!({ "layout": "grid" }));

    let wanted = json!({ "layout": "speaker", "tiles_max": 8 });
    people[0].say("layout", json!({ "layout": wanted }));
    wait_until(&mut people, "all are told the new layout", |people| {
        people.iter().all(|person| person.last("layout").is_some_and(|told| told["layout"] == wanted))
    });
    assert_eq!(host.ask("GET", "/layout", &Value::Null).1["layout"], wanted);
    assert!(people[1].last("problem").is_none());
    host.node.stop();
}

#[test]
fn participants_lay_nothing_out_where_they_may_not() {
    let host = Host::start(false);
    let mut people = vec![host.join("Ada", 0)];
    wait_until(&mut people, "Ada is told that she may not choose", |people| {
        people[0].last("layout").is_some_and(|told| told["may_choose"] == false)
    });
    people[0].say("layout", json!({ "layout": { "layout": "speaker" } }));
    wait_until(&mut people, "Ada is refused", |people| people[0].last("problem").is_some());
    let problem = people[0].last("problem").unwrap();
    assert_eq!(problem["kind"], "urn:tessera:problem:not-allowed", "{problem}");
    assert_eq!(host.ask("GET", "/layout", &Value::Null).1["layout"], json!({ "layout": "grid" }));
    let by_host = json!({ "layout": "speaker" });
    assert_eq!(host.ask("PUT", "/layout", &by_host).0, 204, "whoever runs the node still may");
    wait_until(&mut people, "Ada is told the new layout", |people| {
        people[0].last("layout").unwrap()["layout"] == by_host
    });
    host.node.stop();
}
