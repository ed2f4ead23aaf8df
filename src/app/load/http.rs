//! **The question:** how does a simulated person come and go? Over HTTP: POST an offer, DELETE what came of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use tokio::time::sleep;

use super::error::LoadError;
use super::wants::Wants;
use crate::base::limits;
use crate::base::media::{RoomId, RungName};
use crate::core::signal::PROBLEM_URN;
use crate::io::egress::retry_after;
use crate::io::telemetry::log::Redacted;

/// The kind of what is told to somebody who waits to be let in.
const IN_LOBBY: &str = "in-lobby";
/// And to somebody who would take from those who are there.
const AT_LIMIT: &str = "node-at-limit";

/// The HTTP door of one node, as seen from outside.
#[derive(Debug, Clone)]
pub(super) struct Door {
    client: Client,
    node: Url,
}

/// What a node answers to an offer it takes.
#[derive(Debug)]
pub(super) struct Admission {
    /// SDP, type `answer`.
    pub answer: String,
    /// The resource to DELETE when leaving.
    pub resource: Url,
}

impl Door {
    /// The door at `url`, such as `http://127.0.0.1:8080`, asked with an access token if there is one. On this machine,
    /// a certificate that nobody signed is accepted.
    ///
    /// # Errors
    /// [`LoadError::Url`] when `url` is no HTTP address.
    pub fn open(url: &str, token: Option<&Redacted<String>>) -> Result<Self, LoadError> {
        let node = node_url(url)?;
        expect_no_link(url, &node)?;
        let wrong = |why: String| LoadError::Url { url: url.to_owned(), why };
        let client = client_builder(&node, token).redirect(Policy::none()).build().map_err(|e| wrong(told(&e)))?;
        Ok(Self { client, node })
    }

    /// The door of another node of the same fleet, asked as this one is, or with what lets somebody in there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn beside(&self, url: &str, pass: Option<&str>) -> Result<Self, LoadError> {
        match pass {
            Some(pass) => Self::open(url, Some(&Redacted::new(pass.to_owned()))),
            None => Ok(Self { client: self.client.clone(), node: node_url(url)? }),
        }
    }

    /// Whether the node is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.node)
    }

    /// This machine's address on the way to the node.
    ///
    /// # Errors
    /// [`LoadError::Unreachable`] when there is no way.
    pub fn near_address(&self) -> Result<IpAddr, LoadError> {
        if self.is_loopback() {
            return Ok(Ipv4Addr::LOCALHOST.into());
        }
        let near = || {
            let node = self.node.socket_addrs(|| None)?.into_iter().next().ok_or(io::ErrorKind::NotFound)?;
            let any: IpAddr = if node.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(node)?;
            Ok(socket.local_addr()?.ip())
        };
        near().map_err(|error: io::Error| LoadError::Unreachable { url: origin(&self.node), why: told(&error) })
    }

    /// Offers one person's connection; to the `seat` of one that they had, where they come to another node.
    ///
    /// # Errors
    /// [`LoadError::Unreachable`] and [`LoadError::Refused`].
    pub async fn join(
        &self,
        room: &RoomId,
        (name, seat): (&str, Option<&str>),
        wants: Wants,
        offer: String,
    ) -> Result<Admission, LoadError> {
        let mut url = self.node.clone();
        url.set_path(&format!("/v1/rooms/{room}/participants"));
        url.query_pairs_mut().clear().append_pair("name", name);
        if wants.unrecorded {
            url.query_pairs_mut().append_pair("record", "no");
        }
        if let Some(rung) = wants.rung {
            url.query_pairs_mut().append_pair("rung", &rung.to_string());
        }
        if let Some(seat) = seat {
            url.query_pairs_mut().append_pair("seat", seat);
        }
        self.offer(url, offer).await
    }

    /// Offers the connection of one who only watches (WHEP).
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn watch(&self, room: &RoomId, rung: Option<RungName>, offer: String) -> Result<Admission, LoadError> {
        let mut url = self.node.clone();
        url.set_path(&format!("/whep/{room}"));
        url.set_query(None);
        if let Some(rung) = rung {
            url.query_pairs_mut().append_pair("rung", &rung.to_string());
        }
        self.offer(url, offer).await
    }

    /// Offers, and goes to another node where it is sent: with the token, which HTTP's own redirects leave behind.
    async fn offer(&self, mut url: Url, offer: String) -> Result<Admission, LoadError> {
        let (mut sent_on, began) = (0, Instant::now());
        let response = loop {
            let request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/sdp").body(offer.clone());
            let response = request.send().await.map_err(|e| unreachable(&url, &e))?;
            match elsewhere(&url, &response).filter(|_| sent_on < limits::FLEET_REDIRECTS_MAX) {
                Some(other) => url = other,
                None if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    let after = asks_again_after(&response);
                    let told = Refused::read(response).await;
                    // As a page does: a host may let them in, and a node that is at its limit may have room again. The
                    // former is told by the node when they have waited for long enough.
                    let patience = match told.kind.as_str() {
                        IN_LOBBY => limits::LOBBY_SPAN * 2,
                        AT_LIMIT => limits::LOAD_LIMIT_SPAN,
                        _ => Duration::ZERO,
                    };
                    if began.elapsed() >= patience {
                        return Err(told.advised(&url));
                    }
                    sleep(after).await;
                    continue;
                }
                None => break response,
            }
            sent_on += 1;
        };
        if response.status() != StatusCode::CREATED {
            return Err(Refused::read(response).await.advised(&url));
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let resource = location.and_then(|location| url.join(location).ok());
        let resource =
            resource.ok_or_else(|| LoadError::Refused("the answer carries no usable Location".to_owned()))?;
        let answer = response.text().await.map_err(|e| unreachable(&url, &e))?;
        Ok(Admission { answer, resource })
    }

    /// Ends one person's connection.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn leave(&self, resource: &Url) -> Result<(), LoadError> {
        let response = self.client.delete(resource.clone()).send().await.map_err(|e| unreachable(resource, &e))?;
        // A room that went to another node took nobody's former connection along.
        let is_over = response.status().is_success() || response.status() == StatusCode::TEMPORARY_REDIRECT;
        if is_over { Ok(()) } else { Err(refusal(response).await) }
    }
}

