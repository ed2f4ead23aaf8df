//! **The question:** may a URL be asked, as far as it can be told without resolving its name?

use std::net::IpAddr;

use reqwest::Url;

use crate::io::egress::addresses::is_private;

/// Why it is not asked. Repeats nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is none, or of another scheme.
    #[error("this is no URL of http or https")]
    NoUrl,
    /// It is read on the way.
    #[error("it begins with https://, unless allow_private lets it be read on the way")]
    Scheme,
    /// They would be sent to every server that it leads to.
    #[error("it holds a name or a password")]
    Credentials,
    /// Nothing is sent there.
    #[error("it names an address that is not public, which allow_private would let it")]
    Private,
}

/// Whether a URL may be asked: not a private address, not in the clear unless `allow_private`, and without a password.
///
/// # Errors
/// When it may not.
pub fn check(url: &Url, allow_private: bool) -> Result<(), UrlError> {
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err(UrlError::Scheme),
        _ => return Err(UrlError::NoUrl),
    }
    host(url, allow_private).map(drop)
}

/// As [`check`], of what somebody wrote.
///
/// # Errors
/// When it may not be asked, or is no URL.
pub fn check_text(text: &str, allow_private: bool) -> Result<(), UrlError> {
    check(&text.parse().map_err(|_| UrlError::NoUrl)?, allow_private)
}

/// The host of a URL of any scheme, without brackets, as far as it may be gone to: no password, and no private address
/// unless `allow_private`. A name is looked at when it is resolved.
///
/// # Errors
/// When it may not.
pub fn host(url: &Url, allow_private: bool) -> Result<String, UrlError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::NoUrl)?;
    // As the library reads it: of http, 0x7f.1 and 2130706433 are 127.0.0.1 by now.
    let host = host.trim_matches(['[', ']']);
    if host.parse::<IpAddr>().is_ok_and(|address| !allow_private && is_private(address)) {
        return Err(UrlError::Private);
    }
    Ok(host.to_owned())
}
