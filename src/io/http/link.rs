//! **The question:** may a player read this file of a recording without the token? Short-lived links, signed with a key
//! that this node makes at its start and never stores: HMAC-SHA-256 over recording, file, take and deadline.

use std::sync::Arc;

use aws_lc_rs::hmac;

use crate::base::hex::{from_hex, hex};
use crate::base::limits;
use crate::base::media::NANOS_PER_SECOND;
use crate::core::retention::RecordingName;

const PURPOSE: &str = "tessera link v1";

/// The files of a recording that a link may name.
pub(super) const FILES: [&str; 8] = [
    "video.mp4",
    "track.mp4",
    "master.m3u8",
    "media.m3u8",
    "poster.jpg",
    "chapters.vtt",
    "captions.vtt",
    "captions.m3u8",
];

/// What signs links; clones share it. A node that starts anew knows none of its former links.
#[derive(Clone)]
pub struct LinkKey(Arc<hmac::Key>);

/// What a link lets its bearer read.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkTarget<'a> {
    pub recording: RecordingName,
    /// One of `FILES`.
    pub file: &'a str,
    pub take: u32,
    /// Seconds since 1970; from then on it is refused.
    pub until: u64,
}

impl LinkKey {
    /// A new key.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("a kernel that runs us gives randomness");
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The query that goes with the file's name.
    pub(super) fn query(&self, target: LinkTarget<'_>) -> String {
        let signature = hmac::sign(&self.0, target.signed().as_bytes());
        format!("take={}&until={}&signature={}", target.take, target.until, hex(signature.as_ref()))
    }

    /// Whether this node signed exactly that; compared in constant time. The deadline is the caller's to look at.
    pub(super) fn signed(&self, target: LinkTarget<'_>, signature: &str) -> bool {
        let Some(signature) = from_hex(signature) else { return false };
        hmac::verify(&self.0, target.signed().as_bytes(), &signature).is_ok()
    }
}

impl LinkTarget<'_> {
    // No field holds a line feed, so each text means one target.
    fn signed(self) -> String {
        format!("{PURPOSE}\n{}\n{}\n{}\n{}", self.recording, self.file, self.take, self.until)
    }
}

/// When a link ends that is asked for at `now` for so many seconds (all times in seconds since 1970): never after the
/// recording.
pub(super) fn deadline(recording: RecordingName, now: u64, seconds: u64) -> u64 {
    let expires = recording.hour.start().0 / NANOS_PER_SECOND;
    now.saturating_add(seconds.min(limits::LINK_SPAN_MAX.as_secs())).min(expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_what_was_signed_and_nothing_else() {
        let key = LinkKey::random();
        let recording: RecordingName = format!("00495727-r{}", "a5".repeat(16)).parse().unwrap();
        let other: RecordingName = format!("00495727-r{}", "a6".repeat(16)).parse().unwrap();
        let target = LinkTarget { recording, file: "video.mp4", take: 0, until: 1_784_000_000 };
        let query = key.query(target);
        let signature = query.rsplit('=').next().unwrap();
        assert!(key.signed(target, signature));
        for wrong in [
            LinkTarget { recording: other, ..target },
            LinkTarget { file: "poster.jpg", ..target },
            LinkTarget { take: 1, ..target },
            LinkTarget { until: target.until + 1, ..target },
        ] {
            assert!(!key.signed(wrong, signature), "{wrong:?}");
        }
        assert!(!LinkKey::random().signed(target, signature), "another node's");
        let mut altered = signature.to_owned();
        altered.replace_range(0..1, if signature.starts_with('0') { "1" } else { "0" });
        for bad in [altered.as_str(), "", &signature[1..], &signature.to_uppercase().replace('0', "G")] {
            assert!(!key.signed(target, bad), "{bad}");
        }
    }

    #[test]
    fn no_link_outlives_its_recording() {
        let recording: RecordingName = format!("00495727-r{}", "a5".repeat(16)).parse().unwrap();
        let expires = 495_727 * 3600;
        assert_eq!(deadline(recording, expires - 900, 60), expires - 840);
        assert_eq!(deadline(recording, expires - 900, 86_400), expires);
        assert_eq!(
            deadline(recording, expires - 900_000, u64::MAX),
            expires - 900_000 + limits::LINK_SPAN_MAX.as_secs()
        );
    }
}