/// Scheme, host and port of `url`, without what may be secret in it.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Why no answer came from `url`.
pub(crate) fn unreachable(url: &Url, error: &reqwest::Error) -> LoadError {
    let (url, is_secure, why) = (origin(url), url.scheme() == "https", told(error));
    // By the words of TLS and HTTP themselves, which their libraries wrap as often as they like.
    match why.as_str() {
        text if text.starts_with("invalid peer certificate") => LoadError::Untrusted { url, why },
        // What came back is no TLS at all, or the alert of a door that speaks TLS, which is no line of HTTP.
        text if is_secure && text.contains("InvalidContentType") => LoadError::Scheme { url, why },
        text if !is_secure && text.starts_with("invalid HTTP") => LoadError::Scheme { url, why },
        _ => LoadError::Unreachable { url, why },
    }
}

/// Where a node sends on whoever asks at `url`.
fn elsewhere(url: &Url, response: &Response) -> Option<Url> {
    if response.status() != StatusCode::TEMPORARY_REDIRECT {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(|other| matches!(other.scheme(), "http" | "https"))
}

/// The address of a node, read.
///
/// # Errors
/// [`LoadError::Url`] when it is no HTTP address.
pub(crate) fn node_url(url: &str) -> Result<Url, LoadError> {
    let wrong = |why: &str| LoadError::Url { url: without_secrets(url).to_owned(), why: why.to_owned() };
    let node = Url::parse(url);
    let is_http = |node: &Url| matches!(node.scheme(), "http" | "https") && node.host().is_some();
    match node {
        Ok(node) if is_http(&node) => Ok(node),
        Err(error) if url.contains("://") => Err(wrong(&error.to_string())),
        _ => Err(wrong("it does not begin with http:// or https:// and a host")),
    }
}

/// As it was typed, up to where a link's token begins.
fn without_secrets(url: &str) -> &str {
    url.split(['#', '?']).next().unwrap_or_default()
}

/// Refuses a link into a room: asked would be another one, and without its token.
///
/// # Errors
/// [`LoadError::Url`].
pub(super) fn expect_no_link(url: &str, node: &Url) -> Result<(), LoadError> {
    if node.path() == "/" && node.query().is_none() && node.fragment().is_none() {
        return Ok(());
    }
    let why = "it says more than where the node is: the room is given by --room, what stands behind #token= by --token";
    Err(LoadError::Url { url: without_secrets(url).to_owned(), why: why.to_owned() })
}

/// How a client of this node is made, which shows `token` with each request. On this machine, a certificate that nobody
/// signed is accepted.
pub(crate) fn client_builder(node: &Url, token: Option<&Redacted<String>>) -> ClientBuilder {
    // A process has one TLS provider; when another was chosen before, that one serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // One that no header takes is refused as none would be.
    let shown = token.and_then(|token| HeaderValue::try_from(format!("Bearer {}", token.reveal())).ok());
    let headers = shown.map(|mut shown| {
        shown.set_sensitive(true);
        (AUTHORIZATION, shown)
    });
    Client::builder()
        .default_headers(headers.into_iter().collect())
        .no_proxy()
        .timeout(limits::CONNECT_SPAN)
        .tls_danger_accept_invalid_certs(is_loopback(node))
}

/// The innermost reason, which names the system's error; the outer ones repeat the address.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), told)
}

