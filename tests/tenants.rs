//! **The question:** do two tenants of one node meet anywhere? A real node with keys of both and of a partner, people
//! who talk in rooms of each, and what each one's tokens are told.

use std::fs;

use serde_json::{Value, json};

use crate::access::Locked;
use crate::client::{Client, wait_until};

const ACME: &str = "acme~council";
const GLOBEX: &str = "globex~council";

/// Two tenants, of whom the first has a quota for each thing, and a partner who has the first.
fn start() -> Locked {
    Locked::start_with(|at| {
        let key = |id: &str| {
            fs::write(at(id), format!("a secret of its own, long enough, of {id}\n")).unwrap();
            format!("{{ id = \"{id}\", algorithm = \"HS256\", file = \"{}\" }}", at(id).display())
        };
        format!(
            "[[tenant]]\nid = \"acme\"\nkeys = [{}]\nrooms_max = 1\nparticipants_max = 2\nrecordings_max = 1\n\
             layout = \"speaker\"\nretention_hours = 2\n[[tenant]]\nid = \"globex\"\nkeys = [{}]\n\
             [[partner]]\nid = \"reseller\"\ntenants = [\"acme\"]\nkeys = [{}]\n",
            key("acme-1"),
            key("globex-1"),
            key("reseller-1"),
        )
    })
}

