//! Offers as clients in the wild write them, and what is answered: no node, no network.

use std::time::Instant;

use super::*;
use crate::base::media::{ParticipantId, PeerId};
use crate::io::webrtc::{Certificate, Peer, PeerSetup};

const PRINT: &str = "03:43:4D:50:85:E7:4A:07:2C:14:6C:A2:9D:C4:E9:83:33:4F:BA:D5:36:85:F0:4A:7E:DE:D8:62:B1:30:9B:5E";
const PUBLISHER: PeerRole = PeerRole::Publisher(ParticipantId(1));
const PERSON: PeerRole = PeerRole::Participant(ParticipantId(1));
const VIEWER: PeerRole = PeerRole::Viewer { minus: None };

/// Formats that nobody here takes, one of them with a blank too many.
const FOREIGN: &str = "a=rtpmap:98 H265/90000 \r\na=rtpmap:13 CN/8000\r\na=rtpmap:45";
/// Attributes of every odd kind.
const ODD: &str = "a=rtpmap:45 AV1/90000\r\na=extmap:300 urn:x\r\n\
    a=extmap:5/odd urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=candidate:1 1 udp 1 x.local 9 typ host\r\na=ssrc:x\r\na=rtcp-fb:* nack";
/// A line for data as drafts had it.
const DATA: &str = "m=application 9 DTLS/SCTP 5000\nc=IN IP4 0.0.0.0\na=mid:2\na=sctpmap:5000 webrtc-datachannel 256\n";
/// Extensions of a phone.
const PHONE: &str = "a=extmap:2 urn:3gpp:video-orientation\n\
    a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n";

fn transport() -> String {
    format!("a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuvwx\na=fingerprint:sha-256 {PRINT}\na=setup:actpass\n")
}

fn audio(mid: &str, more: &str) -> String {
    let mid = if mid.is_empty() { String::new() } else { format!("a=mid:{mid}\n") };
    format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\n{mid}a=sendonly\na=rtcp-mux\n\
         a=rtpmap:111 opus/48000/2\n{more}"
    )
}

fn video(mid: &str, more: &str) -> String {
    let mid = if mid.is_empty() { String::new() } else { format!("a=mid:{mid}\n") };
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 45\nc=IN IP4 0.0.0.0\n{mid}a=sendonly\na=rtcp-mux\na=rtpmap:45 AV1/90000\n{more}"
    )
}

/// An offer of these sections, bundled.
fn offer(sections: &[String]) -> String {
    let mids: Vec<&str> =
        sections.iter().flat_map(|section| section.lines()).filter_map(|line| line.strip_prefix("a=mid:")).collect();
    let group = if mids.is_empty() { String::new() } else { format!("a=group:BUNDLE {}\n", mids.join(" ")) };
    format!("v=0\no=- 5 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n{group}{}{}", transport(), sections.concat())
        .replace('\n', "\r\n")
}

fn answered(role: PeerRole, offer: &str) -> Result<String, OfferError> {
    let (certificate, id) = (Certificate::generate(), PeerId(1));
    let setup = PeerSetup { id, role, certificate: &certificate, candidates: &[], tcp_candidates: &[], red: false };
    Peer::answer(&setup, offer, Instant::now()).map(|(_, answer)| answer)
}

/// The m-lines of an answer, each up to its formats, and its direction.
fn lines(answer: &str) -> Vec<String> {
    let sections = answer.split("\r\nm=").skip(1);
    let line = |section: &str| {
        let head: Vec<&str> = section.lines().next().unwrap().split(' ').take(3).collect();
        let flow = section.lines().find(|line| Flow::of(line.trim_start_matches("a=")).is_some());
        format!("{} {}", head.join(" "), flow.unwrap_or("?"))
    };
    sections.map(line).collect()
}

fn has(answer: &str, line: &str) -> bool {
    answer.lines().any(|one| one == line)
}

