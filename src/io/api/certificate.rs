//! **The question:** what do operators learn of the certificate that the door shows? Until when it is good, and, where
//! the node gets it by itself, whether that goes well.

use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::record::utc_text;
use crate::engine::flow::{Counter, Level};

/// How the door's certificate stands; clones share it.
#[derive(Debug, Clone, Default)]
pub struct CertificateStanding {
    /// When it is over, seconds since 1970; 0: there is none.
    pub expires_s: Level,
    /// 1 while the last try to get one failed.
    pub failing: Level,
    /// Certificates that were got.
    pub obtained: Counter,
    /// Tries that failed.
    pub failures: Counter,
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Clone, Default)]
struct Said {
    source: Option<CertificateSource>,
    problem: Option<String>,
    next_try: Option<Wallclock>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// The operator's files.
    Files,
    /// Made at start, by the node itself.
    SelfSigned,
    /// An issuer, by ACME (RFC 8555).
    Acme,
}

/// What `GET /v1/node` tells of the certificate.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CertificateTold {
    /// Where it comes from; `self_signed` too while the issuer's first one is still to come.
    source: CertificateSource,
    /// When it is over, UTC.
    expires: String,
    /// Whether the last try to get the next one failed.
    failing: bool,
    /// What kind of failure that was; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// When the next one is asked for, UTC; absent where the node asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<String>,
}

impl CertificateStanding {
    /// The door shows one of `source` that is over at `expires`.
    pub fn shows(&self, source: CertificateSource, expires: Wallclock) {
        self.expires_s.set(expires.unix_seconds());
        self.said.lock().unwrap_or_else(PoisonError::into_inner).source = Some(source);
    }

    /// The next one is asked for then; the last try failed for `problem`, or did not.
    pub fn next(&self, next_try: Wallclock, problem: Option<String>) {
        self.failing.set(u64::from(problem.is_some()));
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        (said.next_try, said.problem) = (Some(next_try), problem);
    }

    /// As operators read it; `None`: the door shows none.
    #[must_use]
    pub fn told(&self) -> Option<CertificateTold> {
        let Said { source, problem, next_try } = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let expires = Wallclock(self.expires_s.get().saturating_mul(NANOS_PER_SECOND));
        Some(CertificateTold {
            source: source?,
            expires: utc_text(expires),
            failing: self.failing.get() > 0,
            problem,
            next_try: next_try.map(utc_text),
        })
    }
}
