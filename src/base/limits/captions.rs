//! Bounds of the captions' door: what programs that write down what is said hear, and what they may say.

use std::time::Duration;

/// Samples a second of what captioners hear: what recognisers of speech are made for.
pub const SPEECH_RATE: u32 = 16_000;
/// Samples of one voice at one audio tick.
pub const SPEECH_SAMPLES: usize = 320;
/// Ticks of one voice that go in one message.
pub const SPEECH_MESSAGE_TICKS: usize = 5;
/// Blocks that wait for one captioner: two seconds of as many voices as are ever mixed.
pub const SPEECH_WAITING_MAX: usize = 1200;
/// Captioners of one room at once.
pub const CAPTIONERS_PER_ROOM_MAX: usize = 4;
/// Bytes of one message of a captioner.
pub const CAPTION_MESSAGE_LEN_MAX: usize = 8 * 1024;
/// Bytes of a message beyond which the connection is closed, for so much is not even read.
pub const CAPTION_FRAME_LEN_MAX: usize = 64 * 1024;
/// Characters of one caption's text.
pub const CAPTION_TEXT_CHARS_MAX: usize = 500;
/// Bytes of a language's tag (RFC 5646 section 4.4.1 wants 35 at least).
pub const CAPTION_LANGUAGE_LEN_MAX: usize = 35;
/// The longest that one caption may be about.
pub const CAPTION_SPAN_MAX: Duration = Duration::from_secs(60);
/// How old what is captioned may be.
pub const CAPTION_AGE_MAX: Duration = Duration::from_secs(120);
/// How far a captioner's clock may run ahead of the room's; what is later than now ends now.
pub const CAPTION_AHEAD_MAX: Duration = Duration::from_secs(2);
/// Captions that one captioner may say at once after a pause, and then each [`CAPTION_SPACING`].
pub const CAPTION_BURST: u32 = 30;
/// How long after it another caption is taken, once the burst is used up: a hundred people are told each of them.
pub const CAPTION_SPACING: Duration = Duration::from_millis(100);
/// Messages that were wrong after which the connection is closed, unless they come slower than each
/// [`CAPTION_FAULT_SPACING`].
pub const CAPTION_FAULTS_MAX: u32 = 20;
/// How long until a wrong message is forgiven.
pub const CAPTION_FAULT_SPACING: Duration = Duration::from_secs(5);
/// How often a captioner is told the time and asked whether it is there.
pub const CAPTION_PING_SPACING: Duration = Duration::from_secs(10);
/// How long whoever is sent away is waited for to hear it.
pub const CAPTION_FAREWELL_SPAN: Duration = Duration::from_secs(1);
/// A captioner that has said nothing for so long, and answered nothing, is gone.
pub const CAPTION_SILENCE_SPAN: Duration = Duration::from_secs(35);
/// Captions that are final and wait for one slow client.
pub const CAPTIONS_WAITING_MAX: usize = 32;
/// People of a captioned room who left and may still be captioned.
pub const CAPTION_LEFT_MAX: usize = 64;
/// Captions of one room that HLS keeps at most.
pub const CAPTION_CUES_MAX: usize = 2048;
/// How long a caption is shown at least.
pub const CAPTION_SHOWN_MIN: Duration = Duration::from_secs(1);
/// Bytes of captions of a recording that are sealed together.
pub const CAPTION_OBJECT_LEN: usize = 16 * 1024;
/// Bytes of captions that wait for a store that is behind; later ones are lost.
pub const CAPTIONS_UNSTORED_LEN_MAX: usize = 1024 * 1024;

// Escaped in JSON, a character without controls takes twice its bytes at most.
const _: () = assert!(CAPTION_TEXT_CHARS_MAX * 4 * 2 < CAPTION_MESSAGE_LEN_MAX);
const _: () = assert!(CAPTION_MESSAGE_LEN_MAX < CAPTION_FRAME_LEN_MAX);
const _: () = assert!(SPEECH_MESSAGE_TICKS * SPEECH_SAMPLES <= u16::MAX as usize);
