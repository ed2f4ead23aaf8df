//! **The question:** on which socket, with which certificate, and until when does the node answer?

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::limits;
use crate::io::api::ControlHandle;
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};
use crate::io::http::{
    announcements, branding, layout, legs, moderation, page, playback, recording, recordings, resource, rooms, transfer,
};

/// Where and how to answer.
#[derive(Debug, Clone)]
pub struct HttpSetup {
    /// TCP address; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Plain or secured.
    pub tls: Tls,
}

/// How the door is secured.
#[derive(Debug, Clone)]
pub enum Tls {
    /// Plain HTTP; browsers then give camera and microphone on localhost only.
    Off,
    /// The operator's certificate chain and private key, PEM.
    Files {
        /// Chain, leaf first.
        cert: PathBuf,
        /// PKCS#8, PKCS#1 or SEC1.
        key: PathBuf,
    },
    /// A certificate made at start for these names and addresses, beside localhost.
    SelfSigned {
        /// Host names or IP addresses.
        names: Vec<String>,
    },
}

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another program has the port.
    #[error("TCP port {} is taken ({address}): stop the other program or choose another port for HTTP", address.port())]
    Taken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound for another reason.
    #[error("cannot listen for HTTP on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate or key cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate cannot be used or made.
    #[error("cannot use the certificate: {0}")]
    Certificate(String),
    /// The server stopped by itself.
    #[error("the HTTP server failed: {0}")]
    Serve(io::Error),
}

/// A bound, not yet serving door.
#[derive(Debug)]
pub struct HttpDoor {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl HttpDoor {
    /// Binds the port and reads or makes the certificate; nothing is answered yet.
    ///
    /// # Errors
    /// When the port is taken or the certificate unusable; the message says which and what to do.
    pub fn open(setup: &HttpSetup) -> Result<Self, HttpError> {
        let tls = server_config(&setup.tls)?.map(Arc::new);
        let address = setup.listen;
        let bound = TcpListener::bind(address).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match bound {
            Ok((listener, address)) => Ok(Self { listener, address, tls }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(HttpError::Taken { address }),
            Err(source) => Err(HttpError::Bind { address, source }),
        }
    }

    /// The address bound, its port never 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser on this machine finds the page: `http://localhost:8080/`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => format!("{scheme}://localhost:{}/", self.address.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => format!("{scheme}://{}/", self.address),
        }
    }

    /// Answers until `shutdown` ends, then lets open requests finish for a moment.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        control: ControlHandle,
        view: NodeView,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HttpError> {
        let app = router(ServerState { control, view }).into_make_service_with_connect_info::<SocketAddr>();
        let handle = axum_server::Handle::new();
        let closing = handle.clone();
        tokio::spawn(async move {
            shutdown.await;
            closing.graceful_shutdown(Some(limits::HTTP_SHUTDOWN_SPAN));
        });
        let first = Some(limits::HTTP_REQUEST_SPAN);
        let served = match self.tls {
            Some(config) => {
                let config = RustlsConfig::from_config(config);
                let server = axum_server::from_tcp_rustls(self.listener, config).map_err(HttpError::Serve)?;
                server.handle(handle).first_request_timeout(first).serve(app).await
            }
            None => {
                let server = axum_server::from_tcp(self.listener).map_err(HttpError::Serve)?;
                server.handle(handle).first_request_timeout(first).serve(app).await
            }
        };
        served.map_err(HttpError::Serve)
    }
}

/// Every route, with the bounds and headers that all share.
fn router(shared: ServerState) -> Router {
    Router::new()
        .merge(resource::routes())
        .merge(layout::routes())
        .merge(branding::routes())
        .merge(rooms::routes())
        .merge(recordings::routes())
        .merge(playback::routes())
        .merge(transfer::routes())
        .merge(recording::routes())
        .merge(announcements::routes())
        .merge(moderation::routes())
        .merge(legs::routes())
        .merge(page::routes())
        .fallback(async || Problem::no_page())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(limits::SDP_LEN_MAX))
        .layer(middleware::from_fn(bounded))
        .layer(middleware::map_response(cross_origin))
        .with_state(shared)
}

/// A request that drips in for ever is ended.
async fn bounded(request: Request, next: Next) -> Response {
    match tokio::time::timeout(limits::HTTP_REQUEST_SPAN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::slow().into_response(),
    }
}

/// WHIP and WHEP clients run on pages of other origins (RFC 9725 section 4.1); there are no cookies to protect.
async fn cross_origin(mut response: Response) -> Response {
    let fixed = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match, Range"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, Link, Location, Retry-After, Accept-Post, Accept-Patch, Accept-Ranges, Content-Range, \
             Content-Disposition",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    for (name, value) in fixed {
        let name: HeaderName = name;
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn server_config(tls: &Tls) -> Result<Option<rustls::ServerConfig>, HttpError> {
    let unusable = |error: &dyn std::fmt::Display| HttpError::Certificate(error.to_string());
    let (chain, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::Files { cert, key } => {
            let bad = |path: &PathBuf, why: String| HttpError::Pem { path: path.clone(), why };
            let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let chain = chain.map_err(|why| bad(cert, why.to_string()))?;
            if chain.is_empty() {
                return Err(bad(cert, "there is no PEM certificate in it".into()));
            }
            (chain, PrivateKeyDer::from_pem_file(key).map_err(|why| bad(key, why.to_string()))?)
        }
        Tls::SelfSigned { names } => {
            let always = ["localhost", "127.0.0.1", "::1"].map(String::from);
            let mut all: Vec<String> = always.into_iter().chain(names.iter().cloned()).collect();
            all.sort();
            all.dedup();
            let made = rcgen::generate_simple_self_signed(all).map_err(|e| unusable(&e))?;
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|e| unusable(&e))?;
            (vec![made.cert.der().clone()], key)
        }
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| unusable(&e))?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(|e| unusable(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}
