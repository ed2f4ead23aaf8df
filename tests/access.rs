//! **The question:** does a locked node let in who has a token, let them do what its role may, and write no token
//! anywhere? A real node with keys, tokens of its own command, and people who talk.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::driver::client;
use crate::browser::node::Node;
use crate::client::{Client, wait_until};
use crate::doors::harness::block_on;
use crate::keepers::process::BINARY;

pub const ROOM: &str = "council";

/// A node that asks for tokens, and what makes them.
pub struct Locked {
    pub node: Node,
    folder: TempDir,
    made: Vec<String>,
}

impl Locked {
    pub fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// The same, with more of a configuration; what it is given names files beside that.
    pub fn start_with(more: impl FnOnce(&dyn Fn(&str) -> PathBuf) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("secret"), "5e3c7e75e3c7e75e3c7e75e3c7e75e3c7e7\n").unwrap();
        fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "[access]\nkeys = [{{ id = \"one\", algorithm = \"HS256\", file = \"{}\" }}]\n\
             [recording]\nenabled = true\nstart = \"asked\"\npath = \"{}\"\nkeeper = \"{}\"\nspool = \"{}\"\n",
            at("secret").display(),
            at("recordings").display(),
            at("keeper").display(),
            at("spool").display(),
        );
        fs::write(at("tessera.toml"), text + &more(&at)).unwrap();
        let config = at("tessera.toml");
        let flags = ["--config", config.to_str().unwrap()];
        let node = Node::start_logging(&flags, &[("TESSERA_LOG", "trace")], File::create(at("log")).unwrap());
        Self { node, folder, made: Vec::new() }
    }

    /// What `tessera token` makes.
    pub fn token(&mut self, flags: &[&str]) -> String {
        let made = run(&self.folder.path().join("tessera.toml"), flags);
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(made.status.success() && token.starts_with("ey"), "{token} {}", String::from_utf8_lossy(&made.stderr));
        self.made.push(token.clone());
        token
    }

    /// How an offer is answered that nobody can read: by why nobody may come in, or else by that.
    pub fn offer(&self, room: &str, token: &str) -> (u16, String) {
        self.offer_as(room, token, "")
    }

    /// The same of somebody with a name.
    pub fn offer_as(&self, room: &str, token: &str, name: &str) -> (u16, String) {
        let url = format!("{}v1/rooms/{room}/participants?name={name}", self.node.url);
        let request = client().post(url).bearer_auth(token).header("content-type", "application/sdp").body("v=0\r\n");
        block_on(async {
            let answer = request.send().await.expect("the node answers");
            let (status, said) = (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null));
            (status, kind(&said).to_owned())
        })
    }

    /// What a scraper reads.
    pub fn metrics(&self) -> String {
        let asked = client().get(format!("{}metrics", self.node.url));
        block_on(async { asked.send().await.expect("the node answers").text().await.expect("it is text") })
    }

    /// Stops it; its log.
    pub fn stop(self) -> String {
        let Self { node, folder, .. } = self;
        node.stop();
        fs::read_to_string(folder.path().join("log")).unwrap()
    }

    pub fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = client().request(method.parse().unwrap(), format!("{}{path}", self.node.url));
        let request = request.bearer_auth(token).header("content-type", "application/json").body(body.to_string());
        block_on(async {
            let answer = request.send().await.expect("the node answers");
            (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
        })
    }

    pub fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.ask("GET", path, token, &Value::Null)
    }
}

fn run(config: &Path, flags: &[&str]) -> Output {
    Command::new(BINARY).args(["token", "--config"]).arg(config).args(flags).output().unwrap()
}

fn kind(said: &Value) -> &str {
    said["type"].as_str().unwrap_or("").trim_start_matches("urn:tessera:problem:")
}

