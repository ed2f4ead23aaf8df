//! **The question:** which host is it, and what does it know us by? Addresses come from anyone who runs the program,
//! credentials from its environment only.

use std::fmt;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::io::telemetry::log::Redacted;
use crate::io::transfer::TransferError;
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::dropbox::{Dropbox, DropboxHosts};
use crate::io::transfer::s3::S3;
use crate::io::transfer::source::FileBody;
use crate::io::transfer::webdav::WebDav;

/// What every variable of the environment begins with.
const PREFIX: &str = "TESSERA_HAND_OVER_";

/// What hosts know us by. Its text forms hide it.
#[derive(Clone, Default)]
pub struct Credentials {
    user: Option<String>,
    password: Option<Redacted<String>>,
    token: Option<Redacted<String>>,
    app_key: Option<String>,
    app_secret: Option<Redacted<String>>,
    refresh_token: Option<Redacted<String>>,
    aws: Vec<(AmazonS3ConfigKey, Redacted<String>)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// How a WebDAV host is greeted.
pub(super) enum Login {
    None,
    Basic { user: String, password: Redacted<String> },
    Bearer(Redacted<String>),
}

/// How Dropbox is greeted.
pub(super) enum Access {
    /// For the hours that it lives.
    Token(Redacted<String>),
    /// For as long as the owner allows.
    Refresh { app: String, app_secret: Option<Redacted<String>>, refresh: Redacted<String> },
}

impl Credentials {
    /// From this process's environment; see [`Credentials::from_variables`].
    #[must_use]
    pub fn from_environment() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::from_variables(std::env::vars_os().filter_map(text))
    }

    /// `TESSERA_HAND_OVER_USER` and `…_PASSWORD` (WebDAV), or `…_TOKEN` (WebDAV, Dropbox); `…_APP_KEY`,
    /// `…_REFRESH_TOKEN` and, if the app has one, `…_APP_SECRET` (Dropbox); `…_AWS_ACCESS_KEY_ID` and the other names
    /// of S3, or, where none of these is set, the plain `AWS_…` that the recordings' own store has too. Empty ones
    /// count as not set.
    #[must_use]
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut credentials = Self::default();
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
            let hidden = Redacted::new(value.clone());
            match name.strip_prefix(PREFIX).unwrap_or_default() {
                "USER" => credentials.user = Some(value),
                "PASSWORD" => credentials.password = Some(hidden),
                "TOKEN" => credentials.token = Some(hidden),
                "APP_KEY" => credentials.app_key = Some(value),
                "APP_SECRET" => credentials.app_secret = Some(hidden),
                "REFRESH_TOKEN" => credentials.refresh_token = Some(hidden),
                own_name if own_name.starts_with("AWS_") => own.extend(aws_key(own_name).map(|key| (key, hidden))),
                _ if name.starts_with("AWS_") => shared.extend(aws_key(&name).map(|key| (key, hidden))),
                _ => {}
            }
        }
        credentials.aws = if own.is_empty() { shared } else { own };
        credentials
    }

    fn login(&self) -> Result<Login, String> {
        match (&self.user, &self.password, &self.token) {
            (Some(user), Some(password), None) => Ok(Login::Basic { user: user.clone(), password: password.clone() }),
            (None, None, Some(token)) => Ok(Login::Bearer(token.clone())),
            (None, None, None) => Ok(Login::None),
            _ => Err(format!("set {PREFIX}USER and {PREFIX}PASSWORD, or {PREFIX}TOKEN alone")),
        }
    }

    fn access(&self) -> Result<Access, String> {
        match (&self.app_key, &self.refresh_token, &self.token) {
            (Some(app), Some(refresh), _) => {
                Ok(Access::Refresh { app: app.clone(), app_secret: self.app_secret.clone(), refresh: refresh.clone() })
            }
            (_, _, Some(token)) => Ok(Access::Token(token.clone())),
            _ => Err(format!("set {PREFIX}APP_KEY and {PREFIX}REFRESH_TOKEN, or {PREFIX}TOKEN")),
        }
    }

    fn builder(&self) -> AmazonS3Builder {
        let builder = AmazonS3Builder::new();
        self.aws.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value.reveal().as_str()))
    }
}

fn aws_key(name: &str) -> Option<AmazonS3ConfigKey> {
    name.to_ascii_lowercase().parse().ok()
}

/// Why there is no such destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot hand over to {place}: {why}")]
pub struct DestinationError {
    /// The address as given, unless it held credentials.
    pub place: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// A file host of the recordings' owner.
#[derive(Debug)]
pub struct Destination {
    place: String,
    host: Host,
}

#[derive(Debug)]
enum Host {
    S3(Box<S3>),
    WebDav(Box<WebDav>),
    Dropbox(Box<Dropbox>),
}

impl Destination {
    /// `s3://bucket/prefix`, `https://host/folder` (WebDAV; `http` on this machine only) or `dropbox:/folder`. Nothing
    /// is asked yet.
    ///
    /// # Errors
    /// When it is none of these, holds credentials itself, or those of the environment do not suffice.
    pub fn parse(url: &str, credentials: &Credentials) -> Result<Self, DestinationError> {
        Self::at(url, credentials, DropboxHosts::default())
    }

