//! **The question:** under which addresses does the other side reach this one? UDP first, and preferred by its
//! priority (RFC 6544 section 4.2): TCP is for those whose network lets nothing else through.

use std::net::SocketAddr;

use str0m::net::{Protocol, TcpType};
use str0m::{Candidate, CandidateKind, Rtc};

use crate::io::webrtc::life::PeerSetup;

/// Puts this side's candidates into what it will answer. Clients that read one candidate alone read the first, and
/// can only do UDP (FFmpeg's WHIP muxer).
pub(super) fn add(rtc: &mut Rtc, setup: &PeerSetup<'_>) {
    let udp = setup.candidates.iter().map(|address| Candidate::host(*address, Protocol::Udp));
    let passive = |address: &SocketAddr| Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build();
    // An address that nobody can reach, such as 0.0.0.0, is no candidate.
    for candidate in udp.chain(setup.tcp_candidates.iter().map(passive)).flatten() {
        rtc.add_local_candidate(candidate);
    }
}

/// A client's connection is no more: nothing is sent there, and what it has nominated beside it comes into its own.
pub(super) fn forget_stream(rtc: &mut Rtc, remote: SocketAddr) {
    // The library made it of the first check, or knew it already: browsers tell no port of connections to come, others
    // do. What it compares is the addresses and the kind.
    for kind in [CandidateKind::PeerReflexive, CandidateKind::Host] {
        let gone = Candidate::from_parts(String::new(), 1, Protocol::Tcp, 1, remote, kind, None, None, None);
        rtc.direct_api().invalidate_candidate(&gone);
    }
}
