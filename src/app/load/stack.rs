//! **The question:** by which implementation of WebRTC does a simulated person come?

use std::fmt;
use std::str::FromStr;

use crate::base::limits;

/// Which implementation of WebRTC people have who could do with either: those who neither look nor listen, are behind
/// no bad link and share no screen. The others have the crate `webrtc`'s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stack {
    /// The crate `webrtc`, which shares nothing with the node: a task for each track and timer.
    Webrtc,
    /// Str0m, as the node's own: all of them on one thread.
    Own,
    /// The crate `webrtc` for a few people, the node's own for a crowd.
    #[default]
    Auto,
}

impl Stack {
    /// Whether those who could do with either are a crowd, among so many people.
    pub(super) fn is_crowd(self, people: usize) -> bool {
        match self {
            Self::Webrtc => false,
            Self::Own => true,
            Self::Auto => people > limits::LOAD_WEBRTC_MAX,
        }
    }
}

const NAMES: [(&str, Stack); 3] = [("webrtc", Stack::Webrtc), ("own", Stack::Own), ("auto", Stack::Auto)];

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, stack)| stack).ok_or_else(|| format!("'{text}' is no stack; give webrtc, own or auto"))
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.into_iter().find(|(_, stack)| stack == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_begins_where_the_few_end_and_a_word_settles_it() {
        let is_crowd = |name: &str, people| name.parse::<Stack>().unwrap().is_crowd(people);
        assert_eq!([24, 25].map(|people| is_crowd("auto", people)), [false, true]);
        assert_eq!([is_crowd("own", 1), is_crowd("webrtc", 100)], [true, false]);
        assert!("str0m".parse::<Stack>().unwrap_err().contains("webrtc, own or auto"));
        assert!(NAMES.into_iter().all(|(name, stack)| stack.to_string() == name));
    }
}
