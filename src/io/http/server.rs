//! **The question:** on which socket, with which certificate, and until when does the node answer?

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use axum_server::Server;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::limits;
use crate::core::access::Policy;
use crate::io::acme::{self, CHALLENGE_PROTOCOL, Certificates};
use crate::io::api::{
    BearerToken, CertificateSource, CertificateStanding, ControlHandle, DoorCounters, HostName, IceServer, WebOrigin,
};
use crate::io::http::aside::Aside;
use crate::io::http::connections::{Connections, Doorkeeper};
use crate::io::http::entrance::{Entrance, enter};
use crate::io::http::expiry::{self, until_its_hour};
use crate::io::http::frames::Frames;
use crate::io::http::gate::Gate;
use crate::io::http::origin::Names;
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};
use crate::io::http::{
    announcements, branding, captions, desk, history, hls, layout, legs, moderation, moving, node, openapi, page,
    participants, playback, pushes, recording, recordings, relays, resource, rooms, transfer,
};
use crate::io::tokens::Keyring;

/// Where and how to answer.
#[derive(Debug, Clone)]
pub struct HttpSetup {
    /// TCP address; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Plain or secured.
    pub tls: Tls,
    /// Who may do what.
    pub guard: Guard,
}

/// Who may come by the door, and who may do what there.
#[derive(Debug, Clone)]
pub struct Guard {
    /// What the operator allows.
    pub policy: Policy,
    /// What steers rooms, sent as `Authorization: Bearer …`.
    pub token: Option<BearerToken>,
    /// What access tokens are read by; empty: nobody is asked for one.
    pub keys: Keyring,
    /// Names of the node beside localhost and IP addresses.
    pub hosts: Vec<HostName>,
    /// Origins of other pages that may ask as the node's own do.
    pub origins: Vec<WebOrigin>,
    /// STUN and TURN servers that clients are told of.
    pub ice_servers: Vec<IceServer>,
    /// Origins of pages that may have the node's own in a frame.
    pub embed_origins: Vec<WebOrigin>,
    /// Connections at once.
    pub connections_max: usize,
    /// What is counted.
    pub counters: DoorCounters,
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
    /// What an issuer gives, and what proves to it that the names are ours; it changes while the door is open.
    Kept(Arc<Certificates>),
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
    #[error("cannot use {}: {why}", path.display())]
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
    /// Whether only the owner of the certificate's names has it.
    is_proven: bool,
    guard: Guard,
    aside: Option<Aside>,
}

