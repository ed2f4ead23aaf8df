//! **The question:** which collector is told what joins and recordings took their time over?

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::io::egress;

/// `[telemetry]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Where traces go.
    pub otlp: Collector,
}

/// The base URL of a collector that takes OTLP over HTTP; or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Collector(String);

impl Collector {
    /// The URL, without what comes for traces behind it.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|url| !url.is_empty())
    }
}

/// Why it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a URL such as http://collector:4318, without name and password; /v1/traces is put behind it. Empty: no traces"
)]
pub struct NoCollector;

impl TryFrom<String> for Collector {
    type Error = NoCollector;

    fn try_from(url: String) -> Result<Self, NoCollector> {
        // The operator's own, wherever it is.
        let is_url = url.len() <= limits::OTLP_URL_LEN_MAX && egress::check_text(&url, true).is_ok();
        // What stands behind these would swallow the path.
        if url.is_empty() || (is_url && !url.contains(['?', '#'])) { Ok(Self(url)) } else { Err(NoCollector) }
    }
}

impl From<Collector> for String {
    fn from(collector: Collector) -> Self {
        collector.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_url_or_none() {
        let of = |text: &str| Collector::try_from(text.to_owned());
        assert_eq!(of("").unwrap().url(), None);
        assert_eq!(of("http://collector:4318").unwrap().url(), Some("http://collector:4318"));
        assert!(of("https://192.0.2.1/otlp/").is_ok());
        for bad in ["collector:4318", "ftp://collector", "http://u:p@collector", "http://a/?b", "http://a/#b"] {
            assert_eq!(of(bad), Err(NoCollector), "{bad}");
        }
    }
}
