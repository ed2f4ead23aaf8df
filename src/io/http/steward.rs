//! **The question:** what does a steward answer, and whom? Whoever reaches its port: it has numbers alone, names
//! nobody, and takes no order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use crate::base::limits;
use crate::io::api::DoorCounters;
use crate::io::http::connections::{Connections, Doorkeeper};
use crate::io::http::expiry;
use crate::io::http::problem::Problem;
use crate::io::http::server::{HttpError, bounded};
use crate::io::telemetry::metrics::CONTENT_TYPE;

/// What a steward says when it is asked how much is free.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Whether it is so now; if not, what was so last, and for how long it has been old.
    pub is_fresh: bool,
    /// As JSON.
    pub says: Value,
    /// In how many seconds it may be otherwise.
    pub again_s: u64,
}

/// Says how much is free, of all nodes or of the pool that is named.
type Slots = dyn Fn(Option<&str>) -> Told + Send + Sync;

/// What is told without asking anybody.
#[derive(Clone)]
pub struct StewardView {
    /// How much is free, of all nodes or of one pool.
    pub slots: Arc<Slots>,
    /// The page for a scraper.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether it still goes round.
    pub is_alive: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// A bound, not yet serving door.
#[derive(Debug)]
pub struct StewardDoor {
    listener: TcpListener,
    address: SocketAddr,
}

impl StewardDoor {
    /// Binds the port; nothing is answered yet.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn open(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address bound, its port never 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, view: StewardView) -> Result<(), HttpError> {
        let connections = Connections::new(limits::STEWARD_CONNECTIONS_MAX, DoorCounters::default());
        let keeper = Doorkeeper { connections: connections.clone(), ends: expiry::Connections::default(), aside: None };
        tokio::spawn(connections.sweep());
        let server = bounded(axum_server::from_tcp(self.listener).map_err(HttpError::Serve)?);
        server.acceptor(keeper).serve(router(view).into_make_service()).await.map_err(HttpError::Serve)
    }
}

fn router(view: StewardView) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/v1/slots", get(slots))
        .fallback(async || Problem::no_page())
        .method_not_allowed_fallback(async || Problem::method())
        .with_state(view)
}

/// Whether the process goes on. Neither etcd nor the cluster counts: nobody mends them by starting this anew.
async fn healthz(State(view): State<StewardView>) -> Response {
    if (view.is_alive)() { "ok".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, "it hangs").into_response() }
}

async fn metrics(State(view): State<StewardView>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], (view.metrics)()).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    pool: Option<String>,
}

async fn slots(State(view): State<StewardView>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let pool = match asked {
        Ok(Query(Asked { pool })) => pool,
        Err(why) => {
            let problem = Problem::bad_request("bad-query", "The query cannot be read", why.body_text());
            return problem.into_response();
        }
    };
    let told = (view.slots)(pool.as_deref());
    if told.is_fresh {
        return Json(told.says).into_response();
    }
    let retry = told.again_s.to_string();
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, retry)], Json(told.says)).into_response()
}
