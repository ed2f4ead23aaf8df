//! **The question:** what does a test have in the place of a cluster's API? No cluster is to be had here, so this
//! stands in for its API server: it answers over TLS what Kubernetes documents that one does (API concepts: partial
//! metadata, chunked lists, merge patches, `Status`), and keeps what it was asked. What a real one does beyond that,
//! no test here shows.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum_server::tls_rustls::RustlsConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Pods of one page, however many are asked for: a server may give fewer.
const PAGE: usize = 2;

/// What it does with the next requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// What it is asked.
    Fine,
    /// It answers none.
    Hangs,
    /// It asks to be asked in so many seconds, once.
    Throttles(u64),
}

/// A pod that it knows.
#[derive(Debug, Clone)]
pub struct KnownPod {
    pub name: String,
    pub uid: String,
    pub annotations: BTreeMap<String, String>,
    /// What it answers to a patch instead.
    pub refuses: Option<StatusCode>,
}

/// What it knows, and what it was asked.
#[derive(Debug)]
pub struct Desk {
    pub token: String,
    pub pods: Vec<KnownPod>,
    pub mood: Mood,
    /// Each request: when, its method and path, and the status it got.
    pub asked: Vec<(Instant, String, u16)>,
}

/// The stand-in; it ends with its runtime.
pub struct Cluster {
    pub url: String,
    desk: Arc<Mutex<Desk>>,
    folder: TempDir,
    _runtime: Runtime,
}

impl Cluster {
    /// Starts it with these pods of a StatefulSet, and writes the files of a service account.
    pub fn start(pods: &[&str]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pod = |name: &&str| KnownPod {
            name: (*name).to_owned(),
            uid: format!("uid-of-{name}"),
            annotations: [("kept/by-others".to_owned(), "x".to_owned())].into(),
            refuses: None,
        };
        let (token, pods) = ("first.token".to_owned(), pods.iter().map(pod).collect());
        let desk = Arc::new(Mutex::new(Desk { token, pods, mood: Mood::Fine, asked: Vec::new() }));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        for (name, text) in [("ca.crt", made.cert.pem().as_str()), ("token", "first.token\n"), ("namespace", "calls")] {
            fs::write(folder.path().join(name), text).expect("a file of our own");
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.set_nonblocking(true).expect("it listens");
        let url = format!("https://{}", listener.local_addr().expect("it listens"));
        let (certificate, key) = (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes());
        let app = axum::Router::new().fallback(answer).with_state(desk.clone());
        runtime.spawn(async move {
            let tls = RustlsConfig::from_pem(certificate, key).await.expect("our own certificate");
            let server = axum_server::from_tcp_rustls(listener, tls).expect("it listens");
            server.serve(app.into_make_service()).await
        });
        Self { url, desk, folder, _runtime: runtime }
    }

    /// The folder of the service account.
    pub fn account(&self) -> &Path {
        self.folder.path()
    }

    /// What it knows and was asked, to look at and to change.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("nobody panicked over it")
    }

    /// Knows another token from now on, which the kubelet has written before.
    pub fn rotate(&self, token: &str) {
        let aside: PathBuf = self.folder.path().join("token.new");
        fs::write(&aside, token).and_then(|()| fs::rename(&aside, self.folder.path().join("token"))).expect("ours");
        token.clone_into(&mut self.desk().token);
    }

    /// How a pod is marked: what its deletion costs, and whether it is safe to evict.
    pub fn marks(&self, pod: &str) -> (Option<i32>, Option<String>) {
        let desk = self.desk();
        let known = desk.pods.iter().find(|known| known.name == pod).expect("it is there");
        assert_eq!(known.annotations.get("kept/by-others").map(String::as_str), Some("x"), "others' words stay");
        let of = |key: &str| known.annotations.get(key).cloned();
        let cost = of("controller.kubernetes.io/pod-deletion-cost").map(|cost| cost.parse().expect("a whole number"));
        (cost, of("cluster-autoscaler.kubernetes.io/safe-to-evict"))
    }
}

