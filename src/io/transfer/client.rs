//! **The question:** what does a host's answer over HTTP mean: done, no for good, or not now?

use std::error::Error;
use std::net::IpAddr;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use crate::base::limits;
use crate::io::egress::body;
use crate::io::transfer::error::TransferError;

/// A client that follows no redirect: a recording goes where its owner said, and nowhere else.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(super) fn client(loopback: bool) -> Result<Client, String> {
    // A process has one TLS provider; when another was chosen before, that one serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = Client::builder().redirect(Policy::none()).connect_timeout(limits::CONNECT_SPAN);
    let builder = if loopback { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| innermost(&error))
}

/// Whether a URL leads to this machine only.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What went wrong on the way. The outer reasons repeat the address, which names the file.
pub(super) fn unreachable(error: &reqwest::Error) -> TransferError {
    TransferError::Failed(innermost(error))
}

/// The first cause, in its own words.
pub(super) fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// Whether a request was done, and if not, whether another try may do better.
///
/// # Errors
/// For every status that is no success.
pub(super) fn judge(status: StatusCode) -> Result<(), TransferError> {
    let refused = |why: &str| Err(TransferError::Refused(format!("{why} ({status})")));
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => refused("it sends to another address; name that one"),
        401 => refused("it does not accept the credentials"),
        403 => refused("the credentials do not allow this"),
        404 | 409 => refused("there is no such folder"),
        413 | 507 => refused("there is no room for it"),
        408 | 423 | 425 | 429 | 500..=599 => Err(TransferError::Failed(format!("it answers {status}"))),
        _ => refused("it does not take this"),
    }
}

/// The text of an answer, as far as it is looked at.
///
/// # Errors
/// When it breaks off.
pub(super) async fn text(mut response: Response) -> Result<String, TransferError> {
    let told = body(&mut response, limits::HAND_OVER_ANSWER_LEN_MAX).await;
    let (bytes, _) = told.map_err(|error| unreachable(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_done_no_or_not_now() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap());
        for status in [200, 201, 204, 207] {
            judged(status).unwrap();
        }
        for status in [301, 307, 400, 401, 403, 404, 405, 409, 413, 507] {
            assert!(matches!(judged(status), Err(TransferError::Refused(_))), "{status}");
        }
        for status in [423, 429, 500, 502, 503] {
            assert!(matches!(judged(status), Err(TransferError::Failed(_))), "{status}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for (url, here) in [("http://localhost:1", true), ("http://[::1]/", true), ("http://192.0.2.1/", false)] {
            assert_eq!(is_loopback(&url.parse().unwrap()), here, "{url}");
        }
    }
}
