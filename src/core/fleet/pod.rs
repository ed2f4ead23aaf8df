//! **The question:** which pod of a cluster is a node in? By names that survive in a URL of the cluster's API.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a namespace's name: a DNS label (RFC 1123).
const NAMESPACE_BYTES: usize = 63;
/// Bytes of a pod's name: a DNS subdomain (RFC 1123).
const NAME_BYTES: usize = 253;

/// A pod of Kubernetes, written `NAMESPACE/NAME`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Pod {
    namespace: Arc<str>,
    name: Arc<str>,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pod is NAMESPACE/NAME, each of lower-case letters, digits, '-' and, in the name, '.', such as calls/node-0")]
pub struct PodError;

impl Pod {
    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Whether a text is made of labels of at most `len` bytes in all, as DNS has them.
fn is_dns(text: &str, len: usize) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().next_back()];
        ends.iter().all(|end| end.is_some_and(is_of_it)) && label.bytes().all(|byte| is_of_it(byte) || byte == b'-')
    };
    text.len() <= len && text.split('.').all(is_label)
}

impl FromStr for Pod {
    type Err = PodError;

    fn from_str(text: &str) -> Result<Self, PodError> {
        let (namespace, name) = text.split_once('/').ok_or(PodError)?;
        let fits = is_dns(namespace, NAMESPACE_BYTES) && !namespace.contains('.') && is_dns(name, NAME_BYTES);
        if fits { Ok(Self { namespace: namespace.into(), name: name.into() }) } else { Err(PodError) }
    }
}

impl TryFrom<String> for Pod {
    type Error = PodError;

    fn try_from(text: String) -> Result<Self, PodError> {
        text.parse()
    }
}

impl From<Pod> for String {
    fn from(pod: Pod) -> Self {
        pod.to_string()
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_in_a_url_are_no_pods() {
        for good in ["calls/node-0", "a/b", "tessera/tessera-cpu-12", "x/a.b-c.9"] {
            assert_eq!(good.parse::<Pod>().map(String::from).as_deref(), Ok(good));
        }
        let long = format!("{}/a", "a".repeat(64));
        for bad in
            ["", "a", "a/", "/a", "a/b/c", "a/B", "a.b/c", "a/..", "a/b?x", "a/%2e", "a/-b", "a/b-", "a/b c", &long]
        {
            assert_eq!(bad.parse::<Pod>(), Err(PodError), "{bad}");
        }
    }
}
