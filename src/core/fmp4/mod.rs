//! **The question:** which boxes, in which order, with which bytes? Fragmented MP4 (ISO/IEC 14496-12) with AV1
//! (av1-isobmff 1.3) or H.264 (ISO/IEC 14496-15) and Opus, as values: nothing here reads a clock or a file.
//!
//! Doors: [`InitSegment`] and [`sound_header`] (the header of a file), [`Fragment`] (up to two seconds of both
//! tracks), [`RandomAccess`] (where its keyframes lie), [`configuration`] (what a decoder of pictures is set up by),
//! [`first_picture`], [`codecs`] and [`parameter_sets`] (what a stored piece says of itself).

mod fragment;
mod init;
mod look;
mod random_access;
mod tracks;

pub use fragment::{Fragment, SoundRun, VideoRun, VideoSample};
pub use init::{HANDLER_NAME, Header, InitSegment, configuration, sound_header};
pub use look::{FirstPicture, codecs, first_picture, parameter_sets};
pub use random_access::RandomAccess;
pub use tracks::{SOUND_TIMESCALE, SOUND_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK};
