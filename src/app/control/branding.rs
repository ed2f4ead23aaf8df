//! **The question:** what follows when a room is dressed? Pictures and words go to its scene; a clock is told every minute anew.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::app::config::BEHIND;
use crate::app::control::Control;
use crate::app::control::layouts::LayoutState;
use crate::base::media::{Bitmap, Outbox, RoomId};
use crate::core::scene::{self, Background, SceneCore};
use crate::io::api::{BrandingChange, Refusal, ResourceToken};

impl Control {
    /// The scene of a room that begins, laid out and dressed as the operator configured it.
    pub fn first_scene(&self) -> (SceneCore, LayoutState) {
        let video = &self.config.video;
        let layout = video.layout.layout().clone();
        let (mut scene, mut layout) = (SceneCore::with_layout(video.size(), layout.clone()), LayoutState::new(layout));
        layout.clock = self.branding.clock.then(minutes_since_epoch);
        let (now, mut unseen) = (Instant::now(), Outbox::new());
        // The room is empty, so nothing that these push is seen.
        scene.handle(now, scene::Input::Labels(video.labels), &mut unseen);
        scene.handle(now, scene::Input::Background(self.branding.background.clone()), &mut unseen);
        scene.handle(now, scene::Input::Logo(self.branding.logo.clone()), &mut unseen);
        scene.handle(now, scene::Input::Clock(layout.clock.map(time_of_day).unwrap_or_default()), &mut unseen);
        (scene, layout)
    }

    /// Changes what lies behind and over a room's tiles.
    pub fn set_branding(&mut self, name: &RoomId, branding: BrandingChange) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        let input = match branding {
            BrandingChange::Background(image) => {
                let own = image.map(|image| Background { colour: BEHIND, image: Some(image) });
                scene::Input::Background(own.or_else(|| self.branding.background.clone()))
            }
            BrandingChange::Logo(picture) => scene::Input::Logo(picture),
            BrandingChange::Banner(text) => scene::Input::Banner(text),
            BrandingChange::Clock(shown) => {
                let minute = minutes_since_epoch();
                room.layout.clock = shown.then_some(minute);
                scene::Input::Clock(if shown { time_of_day(minute) } else { String::new() })
            }
        };
        self.to_scene(name, input);
        Ok(())
    }

    /// Shows `avatar` while the camera of anyone who holds `resource` is off; `None` goes back to initials.
    pub fn set_avatar(&mut self, resource: ResourceToken, avatar: Option<Bitmap>) -> Result<(), Refusal> {
        let peer = self.resources.get(&resource).copied().ok_or(Refusal::ResourceNotFound)?;
        let entry = self.peers.get_mut(peer).expect("every resource names a connection");
        let (participant, room) = (entry.role.participant().ok_or(Refusal::ParticipantNotFound)?, entry.room.clone());
        self.to_scene(&room, scene::Input::Avatar { participant, avatar });
        Ok(())
    }

    /// Tells the rooms that show a clock when the minute changed; says when the next one does.
    pub fn update_clocks(&mut self, now: Instant) -> Option<Instant> {
        let minute = minutes_since_epoch();
        let mut late = Vec::new();
        for (name, room) in self.rooms.iter_mut().filter(|(_, room)| room.layout.clock.is_some()) {
            if room.layout.clock.replace(minute) != Some(minute) {
                late.push(name.clone());
            }
        }
        for name in late {
            self.to_scene(&name, scene::Input::Clock(time_of_day(minute)));
        }
        self.rooms.values().any(|room| room.layout.clock.is_some()).then(|| {
            let past = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 60;
            now + Duration::from_secs(60 - past)
        })
    }
}

fn minutes_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60
}

/// Hours and minutes of UTC: a node serves many time zones, and its logs and recordings tell UTC.
fn time_of_day(minute: u64) -> String {
    format!("{:02}:{:02} UTC", minute / 60 % 24, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_utc() {
        assert_eq!(time_of_day(0), "00:00 UTC");
        assert_eq!(time_of_day(25 * 60 + 7), "01:07 UTC", "a day later");
    }
}