/// What a problem document (RFC 9457) says, or else the status line.
pub(crate) async fn refusal(response: Response) -> LoadError {
    Refused::read(response).await.into()
}

/// A refusal as it was told.
pub(super) struct Refused {
    kind: String,
    told: String,
}

impl Refused {
    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let problem: serde_json::Value = response.json().await.unwrap_or_default();
        let field = |name: &str| problem.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let parts = [status.to_string(), field("title").to_owned(), field("detail").to_owned()];
        let told = match parts.each_ref().map(String::as_str) {
            [status, "", detail] => format!("{status}: {detail}"),
            [status, title, ""] => format!("{status}: {title}"),
            [status, title, detail] => format!("{status}: {title}. {detail}"),
        };
        let kind = field("type").strip_prefix(PROBLEM_URN).unwrap_or_default().to_owned();
        Self { kind, told: told.trim_end_matches([' ', ':']).to_owned() }
    }
}

impl Refused {
    /// With what whoever started a load does about it; `url` was asked.
    pub(super) fn advised(self, url: &Url) -> LoadError {
        // A node says of what kind each refusal is.
        if self.kind.is_empty() {
            return LoadError::Stranger { url: origin(url), status: self.told };
        }
        let Some(advice) = advice(&self.kind) else { return self.into() };
        LoadError::Refused(format!("{} {advice}", self.told))
    }
}

/// What is done about a refusal of this kind, by the flags of `tessera load`.
fn advice(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "unauthorized" | "token-expired" | "token-not-yet" | "token-refused" | "wrong-room" | "wrong-role"
        | "wrong-tenant" => "Make a token with `tessera token --room ROOM --role speaker`, and give it by --token.",
        "room-full" | "tenant-full" => "Bring fewer by --participants and --viewers, or name another by --room.",
        "draining" => "Name another node by --url; `tessera drain --undo` lets this one begin rooms again.",
        "node-full" | "node-at-limit" | "fleet-full" | "no-relay" => {
            "Bring fewer by --participants and --viewers, or name another node by --url."
        }
        "room-locked" => "A host unlocks it, or a host's token is given by --token.",
        "wrong-host" => "Ask by a name of the node's in --url.",
        _ => return None,
    })
}

impl From<Refused> for LoadError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.told)
    }
}

