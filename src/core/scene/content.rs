//! **The question:** does a scene show cameras or a screen? Encoders set themselves up anew for it, with a keyframe, so
//! the answer changes neither at once nor for little.

use crate::base::limits;
use crate::base::media::{Content, Pts};
use crate::core::scene::{Scene, TilePicture};

/// Of the canvas' area, in per cent: a screen that has grown beyond the first makes it a screen, one that has shrunk
/// below the second leaves it to cameras again.
const ENTER_PERCENT: u64 = 50;
const LEAVE_PERCENT: u64 = 35;

/// What one output shows, tick after tick.
#[derive(Debug, Clone, Default)]
pub struct ContentWatch {
    content: Content,
    /// Since when the scene has said otherwise.
    other_since: Option<Pts>,
}

impl ContentWatch {
    /// What the encoder of `scene` shall expect at `pts`.
    pub fn at(&mut self, scene: &Scene, pts: Pts) -> Content {
        let share = screen_percent(scene);
        let seen = match self.content {
            Content::Cameras if share >= ENTER_PERCENT => Content::Screen,
            Content::Screen if share < LEAVE_PERCENT => Content::Cameras,
            content => content,
        };
        if seen == self.content {
            self.other_since = None;
            return self.content;
        }
        let since = *self.other_since.get_or_insert(pts);
        if pts.as_nanos().saturating_sub(since.as_nanos()) >= limits::CONTENT_SETTLE_SPAN.as_nanos() as u64 {
            (self.content, self.other_since) = (seen, None);
        }
        self.content
    }
}

/// How much of the canvas the largest screen that is seen takes.
fn screen_percent(scene: &Scene) -> u64 {
    let screens = scene.tiles.iter().filter(|tile| tile.picture == TilePicture::Screen && tile.opacity > 0);
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let largest = screens.map(|tile| area(tile.rect.width, tile.rect.height)).max().unwrap_or(0);
    largest * 100 / area(scene.canvas.width, scene.canvas.height).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::base::media::{Outbox, ParticipantId, Size, pts_from_tick};
    use crate::core::scene::{Input, SceneCore};

    /// One person whose tile shows `picture` and takes `percent` of the canvas.
    fn scene(picture: TilePicture, percent: u32) -> Scene {
        let (mut core, mut out) = (SceneCore::new(Size::new(1000, 100)), Outbox::new());
        core.handle(Instant::now(), Input::Joined { participant: ParticipantId(1), name: "Ada".into() }, &mut out);
        let mut scene = Scene::clone(&Arc::unwrap_or_clone(core.scene()));
        let tile = &mut scene.tiles[0];
        tile.picture = picture;
        (tile.rect.width, tile.rect.height) = (percent * 10, 100);
        scene
    }

    /// What is answered for each scene, held for `span`.
    fn answers(held: &[(Scene, Duration)]) -> Vec<Content> {
        let (mut watch, mut tick, mut told) = (ContentWatch::default(), 0, Vec::new());
        for (scene, span) in held {
            let ticks = span.as_millis() as u64 * 30 / 1000;
            let answers = (0..=ticks).map(|n| watch.at(scene, pts_from_tick(tick + n, 30)));
            told.push(answers.last().unwrap());
            tick += ticks + 1;
        }
        told
    }

    #[test]
    fn a_large_screen_that_stays_is_a_screen_and_a_small_one_is_not() {
        let (long, screen) = (limits::CONTENT_SETTLE_SPAN * 2, TilePicture::Screen);
        let grown = [(scene(screen, 49), long), (scene(screen, 50), long), (scene(screen, 40), long)];
        assert_eq!(answers(&grown), [Content::Cameras, Content::Screen, Content::Screen]);
        let shrunk = [(scene(screen, 90), long), (scene(screen, 34), long), (scene(screen, 45), long)];
        assert_eq!(answers(&shrunk), [Content::Screen, Content::Cameras, Content::Cameras]);
        assert_eq!(answers(&[(scene(TilePicture::Camera, 100), long)]), [Content::Cameras]);
    }

    #[test]
    fn nothing_changes_for_a_moment() {
        let (long, moment) = (limits::CONTENT_SETTLE_SPAN * 2, limits::CONTENT_SETTLE_SPAN / 2);
        let (screen, camera) = (scene(TilePicture::Screen, 80), scene(TilePicture::Camera, 80));
        let flapping = (0..10).map(|n| (if n % 2 == 0 { screen.clone() } else { camera.clone() }, moment));
        assert!(answers(&flapping.collect::<Vec<_>>()).iter().all(|content| *content == Content::Cameras));
        let shared = [(screen.clone(), long), (camera, moment), (screen, long)];
        assert_eq!(answers(&shared), [Content::Screen; 3]);
    }
}
