//! **The question:** does somebody connect who tells of their certificate by another hash than SHA-256 alone, and
//! nobody else in their place? And who waits to be called?

use openssl::hash::{MessageDigest, hash};
use str0m::crypto::from_feature_flags;
use str0m::{Candidate, Rtc};

use super::*;

/// A client's offer that tells its certificate's hash by this alone; `forged`: another certificate's.
fn offer(client: &mut Client, name: &str, digest: MessageDigest, forged: bool) -> String {
    let dtls = from_feature_flags().dtls_provider;
    let certificate = dtls.generate_certificate().unwrap();
    client.rtc = Rtc::builder()
        .set_rtp_mode(true)
        .set_dtls_cert(certificate.clone())
        .clear_codecs()
        .enable_opus(true, false)
        .enable_av1(true)
        .build(Instant::now());
    client.rtc.add_local_candidate(Candidate::host(client.address, "udp").unwrap());
    let told = if forged { dtls.generate_certificate().unwrap() } else { certificate };
    let bytes: Vec<String> =
        hash(digest, &told.certificate).unwrap().iter().map(|byte| format!("{byte:02X}")).collect();
    let offer = client.viewer_offer();
    let line = format!("a=fingerprint:{name} {}", bytes.join(":"));
    let lines = offer.lines().map(|old| if old.starts_with("a=fingerprint:") { &line } else { old });
    lines.map(|line| format!("{line}\r\n")).collect()
}

#[test]
fn a_certificate_told_by_sha512_connects_and_another_one_does_not() {
    for (name, digest) in [("sha-512", MessageDigest::sha512()), ("sha-384", MessageDigest::sha384())] {
        for forged in [false, true] {
            let (mut node, mut client) = (Node::start(), Client::new());
            let offer = offer(&mut client, name, digest, forged);
            let (_, answer) = node.answer(PeerRole::Viewer { minus: None }, &offer).unwrap();
            client.accept(&answer);
            drive(&mut node, &mut [&mut client], |node, _| {
                node.has(|event| matches!(event, NetEvent::Connected(_) | NetEvent::Closed { .. }))
            });
            let refused = |event: &NetEvent| matches!(event, NetEvent::Closed { reason: CloseReason::Handshake, .. });
            assert_eq!(node.has(refused), forged, "{name}");
            assert_eq!(node.has(|event| matches!(event, NetEvent::Connected(_))), !forged, "{name}");
        }
    }
}

/// As FFmpeg's WHIP muxer offers it.
#[test]
fn who_offers_to_wait_for_the_handshake_is_called() {
    let (mut node, mut client) = (Node::start(), Client::new());
    let offer = client.viewer_offer().replace("a=setup:actpass", "a=setup:passive");
    let (_, answer) = node.answer(PeerRole::Viewer { minus: None }, &offer).unwrap();
    assert!(answer.contains("a=setup:active"), "{answer}");
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |node, clients| {
        clients[0].connected && node.has(|event| matches!(event, NetEvent::Connected(_)))
    });
}
