//! **The question:** which hosts misbehave? One that is cut off midway, one that gives back something else than it was
//! given, and a bucket that keeps what it says it did not.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A door before a host that cuts connections which carry too much, so many of them.
pub struct Cutting {
    port: u16,
    /// How many it cut.
    pub cut: Arc<AtomicU32>,
}

impl Cutting {
    /// Before the host at `url`: the first `times` connections that carry more than `len` bytes are cut there.
    pub fn before(url: &str, len: usize, times: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = url.strip_prefix("http://").unwrap().to_owned();
        let cutting = Self { port: listener.local_addr().unwrap().port(), cut: Arc::default() };
        let cut = cutting.cut.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&far) else { continue };
                let [near2, far2] = [&near, &far].map(|stream| stream.try_clone().unwrap());
                let cut = cut.clone();
                std::thread::spawn(move || forward(near, far, len, times, &cut));
                std::thread::spawn(move || forward(far2, near2, usize::MAX, 0, &AtomicU32::new(0)));
            }
        });
        cutting
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, len: usize, times: u32, cut: &AtomicU32) {
    let (mut buffer, mut carried) = (vec![0; 65_536], 0_usize);
    while let Ok(read) = from.read(&mut buffer) {
        carried = carried.saturating_add(read);
        let cut_now = || cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < times).then(|| n + 1)).is_ok();
        if carried > len && cut_now() {
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Just enough of WebDAV, with a password; gives one bit back wrong until it is honest.
pub struct Altering {
    pub url: String,
    pub honest: Arc<AtomicBool>,
    /// Methods, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
    /// What it holds, by path.
    pub files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

/// Just enough of a bucket; takes everything, and then says no to one method.
pub struct Denying {
    pub url: String,
    /// What it holds, by path.
    pub files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Denying {
    pub async fn start(denied: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files = Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default();
        let held = files.clone();
        let answer = async move |request: Request| {
            let (parts, body) = request.into_parts();
            let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
            let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            let mut held = held.lock().unwrap();
            match method.as_str() {
                "PUT" => drop(held.insert(path, bytes)),
                "DELETE" => drop(held.remove(&path)),
                _ => {}
            }
            let status = if method == denied { StatusCode::FORBIDDEN } else { StatusCode::OK };
            (status, [(header::ETAG, "\"1\"")]).into_response()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { url, files }
    }
}

#[derive(Clone)]
struct Held {
    honest: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Altering {
    pub async fn start() -> Self {
        let held = Held { honest: Arc::default(), asked: Arc::default(), files: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(held.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, honest: held.honest, asked: held.asked, files: held.files }
    }
}

async fn answer(State(held): State<Held>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    held.asked.lock().unwrap().push(parts.method.to_string());
    let headers: HashMap<&str, &str> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    // RFC 7617: ada:an app password
    if headers.get("authorization") != Some(&"Basic YWRhOmFuIGFwcCBwYXNzd29yZA==") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let path = parts.uri.path().to_owned();
    match parts.method.as_str() {
        "MKCOL" => StatusCode::CREATED.into_response(),
        "PUT" => {
            let announced = headers["content-length"].parse::<usize>().expect("the length is told first");
            let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            assert_eq!(bytes.len(), announced);
            held.files.lock().unwrap().insert(path, bytes);
            StatusCode::CREATED.into_response()
        }
        "GET" | "HEAD" => match held.files.lock().unwrap().get(&path) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some(bytes) => {
                let mut bytes = bytes.clone();
                let middle = bytes.len() / 2;
                bytes[middle] ^= u8::from(!held.honest.load(Ordering::SeqCst));
                ([(header::CONTENT_LENGTH, bytes.len())], Body::from(bytes)).into_response()
            }
        },
        "MOVE" => {
            let to = headers["destination"].to_owned();
            let to = to.split_once("://").map_or(to.as_str(), |(_, rest)| &rest[rest.find('/').unwrap()..]).to_owned();
            let mut files = held.files.lock().unwrap();
            let bytes = files.remove(&path).unwrap();
            files.insert(to, bytes);
            StatusCode::CREATED.into_response()
        }
        "DELETE" => {
            let removed = held.files.lock().unwrap().remove(&path);
            if removed.is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
