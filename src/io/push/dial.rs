//! **The question:** how is a server reached whose stream goes over TCP or UDP? By addresses that were looked at, and
//! by TLS whose certificates the system's roots vouch for, as with WHIP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::base::limits;
use crate::io::egress::{NotPublic, resolve, tls_reason};
use crate::io::push::error::PushError;
use crate::io::push::target::Host;

/// What bytes go over.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// Made with the first stream that needs it; clones share it.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<OnceLock<Result<TlsConnector, String>>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl Tls {
    fn connector(&self) -> Result<&TlsConnector, PushError> {
        self.0.get_or_init(connector).as_ref().map_err(|why| PushError::Unreachable(why.clone()))
    }
}

fn connector() -> Result<TlsConnector, String> {
    // A process has one TLS provider; when another was chosen before, that one serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = ClientConfig::builder().with_platform_verifier().map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

/// What comes of the first of a host's addresses that answers. One that answers nothing leaves time for the next: many
/// machines have an address of IPv6 that leads nowhere.
pub(super) async fn first<T, F: Future<Output = Result<T, PushError>>>(
    host: &Host,
    allow_private: bool,
    ask: impl Fn(SocketAddr) -> F,
) -> Result<T, PushError> {
    let mut last = PushError::Unreachable("its name has no address".into());
    for address in resolved(host, allow_private).await? {
        match timeout(limits::PUSH_ADDRESS_SPAN, ask(address)).await {
            // Nobody is there; whoever answers and refuses is the one who was asked for.
            Ok(Err(error @ PushError::Unreachable(_))) => last = error,
            Ok(answered) => return answered,
            Err(_) => last = PushError::Unreachable("it does not answer".into()),
        }
    }
    Err(last)
}

/// A connection to a host, by TLS where `tls` is given.
pub(super) async fn tcp(host: &Host, allow_private: bool, tls: Option<&Tls>) -> Result<Box<dyn Pipe>, PushError> {
    let connect = |address| async move { TcpStream::connect(address).await.map_err(|error| unreachable(&error)) };
    let stream = first(host, allow_private, connect).await?;
    // What is sent is whole pictures and packets; nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host.name.clone());
    let name = name.map_err(|_| PushError::Unreachable("no certificate can have its name".into()))?;
    let stream = tls.connector()?.connect(name, stream).await;
    stream.map(|stream| Box::new(stream) as Box<dyn Pipe>).map_err(|error| unreachable(&error))
}

/// A socket that speaks with one address of a host alone.
pub(super) async fn udp(address: SocketAddr) -> Result<UdpSocket, PushError> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.map_err(|error| unreachable(&error))?;
    socket.connect(address).await.map_err(|error| unreachable(&error))?;
    Ok(socket)
}

/// Where a host is, the first to be tried first.
async fn resolved(host: &Host, allow_private: bool) -> Result<Vec<SocketAddr>, PushError> {
    let found = resolve((&host.name, host.port), allow_private).await;
    found
        .map_err(|why| if why.is::<NotPublic>() { PushError::Private } else { PushError::Unreachable(why.to_string()) })
}

/// Words of the system, and of TLS none that the other side may have chosen.
pub(super) fn unreachable(error: &std::io::Error) -> PushError {
    PushError::Unreachable(tls_reason(error).map_or_else(|| error.to_string(), str::to_owned))
}
