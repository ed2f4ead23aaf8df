//! **The question:** by which TCP port does media come in? Its own, the HTTP door's, or none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::config::{Media, TcpMedia};
use crate::io::http::{Aside, HttpDoor};
use crate::io::webrtc::{MediaListener, TcpInlet, TcpPort, TcpShare};

/// Why media does not come in by TCP.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// The address that was asked for.
    #[error("[media] tcp: cannot receive media on TCP {address}: {}", why(error))]
    Bind {
        /// That one.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The process is out of file descriptors.
    #[error("the operating system refused a file descriptor: {0}")]
    System(#[from] io::Error),
}

/// Opens what the operator chose, beside UDP at `media`, for as many connections as `share` says.
pub(super) fn open(
    config: &Media,
    media: SocketAddr,
    http: &mut HttpDoor,
    share: TcpShare,
) -> Result<Option<TcpPort>, TcpError> {
    let bind = |address| MediaListener::bind(address, &config.advertise);
    let listener = match config.tcp {
        TcpMedia::Off => return Ok(None),
        TcpMedia::Http => {
            let (port, inlet) = TcpPort::shared(http.address(), &config.advertise, share)?;
            let hand = Arc::new(move |stream| inlet.hand(stream));
            http.set_aside(Aside { takes: TcpInlet::takes, hand });
            return Ok(Some(port));
        }
        TcpMedia::At(address) => bind(address).map_err(|error| TcpError::Bind { address, error })?,
        TcpMedia::Beside => {
            // Where any port was asked for, that number may be taken of TCP, and any other is as good.
            let other = |error| if config.listen.port() == 0 { bind(config.listen) } else { Err(error) };
            match bind(media).or_else(other) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!(
                        address = %media, %error,
                        "no media over TCP, so people without UDP stay out; give [media] tcp another address, or \"\""
                    );
                    return Ok(None);
                }
            }
        }
    };
    Ok(Some(TcpPort::own(listener, share)?))
}

/// What is wrong with an address.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "it is taken; stop the other program or choose another port".into(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 take CAP_NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start".into()
        }
        _ => error.to_string(),
    }
}
