//! **The question:** how is a server reached whose stream goes over TCP or UDP? By addresses that were looked at, and
//! by TLS whose certificates the system's roots vouch for, as with WHIP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use crate::io::egress::{NotPublic, resolve};
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

/// A connection to a host, by TLS where `tls` is given.
pub(super) async fn tcp(host: &Host, allow_private: bool, tls: Option<&Tls>) -> Result<Box<dyn Pipe>, PushError> {
    let addresses = resolved(host, allow_private).await?;
    let mut last = PushError::Unreachable("its name has no address".into());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // What is sent is whole pictures and packets; nothing is gained by waiting for more.
                let _ = stream.set_nodelay(true);
                let Some(tls) = tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.name.clone());
                let name = name.map_err(|_| PushError::Unreachable("no certificate can have its name".into()))?;
                let stream = tls.connector()?.connect(name, stream).await;
                return stream.map(|stream| Box::new(stream) as Box<dyn Pipe>).map_err(|error| unreachable(&error));
            }
            Err(error) => last = unreachable(&error),
        }
    }
    Err(last)
}

/// A socket that speaks with a host alone.
pub(super) async fn udp(host: &Host, allow_private: bool) -> Result<UdpSocket, PushError> {
    let address = resolved(host, allow_private).await?.into_iter().next();
    let address = address.ok_or_else(|| PushError::Unreachable("its name has no address".into()))?;
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.map_err(|error| unreachable(&error))?;
    socket.connect(address).await.map_err(|error| unreachable(&error))?;
    Ok(socket)
}

async fn resolved(host: &Host, allow_private: bool) -> Result<Vec<std::net::SocketAddr>, PushError> {
    let found = resolve((&host.name, host.port), allow_private).await;
    found
        .map_err(|why| if why.is::<NotPublic>() { PushError::Private } else { PushError::Unreachable(why.to_string()) })
}

/// Words of the system and of the TLS library, which know hosts alone.
pub(super) fn unreachable(error: &std::io::Error) -> PushError {
    PushError::Unreachable(error.to_string())
}