#[test]
fn a_locked_node_lets_each_do_what_their_token_says_and_writes_none_of_them() {
    let mut locked = Locked::start();
    let of = |role: &str| ["--room", ROOM, "--role", role].map(str::to_owned);
    let mut token = |role: &str| {
        let flags = of(role);
        locked.token(&flags.each_ref().map(String::as_str))
    };
    let (host, speaker, viewer, recorder) = (token("host"), token("speaker"), token("viewer"), token("recorder"));
    let stranger = locked.token(&["--room", "elsewhere", "--role", "recorder"]);
    let admin = locked.token(&["--any-room", "--role", "admin"]);

    let base = locked.node.url.clone();
    let mut people = vec![
        Client::join_by(&base, ROOM, "Ada", 0, Some(&host)),
        Client::join_by(&base, ROOM, "Bob", 1, Some(&speaker)),
    ];
    let may = |person: &Client| person.last("state").map(|told| told["may_record"] == true);
    wait_until(&mut people, "each is told whether they may record", |people| {
        people.iter().all(|one| may(one).is_some())
    });
    assert_eq!((may(&people[0]), may(&people[1])), (Some(true), Some(false)), "the configuration lets nobody");
    people[1].say("record", json!({ "recording": true }));
    wait_until(&mut people, "Bob is refused", |people| people[1].last("problem").is_some());
    assert_eq!(people[1].last("problem").unwrap()["kind"], "urn:tessera:problem:not-allowed");
    people[0].say("record", json!({ "recording": true }));
    wait_until(&mut people, "all are told that it is recorded", |people| {
        people.iter().all(|one| one.last("state").is_some_and(|told| told["recording"] == true))
    });
    for (method, path, token, status, said) in [
        ("GET", format!("v1/rooms/{ROOM}"), &viewer, 200, ""),
        ("GET", format!("v1/rooms/{ROOM}"), &stranger, 403, "wrong-room"),
        ("GET", "v1/rooms".to_owned(), &host, 403, "wrong-role"),
        ("GET", "v1/rooms".to_owned(), &admin, 200, ""),
        ("PATCH", format!("v1/rooms/{ROOM}/moderation"), &host, 204, ""),
        ("PATCH", format!("v1/rooms/{ROOM}/moderation"), &speaker, 403, "wrong-role"),
        ("POST", format!("whip/{ROOM}"), &viewer, 403, "wrong-role"),
        ("GET", format!("hls/{ROOM}/index.m3u8"), &viewer, 200, ""),
        ("GET", format!("hls/{ROOM}/index.m3u8"), &admin[..admin.len() - 1].to_owned(), 401, "token-refused"),
        ("DELETE", format!("v1/rooms/{ROOM}/recording"), &recorder, 204, ""),
    ] {
        let (answered, told) = locked.ask(method, &path, token, &json!({}));
        assert_eq!((answered, kind(&told)), (status, said), "{method} {path}: {told}");
    }
    wait_until(&mut people, "all are told that it is over", |people| {
        people.iter().all(|one| one.last("state").is_some_and(|told| told["recording"] == false))
    });
    wait_until(&mut people, "its recording is listed", |_| {
        locked.get("v1/recordings", &recorder).1["recordings"].as_array().is_some_and(|all| !all.is_empty())
    });
    recordings_are_their_rooms(&locked, &recorder, &stranger, &admin);

    drop(people);
    let Locked { node, folder, made } = locked;
    node.stop();
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("DEBUG"), "everything is written: no line of ours is a trace");
    assert!(log.contains("an access token opens nothing"));
    assert!(log.contains("every user of this machine can read this secret"), "it was left open");
    for token in &made {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "a token is in the log: {part}");
        }
    }
    assert!(!log.contains("5e3c7e75e3c7e7"), "the secret is in the log");
}

/// A recorder sees its room's recordings, and to one of another room they are not there, however it writes their names.
fn recordings_are_their_rooms(locked: &Locked, recorder: &str, stranger: &str, admin: &str) {
    let (status, told) = locked.get("v1/recordings", recorder);
    let name = told["recordings"][0]["recording"].as_str().unwrap_or_default().to_owned();
    assert!(status == 200 && !name.is_empty(), "{told}");
    assert_eq!(locked.get("v1/recordings", stranger).1["recordings"], json!([]));
    assert_eq!(kind(&locked.get("v1/recordings", admin).1), "wrong-role");
    let written = name.replace('-', "%2D");
    for path in ["", "/video.mp4", "/link", "/hand-over"] {
        let method = if path == "/link" { "POST" } else { "GET" };
        for name in [&name, &written] {
            let (status, told) = locked.ask(method, &format!("v1/recordings/{name}{path}"), stranger, &json!({}));
            assert_eq!((status, kind(&told)), (404, "recording-not-found"), "{name}{path}");
        }
    }
    let (status, told) = locked.ask("DELETE", &format!("v1/recordings/{name}"), stranger, &Value::Null);
    assert_eq!((status, kind(&told)), (404, "recording-not-found"));
    assert_eq!(locked.get(&format!("v1/recordings/{name}"), recorder).0, 200, "it is still there");
    assert_eq!(locked.ask("DELETE", &format!("v1/recordings/{name}"), recorder, &Value::Null).0, 204);
}

#[test]
fn a_token_that_cannot_be_made_is_told_in_one_line_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tessera.toml");
    let refused = run(&config, &["--room", ROOM]);
    assert_eq!(refused.status.code(), Some(2), "there is no such file");
    fs::write(&config, "").unwrap();
    let refused = run(&config, &["--room", ROOM]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.contains("[access] keys is empty") && refused.stdout.is_empty(), "{told}");
}

#[test]
fn a_node_that_others_reach_says_that_its_rooms_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let log = |http: &str| {
        let log = folder.path().join("log");
        Node::start_at(http, &[], &[], File::create(&log).unwrap()).stop();
        fs::read_to_string(log).unwrap()
    };
    assert!(log("0.0.0.0:0").contains("[access] keys is not set"));
    assert!(!log("127.0.0.1:0").contains("[access] keys"));
}
