//! Bounds of webhooks: what a node tells its operator's servers.

use std::time::Duration;

/// Servers that are told.
pub const WEBHOOKS_MAX: usize = 8;
/// Secrets of one of them: the new one, and those that its receiver is still to forget.
pub const WEBHOOK_SECRETS_MAX: usize = 4;
/// Bytes of a secret, as Standard Webhooks has it.
pub const WEBHOOK_SECRET_LEN_MIN: usize = 24;
/// The most.
pub const WEBHOOK_SECRET_LEN_MAX: usize = 64;
/// Bytes of a file that holds one.
pub const WEBHOOK_SECRET_FILE_LEN_MAX: usize = 1024;
/// Bytes of a server's URL.
pub const WEBHOOK_URL_LEN_MAX: usize = 2 * 1024;
/// Characters of what a node is called in messages.
pub const WEBHOOK_NODE_LEN_MAX: usize = 64;
/// Messages to one server that wait, those on their way included: some hundred KiB.
pub const WEBHOOK_QUEUE_LEN: usize = 1024;
/// Messages on their way to one server at once, each of another room.
pub const WEBHOOK_FLIGHTS_MAX: usize = 4;
/// How long a server may take for one.
pub const WEBHOOK_CALL_SPAN: Duration = Duration::from_secs(10);
/// How long the first failed try waits for the next one, at most.
pub const WEBHOOK_RETRY_SPAN: Duration = Duration::from_secs(1);
/// How long any does.
pub const WEBHOOK_RETRY_SPAN_MAX: Duration = Duration::from_secs(60);
/// How often a server may refuse a message until it is given up.
pub const WEBHOOK_REFUSALS_MAX: u32 = 5;
/// How old a message may be that is tried again.
pub const WEBHOOK_AGE_MAX: Duration = Duration::from_secs(3600);
/// How long a node that ends waits for what it has said.
pub const WEBHOOK_FLUSH_SPAN: Duration = Duration::from_secs(3);
/// How long capacity has to be there again before that is told.
pub const WEBHOOK_CALM_SPAN: Duration = Duration::from_secs(30);

const _: () = assert!(WEBHOOK_FLIGHTS_MAX < WEBHOOK_QUEUE_LEN);
const _: () = assert!(WEBHOOK_CALL_SPAN.as_nanos() < WEBHOOK_AGE_MAX.as_nanos());
