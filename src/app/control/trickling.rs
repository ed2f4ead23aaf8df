//! **The question:** which candidates of a connection wait for the net worker's answer, and of which ICE generation is
//! the connection?

use std::collections::VecDeque;

use crate::base::limits;
use crate::base::media::PeerId;
use crate::io::api::{Refusal, Reply, SdpFragment, Trickled};
use crate::io::webrtc::{IceCredentials, NetCommand, OfferError, ufrag_of};

/// A connection's ICE, as far as doors ask for it.
#[derive(Debug)]
pub struct Trickling {
    /// This side's ICE generation, the ETag of its resource.
    ufrag: String,
    /// Fragments that wait for the net worker's answer.
    asked: VecDeque<Reply<Trickled>>,
}

impl Trickling {
    /// Of a connection that was just answered.
    #[must_use]
    pub const fn new(ufrag: String) -> Self {
        Self { ufrag, asked: VecDeque::new() }
    }

    /// A door brings a fragment: what to tell the net workers, or nothing where it is refused.
    pub fn ask(
        &mut self,
        peer: PeerId,
        session: Option<&str>,
        fragment: SdpFragment,
        reply: Reply<Trickled>,
    ) -> Option<NetCommand> {
        let refusal = match session {
            Some(ufrag) if ufrag != self.ufrag => Some(Refusal::SessionChanged),
            _ => (self.asked.len() >= limits::TRICKLES_WAITING_MAX).then_some(Refusal::Busy),
        };
        if let Some(refusal) = refusal {
            // A caller that is gone needs no answer.
            let _ = reply.send(Err(refusal));
            return None;
        }
        let credentials = match (fragment.ufrag, fragment.pwd) {
            (Some(ufrag), Some(password)) => Some(IceCredentials { ufrag, password }),
            _ => None,
        };
        let candidates = fragment.candidates.into_iter().map(|c| c.candidate).collect();
        self.asked.push_back(reply);
        Some(NetCommand::Trickle { peer, credentials, candidates })
    }

    /// The net worker took the oldest fragment.
    pub fn answered(&mut self, answer: Result<Option<String>, OfferError>) {
        let Some(reply) = self.asked.pop_front() else { return };
        let result = match answer {
            Ok(None) => Ok(Trickled::Accepted),
            Ok(Some(answer)) => {
                ufrag_of(&answer).clone_into(&mut self.ufrag);
                Ok(Trickled::Restarted { answer })
            }
            Err(error) => Err(Refusal::BadFragment(error.to_string())),
        };
        // A client that hung up has its candidates taken all the same.
        let _ = reply.send(result);
    }
}