#[test]
fn case_1_sdp_lines_that_are_legal_are_taken() {
    let both = || [audio("0", ""), video("1", "")];
    let plain = offer(&both());
    let c = "c=IN IP4 0.0.0.0\r\na=mid:1";
    let changed = [
        plain.replace(c, "c=IN IP4 0.0.0.0\r\nb=AS:2500\r\nb=TIAS:2500000\r\na=mid:1"),
        plain.replace(c, &format!("i=camera\r\n{c}")),
        plain.replace(c, &format!("c=IN IP4 0.0.0.0\r\n{c}")),
        plain.replace(c, &format!("{c}\r\nk=clear:x")),
        plain.replace("a=sendonly\r\n", ""),
        plain.replace("a=sendonly\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n"),
        plain.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"),
        plain.replace("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"),
        plain.replace("\r\n", "\n"),
        plain.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1 0"),
        plain.replace("o=- 5 2 IN", "o=jdoe abc 99999999999999999999999 IN").replace("s=-", "s=A call"),
        plain.replace("a=setup:actpass", "a=setup:holdconn"),
        plain.replace("sha-256 03", "SHA-256 03").replace("a=rtpmap:111 opus", "a=rtpmap:111 OPUS"),
        plain.replace("SAVPF 45", "SAVPF 45 98 13 0 200").replace("a=rtpmap:45", FOREIGN),
        plain.replace("a=rtpmap:45 AV1/90000", ODD),
        offer(&[video("v", "")]).replace("a=group:BUNDLE v\r\n", ""),
        offer(&[video("", "")]),
        offer(&[audio("0", ""), video("1", ""), DATA.into()]),
    ];
    for offer in changed {
        for role in [PUBLISHER, PERSON] {
            let answer = answered(role, &offer).unwrap_or_else(|error| panic!("{error}\n{offer}"));
            assert!(!lines(&answer).iter().any(|line| line.contains(" 0 ")), "{answer}");
            assert_eq!(answer.matches("a=mid:").count(), offer.matches("a=mid:").count(), "no name that was not given");
            assert_eq!(answer.contains("a=group:BUNDLE"), offer.contains("a=group:BUNDLE"));
        }
    }
    let answer = answered(PERSON, &plain.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")).unwrap();
    assert!(has(&answer, "m=video 9 RTP/SAVPF 45"), "in the offer's own profile: {answer}");
}

#[test]
fn case_1_sdp_lines_that_cannot_work_are_refused_with_the_true_reason() {
    let plain = offer(&[audio("0", ""), video("1", "")]);
    for (offer, reason) in [
        (plain.replace("a=group:BUNDLE 0 1\r\n", ""), "BUNDLE"),
        (plain.replace("a=ice-pwd", "a=x"), "ice-pwd"),
        (plain.replace("m=video 9 ", "m=video x "), "m-line"),
        (plain.replace("a=setup", "a=ice-lite\r\na=setup"), "ICE-lite"),
        (plain.replace("s=-", "nonsense"), "line 3"),
        (offer(&[]), "no video or audio"),
        (plain.replace("a=mid:1", "a=mid:0").replace("BUNDLE 0 1", "BUNDLE 0"), "contradict"),
    ] {
        let error = answered(PERSON, &offer).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("0x") && !error.contains("createOffer"), "{error}");
    }
}

#[test]
fn case_8_any_hash_that_can_be_computed_is_taken_and_sha256_is_found_among_others() {
    let plain = offer(&[audio("0", "")]);
    let only = |hash: &str| plain.replace("sha-256", hash);
    assert_eq!(answered(PUBLISHER, &only("md5")).unwrap_err(), OfferError::NoFingerprint);
    assert_eq!(answered(PUBLISHER, &plain.replace("a=fingerprint", "a=x")).unwrap_err(), OfferError::NoFingerprint);
    for hash in ["sha-1", "sha-224", "sha-384", "SHA-512"] {
        assert!(answered(PUBLISHER, &only(hash)).is_ok(), "{hash}");
    }
    let several =
        plain.replace("a=fingerprint", "a=fingerprint:sha-1 01:02\r\na=fingerprint:sha-512 03:04\r\na=fingerprint");
    assert!(answered(PUBLISHER, &several).is_ok());
}

#[test]
fn case_52_av1_level_and_tier_need_not_be_equal() {
    for fmtp in [
        "level-idx=5;profile=0;tier=0",
        "level-idx=8;profile=0;tier=0",
        "level-idx=5;profile=0;tier=1",
        "level-idx=31; profile=0; tier=0",
    ] {
        let line = format!("a=fmtp:45 {fmtp}\n");
        let answer = answered(PUBLISHER, &offer(&[audio("0", ""), video("1", &line)])).unwrap();
        assert_eq!(lines(&answer)[1], "video 9 UDP/TLS/RTP/SAVPF a=recvonly");
        assert!(has(&answer, &format!("a=fmtp:45 {fmtp}")), "as it was offered: {answer}");
        let watch = offer(&[video("1", &line)]).replace("sendonly", "recvonly");
        assert_eq!(lines(&answered(VIEWER, &watch).unwrap()), ["video 9 UDP/TLS/RTP/SAVPF a=sendonly"]);
    }
}

