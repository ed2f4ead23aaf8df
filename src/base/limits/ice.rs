//! Bounds of STUN and TURN servers that clients are told of.

use std::time::Duration;

/// Servers.
pub const ICE_SERVERS_MAX: usize = 8;
/// Addresses of one.
pub const ICE_URLS_MAX: usize = 8;
/// Bytes of an address, a name, a credential or a secret.
pub const ICE_TEXT_LEN_MAX: usize = 256;
/// How long a TURN server takes credentials that were made for one client: longer than any call.
pub const ICE_CREDENTIAL_SPAN: Duration = Duration::from_secs(24 * 3600);
