//! **The question:** which m-line does a packet belong to that names none, of an SSRC that nobody announced? Where its
//! payload type belongs to one m-line alone, to that one (RFC 9143 section 9.2). What names its mid str0m sorts itself.

use str0m::media::{Mid, Pt};
use str0m::rtp::Ssrc;

use crate::base::limits;

/// The SSRCs of one connection that were met so far.
#[derive(Debug, Default)]
pub(super) struct Demux {
    /// Those that are sorted, by mid or announcement or here.
    known: Vec<u32>,
    /// Those that were sorted here, oldest first.
    declared: Vec<Declared>,
}

#[derive(Debug, Clone, Copy)]
struct Declared {
    mid: Mid,
    ssrc: Ssrc,
}

/// What the head of an RTP packet says (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ssrc: Ssrc,
    pub(super) pt: Pt,
}

impl Head {
    /// Of a datagram that is RTP, and neither RTCP (RFC 5761 section 4) nor anything else (RFC 7983 section 7).
    pub(super) fn of(datagram: &[u8]) -> Option<Self> {
        let [first, second, .., a, b, c, d] = *datagram.first_chunk::<12>()?;
        let is_rtp = (128..=191).contains(&first) && !(192..=223).contains(&second);
        is_rtp.then(|| Self { ssrc: u32::from_be_bytes([a, b, c, d]).into(), pt: Pt::new_with_value(second & 0x7f) })
    }
}

impl Demux {
    /// Whether this one was sorted before. Cheap: it is asked of every packet.
    pub(super) fn knows(&self, ssrc: Ssrc) -> bool {
        self.known.contains(&*ssrc)
    }

    /// Its mid, its announcement or its payload type says where it belongs.
    pub(super) fn note(&mut self, ssrc: Ssrc) {
        if self.known.len() == limits::PEER_SSRCS_MAX {
            self.known.remove(0);
        }
        self.known.push(*ssrc);
    }

    /// It is sorted to `mid` by its payload type. Returns one to forget: nobody has proved to know the keys yet, and
    /// anyone could name ever new ones.
    pub(super) fn declare(&mut self, mid: Mid, ssrc: Ssrc, in_use: impl Fn(Ssrc) -> bool) -> Option<Ssrc> {
        self.note(ssrc);
        self.declared.push(Declared { mid, ssrc });
        let of_line = self.declared.iter().filter(|declared| declared.mid == mid).count();
        if of_line <= limits::LINE_SSRCS_MAX {
            return None;
        }
        let oldest = self.declared.iter().position(|declared| declared.mid == mid && !in_use(declared.ssrc))?;
        let forgotten = self.declared.remove(oldest).ssrc;
        self.known.retain(|known| *known != *forgotten);
        Some(forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rtp_has_a_head() {
        let mut packet = [0x80, 0x80 | 111, 0, 1, 0, 0, 0, 2, 0, 0, 1, 2, 9];
        let head = Head::of(&packet).unwrap();
        assert_eq!((*head.ssrc, *head.pt), (0x102, 111));
        packet[1] = 200;
        assert_eq!(Head::of(&packet), None, "a sender report");
        packet[0] = 22;
        assert_eq!(Head::of(&packet), None, "DTLS");
        assert_eq!(Head::of(&packet[..11]), None);
    }

    #[test]
    fn invented_streams_are_forgotten_and_the_one_in_use_is_not() {
        let (mut demux, mid): (_, Mid) = (Demux::default(), "v".into());
        let mut forgotten = Vec::new();
        for ssrc in 1..=20_u32 {
            forgotten.extend(demux.declare(mid, ssrc.into(), |ssrc| *ssrc == 1));
        }
        assert!(demux.knows(1.into()) && demux.knows(20.into()) && !demux.knows(2.into()));
        assert_eq!(forgotten.len(), 20 - limits::LINE_SSRCS_MAX);
    }
}
