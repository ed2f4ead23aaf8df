//! **The question:** what does the node ask of one person's pictures?

use crate::base::media::Size;
use crate::core::ladder::SendTarget;
use crate::core::signal::{FromNode, VideoTrack};

/// The newest `send` about each track; of one about which nothing was said, `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    camera: Option<SendTarget>,
    screen: Option<SendTarget>,
}

impl Asked {
    /// What was asked of `track`.
    pub fn of(&self, track: VideoTrack) -> Option<SendTarget> {
        match track {
            VideoTrack::Camera => self.camera,
            VideoTrack::Screen => self.screen,
        }
    }

    /// Takes what the node tells; whether that changed anything.
    pub fn hear(&mut self, told: &FromNode) -> bool {
        let FromNode::Send { track, width, height, fps, bitrate } = *told else { return false };
        let target = Some(SendTarget { size: Size::new(width, height), fps, bitrate });
        let place = match track {
            VideoTrack::Camera => &mut self.camera,
            VideoTrack::Screen => &mut self.screen,
        };
        std::mem::replace(place, target) != target
    }
}

/// Whether `text` may be a `send`: of what the node tells, that is a small part, and few people look at the rest.
pub(super) fn may_ask(text: &str) -> bool {
    text.contains("\"send\"")
}

/// Whether `text` may be a `moved`.
pub(super) fn may_move(text: &str) -> bool {
    text.contains("\"moved\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_word_about_each_track_holds() {
        let mut asked = Asked::default();
        let send = |track, width| FromNode::Send { track, width, height: 90, fps: 15, bitrate: 60_000 };
        assert!(asked.hear(&send(VideoTrack::Camera, 160)) && !asked.hear(&send(VideoTrack::Camera, 160)));
        assert!(asked.hear(&send(VideoTrack::Screen, 1280)) && asked.hear(&send(VideoTrack::Camera, 320)));
        assert_eq!(asked.of(VideoTrack::Camera).map(|target| target.size), Some(Size::new(320, 90)));
        assert_eq!(asked.of(VideoTrack::Screen).map(|target| target.size), Some(Size::new(1280, 90)));
        let rules = FromNode::Rules { mute_on_entry: false, push_to_talk: false, locked: false, lobby: false };
        assert!(!asked.hear(&rules) && !may_ask(&rules.encode()));
        assert!(may_ask(&send(VideoTrack::Camera, 160).encode()));
    }
}
