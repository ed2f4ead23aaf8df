//! **The question:** what do hosts know us by? The environment of the process says, and nothing else.

use std::fmt;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::io::telemetry::log::Redacted;

/// What every variable of the environment begins with.
pub(super) const PREFIX: &str = "TESSERA_HAND_OVER_";

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

    pub(super) fn login(&self) -> Result<Login, String> {
        match (&self.user, &self.password, &self.token) {
            (Some(user), Some(password), None) => Ok(Login::Basic { user: user.clone(), password: password.clone() }),
            (None, None, Some(token)) => Ok(Login::Bearer(token.clone())),
            (None, None, None) => Ok(Login::None),
            _ => Err(format!("set {PREFIX}USER and {PREFIX}PASSWORD, or {PREFIX}TOKEN alone")),
        }
    }

    pub(super) fn access(&self) -> Result<Access, String> {
        match (&self.app_key, &self.refresh_token, &self.token) {
            (Some(app), Some(refresh), _) => {
                Ok(Access::Refresh { app: app.clone(), app_secret: self.app_secret.clone(), refresh: refresh.clone() })
            }
            (_, _, Some(token)) => Ok(Access::Token(token.clone())),
            _ => Err(format!("set {PREFIX}APP_KEY and {PREFIX}REFRESH_TOKEN, or {PREFIX}TOKEN")),
        }
    }

    pub(super) fn builder(&self) -> AmazonS3Builder {
        let builder = AmazonS3Builder::new();
        self.aws.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value.reveal().as_str()))
    }
}

fn aws_key(name: &str) -> Option<AmazonS3ConfigKey> {
    name.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(variables: &[(&str, &str)]) -> AmazonS3Builder {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Credentials::from_variables(variables.iter().map(owned)).builder()
    }

    #[test]
    fn a_bucket_has_credentials_of_its_own_or_the_stores() {
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
}
