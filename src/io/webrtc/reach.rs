//! **The question:** may so much be sent to this address yet? Anyone can write another's address on a datagram, even
//! one that knows the password: who owns the connection. Until an address gave back what only who reads there can know,
//! at most three times what came from it goes there (RFC 9000 section 8.1; ICE's own checks prove it of one side only,
//! and this side is the other one, RFC 8445 section 2.5). The proof is the answer to a connectivity check of this
//! side's (RFC 8445 section 7.3) or a DTLS handshake of which no other address saw anything.

use std::net::SocketAddr;
use std::time::Instant;

use crate::base::limits;
use crate::io::webrtc::stun;

/// The addresses of one connection, as far as they are the connection's.
#[derive(Debug, Default)]
pub(super) struct Reach {
    places: Vec<Place>,
    /// Where this side's handshake went; `None`: nowhere yet.
    handshake: Option<Handshake>,
}

#[derive(Debug)]
struct Place {
    address: SocketAddr,
    received: u64,
    sent: u64,
    proven: bool,
    /// Of a handshake, what was too long to go there yet: else it waits a second for its repetition.
    kept: Option<Vec<u8>>,
    /// What only who reads at the address can know, and when it was sent there last.
    asked: Option<([u8; stun::TRANSACTION_BYTES], Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handshake {
    At(SocketAddr),
    Scattered,
}

impl Reach {
    /// A datagram came from an address.
    pub(super) fn received(&mut self, address: SocketAddr, length: usize) {
        self.place(address).received += length as u64;
    }

    /// Whether a datagram may go to an address; if so, it is counted.
    pub(super) fn send(&mut self, address: SocketAddr, datagram: &[u8]) -> bool {
        // Every datagram of media comes by here: the proven one is looked for first.
        let Some(place) = self.places.iter_mut().find(|place| place.address == address) else { return false };
        if place.proven {
            return true;
        }
        let sent = place.sent + datagram.len() as u64;
        if sent > place.received * limits::AMPLIFICATION_MAX {
            if stun::is_dtls(datagram) {
                place.kept = Some(datagram.to_vec());
            }
            return false;
        }
        place.sent = sent;
        if stun::is_dtls(datagram) {
            let here = Handshake::At(address);
            let before = *self.handshake.get_or_insert(here);
            self.handshake = Some(if before == here { here } else { Handshake::Scattered });
        }
        true
    }

    /// What is to be asked of an address now, if it has proved nothing yet: the transaction of a connectivity check.
    pub(super) fn ask(&mut self, now: Instant, address: SocketAddr) -> Option<[u8; stun::TRANSACTION_BYTES]> {
        let place = self.places.iter_mut().find(|place| place.address == address && !place.proven)?;
        // The same again while there is no answer: one that comes late answers as well.
        let transaction = match place.asked {
            Some((_, at)) if now < at + limits::PROOF_SPACING => return None,
            Some((transaction, _)) => transaction,
            None => rand::random(),
        };
        place.asked = Some((transaction, now));
        Some(transaction)
    }

    /// Whether an answer to that came with this transaction; its integrity is another question.
    pub(super) fn is_asked(&self, address: SocketAddr, transaction: &[u8]) -> bool {
        let asked = self.places.iter().find(|place| place.address == address).and_then(|place| place.asked);
        asked.is_some_and(|(asked, _)| asked == transaction)
    }

    /// An address gave the proof; what was kept for it may go there now.
    pub(super) fn prove(&mut self, address: SocketAddr) -> Option<Vec<u8>> {
        let place = self.place(address);
        (place.proven, place.asked) = (true, None);
        let kept = place.kept.take();
        // The one in use first.
        if let Some(at) = self.places.iter().position(|place| place.address == address) {
            self.places.swap(0, at);
        }
        kept
    }

    /// The handshake is over, by a datagram from `address`.
    pub(super) fn shaken(&mut self, address: SocketAddr) {
        if self.handshake == Some(Handshake::At(address)) {
            // It is over: no part of it is of use any more.
            let _ = self.prove(address);
        }
    }

    fn place(&mut self, address: SocketAddr) -> &mut Place {
        let known = self.places.iter().position(|place| place.address == address);
        let at = known.unwrap_or_else(|| {
            if self.places.len() >= limits::PEER_ADDRESSES_MAX {
                // Never the one in use; the budget of one that comes back begins anew, with what comes from it.
                self.places.remove(1);
            }
            self.places.push(Place { address, received: 0, sent: 0, proven: false, kept: None, asked: None });
            self.places.len() - 1
        });
        &mut self.places[at]
    }
}

const _: () = assert!(limits::PEER_ADDRESSES_MAX > 1);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn an_address_that_proved_nothing_gets_three_times_what_it_sent() {
        let (mut reach, now) = (Reach::default(), Instant::now());
        assert!(!reach.send(address(1), &[128; 1]), "nothing came from there");
        reach.received(address(1), 132);
        let sent = (0..1_000).filter(|_| reach.send(address(1), &[128; 100])).count();
        assert_eq!(sent, 3, "300 of 396 bytes");
        reach.received(address(1), 132);
        assert!(reach.send(address(1), &[128; 400]), "more came");
        let transaction = reach.ask(now, address(1)).expect("it is asked");
        assert_eq!(reach.ask(now, address(1)), None, "not again at once");
        assert_eq!(reach.ask(now + limits::PROOF_SPACING, address(1)), Some(transaction));
        assert!(!reach.is_asked(address(1), &[0; 12]) && !reach.is_asked(address(2), &transaction));
        assert!(reach.is_asked(address(1), &transaction));
        reach.prove(address(1));
        assert!((0..1_000).all(|_| reach.send(address(1), &[128; 1_200])));
        assert_eq!(reach.ask(now, address(1)), None);
        // Another one begins anew.
        reach.received(address(2), 132);
        assert!(!reach.send(address(2), &[128; 400]));
    }

    #[test]
    fn a_handshake_proves_an_address_unless_another_one_saw_some_of_it() {
        for scattered in [false, true] {
            let mut reach = Reach::default();
            reach.received(address(1), 500);
            reach.received(address(2), 500);
            assert!(reach.send(address(1), &[22; 600]));
            if scattered {
                assert!(reach.send(address(2), &[22; 600]));
            }
            reach.shaken(address(2));
            assert!(!reach.send(address(2), &[128; 1_600]), "only where it went");
            reach.shaken(address(1));
            assert_eq!(reach.send(address(1), &[128; 1_600]), !scattered);
        }
    }

    #[test]
    fn many_addresses_push_out_neither_the_proven_one_nor_the_bound() {
        let mut reach = Reach::default();
        reach.received(address(1), 10);
        reach.prove(address(1));
        for port in 2..1_000 {
            reach.received(address(port), 10);
            assert!(!reach.send(address(port), &[128; 31]));
        }
        assert!(reach.places.len() <= limits::PEER_ADDRESSES_MAX && reach.send(address(1), &[128; 1_200]));
    }
}