async fn answer(
    State(desk): State<Arc<Mutex<Desk>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if desk.lock().expect("nobody panicked over it").mood == Mood::Hangs {
        // As a machine that is gone: longer than anybody waits.
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut desk = desk.lock().expect("nobody panicked over it");
    let response = judge(&mut desk, &method, &uri, &headers, &body).unwrap_or_else(|(status, reason)| {
        let told = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("{reason}, said the stand-in"), "reason": reason, "code": status.as_u16() });
        (status, axum::Json(told)).into_response()
    });
    let status = response.status().as_u16();
    desk.asked.push((Instant::now(), format!("{method} {}", uri.path()), status));
    response
}

type Refused = (StatusCode, &'static str);

fn judge(desk: &mut Desk, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refused> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if let Mood::Throttles(seconds) = desk.mood {
        desk.mood = Mood::Fine;
        let later = [("retry-after", seconds.to_string())];
        return Ok((StatusCode::TOO_MANY_REQUESTS, later, "Too many requests, please try again later.").into_response());
    }
    if header("authorization") != format!("Bearer {}", desk.token) {
        return Err((StatusCode::UNAUTHORIZED, "Unauthorized"));
    }
    let query: BTreeMap<String, String> = uri.query().map(read_query).unwrap_or_default();
    let accept = header("accept");
    match (method.as_str(), uri.path().strip_prefix("/api/v1/namespaces/calls/pods")) {
        ("GET", Some("")) => {
            assert_eq!(accept, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
            assert_eq!(query["labelSelector"], "app=tessera,part in (node)");
            Ok(axum::Json(page(desk, &query)).into_response())
        }
        ("PATCH", Some(path)) => {
            assert_eq!(header("content-type"), "application/merge-patch+json");
            let name = path.trim_start_matches('/');
            let pod = desk.pods.iter_mut().find(|pod| pod.name == name).ok_or((StatusCode::NOT_FOUND, "NotFound"))?;
            merge(pod, &serde_json::from_slice(body).map_err(|_| (StatusCode::BAD_REQUEST, "BadRequest"))?)?;
            let told =
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta(pod) });
            Ok(axum::Json(told).into_response())
        }
        _ => Err((StatusCode::FORBIDDEN, "Forbidden")),
    }
}

/// A page, and where the next one begins.
fn page(desk: &Desk, query: &BTreeMap<String, String>) -> Value {
    let limit = query["limit"].parse::<usize>().expect("a number").min(PAGE);
    let from = query.get("continue").map_or(0, |token| token.parse().expect("it is one of ours"));
    let items: Vec<Value> =
        desk.pods.iter().skip(from).take(limit).map(|pod| json!({ "metadata": meta(pod) })).collect();
    let next = from + items.len();
    let more = desk.pods.len() - next;
    let mut list = json!({ "resourceVersion": "7" });
    if more > 0 {
        list["continue"] = next.to_string().into();
        list["remainingItemCount"] = more.into();
    }
    json!({ "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": list, "items": items })
}

fn meta(pod: &KnownPod) -> Value {
    json!({ "name": pod.name, "namespace": "calls", "uid": pod.uid, "resourceVersion": "7",
        "labels": { "tessera/pool": "cpu" }, "annotations": pod.annotations,
        "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "a", "uid": "b" }],
        "managedFields": [{ "manager": "kube-controller-manager", "operation": "Update" }] })
}

/// As RFC 7396 has it, for annotations; another uid than the pod's is a conflict.
fn merge(pod: &mut KnownPod, patch: &Value) -> Result<(), Refused> {
    if patch["metadata"]["uid"] != pod.uid.as_str() {
        return Err((StatusCode::CONFLICT, "Conflict"));
    }
    if let Some(status) = pod.refuses {
        let reasons = [(StatusCode::CONFLICT, "Conflict"), (StatusCode::NOT_FOUND, "NotFound")];
        let reason = reasons.iter().find(|(of, _)| *of == status).map_or("Invalid", |(_, reason)| reason);
        return Err((status, reason));
    }
    for (key, value) in patch["metadata"]["annotations"].as_object().ok_or((StatusCode::BAD_REQUEST, "BadRequest"))? {
        let text = value.as_str().ok_or((StatusCode::UNPROCESSABLE_ENTITY, "Invalid"))?;
        pod.annotations.insert(key.clone(), text.to_owned());
    }
    Ok(())
}

/// The pairs of a query, as forms are written.
fn read_query(query: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("https://a/?{query}")).expect("a query");
    url.query_pairs().into_owned().collect()
}
