//! **The question:** how is an issuer asked over HTTPS? By the node's own client: bounded in time and length, and it
//! notes how long the issuer wants to be left in peace.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::{Body, Client};

use crate::base::limits;
use crate::io::egress::{self, Trouble};

/// Asks; clones share what was noted.
#[derive(Debug, Clone)]
pub(super) struct AcmeClient {
    client: Client,
    peace: Arc<Mutex<Option<Duration>>>,
}

impl AcmeClient {
    /// Trusts the authorities in `ca` (PEM) alone, or those of the system.
    pub(super) fn new(ca: Option<&[u8]>) -> Result<Self, String> {
        Ok(Self { client: egress::client_of_operator(ca, limits::ACME_CONNECT_SPAN)?, peace: Arc::default() })
    }

    /// How long the issuer wants to be left in peace, if it said so with a refusal.
    pub(super) fn asked_peace(&self) -> Option<Duration> {
        *self.peace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self, request: http::Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let asked = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let sent = asked.body(Body::wrap(body)).timeout(limits::ACME_REQUEST_SPAN).send().await;
        let mut response = sent.map_err(|error| Error::Other(way(&error).into()))?;
        if !response.status().is_success() {
            self.note(egress::retry_after(response.headers()));
        }
        let mut answer = http::Response::new(());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        let told = egress::body(&mut response, limits::ACME_ANSWER_LEN_MAX).await;
        let (bytes, is_all) = told.map_err(|error| Error::Other(way(&error).into()))?;
        if !is_all {
            return Err(Error::Str("the issuer's answer is too long"));
        }
        let (parts, ()) = answer.into_parts();
        Ok(BytesResponse { parts, body: Box::new(Bytes::from(bytes)) })
    }

    fn note(&self, retry_after: Option<Duration>) {
        if let Some(span) = retry_after {
            *self.peace.lock().unwrap_or_else(PoisonError::into_inner) = Some(span);
        }
    }
}

impl HttpClient for AcmeClient {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().ask(request))
    }
}

fn way(error: &reqwest::Error) -> String {
    match Trouble::of(error) {
        Trouble::NotPublic => "the issuer's address is not public".into(),
        Trouble::Unreachable(why) => format!("the issuer is not reached: {why}"),
    }
}
