//! **The question:** which recording is meant, and when does it expire? Its public name carries both, so that what has
//! expired is refused without looking whether it ever was.

use std::fmt;
use std::str::FromStr;

use crate::core::retention::{Hour, RecordingId, RetentionError};

/// A recording and the hour it is filed under. Text form: `{hour}-{recording}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingName {
    /// When it expires.
    pub hour: Hour,
    /// Which one.
    pub recording: RecordingId,
}

impl fmt::Display for RecordingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.hour, self.recording)
    }
}

impl FromStr for RecordingName {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let (hour, recording) = text.split_once('-').ok_or(RetentionError::NoId)?;
        Ok(Self { hour: hour.parse()?, recording: recording.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_their_text_form() {
        let recording = RecordingName { hour: Hour(495_727), recording: RecordingId([0xa5; 16]) };
        assert_eq!(recording.to_string(), format!("00495727-r{}", "a5".repeat(16)));
        assert_eq!(recording.to_string().parse(), Ok(recording));
        for text in ["", "-", "00495727", "495727-ra5", "00495727-k0101010101010101", "+0495727-r"] {
            assert!(text.parse::<RecordingName>().is_err(), "{text}");
        }
    }
}
