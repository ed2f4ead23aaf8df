//! Bounds of certificates that the node gets by itself (ACME, RFC 8555).

use std::time::Duration;

/// Names that one certificate may be for; issuers take at most a hundred.
pub const ACME_DOMAINS_MAX: usize = 20;
/// Addresses at which the issuer may reach the operator.
pub const ACME_CONTACTS_MAX: usize = 4;
/// Bytes of the issuer's address.
pub const ACME_URL_LEN_MAX: usize = 512;
/// The first pause after a try that failed. Let's Encrypt takes five failed validations of a name an hour: pauses of 2
/// to 4, 4 to 8, … minutes make no more.
pub const ACME_PAUSE_FIRST: Duration = Duration::from_secs(4 * 60);
/// The longest.
pub const ACME_PAUSE_MOST: Duration = Duration::from_secs(6 * 3600);
/// The longest pause that is granted to an issuer that asks for one.
pub const ACME_PAUSE_ASKED_MOST: Duration = Duration::from_secs(24 * 3600);
/// How long one try may take, from the account to the certificate.
pub const ACME_TRY_SPAN: Duration = Duration::from_secs(300);
/// How long the issuer may take over its checks, and as long again over the certificate.
pub const ACME_POLL_SPAN: Duration = Duration::from_secs(120);
/// How long a connection to the issuer may take.
pub const ACME_CONNECT_SPAN: Duration = Duration::from_secs(10);
/// How long one of its answers may take.
pub const ACME_REQUEST_SPAN: Duration = Duration::from_secs(30);
/// Bytes of one of its answers, and of a file of certificates or of the account.
pub const ACME_ANSWER_LEN_MAX: usize = 256 * 1024;
/// How often it is looked whether it is time, so that a clock that is set is heeded.
pub const ACME_LOOK_SPAN: Duration = Duration::from_secs(600);
/// Characters of what an issuer says of a failure that are told on.
pub const ACME_WHY_LEN_MAX: usize = 400;
