//! **The question:** how does the door always have a good certificate? It shows what is kept, or one of our own, and a
//! task gets the next one in time. Whatever fails, what is shown stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::certificate::Renewal;
use crate::core::record::utc_text;
use crate::io::acme::certificates::{CertificateError, Certificates, stand_in, validity};
use crate::io::acme::client::AcmeClient;
use crate::io::acme::folder::{Folder, Kept};
use crate::io::acme::order::{OrderError, obtain};
use crate::io::acme::setup::AcmeSetup;
use crate::io::api::{CertificateSource, CertificateStanding};

/// Why the door has no certificate at all.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// Nothing can be kept there.
    #[error("http.acme.folder: {}: {source}; give a folder that this process may write", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not even one of our own.
    #[error("http.acme.domains: {0}")]
    StandIn(#[from] CertificateError),
}

/// Certificates of an issuer.
#[derive(Debug)]
pub struct Acme {
    setup: AcmeSetup,
    folder: Folder,
    certificates: Arc<Certificates>,
    standing: CertificateStanding,
    renewal: Renewal,
}

impl Acme {
    /// Takes what is kept, or makes one of our own, so that the door can open at once; nobody is asked yet.
    ///
    /// # Errors
    /// When nothing can be kept in the folder, or the names cannot stand in a certificate.
    pub fn open(setup: AcmeSetup, standing: CertificateStanding) -> Result<Self, AcmeError> {
        let opened = Folder::open(&setup.folder, &setup.directory, &setup.domains);
        let folder = opened.map_err(|source| AcmeError::Folder { path: setup.folder.clone(), source })?;
        let seed = Wallclock::from_system_time(SystemTime::now()).0 ^ u64::from(std::process::id());
        let (shown, renewal) = match folder.certificate() {
            Some(Kept { certificate, validity }) => {
                standing.shows(CertificateSource::Acme, validity.to);
                (certificate, Renewal::new(Some(validity), seed))
            }
            None => {
                let own = stand_in(&setup.domains)?;
                standing.shows(CertificateSource::SelfSigned, validity(&own.cert[0])?.to);
                (own, Renewal::new(None, seed))
            }
        };
        let certificates = Arc::new(Certificates::new(shown));
        Ok(Self { setup, folder, certificates, standing, renewal })
    }

    /// What the door is to show.
    #[must_use]
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.clone()
    }

    /// Gets each next one in time, as long as the runtime goes on.
    pub fn keep(self, runtime: &Handle) {
        runtime.spawn(self.run());
    }

    async fn run(mut self) {
        let mut problem = None;
        loop {
            self.standing.next(self.renewal.due(), problem.clone());
            let wait = self.renewal.wait(now());
            if !wait.is_zero() {
                tokio::time::sleep(wait.min(limits::ACME_LOOK_SPAN)).await;
                continue;
            }
            problem = self.attempt().await.err();
        }
    }

    /// One try; the kind of its failure.
    async fn attempt(&mut self) -> Result<(), String> {
        let (mut peace, certificates) = (None, self.certificates.clone());
        // It reads the system's certificates, and this thread answers requests.
        let ca = self.setup.ca.clone();
        let made = tokio::task::spawn_blocking(move || AcmeClient::new(ca.as_deref())).await;
        let got = match made.map_err(|error| error.to_string()).flatten() {
            Ok(client) => {
                let ordered = obtain(&self.setup, &self.folder, &certificates, &client);
                let got = tokio::time::timeout(limits::ACME_TRY_SPAN, ordered).await;
                peace = client.asked_peace();
                got.unwrap_or(Err(OrderError::Late))
            }
            Err(why) => Err(OrderError::Client(why)),
        };
        certificates.prove_nothing();
        match got {
            Ok(Kept { certificate, validity }) => {
                certificates.show(certificate);
                self.renewal.succeeded(now(), validity);
                self.standing.shows(CertificateSource::Acme, validity.to);
                self.standing.obtained.add(1);
                tracing::info!(
                    expires = utc_text(validity.to),
                    renewed = utc_text(self.renewal.due()),
                    "the door shows a new certificate"
                );
                Ok(())
            }
            Err(error) => {
                self.renewal.failed(now(), peace);
                self.standing.failures.add(1);
                let why: String = error.to_string().chars().take(limits::ACME_WHY_LEN_MAX).collect();
                tracing::error!(
                    why,
                    next_try = utc_text(self.renewal.due()),
                    "no certificate was got; the door shows the one that it has. The issuer has to reach this node at \
                     port 443 of every name in http.acme.domains (docs/operating.md)"
                );
                Err(error.kind())
            }
        }
    }
}

fn now() -> Wallclock {
    Wallclock::from_system_time(SystemTime::now())
}
