//! Bounds of what `tessera support` gathers.

use std::time::Duration;

/// Bytes of a log's end that are read.
pub const SUPPORT_LOG_LEN_MAX: u64 = 16 * 1024 * 1024;
/// Different messages of a log that are looked for in the program.
pub const SUPPORT_MESSAGES_MAX: usize = 500;
/// Bytes of one answer of a node that are taken.
pub const SUPPORT_ANSWER_LEN_MAX: usize = 4 * 1024 * 1024;
/// How long a node may take for one.
pub const SUPPORT_CALL_SPAN: Duration = Duration::from_secs(10);
