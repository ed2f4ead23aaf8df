//! **The question:** does the rest of an offer come up whose first m-line is refused, and does an offer that nothing
//! can be made of cost nobody else anything?

use super::*;

#[test]
fn candidates_are_told_by_the_first_line_that_is_taken() {
    let mut client = Client::new();
    let offer =
        client.offer(&[(MediaKind::Audio, Direction::RecvOnly), (MediaKind::Video, Direction::RecvOnly)], false);
    let (viewer, mut node) = (PeerRole::Viewer { minus: None }, Node::start());
    for offer in [offer.replace("m=audio 9", "m=audio 0"), offer.replace("opus/48000/2", "xopus/48000/2")] {
        let (_, answer) = node.answer(viewer, &offer).unwrap();
        let sections: Vec<&str> = answer.split("\r\nm=").skip(1).collect();
        assert!(sections[0].starts_with("audio 0 ") && !sections[0].contains("a=candidate:"), "{answer}");
        assert!(sections[1].starts_with("video 9 ") && sections[1].contains("a=candidate:"), "{answer}");
    }
    let (_, answer) = node.answer(viewer, &offer).unwrap();
    assert_eq!(answer.split("\r\nm=").filter(|section| section.contains("a=candidate:")).count(), 1, "{answer}");
}

/// An offer of somebody who only receives, each line of one payload type.
fn received(lines: &[(&str, u8, &str)]) -> String {
    let mids: Vec<String> = (0..lines.len()).map(|mid| mid.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n",
        mids.join(" "),
        ["00"; 32].join(":"),
    );
    for (mid, (kind, format, map)) in lines.iter().enumerate() {
        text += &format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {format}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=recvonly\r\n\
             a=rtcp-mux\r\na=rtpmap:{format} {map}\r\n"
        );
    }
    text
}

/// One such offer ended the process: str0m asserts that no payload type is locked twice.
#[test]
fn a_payload_type_that_stands_for_two_things_is_refused_with_its_number() {
    let mut node = Node::start();
    let (role, picture) = (PeerRole::Participant(ANNA), ("video", 45, "AV1/90000"));
    let error = node.answer(role, &received(&[("audio", 45, "opus/48000/2"), picture])).unwrap_err();
    assert!(error.to_string().contains("payload type 45"), "{error}");
    let error = node.answer(role, &received(&[picture, ("video", 45, "VP8/90000")])).unwrap_err();
    assert!(error.to_string().contains("payload type 45"), "{error}");
    assert!(
        node.answer(role, &received(&[("audio", 111, "opus/48000/2"), picture, picture])).is_ok(),
        "the same twice"
    );
}

#[test]
fn a_later_offer_that_contradicts_the_first_ends_nothing() {
    let node = Node::start();
    let (certificate, candidates) = (&node.certificate, &node.candidates[..]);
    let setup = PeerSetup {
        id: PeerId(9),
        role: PeerRole::Participant(ANNA),
        certificate,
        candidates,
        tcp_candidates: &[],
        red: true,
    };
    let first = received(&[("video", 45, "AV1/90000")]);
    let (mut peer, _) = Peer::answer(&setup, &first, Instant::now()).unwrap();
    let later = received(&[("video", 45, "AV1/90000"), ("audio", 45, "opus/48000/2")]);
    assert!(peer.renegotiate(&later).is_err(), "in one offer");
    let later = received(&[("video", 46, "AV1/90000"), ("audio", 45, "opus/48000/2")]);
    assert!(matches!(peer.renegotiate(&later), Err(OfferError::Malformed(_))), "with the one before");
}
