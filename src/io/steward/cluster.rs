//! **The question:** how is the cluster's API asked, and what is made of what it says?

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::base::limits;
use crate::core::steward::{Change, PodSeen};
use crate::io::egress::{Trouble, body, client_of_operator, retry_after};
use crate::io::steward::account::Account;
use crate::io::steward::address::ApiServer;
use crate::io::steward::answer::{Page, Refusal, patch};
use crate::io::steward::counters::StewardCounters;

/// Metadata is all that is read: a tenth of what a whole pod is ("Receiving resources as Tables" and below, Kubernetes'
/// API concepts).
const LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const ONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// By what name the cluster remembers whose the marks are.
const OWN_NAME: &str = "tessera-steward";

/// Where the API answers, and which pods are looked at there.
#[derive(Debug, Clone)]
pub struct ClusterSetup {
    /// Where it answers.
    pub server: ApiServer,
    /// The namespace.
    pub namespace: String,
    /// The labels that nodes' pods have.
    pub selector: String,
}

/// Why the API did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterError {
    /// Nothing came, or nothing that can be read.
    Away(String),
    /// It wants to be asked later.
    Busy(Duration),
    /// It does not know the token.
    Unauthorized,
    /// It knows us, and forbids it.
    Forbidden,
    /// The pod is gone.
    Gone,
    /// The pod is another one by now, or somebody changes it too.
    Conflict,
    /// Another answer; its status, and the API's own word for it.
    Refused(u16, String),
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => f.write_str(why),
            Self::Busy(span) => write!(f, "it has too much to do, and asks for {} s", span.as_secs()),
            Self::Unauthorized => f.write_str("it does not know the token (401): is the service account there?"),
            Self::Forbidden => {
                f.write_str("it forbids that (403): the service account's role lets it list and patch pods")
            }
            Self::Gone => f.write_str("the pod is gone"),
            Self::Conflict => f.write_str("the pod is another one, or changes"),
            Self::Refused(status, reason) => write!(f, "it answered {status} {reason}"),
        }
    }
}

/// The way to the API of the cluster that we are in.
pub struct Cluster {
    setup: ClusterSetup,
    account: Account,
    client: Client,
    counters: StewardCounters,
}

impl Cluster {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When the authority's certificates cannot be used; says why.
    pub fn new(setup: ClusterSetup, account: Account, counters: StewardCounters) -> Result<Self, String> {
        let client = client(account.authority())?;
        Ok(Self { setup, account, client, counters })
    }

    /// Every pod that is looked at.
    ///
    /// # Errors
    /// When the API does not tell.
    pub async fn pods(&mut self) -> Result<Vec<PodSeen>, ClusterError> {
        let (mut pods, mut next) = (Vec::new(), None);
        // A page for each `STEWARD_PAGE_PODS`, and one more where it makes them smaller.
        for _ in 0..=limits::STEWARD_PODS_MAX / limits::STEWARD_PAGE_PODS {
            let mut url = self.url(&[]);
            url.query_pairs_mut()
                .append_pair("labelSelector", &self.setup.selector)
                .append_pair("limit", &limits::STEWARD_PAGE_PODS.to_string())
                .extend_pairs(next.iter().map(|next: &String| ("continue", next)));
            let asked = Asked { method: Method::GET, url, accept: LIST, body: None };
            let page: Page = self.ask(asked).await.map_err(|why| match why {
                // It is not a pod that is not there.
                ClusterError::Gone => ClusterError::Refused(404, "NamespaceNotFound".into()),
                why => why,
            })?;
            let more;
            (more, next) = page.pods(&self.setup.namespace);
            pods.extend(more);
            if next.is_none() || pods.len() >= limits::STEWARD_PODS_MAX {
                break;
            }
        }
        pods.truncate(limits::STEWARD_PODS_MAX);
        Ok(pods)
    }

    /// Marks a pod.
    ///
    /// # Errors
    /// When the API does not take it.
    pub async fn mark(&mut self, change: &Change) -> Result<(), ClusterError> {
        let mut url = self.url(&[&change.pod]);
        url.query_pairs_mut().append_pair("fieldManager", OWN_NAME);
        let body = Some(patch(&change.uid, change.marks).to_string());
        let asked = Asked { method: Method::PATCH, url, accept: ONE, body };
        self.ask::<serde::de::IgnoredAny>(asked).await?;
        self.counters.marked.add(1);
        Ok(())
    }

