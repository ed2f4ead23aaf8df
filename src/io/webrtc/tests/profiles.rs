//! **The question:** in which profiles of H.264 is somebody taken?

use super::*;

fn offer(flow: &str, profiles: &[&str]) -> String {
    let formats: Vec<String> = (0..profiles.len()).map(|at| (96 + at).to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na={flow}\r\na=rtcp-mux\r\n",
        ["00"; 32].join(":"),
        formats.join(" ")
    );
    for (format, profile) in formats.iter().zip(profiles) {
        text += &format!(
            "a=rtpmap:{format} H264/90000\r\na=fmtp:{format} level-asymmetry-allowed=1;packetization-mode=1;\
             profile-level-id={profile}\r\n"
        );
    }
    text
}

/// The formats of the answer's m-line, or why there is none.
fn answered(role: PeerRole, flow: &str, profiles: &[&str]) -> Result<String, OfferError> {
    let (_, answer) = Node::start().answer(role, &offer(flow, profiles))?;
    Ok(answer.lines().find_map(|line| line.strip_prefix("m=video ")).expect("the m-line is answered").to_owned())
}

#[test]
fn a_whip_offer_of_any_profile_of_8_bits_is_taken_and_of_others_refused_whole() {
    let publisher = PeerRole::Publisher(ANNA);
    for profile in ["42e01f", "42001f", "42000a", "4d0032", "640c1f", "640034"] {
        let answer = answered(publisher, "sendonly", &[profile]);
        assert_eq!(answer.as_deref(), Ok("9 UDP/TLS/RTP/SAVPF 96"), "{profile}");
    }
    let both = answered(publisher, "sendonly", &["640c1f", "42e01f"]);
    assert!(both.is_ok_and(|both| both.contains("96") && both.contains("97")), "as Safari offers them");
    let error = answered(publisher, "sendonly", &["f4001f"]).unwrap_err();
    assert!(error.is_codec(), "4:4:4: {error}");
}
