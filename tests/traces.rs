//! **The question:** does the operator's collector see what a join and a recording took their time over, nested, in
//! order, and nobody's name? The real binary, people who send pictures, and a stand-in for the collector: it takes
//! OTLP's JSON as the protocol has it and keeps it; it is away at first.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::browser::node::{Load, Node};
use crate::doors::harness::metric;
use crate::fleet::etcd::free_port;
use crate::keepers::process::wait_until;

const ROOM: &str = "antechamber-of-the-archduke";
const NAME: &str = "Zerubbabel";
/// Of whoever asks: the trace, and the span that asks.
const ASKER: [&str; 2] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];

type Taken = Arc<Mutex<Vec<String>>>;

/// Stands in for a collector.
async fn take(State(taken): State<Taken>, headers: HeaderMap, body: String) -> StatusCode {
    if headers.get("content-type").is_none_or(|kind| kind != "application/json") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    taken.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    StatusCode::OK
}

fn serve(runtime: &Runtime, port: u16, taken: &Taken) {
    let app = Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("its port is free");
        tokio::spawn(async move { axum::serve(listener, app).await });
    });
}

/// Every span that was taken, as the protocol has it.
fn spans(taken: &Taken) -> Vec<Value> {
    let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |body: &String| {
        let told: Value = serde_json::from_str(body).expect("JSON");
        let resource = &told["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "tessera");
        resource["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
    };
    taken.iter().flat_map(of).collect()
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

/// Nanoseconds since 1970.
fn at(span: &Value, end: &str) -> u64 {
    span[end].as_str().expect("numbers of 64 bits are text").parse().expect("digits")
}

/// The phases of a span, each within it and none before the one before it.
fn phases<'a>(spans: &'a [Value], of: &Value) -> Vec<&'a str> {
    let mut parts: Vec<&Value> = spans.iter().filter(|span| span["parentSpanId"] == of["spanId"]).collect();
    parts.sort_by_key(|span| at(span, "startTimeUnixNano"));
    let mut since = at(of, "startTimeUnixNano");
    for part in &parts {
        assert_eq!(part["traceId"], of["traceId"]);
        let (from, to) = (at(part, "startTimeUnixNano"), at(part, "endTimeUnixNano"));
        assert!(since <= from && from <= to && to <= at(of, "endTimeUnixNano"), "{part} of {of}");
        since = to;
    }
    parts.iter().map(|span| span["name"].as_str().expect("a name")).collect()
}

/// Offers nothing, as a part of somebody's trace.
fn ask_in_vain(runtime: &Runtime, node: &Node) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let request = reqwest::Client::new().post(format!("{}v1/rooms/{ROOM}/participants?name={NAME}", node.url));
    let request = request.header("traceparent", format!("00-{}-{}-01", ASKER[0], ASKER[1]));
    let request = request.header("content-type", "application/sdp").body("v=0\r\n");
    let answer = runtime.block_on(request.send()).expect("the node answers");
    assert_eq!(answer.status(), 400);
}

#[test]
fn a_collector_that_comes_late_sees_each_step_of_joins_and_recordings_and_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let (port, config) = (free_port(), folder.path().join("tessera.toml"));
    fs::write(&config, format!("[telemetry]\notlp = \"http://127.0.0.1:{port}/\"\n")).unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_with(&["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()]);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    ask_in_vain(&runtime, &node);
    wait_until("the collector is missed", || metric(&node, "tessera_trace_failures_total") > 0);
    let taken = Taken::default();
    serve(&runtime, port, &taken);
    let load = Load::start(&node, ROOM, 1, 60);
    let joins = || spans(&taken).into_iter().filter(|span| span["name"] == "join").collect::<Vec<_>>();
    wait_until("both joins are told", || joins().len() == 2);
    load.stop();
    wait_until("the recording is told", || !named(&spans(&taken), "recording").is_empty());
    ask_in_vain(&runtime, &node);
    let asked = Instant::now();
    node.stop();
    assert!(asked.elapsed() < Duration::from_secs(30), "nobody waits for a collector");

    let (all, joins) = (spans(&taken), joins());
    let asks = |join: &&Value| join["traceId"] == ASKER[0];
    let refused: Vec<&Value> = joins.iter().filter(asks).collect();
    assert_eq!(refused.len(), 2, "what was said last is told before the node is gone: {joins:?}");
    assert!(refused.iter().all(|join| join["parentSpanId"] == ASKER[1] && join["status"]["code"] == 2), "{refused:?}");
    assert_eq!(phases(&all, refused[0]), ["offer"]);
    let came = joins.iter().find(|join| !asks(join)).expect("waited for");
    assert_eq!(phases(&all, came), ["offer", "connect", "first_packet", "first_picture"]);
    assert_eq!((&came["status"], came.get("parentSpanId")), (&json!({}), None));
    let recording = named(&all, "recording")[0];
    assert_eq!(phases(&all, recording), ["start", "store", "close"]);
    let said = taken.lock().unwrap_or_else(PoisonError::into_inner).concat();
    for name in [ROOM, NAME, "127.0.0.1"] {
        assert!(!said.contains(name), "{name} was told");
    }
}