    /// Of the namespace's pods, or of one.
    fn url(&self, pod: &[&str]) -> Url {
        let mut url = self.setup.server.url().clone();
        let path = ["api", "v1", "namespaces", &self.setup.namespace, "pods"];
        // It encodes what would be another path; `https://` always has one.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path).extend(pod);
        }
        url
    }

    /// Asks, with a token that is not old; where it is not known any more, once again with the one that is there now.
    async fn ask<T: DeserializeOwned>(&mut self, asked: Asked) -> Result<T, ClusterError> {
        if self.account.is_old() {
            self.look_at_account()?;
        }
        let answered = match self.try_ask(&asked).await {
            Err(ClusterError::Unauthorized) if self.look_at_account()? => self.try_ask(&asked).await,
            answered => answered,
        };
        let counted = match &answered {
            Ok(_) => return answered,
            Err(ClusterError::Busy(_)) => &self.counters.throttled,
            Err(ClusterError::Forbidden) => &self.counters.forbidden,
            Err(ClusterError::Gone) => &self.counters.gone,
            Err(ClusterError::Conflict) => &self.counters.conflicts,
            // Counted each time that it was said.
            Err(ClusterError::Unauthorized) => return answered,
            Err(ClusterError::Away(_) | ClusterError::Refused(..)) => &self.counters.failed,
        };
        counted.add(1);
        answered
    }

    /// Whether the token is another one than before.
    fn look_at_account(&mut self) -> Result<bool, ClusterError> {
        let (is_new, is_other) = self.account.read_again();
        if is_other {
            self.client = client(self.account.authority()).map_err(ClusterError::Away)?;
        }
        Ok(is_new)
    }

    async fn try_ask<T: DeserializeOwned>(&self, asked: &Asked) -> Result<T, ClusterError> {
        self.counters.requests.add(1);
        let request = self.client.request(asked.method.clone(), asked.url.clone());
        let request = request.bearer_auth(self.account.token()).header(ACCEPT, asked.accept);
        let request = match &asked.body {
            Some(body) => request.header(CONTENT_TYPE, MERGE_PATCH).body(body.clone()),
            None => request,
        };
        let answered = async {
            let response = request.send().await.map_err(|error| away(&error))?;
            let (status, later) = (response.status(), later(&response));
            Ok((status, later, read(response).await?))
        };
        let answered = tokio::time::timeout(limits::STEWARD_CALL_SPAN, answered).await;
        let silent = || ClusterError::Away(format!("nothing within {} s", limits::STEWARD_CALL_SPAN.as_secs()));
        let (status, later, bytes) = answered.unwrap_or_else(|_| Err(silent()))?;
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| ClusterError::Away(format!("what it says is not of this API: {error}")));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.counters.unauthorized.add(1);
        }
        Err(refusal(status, later, &bytes))
    }
}

/// One request.
struct Asked {
    method: Method,
    url: Url,
    accept: &'static str,
    body: Option<String>,
}

/// A client that believes this authority alone.
fn client(authority: &[u8]) -> Result<Client, String> {
    client_of_operator(Some(authority), limits::STEWARD_CALL_SPAN)
        .map_err(|why| format!("ca.crt of the service account cannot be used: {why}"))
}

fn away(error: &reqwest::Error) -> ClusterError {
    match Trouble::of(error) {
        Trouble::Unreachable(why) => ClusterError::Away(why),
        Trouble::NotPublic => ClusterError::Away("its address is none that is gone to".into()),
    }
}

/// When it wants to be asked again, in seconds as it always says it.
fn later(response: &Response) -> Duration {
    let told = retry_after(response.headers());
    told.unwrap_or(limits::STEWARD_RETRY_SPAN).clamp(Duration::from_secs(1), limits::STEWARD_RETRY_SPAN_MAX)
}

async fn read(mut response: Response) -> Result<Vec<u8>, ClusterError> {
    let max = limits::STEWARD_ANSWER_LEN_MAX;
    let (bytes, is_all) = body(&mut response, max).await.map_err(|error| away(&error))?;
    if is_all { Ok(bytes) } else { Err(ClusterError::Away(format!("an answer of more than {max} bytes"))) }
}

fn refusal(status: StatusCode, later: Duration, bytes: &[u8]) -> ClusterError {
    match status {
        StatusCode::UNAUTHORIZED => ClusterError::Unauthorized,
        StatusCode::FORBIDDEN => ClusterError::Forbidden,
        StatusCode::NOT_FOUND => ClusterError::Gone,
        StatusCode::CONFLICT => ClusterError::Conflict,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ClusterError::Busy(later),
        _ => {
            let told: Refusal = serde_json::from_slice(bytes).unwrap_or_default();
            let reason = told.reason.unwrap_or_default();
            let word = reason.chars().filter(char::is_ascii_alphanumeric).take(limits::STEWARD_REASON_LEN_MAX);
            ClusterError::Refused(status.as_u16(), word.collect())
        }
    }
}
