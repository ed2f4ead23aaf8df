//! **The question:** what is said to an issuer until it gives a certificate (RFC 8555, section 7)?

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem,
    RetryPolicy,
};

use crate::base::limits;
use crate::io::acme::certificates::{CertificateError, Certificates};
use crate::io::acme::client::AcmeClient;
use crate::io::acme::folder::{Folder, Kept, parse};
use crate::io::acme::setup::AcmeSetup;

const POLL: RetryPolicy = RetryPolicy::new().timeout(limits::ACME_POLL_SPAN).backoff(1.5);
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// The issuer refuses, or is not reached.
    #[error("{0}")]
    Issuer(#[from] Error),
    /// It looked, and did not see what it was to see.
    #[error("{name} was not found to be this node's: {why}")]
    Unproven {
        /// Which name.
        name: String,
        /// The problem's type, which is no more than a word.
        kind: Option<String>,
        /// What the issuer says.
        why: String,
    },
    /// It looks in other ways only.
    #[error("the issuer does not prove {0} by TLS-ALPN-01, the one way that this node has")]
    Way(String),
    /// What it gave cannot be used, or no proof can be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It took too long.
    #[error("the issuer took longer than {} s", limits::ACME_TRY_SPAN.as_secs())]
    Late,
    /// The system's authorities cannot be read.
    #[error("{0}")]
    Client(String),
}

impl OrderError {
    /// What kind of failure it is: the issuer's own word, or ours. It holds no name and no address.
    pub(super) fn kind(&self) -> String {
        let of_issuer = |problem: &Problem| {
            let word = problem.r#type.as_deref().unwrap_or("unknown").rsplit(':').next().unwrap_or_default();
            word.chars().filter(char::is_ascii_alphanumeric).take(40).collect::<String>()
        };
        match self {
            Self::Issuer(Error::Api(problem)) => of_issuer(problem),
            Self::Issuer(Error::Timeout(_)) | Self::Late => "late".into(),
            Self::Issuer(_) => "unreachable".into(),
            Self::Unproven { kind, .. } => kind.clone().unwrap_or_else(|| "unproven".into()),
            Self::Way(_) => "noTlsAlpn01".into(),
            Self::Certificate(_) => "unusable".into(),
            Self::Client(_) => "noAuthorities".into(),
        }
    }
}

/// Gets one, keeps it, and gives it.
pub(super) async fn obtain(
    setup: &AcmeSetup,
    folder: &Folder,
    certificates: &Certificates,
    client: &AcmeClient,
) -> Result<Kept, OrderError> {
    let (mut order, domains) = (begin(setup, folder, client).await?, &setup.domains);
    prove(&mut order, certificates).await?;
    if order.poll_ready(&POLL).await? != OrderStatus::Ready {
        return Err(why_not(&mut order).await?);
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLL).await?;
    let kept = parse(&format!("{key}{chain}"))?;
    tracing::info!(names = domains.len(), "the issuer gave a certificate");
    // It is shown all the same; only a restart asks for another.
    if let Err(error) = folder.keep_certificate(&key, &chain) {
        tracing::error!(%error, "the new certificate cannot be kept in http.acme.folder; make room, or mend its mode");
    }
    Ok(kept)
}

/// An order, by the account that is kept, or by a new one.
async fn begin(setup: &AcmeSetup, folder: &Folder, client: &AcmeClient) -> Result<Order, OrderError> {
    let identifiers: Vec<Identifier> = setup.domains.iter().cloned().map(Identifier::Dns).collect();
    let wanted = NewOrder::new(&identifiers);
    if let Some(account) = kept_account(setup, folder, client).await? {
        match account.new_order(&wanted).await {
            Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
                tracing::info!("the issuer does not know the account any more: another is made");
                folder.forget_account();
            }
            ordered => return Ok(ordered?),
        }
    }
    let contact: Vec<&str> = setup.contact.iter().map(String::as_str).collect();
    let wished = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let (account, credentials) = builder.create(&wished, setup.directory.clone(), None).await?;
    if let Err(error) = folder.keep_account(&credentials) {
        tracing::error!(%error, "the account cannot be kept in http.acme.folder; make room, or mend its mode");
    }
    Ok(account.new_order(&wanted).await?)
}

async fn kept_account(setup: &AcmeSetup, folder: &Folder, client: &AcmeClient) -> Result<Option<Account>, OrderError> {
    let Some(credentials) = folder.account() else { return Ok(None) };
    // An account is one issuer's.
    if !serde_json::to_value(&credentials).is_ok_and(|told| told["directory"] == setup.directory) {
        return Ok(None);
    }
    let builder = Account::builder_with_http(Box::new(client.clone()));
    Ok(Some(builder.from_credentials(credentials).await?))
}

/// Shows the issuer that the names are ours.
async fn prove(order: &mut Order, certificates: &Certificates) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // One that was proven lately counts still.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or_else(|| OrderError::Way(name.clone()))?;
        let digest = challenge.key_authorization().digest();
        let digest: &[u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        certificates.prove(&name, digest)?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// What the issuer says of a name that it did not find to be ours.
async fn why_not(order: &mut Order) -> Result<OrderError, OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        authorization.refresh().await?;
        let name = authorization.identifier().to_string();
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.clone());
        if let Some(problem) = problem {
            let (why, refused) = (problem.to_string(), OrderError::Issuer(Error::Api(problem)));
            return Ok(OrderError::Unproven { name, kind: Some(refused.kind()), why });
        }
    }
    Ok(OrderError::Issuer(Error::Str("the order is invalid, and the issuer does not say why")))
}
