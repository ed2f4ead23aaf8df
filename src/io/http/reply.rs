//! **The question:** which headers does an answer carry beside its body?

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// An answer that no cache keeps.
pub(super) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sets a header, unless the text is none.
pub(super) fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: String) {
    // Room names, tokens and ids are ASCII by their types; an answer's ufrag is, or the header is left out.
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}
