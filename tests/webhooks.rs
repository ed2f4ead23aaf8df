//! **The question:** does the operator's server hear of a call from its beginning to its end, though it was down when
//! that began, can it tell by whom that was said, and is nobody else told? A real node, people who talk, and a server.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use openssl::base64::{decode_block, encode_block};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::browser::node::Node;
use crate::client::{Client, wait_until};
use crate::doors::harness::metric;
use crate::keepers::process::{self, BINARY};

/// Base64 of what messages are signed by, now and before.
const NEW: &str = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OLD: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NAMES: [&str; 2] = ["Zerubbabel", "Quetzalcoatl"];

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: String) {
    heard.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
}

fn serve(runtime: &Runtime, port: u16, heard: &Heard) {
    let app = Router::new().route("/hooks/p4th", post(hear)).with_state(heard.clone());
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("its port is free again");
        tokio::spawn(async move { axum::serve(listener, app).await });
    });
}

/// A message whose signatures by both secrets are as OpenSSL computes them, who had no part in making them.
fn verified((headers, body): &(HeaderMap, String)) -> Value {
    let header = |name: &str| headers[name].to_str().expect("ASCII").to_owned();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let signature = |secret: &str| {
        let key = PKey::hmac(&decode_block(secret).unwrap()).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        format!("v1,{}", encode_block(&signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap()))
    };
    assert_eq!(header("webhook-signature"), format!("{} {}", signature(NEW), signature(OLD)));
    let message: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(message["id"], header("webhook-id"));
    message
}

fn settled(heard: &Heard, kind: &str) -> bool {
    heard.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(_, body)| body.contains(kind))
}

#[test]
fn a_server_that_comes_late_hears_of_a_whole_call_in_order_and_by_whom_and_of_nobodys_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The server is down at first: its port is known, and nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::write(at("secret"), format!("whsec_{NEW}\n")).unwrap();
    let text = |allow| {
        format!(
            "[webhooks]\nallow_private = {allow}\nnode = \"tested\"\nhooks = [{{ url = \"http://127.0.0.1:{port}/hooks/\
             p4th\", secret_files = [\"{}\"], secret_variables = [\"TESTED_SECRET\"] }}]\n",
            at("secret").display()
        )
    };
    fs::write(at("tessera.toml"), text(true)).unwrap();
    let config = at("tessera.toml");
    let environment = [("TESSERA_LOG", "trace"), ("TESTED_SECRET", &*format!("whsec_{OLD}"))];
    let flags = ["--config", config.to_str().unwrap()];
    let node = Node::start_logging(&flags, &environment, File::create(at("log")).unwrap());
    let mut people: Vec<Client> =
        (0..2).map(|number| Client::join(&node.url, "stage", NAMES[number], number)).collect();
    wait_until(&mut people, "both are in, and the server was missed", |people| {
        people[0].last("room").is_some_and(|room| room["participants"].as_array().map_or(0, Vec::len) == 2)
            && metric(&node, "tessera_webhook_failures_total") > 0
    });
    let joined: Vec<Value> =
        people.iter().map(|one| json!({ "room": "stage", "participant": one.participant })).collect();

    let (runtime, heard) =
        (Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(), Heard::default());
    serve(&runtime, port, &heard);
    wait_until(&mut people, "it hears of both", |_| {
        people_named(&heard, &joined) && metric(&node, "tessera_webhooks_waiting") == 0
    });
    drop(people);
    // Nobody is left, so the room ends with the node at the latest, which says so before it goes.
    node.stop();
    process::wait_until("it hears of the end", || settled(&heard, "room.ended"));

    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    tells_of_the_call(&heard, &joined);
    let log = fs::read_to_string(at("log")).unwrap();
    assert!(log.contains("DEBUG") && log.contains("a webhook fails") && log.contains("a webhook is back"), "{log}");
    for secret in [NEW, OLD, "p4th", NAMES[0], NAMES[1]] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!heard.iter().any(|(_, body)| NAMES.iter().any(|name| body.contains(name))), "nobody asked for names");

    // Without leave, an address that is not everybody's is refused before anything runs.
    fs::write(at("tessera.toml"), text(false).replace("http://", "https://")).unwrap();
    let checked = Command::new(BINARY).args(["serve", "--check"]).args(flags).envs(environment).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(2), "{told}");
    assert!(told.contains("not public") && !told.contains("p4th") && !told.contains(NEW), "{told}");
}

fn people_named(heard: &Heard, joined: &[Value]) -> bool {
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |one: &Value| heard.iter().any(|(_, body)| body.contains(one["participant"].as_str().unwrap_or("?")));
    joined.iter().all(of)
}

/// What was told is the call from its beginning to its end, in order, each thing once.
fn tells_of_the_call(heard: &[(HeaderMap, String)], joined: &[Value]) {
    let all: Vec<Value> = heard.iter().map(verified).collect();
    let kinds: Vec<&str> = all.iter().filter_map(|message| message["type"].as_str()).collect();
    let of_room = kinds.iter().filter(|kind| !kind.starts_with("capacity.")).copied().collect::<Vec<_>>();
    let expected = ["room.began", "participant.joined", "participant.joined", "participant.left", "participant.left"];
    assert_eq!(of_room, [&expected[..], &["room.ended"]].concat());
    let of = |kind: &str| all.iter().filter(|told| told["type"] == kind).map(|told| &told["data"]).collect::<Vec<_>>();
    assert_eq!(of("participant.joined"), joined.iter().collect::<Vec<_>>(), "ids, and no names");
    let ids: BTreeSet<&str> = all.iter().filter_map(|message| message["id"].as_str()).collect();
    assert_eq!(ids.len(), all.len(), "each once");
    let sequence: Vec<u64> = all.iter().filter_map(|told| told["sequence"].as_u64()).collect();
    assert!(all.iter().all(|told| told["node"] == "tested" && told["run"] == all[0]["run"]));
    let of_calls: Vec<u64> = all
        .iter()
        .filter(|told| told["data"]["room"] == "stage")
        .filter_map(|told| told["sequence"].as_u64())
        .collect();
    assert!(of_calls.is_sorted() && sequence.len() == all.len(), "{sequence:?}");
}