/// After how long it is asked again.
fn asks_again_after(response: &Response) -> Duration {
    retry_after(response.headers())
        .unwrap_or(limits::LOBBY_ASK_SPACING)
        .clamp(Duration::from_secs(1), limits::LOBBY_SILENT_SPAN / 2)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::io::keeper::{Identity, IdentityFiles, make_certificates};

    #[test]
    fn an_address_that_is_none_is_told() {
        for url in ["node.example", "127.0.0.1:8080", "localhost:8080", "ftp://node.example", "http://a:99999"] {
            let told = Door::open(url, None).unwrap_err().to_string();
            assert!(told.contains(url) && told.contains("such as http://127.0.0.1:8080"), "{told}");
        }
        let link = "https://node.example/r/daily#token=c2VjcmV0";
        let told = Door::open(link, None).unwrap_err().to_string();
        assert!(told.contains("--room") && told.contains("--token") && !told.contains("c2VjcmV0"), "{told}");
        assert!(Door::open("https://node.example/", None).is_ok());
    }

    /// What a load is told whose people are answered so, at an address that begins so.
    async fn told_of(scheme: &str, answer: impl Into<Vec<u8>>) -> String {
        let (door, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
        let at = door.local_addr().unwrap();
        let answers = thread::spawn(move || {
            let (mut came, _) = door.accept().unwrap();
            let _ = came.read(&mut [0; 4096]).unwrap();
            came.write_all(&answer).unwrap();
        });
        let door = Door::open(&format!("{scheme}://{at}"), None).unwrap();
        let told = door.watch(&"daily".parse().unwrap(), None, "v=0".to_owned()).await.unwrap_err();
        answers.join().unwrap();
        told.to_string()
    }

    #[tokio::test]
    async fn who_is_refused_is_told_what_to_do_by_this_commands_own_flags() {
        let answer = |status: &str, kind: &str| {
            let body = format!("{{\"type\":\"{PROBLEM_URN}{kind}\",\"title\":\"So.\",\"detail\":\"Because.\"}}");
            let length = body.len();
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        for (status, kind, wanted) in [
            ("401 Unauthorized", "unauthorized", "--token"),
            ("403 Forbidden", "wrong-room", "tessera token --room ROOM"),
            ("503 Service Unavailable", "room-full", "--participants"),
            ("503 Service Unavailable", "draining", "tessera drain --undo"),
            ("503 Service Unavailable", "fleet-full", "--url"),
            ("400 Bad Request", "bad-offer", "Because."),
        ] {
            let told = told_of("http", answer(status, kind)).await;
            assert!(told.starts_with("the node refused: ") && told.contains(wanted), "{kind}: {told}");
            assert!(!told.contains('\n'), "one line: {told}");
        }
        let told = told_of("http", "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert!(told.contains("no Tessera node") && told.contains("404"), "{told}");
    }

    #[tokio::test]
    async fn the_wrong_scheme_is_told_with_the_right_one() {
        // A fatal alert, as a door that speaks TLS answers a line of HTTP.
        let told = told_of("http", [21, 3, 3, 0, 2, 2, 10]).await;
        assert!(told.contains("does not speak plain HTTP") && told.contains("https:// instead"), "{told}");
        let told = told_of("https", "HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert!(told.contains("does not speak HTTPS") && told.contains("http:// instead"), "{told}");
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_trusts_is_not_taken_for_a_node_that_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let folders = make_certificates(&folder.path().join("pki"), &["127.0.0.1".to_owned()]).unwrap();
        let server = Identity::load(&IdentityFiles::in_folder(&folders[1])).unwrap().server;
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = Url::parse(&format!("https://{}", door.local_addr().unwrap())).unwrap();
        let shows = thread::spawn(move || {
            let (mut came, _) = door.accept().unwrap();
            let mut tls = rustls::ServerConnection::new(server).unwrap();
            // Whoever came does not like what they see.
            let _ = tls.complete_io(&mut came);
        });
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let error = Client::builder().no_proxy().build().unwrap().get(at.clone()).send().await.unwrap_err();
        shows.join().unwrap();
        let told = unreachable(&at, &error).to_string();
        assert!(told.contains("is not believed") && told.contains("SSL_CERT_FILE"), "{told}");
        // Nobody listens there any more.
        let error = Client::builder().no_proxy().build().unwrap().get(at.clone()).send().await.unwrap_err();
        assert!(unreachable(&at, &error).to_string().contains("is a node running there"));
    }

    #[test]
    fn who_is_near_the_node_is_found_by_the_way_there() {
        let near = |url| Door::open(url, None).unwrap().near_address();
        assert_eq!(near("http://localhost:1"), Ok(Ipv4Addr::LOCALHOST.into()));
        assert!(matches!(near("http://255.255.255.255:1"), Err(LoadError::Unreachable { .. })));
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for url in ["http://localhost:1", "http://127.0.0.2:8080", "https://[::1]:8443/"] {
            assert!(Door::open(url, None).unwrap().is_loopback(), "{url}");
        }
        assert!(!Door::open("https://node.example", None).unwrap().is_loopback());
    }
}