#[test]
fn case_57_whip_answer_receives_all_or_refuses_all() {
    let both = offer(&[audio("0", ""), video("1", "")]);
    let answer = answered(PUBLISHER, &both.replace("sendonly", "sendrecv")).unwrap();
    assert_eq!(lines(&answer), ["audio 9 UDP/TLS/RTP/SAVPF a=recvonly", "video 9 UDP/TLS/RTP/SAVPF a=recvonly"]);
    let three = offer(&[audio("0", ""), video("1", ""), video("2", ""), video("3", "")]);
    for offer in [
        both.replace("a=rtpmap:45 AV1/90000", "a=rtpmap:45 AV1/90000\r\na=fmtp:45 profile=1"),
        both.replace("opus/48000/2", "opus/48000"),
        both.replace("AV1/90000", "H265/90000"),
        both.replace("a=mid:1\r\na=sendonly", "a=mid:1\r\na=recvonly"),
        three.clone(),
    ] {
        let error = answered(PUBLISHER, &offer).unwrap_err();
        assert!(error.is_codec(), "{error}");
    }
    let dead = answered(PUBLISHER, &both.replace("m=video 9", "m=video 0")).unwrap();
    assert_eq!(lines(&dead)[1], "video 0 UDP/TLS/RTP/SAVPF a=inactive");
    assert!(has(&dead, "a=group:BUNDLE 0"), "{dead}");
    let bundle_only = both.replace("m=video 9", "m=video 0").replace("a=mid:1", "a=mid:1\r\na=bundle-only");
    assert_eq!(lines(&answered(PUBLISHER, &bundle_only).unwrap())[1], "video 9 UDP/TLS/RTP/SAVPF a=recvonly");
}

#[test]
fn an_offer_whose_pictures_nobody_can_take_gets_its_sound_and_a_reason() {
    let mixed =
        offer(&[audio("0", ""), video("1", ""), "m=text 9 RTP/AVP 98\na=mid:2\n".into()]).replace("AV1/", "H265/");
    let intake = Intake::read(&mixed, PERSON).unwrap();
    let [picture, text] = &intake.refusals()[..] else { panic!("{:?}", intake.refusals()) };
    assert!(
        picture.starts_with("m-line 1 (video)") && picture.contains("AV1") && text.contains("text"),
        "{picture} {text}"
    );
    let answer = answered(PERSON, &mixed).unwrap();
    let want =
        ["audio 9 UDP/TLS/RTP/SAVPF a=recvonly", "video 0 UDP/TLS/RTP/SAVPF a=inactive", "text 0 RTP/AVP a=inactive"];
    assert_eq!(lines(&answer), want);
    assert!(has(&answer, "a=group:BUNDLE 0"));
    assert_eq!(
        answered(VIEWER, &mixed.replace("sendonly", "recvonly")).map(|answer| lines(&answer)[0].clone()).unwrap(),
        "audio 9 UDP/TLS/RTP/SAVPF a=sendonly"
    );
    assert_eq!(answered(PERSON, &mixed.replace("opus/", "pcm/")).unwrap_err(), OfferError::NoOpus);
}

#[test]
fn case_60_answer_feedback_adds_nothing_and_names_no_stream_where_nothing_is_sent() {
    let fmtp = "a=fmtp:111 stereo=1;sprop-stereo=1;useinbandfec=1\n";
    let both = offer(&[audio("0", fmtp), video("1", "a=rtcp-fb:45 nack\na=rtcp-fb:45 nack pli\n")]);
    let answer = answered(PUBLISHER, &both).unwrap();
    let feedback: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=rtcp-fb")).collect();
    assert_eq!(feedback, ["a=rtcp-fb:45 nack", "a=rtcp-fb:45 nack pli"]);
    assert!(!answer.contains("a=msid:") && !answer.contains("a=ssrc:"), "{answer}");
    assert!(answer.lines().any(|line| line.starts_with("a=fmtp:111") && line.contains("stereo=1")), "{answer}");
    assert!(!answer.contains("extmap-allow-mixed"));
    // A person's microphone is heard as it is, the sound of their screen in stereo, and so is the mix.
    let listens = audio("2", "").replace("sendonly", "recvonly");
    let stereo = |lines: &[String]| -> Vec<bool> {
        let answer = answered(PERSON, &offer(lines)).unwrap();
        answer.split("\r\nm=").skip(1).map(|section| section.contains("stereo=1")).collect()
    };
    assert_eq!(stereo(&[audio("0", ""), audio("1", ""), listens.clone()]), [false, true, true]);
    assert_eq!(stereo(&[audio("0", ""), listens.clone()]), [false, true]);
    let answer = answered(PERSON, &offer(&[listens])).unwrap();
    assert!(answer.contains("sprop-stereo=1") && answer.contains("a=msid:composite"));
}

