//! Bounds of pushes: rooms that are sent on to other servers.

use std::time::Duration;

/// Pushes of one room.
pub const PUSHES_PER_ROOM_MAX: usize = 4;
/// Pushes of all rooms.
pub const PUSHES_MAX: u64 = 16;
/// Bytes of what is asked for, JSON.
pub const PUSH_REQUEST_LEN_MAX: usize = 8 * 1024;
/// Bytes of another server's URL.
pub const PUSH_URL_LEN_MAX: usize = 2 * 1024;
/// Bytes of the token that it wants.
pub const PUSH_TOKEN_LEN_MAX: usize = 4 * 1024;
/// How long another server may take to answer an offer, with all that it redirects to.
pub const PUSH_CALL_SPAN: Duration = Duration::from_secs(10);
/// How often one call may be redirected.
pub const PUSH_REDIRECTS_MAX: usize = 3;
/// Addresses of one answer that are tried.
pub const PUSH_CANDIDATES_MAX: usize = 16;
/// How long the first failed try waits for the next one, at most.
pub const PUSH_RETRY_SPAN: Duration = Duration::from_secs(1);
/// How long any does.
pub const PUSH_RETRY_SPAN_MAX: Duration = Duration::from_secs(30);
/// What was up for so long has not failed before.
pub const PUSH_STEADY_SPAN: Duration = Duration::from_secs(30);
/// How long is waited for what somebody else is to tell, who tells it in time unless they are gone.
pub const PUSH_PATIENCE_SPAN: Duration = Duration::from_secs(5);
