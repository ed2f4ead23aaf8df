//! **The question:** who listens to each voice of the room to write down what is said, who knows of it, and where does
//! what they write go? To everybody's data channel; what stays so also to HLS and into a recording. Nothing of it is
//! kept here, and none of it is logged.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{Outbox, Pts, pts_from_instant};
use crate::core::record::{Event, SpokenLine};
use crate::core::room::{CaptionRefused, CaptionerId};
use crate::core::signal::{CaptionLine, FromNode, Speaker, ms};
use crate::engine::flow::speech_feed;
use crate::io::api::{CaptionerSeat, Refusal};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::NetCommand;

impl Room {
    /// A captioner comes: it hears whoever is heard, and everybody is told.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub(super) fn begin_captions(&mut self, out: &mut Outbox<Effect>) -> Result<CaptionerSeat, Refusal> {
        self.end_left_captions(out);
        let captioner = CaptionerId(self.setup.next_captioner());
        if !self.captioned.captions.begin(captioner) {
            return Err(Refusal::CaptionersFull);
        }
        let presence = Arc::new(());
        self.captioned.seats.push((captioner, Arc::downgrade(&presence)));
        let counters = &self.setup.counts.captions;
        counters.captioners.raise(1);
        let (feed, speech) = speech_feed(counters.lost.clone());
        out.push(Effect::Mix(MixCommand::Caption(self.name.clone(), feed)));
        let speakers = self.speakers();
        let people = self.captioned.people.get_or_insert_with(|| watch::channel(speakers).0).subscribe();
        if let Some(live) = &self.live {
            live.list_captions();
        }
        self.tell_captioned(out);
        tracing::info!(room = %alias(&self.name), captioner = captioner.0, "a captioner listens to each voice");
        let language = self.setup.config.captions.language.tag().map(str::to_owned);
        Ok(CaptionerSeat { captioner, epoch: self.epoch, speech, people, language, presence })
    }

    /// A captioner goes.
    ///
    /// # Errors
    /// When there is no such one.
    pub(super) fn end_captions(&mut self, captioner: CaptionerId, out: &mut Outbox<Effect>) -> Result<(), Refusal> {
        if !self.captioned.captions.end(captioner) {
            return Err(Refusal::ResourceNotFound);
        }
        self.captioned.seats.retain(|(seat, _)| *seat != captioner);
        self.setup.counts.captions.captioners.lower(1);
        if !self.captioned.is_on() {
            self.captioned.people = None;
        }
        self.tell_captioned(out);
        tracing::info!(room = %alias(&self.name), captioner = captioner.0, "a captioner listens no longer");
        Ok(())
    }

    /// Captioners whose seats are gone without a farewell, for an answer never reached them, are gone too.
    fn end_left_captions(&mut self, out: &mut Outbox<Effect>) {
        let gone = self.captioned.seats.iter().filter(|(_, presence)| presence.strong_count() == 0);
        for captioner in gone.map(|(captioner, _)| *captioner).collect::<Vec<_>>() {
            // It is known: it has a seat.
            let _ = self.end_captions(captioner, out);
        }
    }

    /// The room is over, and with it all captioners.
    pub(super) fn end_all_captions(&mut self) {
        let captioned = std::mem::take(&mut self.captioned);
        self.setup.counts.captions.captioners.lower(captioned.captions.count() as u64);
    }

    /// What a captioner wrote: everybody reads it.
    ///
    /// # Errors
    /// When it can be of nothing that was said here of late, or comes too soon after others.
    pub(super) fn caption(
        &mut self,
        now: Instant,
        (captioner, line): (CaptionerId, CaptionLine),
        out: &mut Outbox<Effect>,
    ) -> Result<(), Refusal> {
        let members = self.core.members();
        let name = |id| members.iter().find(|member| member.participant == id).map(|member| member.name.clone());
        let at = (now, ms(pts_from_instant(&self.epoch, now)));
        let line = self.captioned.captions.take(at, captioner, line, name).map_err(|why| match why {
            CaptionRefused::Often => Refusal::CaptionsTooOften(why.to_string()),
            _ => Refusal::BadCaption(why.to_string()),
        })?;
        self.setup.counts.captions.taken.add(1);
        if line.is_final {
            self.record_caption(now, &line, out);
        }
        self.broadcast_to_all(&FromNode::Caption(line), out);
        Ok(())
    }

    /// What stays so is shown by HLS and stands in the recording, unless its speaker does not want to be recorded.
    fn record_caption(&self, now: Instant, line: &CaptionLine, out: &mut Outbox<Effect>) {
        let at = |ms: u64| Pts(ms.saturating_mul(1_000_000));
        let (participant, from, to) = (line.participant, at(line.from_ms), at(line.to_ms));
        if let Some(live) = &self.live {
            live.caption(now, (from, to), format!("{}: {}", line.name, line.text));
        }
        // By when it was said: slow ears write down what somebody said who minds no longer, or is gone.
        if self.refusers.until(participant).is_some_and(|at| from < pts_from_instant(&self.epoch, at)) {
            return;
        }
        let (text, language) = (line.text.clone(), line.language.clone());
        let said = SpokenLine { participant, from, to, text, language };
        self.to_recording_of(now, participant, Event::Said(Box::new(said)), out);
    }

    /// Captioners are told who is here.
    pub(super) fn tell_captioners(&mut self, out: &mut Outbox<Effect>) {
        self.end_left_captions(out);
        if let Some(people) = &self.captioned.people {
            // Nobody may be there to read it.
            people.send_replace(self.speakers());
        }
    }

    fn speakers(&self) -> Arc<[Speaker]> {
        let speaker = |member: &crate::core::room::Member| Speaker {
            id: member.participant,
            name: member.name.clone(),
            unrecorded: self.refusers.contains(member.participant),
        };
        self.core.members().iter().map(speaker).collect()
    }

    fn tell_captioned(&self, out: &mut Outbox<Effect>) {
        for (peer, entry) in self.peers.iter().filter(|(_, entry)| entry.leg.is_none()) {
            Self::send(peer, &self.state_message(&entry.caller()), out);
        }
    }

    /// Tells everyone who has a data channel, those too who only watch; the text is made once.
    fn broadcast_to_all(&self, message: &FromNode, out: &mut Outbox<Effect>) {
        let text: Arc<str> = message.encode().into();
        for (peer, _) in self.peers.iter().filter(|(_, entry)| entry.leg.is_none()) {
            out.push(Effect::Net(NetCommand::Signal { peer, kind: message.kind(), text: text.clone() }));
        }
    }
}
