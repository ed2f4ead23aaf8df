//! **The question:** whose pages may have the node's own in a frame? Those that the operator lists, and only the pages
//! that people join and watch by: what shows recordings or the node stays by itself, whatever is listed.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::io::api::WebOrigin;

/// What a page says as it is compiled in.
const NONE: &str = "frame-ancestors 'none'";

/// Who may frame; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Frames(Option<Arc<str>>);

impl Frames {
    /// By pages of these origins.
    pub(super) fn of(origins: Vec<WebOrigin>) -> Self {
        let listed: Vec<String> = origins.into_iter().map(String::from).collect();
        Self((!listed.is_empty()).then(|| format!("frame-ancestors {}", listed.join(" ")).into()))
    }

    /// Says so in the answer to a request for the route `path`.
    pub(super) fn allow(&self, path: &str, headers: &mut HeaderMap) {
        let Some(allowed) = self.0.as_ref().filter(|_| matches!(path, "/" | "/r/{room}" | "/w/{room}")) else { return };
        let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
        let policy = policy.map(|policy| HeaderValue::try_from(policy.replace(NONE, allowed)));
        if let Some(Ok(policy)) = policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}
