//! **The question:** how is a client told by which servers it may go? In `Link` headers (RFC 9725 section 4.6).

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::io::api::IceServer;

/// Tells of all servers in an answer's head.
pub(super) fn tell(servers: &[IceServer], headers: &mut HeaderMap) {
    for link in servers.iter().flat_map(|server| server.links(SystemTime::now())) {
        if let Ok(mut value) = HeaderValue::try_from(link) {
            value.set_sensitive(true);
            headers.append(header::LINK, value);
        }
    }
}