#[test]
fn case_17_video_orientation_and_color_space_are_answered_for_they_are_obeyed() {
    let answer = answered(PUBLISHER, &offer(&[video("0", PHONE)])).unwrap();
    assert!(has(&answer, "a=extmap:2 urn:3gpp:video-orientation"), "{answer}");
    assert!(has(&answer, "a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space"), "{answer}");
    assert!(has(&answer, "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"), "{answer}");
}

/// As Firefox writes: everything common before the first m-line, every codec, ids for one direction.
const FIREFOX: &str = include_str!("offers/firefox.sdp");

/// As GStreamer's webrtcbin writes: numbers from 96, transceivers' names, bandwidth, no header extensions.
const GSTREAMER: &str = include_str!("offers/gstreamer.sdp");

/// As OBS writes by libdatachannel: ids of words, an address, candidates of several kinds.
const OBS: &str = include_str!("offers/obs.sdp");

#[test]
fn offers_of_clients_that_nobody_here_wrote_are_taken_whole() {
    for (name, offer, stereo) in [("Firefox", FIREFOX, true), ("GStreamer", GSTREAMER, true), ("OBS", OBS, true)] {
        let offer = offer.replace("PRINT", PRINT).replace('\n', "\r\n");
        for role in [PUBLISHER, PERSON] {
            let intake = Intake::read(&offer, role).unwrap();
            assert_eq!(intake.refusals(), [""; 0], "{name}");
            let answer = answered(role, &offer).unwrap();
            for line in lines(&answer) {
                assert!(line.ends_with(" 9 UDP/TLS/RTP/SAVPF a=recvonly"), "{name}: {line}");
            }
            assert_eq!(answer.contains("stereo=1"), stereo && (name != "GStreamer" || role == PUBLISHER), "{name}");
            let maps = answer.lines().filter(|line| line.starts_with("a=rtpmap:"));
            let mut encodings = maps.filter_map(|line| line.split([' ', '/']).nth(1)).map(str::to_ascii_lowercase);
            let taken = ["av1", "vp9", "h264", "vp8", "rtx", "opus", "red"];
            assert!(encodings.all(|encoding| taken.contains(&&*encoding)), "{name}: {answer}");
        }
    }
}

/// Formats of a line for pictures, none of them AV1.
const NO_AV1: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100\nc=IN IP4 0.0.0.0\na=mid:0\na=FLOW\na=rtcp-mux\n\
    a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rtpmap:98 H264/90000\n\
    a=fmtp:98 packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1\na=rtpmap:99 H264/90000\n\
    a=fmtp:99 packetization-mode=0;profile-level-id=42e01f\na=rtpmap:100 VP9/90000\na=fmtp:100 profile-id=0\n";

#[test]
fn who_has_no_av1_sends_what_they_have_and_is_sent_h264() {
    let of = |flow: &str| offer(&[NO_AV1.replace("FLOW", flow)]);
    let formats = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("m=video 9 UDP/TLS/RTP/SAVPF ")).map(str::to_owned);
        line.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
    };
    let sent = formats(&answered(PERSON, &of("sendonly")).unwrap());
    assert!(["96", "98", "100"].iter().all(|format| sent.contains(&(*format).to_owned())), "{sent:?}");
    let (certificate, id) = (Certificate::generate(), PeerId(1));
    let setup =
        PeerSetup { id, role: VIEWER, certificate: &certificate, candidates: &[], tcp_candidates: &[], red: false };
    let (peer, answer) = Peer::answer(&setup, &of("recvonly"), Instant::now()).unwrap();
    assert_eq!(
        (formats(&answer), peer.watches()),
        (vec!["98".to_owned()], RungCodecs::default().with(Codec::H264)),
        "{answer}"
    );
    let alone = of("recvonly").replace("H264/90000", "H265/90000");
    let (peer, answer) = Peer::answer(&setup, &alone, Instant::now()).unwrap();
    assert_eq!((&formats(&answer)[0][..], peer.watches()), ("96", RungCodecs::default().with(Codec::Vp8)), "{answer}");
    let none = alone.replace("VP8/90000", "H265/90000");
    assert!(matches!(answered(VIEWER, &none), Err(OfferError::NoCodec)));
}
