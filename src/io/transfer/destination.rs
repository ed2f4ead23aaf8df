//! **The question:** which host is it? Addresses come from anyone who runs the program, credentials never stand in
//! them.

use crate::io::transfer::credentials::{Credentials, PREFIX};
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::dropbox::{Dropbox, DropboxHosts};
use crate::io::transfer::error::TransferError;
use crate::io::transfer::s3::S3;
use crate::io::transfer::source::FileBody;
use crate::io::transfer::webdav::WebDav;

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
