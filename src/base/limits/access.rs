//! Bounds of access tokens.

use std::time::Duration;

/// Bytes of a token: with a name and every claim it has some 500.
pub const ACCESS_TOKEN_LEN_MAX: usize = 4 * 1024;
/// Keys that may sign at once: one that goes, one that comes, and those of a few other services.
pub const ACCESS_KEYS_MAX: usize = 16;
/// Characters of a key's id.
pub const ACCESS_KEY_ID_LEN_MAX: usize = 64;
/// Bytes of the shortest secret: what HS256 asks for (RFC 7518 section 3.2).
pub const ACCESS_SECRET_LEN_MIN: usize = 32;
/// Bytes of a key's file.
pub const ACCESS_KEY_FILE_LEN_MAX: usize = 4 * 1024;
/// By how much the clock of whoever makes tokens may differ from the node's.
pub const ACCESS_LEEWAY_SPAN: Duration = Duration::from_secs(30);
/// Hours from a token's making to its end: what an operator may allow at most.
pub const ACCESS_HOURS_MAX: u32 = 720;
/// The last second of the year 9999, since 1970: a later date is a mistake.
pub const ACCESS_DATE_MAX: u64 = 253_402_300_799;

/// Tenants of a node.
pub const TENANTS_MAX: usize = 256;
/// Partners of a node.
pub const PARTNERS_MAX: usize = 64;
/// Characters of a tenant's id: most of a room's name is left for the room.
pub const TENANT_ID_LEN_MAX: usize = 24;
/// Keys that may sign for all tenants and partners together.
pub const TENANT_KEYS_MAX: usize = 1024;
/// How often it is asked how many watch a tenant's room by HLS.
pub const TENANT_HLS_SPACING: Duration = Duration::from_secs(5);

const _: () = assert!(ACCESS_LEEWAY_SPAN.as_secs() < 60, "a few minutes at most (RFC 7519 section 4.1.4)");
const _: () = assert!(ACCESS_SECRET_LEN_MIN <= ACCESS_KEY_FILE_LEN_MAX);