    /// As [`Destination::parse`], with Dropbox elsewhere.
    ///
    /// # Errors
    /// As [`Destination::parse`].
    pub fn at(url: &str, credentials: &Credentials, dropbox: DropboxHosts) -> Result<Self, DestinationError> {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        if authority.contains('@') {
            let place = "that address".to_owned();
            return Err(DestinationError {
                place, why: format!("credentials belong in {PREFIX}… of the environment")
            });
        }
        let scheme = url.split(':').next().unwrap_or_default();
        let host = match scheme {
            "s3" => S3::open(credentials.builder(), url).map(|s3| Host::S3(Box::new(s3))),
            "http" | "https" => {
                let login = credentials.login();
                login.and_then(|login| WebDav::open(url, login)).map(|dav| Host::WebDav(Box::new(dav)))
            }
            "dropbox" => {
                let access = credentials.access();
                access.and_then(|access| Dropbox::open(url, dropbox, access)).map(|to| Host::Dropbox(Box::new(to)))
            }
            _ => Err("give s3://bucket/prefix, https://host/folder or dropbox:/folder".to_owned()),
        };
        let host = host.map_err(|why| DestinationError { place: url.to_owned(), why })?;
        Ok(Self { place: url.to_owned(), host })
    }

    /// The address.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// One try to bring a file there and to see that it is there whole.
    pub(super) async fn copy(&self, source: &mut FileBody<'_>, deadline: &Deadline<'_>) -> Result<(), TransferError> {
        match &self.host {
            Host::S3(s3) => s3.copy(source, deadline).await,
            Host::WebDav(dav) => dav.copy(source, deadline).await,
            Host::Dropbox(dropbox) => dropbox.copy(source, deadline).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(variables: &[(&str, &str)]) -> Credentials {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Credentials::from_variables(variables.iter().map(owned))
    }

    fn refusal(url: &str, variables: &[(&str, &str)]) -> String {
        Destination::parse(url, &credentials(variables)).unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_one_of_three_kinds_and_holds_no_credentials() {
        let token = [("TESSERA_HAND_OVER_TOKEN", "t0ken")];
        for url in ["https://cloud.example/dav/calls", "dropbox:/calls", "dropbox:", "http://localhost:1/dav"] {
            assert_eq!(Destination::parse(url, &credentials(&token)).unwrap().place(), url);
        }
        for url in ["ftp://a/b", "calls", "", "dropbox:calls", "http://cloud.example/dav", "https://"] {
            assert!(refusal(url, &token).contains(": "), "{url}");
        }
        let told = refusal("https://ada:s3cret@cloud.example/dav", &token);
        assert!(told.contains("environment") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn credentials_that_do_not_suffice_are_told_by_their_names() {
        assert!(refusal("dropbox:/calls", &[]).contains("TESSERA_HAND_OVER_REFRESH_TOKEN"));
        let half = [("TESSERA_HAND_OVER_USER", "ada")];
        assert!(refusal("https://cloud.example/dav", &half).contains("TESSERA_HAND_OVER_PASSWORD"));
        let told = refusal("https://cloud.example/dav", &[half[0], ("TESSERA_HAND_OVER_TOKEN", "t0ken")]);
        assert!(told.contains("alone") && !told.contains("t0ken"), "{told}");
    }

    #[test]
    fn a_bucket_has_credentials_of_its_own_or_the_stores() {
        let builder = |variables: &[(&str, &str)]| credentials(variables).builder();
        let key = |builder: &AmazonS3Builder| builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId);
        let shared = ("AWS_ACCESS_KEY_ID", "the store's");
        assert_eq!(key(&builder(&[shared])).as_deref(), Some("the store's"));
        let own = builder(&[shared, ("AWS_ENDPOINT", "http://store"), ("TESSERA_HAND_OVER_AWS_ACCESS_KEY_ID", "own")]);
        assert_eq!(key(&own).as_deref(), Some("own"));
        assert_eq!(
            own.get_config_value(&AmazonS3ConfigKey::Endpoint),
            None,
            "never half of the one and half of the other"
        );
    }

    #[test]
    fn nothing_tells_a_secret() {
        let all = credentials(&[
            ("TESSERA_HAND_OVER_TOKEN", "s3cret"),
            ("TESSERA_HAND_OVER_AWS_ACCESS_KEY_ID", "ada"),
            ("TESSERA_HAND_OVER_AWS_SECRET_ACCESS_KEY", "s3cret"),
        ]);
        assert!(!format!("{all:?}").contains("s3cret"));
        for url in ["dropbox:/calls", "https://cloud.example/dav", "s3://calls/here"] {
            let destination = Destination::parse(url, &all).unwrap();
            assert!(!format!("{destination:?}").contains("s3cret"), "{url}");
        }
    }
}
