//! **The question:** what follows when a room is dressed? Pictures and words go to its scene; a clock is told every minute anew.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::{Dress, Refusal, ResourceToken};
use crate::media::{Bitmap, RoomId};
use crate::node::control::Control;
use crate::scene::{self, Background, Rgb};

/// Around a background picture there is nothing; this shows while it is being drawn.
const BEHIND: Rgb = Rgb::new(0x12, 0x14, 0x18);

impl Control {
    /// Changes what lies behind and over a room's tiles.
    pub fn dress(&mut self, name: &RoomId, dress: Dress) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        let input = match dress {
            Dress::Background(image) => {
                scene::Input::Background(image.map(|image| Background { colour: BEHIND, image: Some(image) }))
            }
            Dress::Logo(picture) => scene::Input::Logo(picture),
            Dress::Banner(text) => scene::Input::Banner(text),
            Dress::Clock(shown) => {
                let minute = minutes_since_epoch();
                room.look.clock = shown.then_some(minute);
                scene::Input::Clock(if shown { time_of_day(minute) } else { String::new() })
            }
        };
        self.to_scene(name, input);
        Ok(())
    }

    /// Shows `avatar` while the camera of whoever holds `resource` is off; `None` goes back to initials.
    pub fn portray(&mut self, resource: ResourceToken, avatar: Option<Bitmap>) -> Result<(), Refusal> {
        let peer = self.resources.get(&resource).copied().ok_or(Refusal::ResourceNotFound)?;
        let entry = self.peers.get_mut(peer).expect("every resource names a connection");
        let (participant, room) = (entry.role.participant().ok_or(Refusal::ParticipantNotFound)?, entry.room.clone());
        self.to_scene(&room, scene::Input::Avatar { participant, avatar });
        Ok(())
    }

    /// Tells the rooms that show a clock when the minute changed; says when the next one does.
    pub fn tell_time(&mut self, now: Instant) -> Option<Instant> {
        let minute = minutes_since_epoch();
        let mut late = Vec::new();
        for (name, room) in self.rooms.iter_mut().filter(|(_, room)| room.look.clock.is_some()) {
            if room.look.clock.replace(minute) != Some(minute) {
                late.push(name.clone());
            }
        }
        for name in late {
            self.to_scene(&name, scene::Input::Clock(time_of_day(minute)));
        }
        self.rooms.values().any(|room| room.look.clock.is_some()).then(|| {
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
