//! **The question:** what does a scene look like without certain people? For recordings of rooms in which somebody does
//! not want to be recorded: their tiles stay where they are, and show nobody.

use std::collections::BTreeSet;

use crate::base::media::ParticipantId;
use crate::core::scene::{Identity, Rgb, Scene, Tile, TilePicture};

/// The panel of somebody who is not shown.
const PANEL: Rgb = Rgb::new(0x3a, 0x3f, 0x47);

/// `scene`, in which the tiles of `people` show neither picture nor name nor whether they speak, but a silhouette.
#[must_use]
pub fn redacted(scene: &Scene, people: &BTreeSet<ParticipantId>) -> Scene {
    let redact = |tile: &Tile| {
        if !people.contains(&tile.participant) {
            return tile.clone();
        }
        let identity = Identity { initials: "".into(), colour: PANEL, avatar: None };
        let picture = TilePicture::Placeholder;
        Tile { picture, identity, label: None, speaking: false, muted: false, stalled: false, ..tile.clone() }
    };
    Scene { tiles: scene.tiles.iter().map(redact).collect(), ..scene.clone() }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::base::media::{Outbox, Size};
    use crate::core::scene::{Input, SceneCore};

    #[test]
    fn whoever_is_hidden_leaves_no_trace_but_their_tile() {
        let (mut core, mut out, now) = (SceneCore::new(Size::new(1280, 720)), Outbox::new(), Instant::now());
        core.handle(now, Input::Labels(true), &mut out);
        for (id, name) in [(1, "Ada Lovelace"), (2, "Grace Hopper")] {
            let participant = ParticipantId(id);
            core.handle(now, Input::Joined { participant, name: name.into() }, &mut out);
            core.handle(now, Input::CameraFrame { participant }, &mut out);
            core.handle(now, Input::Speaking { participant, speaking: true }, &mut out);
        }
        let scene = core.scene();
        let seen = redacted(&scene, &BTreeSet::from([ParticipantId(2)]));
        assert_eq!(seen.tiles.len(), 2);
        assert_eq!(seen.tiles[0], scene.tiles[0], "the others are as they were");
        assert_eq!(seen.tiles[1].rect, scene.tiles[1].rect);
        let told = format!("{:?}", seen.tiles[1]);
        assert_eq!(seen.tiles[1].picture, TilePicture::Placeholder);
        assert!(!told.contains("Grace") && !told.contains("GH") && !seen.tiles[1].speaking, "{told}");
        assert_eq!(redacted(&scene, &BTreeSet::new()), *scene);
    }
}
