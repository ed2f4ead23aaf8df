//! **The question:** is Dropbox asked as its documentation says? Dropbox itself cannot be reached from here: a stand-in
//! on loopback answers the calls that are used (`upload_session/start`, `append_v2`, `finish`, `delete_v2`,
//! `oauth2/token`) by that documentation, with its own reckoning of the content hash. It proves our side of the
//! conversation, not Dropbox'.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tessera::base::limits;
use tessera::io::transfer::{Credentials, Destination, DropboxHosts, TransferError};

use super::credentials;
use crate::retention::Home;

#[derive(Default)]
struct Held {
    uploads: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    calls: Vec<String>,
    /// Access tokens that are good.
    tokens: Vec<String>,
    /// Answers to appended pieces that get lost, though the pieces arrive.
    answers_lost: u32,
    /// Whether it tells another hash than that of what it holds.
    wrong: bool,
}

struct StandIn {
    url: String,
    held: Arc<Mutex<Held>>,
}

impl StandIn {
    fn start(home: &Home) -> Self {
        let held = Arc::new(Mutex::new(Held { tokens: vec!["first".into()], ..Held::default() }));
        let app = Router::new()
            .route("/2/files/upload_session/{call}", post(upload))
            .route("/2/files/delete_v2", post(delete))
            .route("/oauth2/token", post(token))
            // A request carries at most 150 MB.
            .layer(DefaultBodyLimit::max(150_000_000))
            .with_state(held.clone());
        let url = home.runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, app).await });
            url
        });
        Self { url, held }
    }

    fn destination(&self, credentials: &Credentials) -> Destination {
        let url = || self.url.parse().unwrap();
        let hosts = DropboxHosts { api: url(), content: url() };
        Destination::at("dropbox:/Anrufe/Prüfung", credentials, hosts).unwrap()
    }
}

