//! **The question:** what lies behind and over the tiles, and what follows when it changes? A clock is set every minute
//! anew.

use std::time::{Duration, Instant};

use crate::app::config::{BEHIND, Branding};
use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::base::media::{Bitmap, Outbox, PeerId, pts_from_instant};
use crate::core::scene::{self, Background, SceneCore};
use crate::io::api::{BrandingChange, Refusal};

/// Seconds of a minute.
const MINUTE: u64 = 60;

impl Room {
    /// The scene of a room that begins, laid out and branded as the operator configured it.
    #[must_use]
    pub fn first_scene(&self, now: Instant) -> SceneCore {
        let (config, branding) = (&self.setup.config, self.branding());
        let mut scene = SceneCore::with_layout(config.video.size(), self.layout.layout.clone());
        let mut unseen = Outbox::new();
        // The room is empty, so nothing that these push is seen.
        scene.handle(now, scene::Input::Labels(config.video.labels), &mut unseen);
        scene.handle(now, scene::Input::Background(branding.background.clone()), &mut unseen);
        scene.handle(now, scene::Input::Logo(branding.logo.clone()), &mut unseen);
        let clock = self.layout.clock.map(time_of_day).unwrap_or_default();
        scene.handle(now, scene::Input::Clock(clock), &mut unseen);
        scene
    }

    /// How it is dressed until somebody dresses it: as its tenant, or else the node.
    pub(super) fn branding(&self) -> &Branding {
        self.setup.tenancy.dress(&self.name).map_or(&self.setup.branding, |dress| &dress.branding)
    }

    /// Changes what lies behind and over the tiles.
    pub(super) fn set_branding(&mut self, now: Instant, change: BrandingChange, out: &mut Outbox<Effect>) {
        let input = match change {
            BrandingChange::Background(image) => {
                let own = image.map(|image| Background { colour: BEHIND, image: Some(image) });
                scene::Input::Background(own.or_else(|| self.branding().background.clone()))
            }
            BrandingChange::Logo(picture) => scene::Input::Logo(picture),
            BrandingChange::Banner(text) => {
                self.kept.banner = Some(text.clone());
                scene::Input::Banner(text)
            }
            BrandingChange::Clock(shown) => {
                self.layout.clock = shown.then(|| self.minute(now));
                scene::Input::Clock(self.layout.clock.map(time_of_day).unwrap_or_default())
            }
        };
        out.push(Effect::Scene(input));
    }

    /// Shows `avatar` while the camera behind `peer` is off; `None` goes back to initials.
    pub(super) fn set_avatar(
        &mut self,
        peer: PeerId,
        avatar: Option<Bitmap>,
        out: &mut Outbox<Effect>,
    ) -> Result<(), Refusal> {
        let entry = self.peers.get_mut(peer).ok_or(Refusal::ResourceNotFound)?;
        let participant = entry.role.participant().ok_or(Refusal::ParticipantNotFound)?;
        if let Some(veil) = &mut entry.veil {
            veil.avatar = avatar;
            return Ok(());
        }
        out.push(Effect::Scene(scene::Input::Avatar { participant, avatar }));
        Ok(())
    }

    /// Sets the clock when the minute changed.
    pub(super) fn update_clock(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let minute = self.minute(now);
        if self.layout.clock.is_some_and(|shown| shown != minute) {
            self.layout.clock = Some(minute);
            out.push(Effect::Scene(scene::Input::Clock(time_of_day(minute))));
        }
    }

    /// When the minute that the clock shows is over.
    pub(super) fn clock_deadline(&self) -> Option<Instant> {
        let next = (self.layout.clock? + 1) * MINUTE;
        // A room that began within this minute has the rest of it still before it.
        let since_epoch = Duration::from_secs(next).saturating_sub(Duration::from_nanos(self.epoch.wallclock.0));
        Some(self.epoch.instant + since_epoch)
    }

    /// The minute since 1970 at `now`, by the room's own clock.
    pub(super) fn minute(&self, now: Instant) -> u64 {
        self.epoch.wallclock_at(pts_from_instant(&self.epoch, now)).unix_seconds() / MINUTE
    }
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