#[test]
fn tenants_on_one_node_never_meet_and_keep_to_their_quotas() {
    let mut locked = start();
    let mut token = |room: &str, role: &str| locked.token(&["--room", room, "--role", role]);
    let (ada, bob) = (token(ACME, "host"), token(ACME, "speaker"));
    let (eve, recorder, stranger) = (token(GLOBEX, "host"), token(ACME, "recorder"), token(GLOBEX, "recorder"));
    let admin = |locked: &mut Locked, key: &str| locked.token(&["--any-room", "--role", "admin", "--key", key]);
    let (of_acme, of_globex) = (admin(&mut locked, "acme-1"), admin(&mut locked, "globex-1"));
    let (partner, operator) = (admin(&mut locked, "reseller-1"), admin(&mut locked, "one"));
    let base = locked.node.url.clone();
    let mut people = vec![
        Client::join_by(&base, ACME, "Ada", 0, Some(&ada)),
        Client::join_by(&base, ACME, "Bob", 1, Some(&bob)),
        Client::join_by(&base, GLOBEX, "Eve", 2, Some(&eve)),
    ];
    wait_until(&mut people, "all are in, each in their own room", |people| {
        let others = |one: &Client| one.last("room").map_or(0, |told| told["participants"].as_array().unwrap().len());
        others(&people[0]) == 2 && others(&people[1]) == 2 && others(&people[2]) == 1
    });
    let layout = |one: &Client| one.last("layout").map(|told| told["layout"]["layout"].clone());
    wait_until(&mut people, "each room looks as its owner wants", |people| {
        layout(&people[0]) == Some(json!("speaker")) && layout(&people[2]) == Some(json!("grid"))
    });

    quotas_hold(&locked, &ada, &of_acme, &of_globex);
    let rooms = |token: &str| {
        let told = locked.get("v1/rooms", token).1;
        told["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|room| room["room"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((rooms(&of_acme), rooms(&of_globex)), (vec![ACME.to_owned()], vec![GLOBEX.to_owned()]));
    assert_eq!((rooms(&partner), rooms(&operator)), (vec![ACME.to_owned()], vec![ACME.to_owned(), GLOBEX.to_owned()]));
    let stats = locked.get("v1/node/stats", &of_globex).1.to_string();
    assert!(stats.contains(GLOBEX) && !stats.contains(ACME), "{stats}");

    assert_eq!(
        locked.ask("POST", &format!("v1/rooms/{ACME}/recording"), &ada, &json!({ "retention_hours": 3 })).0,
        400
    );
    assert_eq!(locked.ask("POST", &format!("v1/rooms/{ACME}/recording"), &ada, &json!({})).0, 201);
    wait_until(&mut people, "acme is recorded, and globex is not", |people| {
        let recorded = |one: &Client| one.last("state").is_some_and(|told| told["recording"] == true);
        recorded(&people[0]) && !recorded(&people[2])
    });
    assert_eq!(locked.ask("DELETE", &format!("v1/rooms/{ACME}/recording"), &recorder, &Value::Null).0, 204);
    wait_until(&mut people, "its recording is listed", |_| {
        locked.get("v1/recordings", &recorder).1["recordings"].as_array().is_some_and(|all| !all.is_empty())
    });
    let all_of_globex = locked.token(&["--any-room", "--role", "recorder", "--key", "globex-1"]);
    let all_of_acme = locked.token(&["--any-room", "--role", "recorder", "--key", "reseller-1"]);
    recordings_are_their_owners(&locked, &all_of_acme, &[&stranger, &all_of_globex]);
    usage_is_told_each_of_their_own(&locked, [&of_acme, &of_globex, &partner, &operator]);
    drop(people);
    locked.stop();
}

/// What is beyond a quota is refused with when to come back, and takes nothing of anybody else.
fn quotas_hold(locked: &Locked, ada: &str, of_acme: &str, of_globex: &str) {
    let offer = |room: &str, token: &str| {
        let told = locked.offer(room, token);
        (told.0, told.1)
    };
    let full = || (429, "tenant-full".to_owned());
    assert_eq!(offer(ACME, ada), full(), "two people are in it");
    assert_eq!(offer("acme~other", of_acme), full(), "one room runs");
    assert_eq!(offer("globex~other", of_globex), (400, "bad-offer".to_owned()), "the other one has no quota");
    assert_eq!(
        offer("acme~other", of_globex),
        (403, "wrong-tenant".to_owned()),
        "whose quota it is, nobody else learns"
    );
}

fn recordings_are_their_owners(locked: &Locked, own: &str, others: &[&str]) {
    let told = locked.get("v1/recordings", own).1;
    let name = told["recordings"][0]["recording"].as_str().unwrap().to_owned();
    assert_eq!(told["recordings"][0]["room"], ACME);
    for other in others {
        assert_eq!(locked.get("v1/recordings", other).1["recordings"], json!([]));
        for (method, path) in
            [("GET", ""), ("GET", "/video.mp4"), ("GET", "/captions.vtt"), ("POST", "/link"), ("DELETE", "")]
        {
            let (status, told) = locked.ask(method, &format!("v1/recordings/{name}{path}"), other, &json!({}));
            assert_eq!((status, kind(&told)), (404, "recording-not-found"), "{method} {path}");
        }
    }
    let (status, detail) = locked.get(&format!("v1/recordings/{name}"), own);
    assert_eq!(status, 200, "it is still there: {detail}");
}

fn usage_is_told_each_of_their_own(locked: &Locked, [of_acme, of_globex, partner, operator]: [&str; 4]) {
    let told = |token: &str| {
        let told = locked.get("v1/usage", token).1;
        let one = |one: &Value| (one["tenant"].as_str().unwrap_or("").to_owned(), one.clone());
        told["tenants"].as_array().unwrap_or_else(|| panic!("{told}")).iter().map(one).collect::<Vec<_>>()
    };
    let names = |token: &str| told(token).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        (names(of_acme), names(of_globex), names(partner)),
        (vec!["acme".into()], vec!["globex".into()], vec!["acme".into()])
    );
    assert_eq!(names(operator), ["acme", "globex", ""]);
    let (_, acme) = told(of_acme).remove(0);
    let (_, globex) = told(of_globex).remove(0);
    let minutes = |of: &Value| of["participant_minutes"].as_f64().unwrap();
    assert!(minutes(&acme) > minutes(&globex), "two for as long as one: {acme} {globex}");
    assert!(acme["recorded_minutes"].as_f64().unwrap() > 0.0 && globex["recorded_minutes"] == 0.0, "{acme} {globex}");
    assert_eq!((&acme["participants"], &acme["refused"]), (&json!(2), &json!(2)), "{acme}");
    let metrics = locked.metrics();
    let line =
        metrics.lines().find(|line| line.starts_with("tessera_tenant_participant_seconds_total{tenant=\"acme\"}"));
    assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{line:?}");
    assert!(!metrics.contains("council"), "no room is named");
}

fn kind(said: &Value) -> &str {
    said["type"].as_str().unwrap_or("").trim_start_matches("urn:tessera:problem:")
}

/// A host sees who waits, lets one in and refuses another, and bans a third; those are told so, and no log names them.
#[test]
fn who_waits_comes_in_by_a_hosts_leave_and_who_is_banned_does_not() {
    let mut locked = Locked::start_with(|_| "[rooms]\nlobby = true\n".to_owned());
    let mut token = |role: &str, subject: &str| {
        locked.token(&["--room", crate::access::ROOM, "--role", role, "--subject", subject])
    };
    let (ada, bob, eve) = (token("host", "quilliam"), token("speaker", "bartholomew"), token("speaker", "wilhelmina"));
    let bob_again = token("speaker", "bartholomew");
    let room = crate::access::ROOM;
    assert_eq!(locked.offer(room, &bob).1, "in-lobby", "no host has come yet");
    let base = locked.node.url.clone();
    let mut people = vec![Client::join_by(&base, room, "Ada", 0, Some(&ada))];
    assert_eq!(locked.offer_as(room, &eve, "Evangeline").1, "in-lobby");
    wait_until(&mut people, "the host is told of both by name", |people| {
        people[0].last("lobby").is_some_and(|told| {
            let names = told["people"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>() == ["Guest", "Evangeline"]
        })
    });
    let waiting = people[0].last("lobby").unwrap()["people"].clone();
    assert_eq!(locked.get(&format!("v1/rooms/{room}/lobby"), &ada).1["people"].as_array().unwrap().len(), 2);
    assert_eq!(kind(&locked.get(&format!("v1/rooms/{room}/lobby"), &bob).1), "wrong-role");
    let moderate = |body: &Value| locked.ask("PATCH", &format!("v1/rooms/{room}/moderation"), &ada, body).0;
    let id = |n: usize| waiting[n]["id"].as_str().unwrap().to_owned();
    assert_eq!(moderate(&json!({ "lobby_people": { (id(0)): true, (id(1)): false } })), 204);
    assert_eq!(moderate(&json!({ "lobby_people": { (id(0)): true } })), 404, "that was decided");
    assert_eq!(locked.offer(room, &eve).1, "not-let-in");
    people.push(Client::join_by(&base, room, "Bob", 1, Some(&bob)));
    wait_until(&mut people, "Bob is in, and nobody waits", |people| {
        people[0].last("room").is_some_and(|told| told["participants"].as_array().unwrap().len() == 2)
            && people[0].last("lobby").is_some_and(|told| told["people"] == json!([]))
    });
    let who = people[1].participant.clone();
    assert_eq!(moderate(&json!({ "participants": { (&who): { "ban": true } } })), 204);
    wait_until(&mut people, "Bob is told that he was removed", |people| {
        people[1].last("problem").is_some_and(|told| told["kind"] == "urn:tessera:problem:removed")
    });
    for again in [&bob, &bob_again] {
        assert_eq!(locked.offer(room, again), (403, "banned".to_owned()), "by any token of the same subject");
    }
    assert_eq!(moderate(&json!({ "lobby": false })), 204);
    assert_eq!(locked.offer(room, &bob), (403, "banned".to_owned()));
    assert_eq!(locked.offer(room, &eve), (400, "bad-offer".to_owned()), "the lobby is closed, so all come in");
    drop(people);
    let log = locked.stop();
    for secret in ["Evangeline", "bartholomew", "quilliam"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
