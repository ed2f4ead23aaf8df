//! Bounds of simulated people (`tessera load`).

use std::time::Duration;

/// Handshakes at once of `tessera load`: more only wait for each other's cores.
pub const LOAD_JOINS_AT_ONCE: usize = 4;
/// Attempts of a person behind a bad link, who have the time of one.
pub const LOAD_LINKED_ATTEMPTS: u32 = 3;
/// People up to which all of them are of the crate `webrtc`, unless asked otherwise: beyond, what it costs to have them
/// is missing to the node.
pub const LOAD_WEBRTC_MAX: usize = 24;
/// How long those of a crowd of it keep what they sent for repairs.
pub const LOAD_KEPT_SPAN: Duration = Duration::from_secs(3);
/// Changes of a person's connections that may wait for whoever sends for them.
pub const LOAD_TURNS_LEN: usize = 4;
/// Times that a viewer who was sent off asks again.
pub const LOAD_SEEKS_MAX: u32 = 250;
/// Commands that may wait for a crowd's thread: one for each who comes, and one for each who begins to send.
pub const LOAD_COMMANDS_LEN: usize = 256;
/// Its people who decode the composite, unless asked otherwise: each takes a tenth of a core of those that carry the
/// node, and what two of them see the others would.
pub const LOAD_DECODERS_MAX: usize = 2;
/// Its people beyond those who decode the composite whose mix is decoded.
pub const LOAD_LISTENERS_MAX: usize = 4;
/// How long its cameras wait for the node's word on what to send, before they send what they are set to.
pub const LOAD_ASKED_SPAN: Duration = Duration::from_secs(1);
/// How long its run waits, once all have joined, until each camera has the clip that is asked of it.
pub const LOAD_CLIPS_SPAN: Duration = Duration::from_secs(120);
/// How soon after a keyframe that was asked for its cameras send another: what is asked for sooner is not heard, as
/// libwebrtc has it (`kMinKeyframeSendIntervalMs`).
pub const LOAD_KEYFRAMES_APART: Duration = Duration::from_millis(300);
/// How often its run tells how far it is.
pub const LOAD_PROGRESS_SPACING: Duration = Duration::from_millis(250);
/// How long one of its connections may take to say goodbye.
pub const LOAD_CLOSE_SPAN: Duration = Duration::from_secs(2);
/// Frames, packets and messages that may wait for a witness of it: two seconds of picture and sound.
pub const LOAD_SENSES_LEN: usize = 256;
/// How soon a witness notices that the phase changed.
pub const LOAD_PHASE_SPACING: Duration = Duration::from_millis(20);
/// Packets whose arrival a listener remembers, half a second: an onset is told some windows later.
pub const LOAD_STAMPS_MAX: usize = 25;
/// Changes of the composite's extents that a viewer of it remembers.
pub const LOAD_SWITCHES_MAX: usize = 256;
/// Scenes that somebody was told and no frame has come to yet; older ones are let go.
pub const LOAD_SCENES_MAX: usize = 64;
/// How long people try again whom a node takes not in that is at its limit.
pub const LOAD_LIMIT_SPAN: Duration = Duration::from_secs(30);
/// Lip-sync measurements that a listener keeps.
pub const LOAD_SYNCS_MAX: usize = 10_000;
/// How long a datagram may wait before a bad link of theirs, unless told otherwise.
pub const LOAD_QUEUE_SPAN: Duration = Duration::from_secs(1);
/// A queue before such a link that is long.
pub const LOAD_QUEUE_LONG: Duration = Duration::from_millis(500);
/// Bits a second of the narrowest such link.
pub const LOAD_RATE_MIN: u64 = 1_000;
/// Of the widest: beyond, none is limited.
pub const LOAD_RATE_MAX: u64 = 10_000_000_000;
/// The longest span of such a link's plan.
pub const LOAD_STAGE_MAX: Duration = Duration::from_secs(86_400);
/// Datagrams that are under way on one such link, both ways together; more are lost.
pub const LOAD_UNDER_WAY_MAX: usize = 8_192;
/// How often a person looks for packets to ask for again, as libwebrtc does.
pub const LOAD_REPAIR_SPACING: Duration = Duration::from_millis(20);
/// How long after a packet was asked for it is asked for again, while nobody knows the round trip.
pub const LOAD_REPAIR_WAIT: Duration = Duration::from_millis(100);
/// Times that one packet is asked for, as libwebrtc does.
pub const LOAD_REPAIRS_MAX: u32 = 10;
/// Packets that are missed at once; a larger gap is a sender that went on elsewhere.
pub const LOAD_MISSING_MAX: u64 = 1_000;
/// How often those who only watch read what came: nobody wakes them, so who sends to them pays for sending alone.
pub const LOAD_VIEWERS_SPACING: Duration = Duration::from_millis(2);
/// How often their timers are looked at.
pub const LOAD_VIEWERS_TIMERS: Duration = Duration::from_millis(10);
/// Datagrams, or runs of them as the kernel joins them, that are read of one at a time.
pub const LOAD_VIEWER_READS: usize = 8;
/// Bytes of the longest run of datagrams that the kernel joins for one of them.
pub const LOAD_VIEWER_READ_LEN: usize = 65_536;
/// A standstill of a picture longer than this is a freeze.
pub const LOAD_FREEZE_AFTER: Duration = Duration::from_millis(500);
/// How long a packet may be missing before a viewer takes it for lost, and the picture with it.
pub const LOAD_MISSING_SPAN: Duration = Duration::from_secs(1);
/// How often a viewer without a picture asks for a keyframe.
pub const LOAD_KEYFRAME_SPACING: Duration = Duration::from_secs(1);
/// Pictures of a viewer that may wait for what is missing of them.
pub const LOAD_PICTURES_WAITING_MAX: usize = 256;
