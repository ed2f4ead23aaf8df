//! Bounds of a steward: what it asks of a cluster, and how old what it says may be.

use std::time::Duration;

/// How often it compares the cluster with the fleet, in seconds, unless its operator says otherwise.
pub const STEWARD_ROUND_SECONDS: u32 = 5;
/// The most seldom that may be said.
pub const STEWARD_ROUND_SECONDS_MAX: u32 = 60;
/// The same where more was to be marked than one round may.
pub const STEWARD_HURRY_SPACING: Duration = Duration::from_secs(1);
/// Pods that are marked in one round: each is a write into the cluster's own store.
pub const STEWARD_MARKS_PER_ROUND_MAX: usize = 50;
/// How long a whole round may take; what is not done by then is the next one's.
pub const STEWARD_ROUND_SPAN: Duration = Duration::from_secs(60);
/// How long the cluster's API may take for one request.
pub const STEWARD_CALL_SPAN: Duration = Duration::from_secs(5);
/// How long the first failed round waits for the next, at most.
pub const STEWARD_RETRY_SPAN: Duration = Duration::from_secs(2);
/// How long any does, also where the API asks for longer: by then it may be back.
pub const STEWARD_RETRY_SPAN_MAX: Duration = Duration::from_secs(30);
/// For how many rounds what was seen last counts: then nobody is told that a pod may go, nor how much is free.
pub const STEWARD_STALE_ROUNDS: u32 = 3;
/// How often etcd is asked whether it is still there.
pub const STEWARD_PROBE_SPACING: Duration = Duration::from_secs(1);
/// How old a token may be that is sent; the kubelet writes a new one long before the old one is over.
pub const STEWARD_TOKEN_AGE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a token.
pub const STEWARD_TOKEN_LEN_MAX: usize = 16 * 1024;
/// Bytes of the authority's certificates, and of a namespace.
pub const STEWARD_FILE_LEN_MAX: usize = 256 * 1024;
/// Pods that are asked for at a time.
pub const STEWARD_PAGE_PODS: usize = 250;
/// Bytes of one answer: metadata alone, some KiB a pod.
pub const STEWARD_ANSWER_LEN_MAX: usize = 8 * 1024 * 1024;
/// Pods of one fleet.
pub const STEWARD_PODS_MAX: usize = 5000;
/// Characters of the API's own word for why it refuses.
pub const STEWARD_REASON_LEN_MAX: usize = 64;
/// Characters of a selector of pods.
pub const STEWARD_SELECTOR_LEN_MAX: usize = 512;
/// Free rooms of a hundred that may be asked to be kept.
pub const STEWARD_HEADROOM_MAX: u64 = 1000;
/// Connections of those who ask it.
pub const STEWARD_CONNECTIONS_MAX: usize = 256;
/// How long it may be without a round before it is taken to hang.
pub const STEWARD_HUNG_SPAN: Duration = Duration::from_secs(180);
/// How long it takes to withdraw what it vouched for when it ends.
pub const STEWARD_LEAVE_SPAN: Duration = Duration::from_secs(8);
/// Media units by which a pod's cost of being deleted rises by one; a smaller change is not worth a write.
pub const STEWARD_COST_UNITS: u64 = 16;

const _: () = assert!(STEWARD_HUNG_SPAN.as_secs() > STEWARD_ROUND_SPAN.as_secs() + STEWARD_ROUND_SECONDS_MAX as u64);
const _: () = assert!(STEWARD_RETRY_SPAN_MAX.as_secs() <= STEWARD_ROUND_SECONDS_MAX as u64);
