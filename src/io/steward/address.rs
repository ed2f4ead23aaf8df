//! **The question:** where does the cluster's API answer?

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// `https://HOST:PORT`, and nothing else: the token goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer(Url);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cluster's API is https://HOST:PORT, such as https://10.96.0.1:443, without a path, a name or a password")]
pub struct ApiServerError;

impl ApiServer {
    /// As the environment of a pod says it.
    ///
    /// # Errors
    /// When it says nothing that can be asked.
    pub fn of(host: &str, port: &str) -> Result<Self, ApiServerError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("https://{host}:{port}").parse()
    }

    pub(super) const fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ApiServer {
    type Err = ApiServerError;

    fn from_str(text: &str) -> Result<Self, ApiServerError> {
        let url: Url = text.parse().map_err(|_| ApiServerError)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_nobodys = url.username().is_empty() && url.password().is_none();
        let fits = url.scheme() == "https" && url.has_host() && is_bare && is_nobodys;
        if fits { Ok(Self(url)) } else { Err(ApiServerError) }
    }
}

impl fmt::Display for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_nowhere_in_the_clear() {
        assert_eq!(ApiServer::of("10.96.0.1", "443").unwrap().to_string(), "https://10.96.0.1");
        assert_eq!(ApiServer::of("fd00::1", "6443").unwrap().to_string(), "https://[fd00::1]:6443");
        for bad in ["http://10.96.0.1", "10.96.0.1:443", "https://a@b", "https://a/b", "https://a?b", "https://", ""] {
            assert_eq!(bad.parse::<ApiServer>(), Err(ApiServerError), "{bad}");
        }
        assert_eq!(ApiServer::of("", ""), Err(ApiServerError));
    }
}