fn content_hash(bytes: &[u8]) -> String {
    let blocks: Vec<u8> =
        bytes.chunks(4 * 1024 * 1024).flat_map(|block| digest(&SHA256, block).as_ref().to_vec()).collect();
    digest(&SHA256, &blocks).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn conflict(error: Value) -> Response {
    (StatusCode::CONFLICT, Json(json!({ "error_summary": "…", "error": error }))).into_response()
}

fn admitted(held: &Held, headers: &HeaderMap) -> bool {
    let shown = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    held.tokens.iter().any(|token| token == shown)
}

async fn upload(
    State(held): State<Arc<Mutex<Held>>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut held = held.lock().unwrap();
    held.calls.push(call.clone());
    if !admitted(&held, &headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": { ".tag": "expired_access_token" } })))
            .into_response();
    }
    assert_eq!(headers["content-type"], "application/octet-stream");
    let argument: Value = serde_json::from_str(headers["dropbox-api-arg"].to_str().expect("ASCII")).unwrap();
    if call == "start" {
        let id = format!("upload-{}", held.uploads.len());
        held.uploads.insert(id.clone(), body.to_vec());
        return Json(json!({ "session_id": id })).into_response();
    }
    let (id, offset) =
        (argument["cursor"]["session_id"].as_str().unwrap(), argument["cursor"]["offset"].as_u64().unwrap());
    let Some(upload) = held.uploads.get_mut(id) else { return conflict(json!({ ".tag": "not_found" })) };
    if upload.len() as u64 != offset {
        let wrong = json!({ ".tag": "incorrect_offset", "correct_offset": upload.len() });
        return conflict(if call == "finish" {
            json!({ ".tag": "lookup_failed", "lookup_failed": wrong })
        } else {
            wrong
        });
    }
    upload.extend_from_slice(&body);
    if call == "append_v2" {
        if held.answers_lost > 0 {
            held.answers_lost -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        return Json(Value::Null).into_response();
    }
    assert_eq!(call, "finish");
    let whole = held.uploads.remove(id).unwrap();
    let (path, mode) = (argument["commit"]["path"].as_str().unwrap().to_owned(), &argument["commit"]["mode"]);
    assert!(mode == "overwrite" && argument["commit"]["autorename"] == false, "{argument}");
    let hash = if held.wrong { content_hash(b"something else") } else { content_hash(&whole) };
    let told =
        json!({ "name": path.rsplit('/').next(), "path_display": path, "size": whole.len(), "content_hash": hash });
    held.files.insert(path, whole);
    Json(told).into_response()
}

async fn delete(State(held): State<Arc<Mutex<Held>>>, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    let mut held = held.lock().unwrap();
    assert!(admitted(&held, &headers));
    match held.files.remove(asked["path"].as_str().unwrap()) {
        Some(_) => Json(json!({ "metadata": {} })).into_response(),
        None => conflict(json!({ ".tag": "path_lookup" })),
    }
}

async fn token(State(held): State<Arc<Mutex<Held>>>, body: String) -> Response {
    let mut held = held.lock().unwrap();
    held.calls.push("token".into());
    if body != "grant_type=refresh_token&refresh_token=long+lived&client_id=tessera&client_secret=app%27s" {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    let token = format!("short {}", held.calls.len());
    held.tokens = vec![token.clone()];
    Json(json!({ "access_token": token, "token_type": "bearer", "expires_in": 14_400 })).into_response()
}

#[test]
fn a_recording_reaches_dropbox_in_pieces_though_an_answer_is_lost_and_then_is_erased_here() {
    let home = Home::new();
    let recording = home.recorded_large();
    let whole = home.read(recording, 0).unwrap();
    let stand_in = StandIn::start(&home);
    stand_in.held.lock().unwrap().answers_lost = 1;
    let destination = stand_in.destination(&credentials(&[("TESSERA_HAND_OVER_TOKEN", "first")]));
    let files = home.transfer(recording, &destination, false).unwrap();
    let held = stand_in.held.lock().unwrap();
    assert!(held.files[&format!("/Anrufe/Prüfung/{}", files[0].name)] == whole, "byte for byte");
    let pieces = whole.len().div_ceil(limits::HAND_OVER_PIECE_LEN);
    assert!(pieces > 1, "in several");
    let appended = held.calls.iter().filter(|call| *call == "append_v2").count();
    // Chapters are a file of their own, of one piece.
    assert_eq!(appended, pieces + 1 + files.len() - 1, "one more: its answer was lost");
    drop(held);
    home.expect_erased(recording);
}

#[test]
fn what_dropbox_holds_otherwise_is_no_copy_and_nothing_is_erased() {
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    let stand_in = StandIn::start(&home);
    stand_in.held.lock().unwrap().wrong = true;
    let destination = stand_in.destination(&credentials(&[("TESSERA_HAND_OVER_TOKEN", "first")]));
    let error = home.transfer(recording, &destination, false).unwrap_err();
    assert!(matches!(error, TransferError::Differs), "{error}");
    assert!(stand_in.held.lock().unwrap().files.is_empty(), "it is deleted there");
    home.expect_kept(recording, &whole);
}

#[test]
fn a_token_that_has_ended_is_renewed_where_it_can_be() {
    let home = Home::new();
    let (one, other) = (home.recorded(), home.recorded());
    let stand_in = StandIn::start(&home);
    stand_in.held.lock().unwrap().tokens.clear();
    let fixed = stand_in.destination(&credentials(&[("TESSERA_HAND_OVER_TOKEN", "first")]));
    let error = home.transfer(one, &fixed, false).unwrap_err();
    assert!(matches!(&error, TransferError::Refused(why) if why.contains("credentials")), "{error}");
    let app = ("TESSERA_HAND_OVER_APP_KEY", "tessera");
    let stranger = stand_in.destination(&credentials(&[app, ("TESSERA_HAND_OVER_REFRESH_TOKEN", "made up")]));
    let error = home.transfer(one, &stranger, false).unwrap_err();
    assert!(matches!(&error, TransferError::Refused(why) if why.contains("refresh token")), "{error}");
    let known = [app, ("TESSERA_HAND_OVER_REFRESH_TOKEN", "long lived"), ("TESSERA_HAND_OVER_APP_SECRET", "app's")];
    let lasting = stand_in.destination(&credentials(&known));
    home.transfer(one, &lasting, false).unwrap();
    // Hours later.
    stand_in.held.lock().unwrap().tokens.clear();
    home.transfer(other, &lasting, false).unwrap();
    let renewed = stand_in.held.lock().unwrap().calls.iter().filter(|call| *call == "token").count();
    assert_eq!(renewed, 3, "the stranger's, one at the beginning, one when that had ended");
    home.expect_erased(one);
    home.expect_erased(other);
}
