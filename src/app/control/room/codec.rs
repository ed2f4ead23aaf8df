//! **The question:** which codec does the room send to those who take both, and what follows when it changes? Its
//! viewers and its recording go over to encodes in the other codec, each at that one's first keyframe.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::base::media::{Codec, Outbox, PeerId, RungCodecs, RungSpec};
use crate::core::ladder::{CodecInput, CodecLoad};
use crate::core::scene::TilePicture;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::NetCommand;

impl Room {
    /// What is seen or who watches changed.
    pub(super) fn consider_codec(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let load = self.codec_load();
        self.codec_input(now, CodecInput::Load(load), out);
    }

    /// The codec's deadline may have come.
    pub(super) fn codec_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.codec.deadline().is_some_and(|at| at <= now) {
            self.codec_input(now, CodecInput::Due, out);
        }
    }

    /// `spec` as somebody gets it who takes `takes`.
    pub(super) fn in_codec_of(&self, spec: RungSpec, takes: RungCodecs) -> RungSpec {
        RungSpec { codec: takes.only().unwrap_or(self.codec.codec()), ..spec }
    }

    /// Says in the log what the room sends, and why.
    pub(super) fn log_codec(&self) {
        let (codec, why) = (self.codec.codec().name(), self.codec.why());
        tracing::info!(room = %alias(&self.name), codec, why, "the codec of those who take both");
    }

    fn codec_input(&mut self, now: Instant, input: CodecInput, out: &mut Outbox<Effect>) {
        let mut chosen: Outbox<Codec> = Outbox::new();
        self.codec.handle(now, input, &mut chosen);
        if chosen.is_empty() {
            return;
        }
        self.log_codec();
        self.setup.counts.node.codec_switches.add(1);
        self.watch_anew(now, out);
        // Two encodes would run for one that holds on.
        if let Some(ticket) = self.recording.ticket() {
            self.read_anew(now, ticket, out);
        }
        self.live_codec_changed(now, out);
        self.broadcast_each(|caller| self.state_message(caller), out);
    }

    /// Everybody who watches gets what they would get if they came now.
    pub(super) fn watch_anew(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let wanted = |(peer, watched): (PeerId, &RungSpec)| {
            let takes = self.peers.get(peer)?.watching.as_ref()?.takes;
            let spec = self.in_codec_of(*watched, takes);
            (spec != *watched).then_some((peer, spec))
        };
        let changes: Vec<(PeerId, RungSpec)> = self.outputs.watched().filter_map(wanted).collect();
        for (peer, spec) in changes {
            let rung = self.watch(now, peer, spec, out);
            out.push(Effect::Net(NetCommand::WatchRung { peer, rung, at_once: false }));
        }
    }

    fn codec_load(&self) -> CodecLoad {
        let tiles = || self.scene.iter().flat_map(|scene| &scene.tiles).filter(|tile| tile.opacity > 0);
        let cameras = || tiles().filter(|tile| tile.picture == TilePicture::Camera);
        let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
        let covered: u64 = cameras().map(|tile| area(tile.rect.width, tile.rect.height)).sum();
        let canvas = self.scene.as_ref().map_or(1, |scene| area(scene.canvas.width, scene.canvas.height).max(1));
        let takes = self.peers.iter().filter_map(|(_, entry)| entry.watching.as_ref()?.takes.only());
        CodecLoad {
            moving: cameras().count(),
            covered: covered as f32 / canvas as f32,
            screen: tiles().any(|tile| tile.picture == TilePicture::Screen),
            fps: self.setup.config.video.fps.get(),
            rooms: self.setup.rooms_running.load(Ordering::Relaxed),
            needs: takes.fold(RungCodecs::default(), RungCodecs::with),
            watched: self.recording.is_on()
                || self.outputs.watched().next().is_some()
                || self.outputs.packaged().next().is_some(),
        }
    }
}
