//! **The question:** where are messages sent, which, and signed by what?

use std::fmt;

use reqwest::Url;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::access::TenantId;
use crate::core::webhook::{EventKind, SigningSecret};
use crate::io::egress::{UrlError, check};
use crate::io::telemetry::log::Redacted;

/// A server of the operator's. Its text forms tell no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    url: Redacted<Url>,
    events: Vec<EventKind>,
    secrets: Vec<SigningSecret>,
    tenant: Option<TenantId>,
}

impl fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookTarget").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Why nothing can be sent there; says what to do, and repeats nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookTargetError {
    /// It is longer than any.
    #[error("url has at most {} bytes", limits::WEBHOOK_URL_LEN_MAX)]
    TooLong,
    /// It is none that is gone to.
    #[error("url is no URL such as https://hooks.example/tessera")]
    NoUrl,
    /// It is read on the way.
    #[error("url begins with https://; [webhooks] allow_private lets it begin with http://")]
    Scheme,
    /// It would be in whatever the server writes down.
    #[error("url holds a name or a password; the signature already tells your server who speaks")]
    Credentials,
    /// Nothing is sent there.
    #[error("url names an address that is not public; [webhooks] allow_private lets messages go there")]
    Private,
    /// Nobody could tell whose messages they are.
    #[error("a webhook has 1 to {} secrets, in secret_files and secret_variables", limits::WEBHOOK_SECRETS_MAX)]
    Secrets,
}

impl From<UrlError> for WebhookTargetError {
    fn from(why: UrlError) -> Self {
        match why {
            UrlError::NoUrl => Self::NoUrl,
            UrlError::Scheme => Self::Scheme,
            UrlError::Credentials => Self::Credentials,
            UrlError::Private => Self::Private,
        }
    }
}

impl WebhookTarget {
    /// What the operator wrote; no events: all of them. Nothing is resolved or asked yet.
    ///
    /// # Errors
    /// When nothing can be sent there.
    pub fn new(
        url: &str,
        events: Vec<EventKind>,
        secrets: Vec<SigningSecret>,
        allow_private: bool,
    ) -> Result<Self, WebhookTargetError> {
        if url.len() > limits::WEBHOOK_URL_LEN_MAX {
            return Err(WebhookTargetError::TooLong);
        }
        if !(1..=limits::WEBHOOK_SECRETS_MAX).contains(&secrets.len()) {
            return Err(WebhookTargetError::Secrets);
        }
        let url: Url = url.parse().map_err(|_| WebhookTargetError::NoUrl)?;
        check(&url, allow_private)?;
        Ok(Self { url: Redacted::new(url), events, secrets, tenant: None })
    }

    /// The same, of a tenant's server: it is told of their rooms and of nothing else.
    #[must_use]
    pub fn of_tenant(self, tenant: Option<TenantId>) -> Self {
        Self { tenant, ..self }
    }

    /// Whether it may be told of that room; `None`: of what is no room's.
    #[must_use]
    pub fn concerns(&self, room: Option<&RoomId>) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| room.is_some_and(|room| tenant.owns(room)))
    }

    /// Whether its server wants to know.
    #[must_use]
    pub fn wants(&self, kind: EventKind) -> bool {
        self.events.is_empty() || self.events.contains(&kind)
    }

    pub(super) fn url(&self) -> &Url {
        self.url.reveal()
    }

    pub(super) fn secrets(&self) -> &[SigningSecret] {
        &self.secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_is_refused_in_words_that_repeat_nothing_of_it() {
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let target = |url: &str, allow| WebhookTarget::new(url, Vec::new(), vec![secret.clone()], allow);
        for (url, why) in [
            ("http://hooks.example/s3cret", WebhookTargetError::Scheme),
            ("https://u:s3cret@hooks.example/", WebhookTargetError::Credentials),
            ("https://169.254.169.254/s3cret", WebhookTargetError::Private),
            ("s3cret", WebhookTargetError::NoUrl),
        ] {
            assert_eq!(target(url, false), Err(why), "{url}");
            assert!(!format!("{why} {why:?}").contains("s3cret"));
        }
        let taken = target("http://127.0.0.1:9/s3cret", true).unwrap();
        let told = format!("{taken:?}");
        let (own, other): (RoomId, RoomId) = ("acme~daily".parse().unwrap(), "globex~daily".parse().unwrap());
        assert!(taken.concerns(None) && taken.concerns(Some(&own)), "the operator is told everything");
        let of_tenant = taken.clone().of_tenant(Some("acme".parse().unwrap()));
        assert!(of_tenant.concerns(Some(&own)) && !of_tenant.concerns(Some(&other)) && !of_tenant.concerns(None));
        assert!(taken.wants(EventKind::RoomBegan) && !told.contains("s3cret") && !told.contains("MfKQ"), "{told}");
        let many = vec![secret; limits::WEBHOOK_SECRETS_MAX + 1];
        for secrets in [Vec::new(), many] {
            let refused = WebhookTarget::new("https://hooks.example/", Vec::new(), secrets, false);
            assert_eq!(refused, Err(WebhookTargetError::Secrets));
        }
    }
}
