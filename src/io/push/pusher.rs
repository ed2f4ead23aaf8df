//! **The question:** how is another server asked? An offer by POST and, in the end, DELETE of what came of it (RFC 9725
//! sections 4.2 and 4.6), on the runtime's own threads; nobody waits for either.

use std::fmt;
use std::sync::{Arc, OnceLock};

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::base::limits;
use crate::io::egress::{Trouble, UrlError, body, check, client};
use crate::io::push::answer::permitted;
use crate::io::push::dial::Tls;
use crate::io::push::error::PushError;
use crate::io::push::target::{PushTarget, Way};

const SDP: &str = "application/sdp";

/// What a server made of an offer. Whoever lets go of it, wherever that is, ends it there too. Its text form hides it,
/// for it is a capability.
pub struct PushSession(Option<Box<dyn FnOnce() + Send>>);

impl PushSession {
    /// One that is ended by this.
    pub fn new(goodbye: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(goodbye)))
    }
}

impl Drop for PushSession {
    fn drop(&mut self) {
        if let Some(goodbye) = self.0.take() {
            goodbye();
        }
    }
}

impl fmt::Debug for PushSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushSession(…)")
    }
}

/// What a server answers.
pub struct PushAnswer {
    /// SDP, of its candidates only those that may be tried.
    pub sdp: String,
    /// What it made of the offer; nothing, where it names nothing that may be asked.
    pub session: Option<PushSession>,
}

/// Asks other servers; clones share the connections.
#[derive(Clone)]
pub struct Pusher {
    pub(super) runtime: Handle,
    pub(super) allow_private: bool,
    /// Made with the first push: to read the system's certificates takes a while.
    client: Arc<OnceLock<Result<Client, String>>>,
    /// The same for streams.
    pub(super) tls: Tls,
}

impl Pusher {
    /// One that asks on `runtime`, and addresses that are not public only where that is allowed.
    #[must_use]
    pub fn new(runtime: Handle, allow_private: bool) -> Self {
        Self { runtime, allow_private, client: Arc::default(), tls: Tls::default() }
    }

    /// Asks a server to take an offer; `then` hears what it says, on a thread of the runtime, within
    /// `limits::PUSH_CALL_SPAN`.
    pub fn call(
        &self,
        target: Arc<PushTarget>,
        offer: String,
        then: impl FnOnce(Result<PushAnswer, PushError>) + Send + 'static,
    ) {
        let pusher = self.clone();
        self.runtime.spawn(async move {
            let called = timeout(limits::PUSH_CALL_SPAN, pusher.post(&target, offer)).await;
            then(called.unwrap_or(Err(PushError::Late)));
        });
    }

    /// Tells a server that nothing more comes. It would notice by itself, later.
    fn hang_up(&self, target: Arc<PushTarget>, session: Url) {
        let pusher = self.clone();
        self.runtime.spawn(async move {
            let ended = timeout(limits::PUSH_CALL_SPAN, pusher.delete(&target, session)).await;
            if let Err(error) = ended.unwrap_or(Err(PushError::Late)) {
                tracing::debug!(%error, "a server that was pushed to does not hear that it is over");
            }
        });
    }

    async fn post(&self, target: &Arc<PushTarget>, offer: String) -> Result<PushAnswer, PushError> {
        let client = self.client()?;
        let Way::Whip(url) = target.way() else {
            return Err(PushError::Redirect("to what is no URL of a WHIP endpoint"));
        };
        let mut url = url.reveal().clone();
        for _ in 0..=limits::PUSH_REDIRECTS_MAX {
            let request = client.post(url.clone()).header(header::CONTENT_TYPE, SDP).body(offer.clone());
            let response = authorized(request, target, &url).send().await.map_err(|error| unreachable(&error))?;
            match response.status() {
                StatusCode::CREATED | StatusCode::OK => return self.answer(target, response, &url).await,
                // Only these say that the same is to be asked elsewhere (RFC 9110 section 15.4).
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    url = self.next(&response, &url)?;
                }
                status => return Err(PushError::Refused(status.to_string())),
            }
        }
        Err(PushError::Redirect("without end"))
    }

    async fn delete(&self, target: &PushTarget, session: Url) -> Result<(), PushError> {
        let request = authorized(self.client()?.delete(session.clone()), target, &session);
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(PushError::Refused(response.status().to_string())) }
    }

    async fn answer(&self, target: &Arc<PushTarget>, response: Response, url: &Url) -> Result<PushAnswer, PushError> {
        let session = location(&response, url).filter(|to| self.may_follow(url, to).is_ok());
        let session = session.map(|url| {
            let (pusher, target) = (self.clone(), target.clone());
            PushSession::new(move || pusher.hang_up(target, url))
        });
        Ok(PushAnswer { sdp: self.read(response).await?, session })
    }

    async fn read(&self, response: Response) -> Result<String, PushError> {
        let of_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = of_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(SDP) {
            return Err(PushError::BadAnswer(format!("its type is not {SDP}")));
        }
        permitted(&text(response).await?, self.allow_private)
    }

    fn next(&self, response: &Response, url: &Url) -> Result<Url, PushError> {
        let next = location(response, url).ok_or(PushError::Redirect("to nowhere"))?;
        self.may_follow(url, &next)?;
        Ok(next)
    }

    /// Whether one goes from a URL to another that its server names.
    fn may_follow(&self, from: &Url, to: &Url) -> Result<(), PushError> {
        if from.scheme() == "https" && to.scheme() != "https" {
            return Err(PushError::Redirect("from https to what is read on the way"));
        }
        check(to, self.allow_private).map_err(|why| match why {
            UrlError::Private => PushError::Private,
            UrlError::Scheme => PushError::Redirect("to what is read on the way"),
            _ => PushError::Redirect("to what is no URL of a WHIP endpoint"),
        })
    }

    fn client(&self) -> Result<&Client, PushError> {
        let made = self.client.get_or_init(|| client(self.allow_private, limits::PUSH_CALL_SPAN));
        made.as_ref().map_err(|why| PushError::Unreachable(why.clone()))
    }
}

fn location(response: &Response, url: &Url) -> Option<Url> {
    let named = response.headers().get(header::LOCATION)?.to_str().ok()?;
    if named.len() > limits::PUSH_URL_LEN_MAX { None } else { url.join(named).ok() }
}

/// The body of an answer, which is as long as an offer may be.
async fn text(mut response: Response) -> Result<String, PushError> {
    let (bytes, is_all) = body(&mut response, limits::SDP_LEN_MAX).await.map_err(|error| unreachable(&error))?;
    if !is_all {
        return Err(PushError::BadAnswer(format!("it has more than {} bytes", limits::SDP_LEN_MAX)));
    }
    String::from_utf8(bytes).map_err(|_| PushError::BadAnswer("it is no text".into()))
}

/// A request to `url` that shows the token, if it is for whoever is there.
fn authorized(request: RequestBuilder, target: &PushTarget, url: &Url) -> RequestBuilder {
    match target.token_for(url) {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// What went wrong on the way. The outer reasons repeat the URL, which holds secrets.
fn unreachable(error: &reqwest::Error) -> PushError {
    match Trouble::of(error) {
        Trouble::NotPublic => PushError::Private,
        Trouble::Unreachable(why) => PushError::Unreachable(why),
    }
}