impl HttpDoor {
    /// Binds the port and reads or makes the certificate; nothing is answered yet.
    ///
    /// # Errors
    /// When the port is taken or the certificate unusable; the message says which and what to do.
    pub fn open(setup: &HttpSetup) -> Result<Self, HttpError> {
        let tls = server_config(&setup.tls, &setup.guard.counters.certificate)?.map(Arc::new);
        let address = setup.listen;
        let bound = TcpListener::bind(address).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match bound {
            Ok((listener, address)) => {
                let is_proven = matches!(setup.tls, Tls::Files { .. });
                Ok(Self { listener, address, tls, is_proven, guard: setup.guard.clone(), aside: None })
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(HttpError::Taken { address }),
            Err(source) => Err(HttpError::Bind { address, source }),
        }
    }

    /// Connections that are not HTTP's go there from now on.
    pub fn set_aside(&mut self, aside: Aside) {
        self.aside = Some(aside);
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
            // No other address of loopback has that name.
            ip if ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST => {
                format!("{scheme}://localhost:{}/", self.address.port())
            }
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
        let Self { listener, tls, is_proven, guard, aside, .. } = self;
        let connections = Connections::new(guard.connections_max, guard.counters.clone());
        let ends = expiry::Connections::default();
        let names = Names { hosts: guard.hosts, origins: guard.origins, is_proven, is_secure: tls.is_some() };
        let entrance = Entrance {
            policy: guard.policy,
            token: guard.token,
            keys: guard.keys,
            recordings: view.recordings.clone(),
            live: view.live.clone(),
            leading: view.leading.clone(),
            names: Arc::new(names),
            frames: Frames::of(guard.embed_origins),
            gate: Gate::new(guard.counters.requests_refused),
            connections: connections.clone(),
            ice_servers: guard.ice_servers.into(),
        };
        let app = router(ServerState { control, view }, entrance, ends.clone());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let handle = axum_server::Handle::new();
        let closing = handle.clone();
        tokio::spawn(async move {
            shutdown.await;
            closing.graceful_shutdown(Some(limits::HTTP_SHUTDOWN_SPAN));
        });
        let sweeper = tokio::spawn(connections.clone().sweep());
        let keeper = Doorkeeper { connections, ends, aside };
        let server = bounded(axum_server::from_tcp(listener).map_err(HttpError::Serve)?).handle(handle);
        let served = match tls {
            Some(config) => {
                let tls = RustlsAcceptor::new(RustlsConfig::from_config(config));
                server.acceptor(tls.handshake_timeout(limits::HTTP_HEAD_SPAN).acceptor(keeper)).serve(app).await
            }
            None => server.acceptor(keeper).serve(app).await,
        };
        sweeper.abort();
        served.map_err(HttpError::Serve)
    }
}

/// Bounds what one connection may take before a request of it is whole: time, bytes of its head, requests at once and
/// bytes sent ahead.
pub(super) fn bounded(mut server: Server<SocketAddr>) -> Server<SocketAddr> {
    let builder = server.http_builder();
    let mut http1 = builder.http1();
    http1.header_read_timeout(limits::HTTP_HEAD_SPAN).max_buf_size(limits::HTTP_HEAD_LEN_MAX);
    let mut http2 = builder.http2();
    http2.max_concurrent_streams(limits::HTTP_STREAMS_MAX);
    http2.max_header_list_size(limits::HTTP_HEAD_LEN_MAX as u32);
    http2.initial_connection_window_size(limits::HTTP_WINDOW_LEN).initial_stream_window_size(limits::HTTP_WINDOW_LEN);
    http2.keep_alive_interval(limits::HTTP_IDLE_SPAN).keep_alive_timeout(limits::HTTP_HEAD_SPAN);
    server.first_request_timeout(limits::HTTP_HEAD_SPAN)
}

/// Every route, behind the entrance that all share.
fn router(shared: ServerState, entrance: Entrance, ends: expiry::Connections) -> Router {
    let about_recordings = Router::new()
        .merge(recordings::routes())
        .merge(participants::routes())
        .merge(playback::routes())
        .merge(transfer::routes());
    let ending = middleware::from_fn_with_state((shared.view.recordings.clone(), ends), until_its_hour);
    Router::new()
        .merge(resource::routes())
        .merge(layout::routes())
        .merge(branding::routes())
        .merge(rooms::routes())
        .merge(about_recordings.layer(ending))
        .merge(recording::routes())
        .merge(announcements::routes())
        .merge(moderation::routes())
        .merge(node::routes())
        .merge(moving::routes())
        .merge(relays::routes())
        .merge(legs::routes())
        .merge(hls::routes())
        .merge(pushes::routes())
        .merge(captions::routes())
        .merge(page::routes())
        .merge(desk::routes())
        .merge(openapi::routes())
        .merge(history::routes())
        .fallback(async || Problem::no_page())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(limits::SDP_LEN_MAX))
        .layer(middleware::from_fn_with_state(entrance, enter))
        .with_state(shared)
}

fn server_config(tls: &Tls, standing: &CertificateStanding) -> Result<Option<rustls::ServerConfig>, HttpError> {
    let unusable = |error: &dyn std::fmt::Display| HttpError::Certificate(error.to_string());
    let (chain, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::Kept(certificates) => {
            let mut config = config_builder()?.with_cert_resolver(certificates.clone());
            config.alpn_protocols = [b"h2", b"http/1.1".as_slice(), CHALLENGE_PROTOCOL].map(<[u8]>::to_vec).into();
            return Ok(Some(config));
        }
        Tls::Files { cert, key } => read_files(cert, key)?,
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
    let source = match tls {
        Tls::Files { .. } => CertificateSource::Files,
        Tls::Off | Tls::Kept(_) | Tls::SelfSigned { .. } => CertificateSource::SelfSigned,
    };
    // One whose dates nobody can read is served all the same: browsers say what they think of it.
    if let Ok(validity) = acme::validity(&chain[0]) {
        standing.shows(source, validity.to);
    }
    let mut config = config_builder()?.with_single_cert(chain, key).map_err(|error| match (error, tls) {
        (rustls::Error::InconsistentKeys(_), Tls::Files { cert, key }) => {
            HttpError::Pem { path: key.clone(), why: format!("it is not the key of {}", cert.display()) }
        }
        (error, _) => unusable(&error),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

impl Tls {
    /// Whether it can be used: the operator's files are read, and nothing is opened.
    ///
    /// # Errors
    /// When a file cannot be read, holds no PEM, or the key is another certificate's.
    pub fn check(&self) -> Result<(), HttpError> {
        server_config(self, &CertificateStanding::default()).map(drop)
    }
}

/// The operator's own.
fn read_files(cert: &Path, key: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), HttpError> {
    let bad = |path: &Path, why: String| HttpError::Pem { path: path.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|why| bad(cert, why.to_string()))?;
    if chain.is_empty() {
        return Err(bad(cert, "there is no PEM certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|why| match why {
        pem::Error::NoItemsFound => bad(key, "there is no PEM private key in it".into()),
        why => bad(key, why.to_string()),
    })?;
    Ok((chain, key))
}

fn config_builder() -> Result<rustls::ConfigBuilder<rustls::ServerConfig, rustls::server::WantsServerCert>, HttpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| HttpError::Certificate(error.to_string()))?.with_no_client_auth())
}
