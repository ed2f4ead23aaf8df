//! **The question:** by what does a bucket know this process, and what is missing where it does not? By two variables,
//! by a web identity, or by what a container or a machine of a cloud is given by its metadata service, which is asked
//! where nothing else is there: also on machines that are in no cloud, where nobody answers.

use std::fmt;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

/// The pair that an operator sets, as the environment and `object_store` call its halves.
const OWN: [(&str, Key); 2] =
    [("AWS_ACCESS_KEY_ID", Key::AccessKeyId), ("AWS_SECRET_ACCESS_KEY", Key::SecretAccessKey)];
/// The pair that a cluster sets for a pod with a role.
const ROLE: [(&str, Key); 2] =
    [("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile), ("AWS_ROLE_ARN", Key::RoleArn)];
/// What an error names that is about a machine's metadata service (AWS, "Use IMDSv2").
const METADATA: [&str; 3] = ["//169.254.169.254", "/latest/api/token", "/latest/meta-data/"];

/// What is not there by which a bucket would know this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// One of two variables that belong together.
    Half {
        /// The one that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// All of them: the metadata service is asked, which answers on machines and pods that have a role.
    All,
}

impl Lacking {
    /// Whether no store is opened so: half of a role is none, and a machine's own is looked for.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Half { set, .. } if OWN.iter().any(|(name, _)| *name == set))
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Half { set, missing } => {
                write!(f, "{set} is set and {missing} is not; they belong together: set both for this process")
            }
            Self::All => f.write_str(
                "neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN \
                 are set, so the cloud's metadata service is asked for credentials; where this machine has no role \
                 there, set the first two in the environment of this process",
            ),
        }
    }
}

/// What variables say of a bucket. Empty ones, as an orchestrator sets what it has not, count as not set.
pub(super) fn builder(variables: impl IntoIterator<Item = (String, String)>) -> AmazonS3Builder {
    let named = |(name, value): (String, String)| {
        let key = name.strip_prefix("AWS_").and_then(|_| name.to_ascii_lowercase().parse().ok());
        key.filter(|_| !value.is_empty()).map(|key: Key| (key, value))
    };
    let known = variables.into_iter().filter_map(named);
    known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value))
}

/// As [`builder`], by the environment of this process.
pub(super) fn environment() -> AmazonS3Builder {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    builder(std::env::vars_os().filter_map(text))
}

/// What is not there; `None`: nothing that can be seen from here.
pub(super) fn lacking(builder: &AmazonS3Builder) -> Option<Lacking> {
    let has = |key: &Key| builder.get_config_value(key).is_some();
    let half = |[(one, one_key), (other, other_key)]: [(&'static str, Key); 2]| match (has(&one_key), has(&other_key)) {
        (true, false) => Some(Lacking::Half { set: one, missing: other }),
        (false, true) => Some(Lacking::Half { set: other, missing: one }),
        _ => None,
    };
    let is_unsigned = builder.get_config_value(&Key::SkipSignature).is_some_and(|word| word == "true");
    let is_container = has(&Key::ContainerCredentialsRelativeUri)
        || has(&Key::ContainerCredentialsFullUri) && has(&Key::ContainerAuthorizationTokenFile);
    if is_unsigned || OWN.iter().all(|(_, key)| has(key)) {
        return None;
    }
    if let Some(half) = half(OWN) {
        return Some(half);
    }
    if is_container || ROLE.iter().all(|(_, key)| has(key)) {
        return None;
    }
    half(ROLE).or(Some(Lacking::All))
}

/// What the store's error says; of a metadata service that gave nothing what is missing, which nobody guesses from its
/// address.
pub(super) fn told(error: &object_store::Error) -> String {
    let said = error.to_string();
    if !METADATA.iter().any(|sign| said.contains(sign)) {
        return said;
    }
    format!("there are no credentials: {}. That service said: {said}", Lacking::All)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::{Vault, VaultError};

    fn lacks(variables: &[&str]) -> Option<Lacking> {
        lacking(&builder(variables.iter().map(|name| ((*name).to_owned(), "x".to_owned()))))
    }

    #[test]
    fn what_is_missing_is_told_by_its_variables() {
        let half = |set, missing| Some(Lacking::Half { set, missing });
        let own = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let role = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"];
        assert_eq!((lacks(&own), lacks(&role), lacks(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])), (None, None, None));
        assert_eq!(lacks(&["AWS_ACCESS_KEY_ID"]), half(own[0], own[1]));
        assert_eq!(lacks(&["AWS_SECRET_ACCESS_KEY", "AWS_REGION"]), half(own[1], own[0]));
        assert_eq!(lacks(&["AWS_ROLE_ARN"]), half(role[1], role[0]));
        assert_eq!((lacks(&[]), lacks(&["AWS_REGION", "ACCESS_KEY_ID"])), (Some(Lacking::All), Some(Lacking::All)));
        let unsigned = builder([("AWS_SKIP_SIGNATURE".to_owned(), "true".to_owned())]);
        assert_eq!(lacking(&unsigned), None);
        let empty = own.map(|name| (name.to_owned(), String::new()));
        assert_eq!(lacking(&builder(empty)), Some(Lacking::All), "what an orchestrator has not");
        assert!(own.iter().chain(&role).all(|name| Lacking::All.to_string().contains(name)));
    }

    #[test]
    fn one_of_two_variables_opens_no_bucket_and_none_may_be_a_clouds_machine() {
        let open = |variables: &[(&str, &str)]| {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Vault::bucket(builder(owned), "s3://calls/recordings")
        };
        let Err(VaultError::Unusable { why, .. }) = open(&[("AWS_ACCESS_KEY_ID", "x")]) else {
            unreachable!("a half opens nothing")
        };
        assert!(why.contains("AWS_SECRET_ACCESS_KEY is not"), "{why}");
        assert!(open(&[]).is_ok());
        // A pod's role that is named by half falls to its machine's.
        assert!(open(&[("AWS_ROLE_ARN", "x")]).is_ok());
    }

    #[tokio::test]
    async fn a_metadata_service_that_gives_nothing_is_told_as_what_is_missing() {
        // Nobody listens there any more.
        let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let cloud = builder([("AWS_METADATA_ENDPOINT".to_owned(), format!("http://{at}"))]);
        let vault = Vault::bucket(cloud, "s3://calls/recordings").unwrap();
        let told = vault.check_residues().await.unwrap_err().to_string();
        assert!(told.contains("AWS_SECRET_ACCESS_KEY") && told.contains(&at.to_string()), "{told}");
        let given = OWN.map(|(name, _)| (name.to_owned(), "x".to_owned()));
        let endpoint = [("AWS_ENDPOINT", format!("http://{at}")), ("AWS_ALLOW_HTTP", "true".to_owned())];
        let endpoint = endpoint.map(|(name, value)| (name.to_owned(), value));
        let vault = Vault::bucket(builder(given.into_iter().chain(endpoint)), "s3://calls/recordings").unwrap();
        let told = vault.check_residues().await.unwrap_err().to_string();
        assert!(told.contains(&at.to_string()) && !told.contains("AWS_"), "a store that is away: {told}");
    }
}
