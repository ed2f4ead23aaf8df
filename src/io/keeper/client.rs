//! **The question:** how does a node, or another keeper, reach one keeper, and how soon does it know that it cannot?

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroize;

use crate::base::limits;
use crate::io::keeper::identity::Identity;
use crate::io::keeper::protocol::{LONGEST_FRAME_BYTES, Request, Response};
use crate::io::keeper::server::{read_frame, write_frame};

/// Why a keeper did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeeperClientError {
    /// The address is none.
    #[error("{0} is no HOST:PORT")]
    Address(String),
    /// Unreachable, refused, or silent.
    #[error("{address} does not answer: {why}")]
    Silent {
        /// Where it should be.
        address: String,
        /// What was met.
        why: String,
    },
}

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

/// The way to one keeper: one connection, kept open, one ask at a time.
pub struct KeeperClient {
    address: String,
    name: ServerName<'static>,
    connector: TlsConnector,
    stream: Mutex<Option<TlsStream<TcpStream>>>,
    state: AtomicU8,
}

impl fmt::Debug for KeeperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.address)
    }
}

impl KeeperClient {
    /// A line to `address` (`HOST:PORT`); nothing is sent yet. The keeper's certificate must name the host.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(address: &str, identity: &Identity) -> Result<Self, KeeperClientError> {
        let none = || KeeperClientError::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(none)?;
        port.parse::<u16>().map_err(|_| none())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| none())?;
        Ok(Self {
            address: address.to_owned(),
            name,
            connector: TlsConnector::from(identity.client.clone()),
            stream: Mutex::new(None),
            state: AtomicU8::new(UNKNOWN),
        })
    }

    /// Where it leads.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the keeper answered when it was last asked.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state.load(Ordering::Relaxed) == UP
    }

    /// Asks, unless the keeper is known to be down: anyone who waits for an answer is not held up by it.
    ///
    /// # Errors
    /// When no answer came within `limits::KEEPER_ANSWER_SPAN`.
    pub async fn ask(&self, ask: Request) -> Result<Response, KeeperClientError> {
        if self.state.load(Ordering::Relaxed) == DOWN {
            return Err(self.silent("it did not a moment ago"));
        }
        self.try_ask(ask).await
    }

    /// Asks in any case.
    ///
    /// # Errors
    /// When no answer came within `limits::KEEPER_ANSWER_SPAN`.
    pub async fn try_ask(&self, ask: Request) -> Result<Response, KeeperClientError> {
        let answered = timeout(limits::KEEPER_ANSWER_SPAN, self.converse(ask)).await;
        let answered = answered.unwrap_or_else(|_| Err(self.silent("no answer in time")));
        self.state.store(if answered.is_ok() { UP } else { DOWN }, Ordering::Relaxed);
        answered
    }

    async fn converse(&self, ask: Request) -> Result<Response, KeeperClientError> {
        let mut kept = self.stream.lock().await;
        // Taken out, so that an ask that is given up leaves no half answer to the next.
        if let Some(mut stream) = kept.take()
            && let Ok(answer) = exchange(&mut stream, ask).await
        {
            *kept = Some(stream);
            return Ok(answer);
        }
        // The keeper may have been restarted meanwhile; every ask may be repeated.
        let mut stream = self.connect().await?;
        let answer = exchange(&mut stream, ask).await.map_err(|why| self.silent(why))?;
        *kept = Some(stream);
        Ok(answer)
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, KeeperClientError> {
        let stream = TcpStream::connect(&self.address).await.map_err(|why| self.silent(why))?;
        let _ = stream.set_nodelay(true);
        self.connector.connect(self.name.clone(), stream).await.map_err(|why| self.silent(why))
    }

    fn silent(&self, why: impl fmt::Display) -> KeeperClientError {
        KeeperClientError::Silent { address: self.address.clone(), why: why.to_string() }
    }
}

async fn exchange(stream: &mut TlsStream<TcpStream>, ask: Request) -> Result<Response, &'static str> {
    write_frame(stream, &ask.to_bytes()).await.map_err(|_| "it ended the line")?;
    let mut frame = [0; LONGEST_FRAME_BYTES];
    let body = read_frame(stream, &mut frame).await.map_err(|_| "it ended the line")?;
    let answer = Response::parse(body).map_err(|_| "it speaks another language");
    frame.zeroize();
    answer
}
