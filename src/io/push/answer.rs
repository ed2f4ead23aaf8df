//! **The question:** what of another server's answer is listened to? A candidate makes this node send datagrams to an
//! address, so that those are left out at which nothing is sent, and all beyond a bound.

use std::net::IpAddr;

use crate::base::limits;
use crate::io::egress::is_private;
use crate::io::push::error::PushError;

/// The answer with those of its candidates that may be tried: UDP to an address that may be sent to.
///
/// # Errors
/// When none is left.
pub(super) fn permitted(answer: &str, allow_private: bool) -> Result<String, PushError> {
    let mut kept = String::with_capacity(answer.len() + 2);
    let (mut candidates, mut private) = (0, false);
    for line in answer.lines().map(str::trim_end) {
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            let Some(address) = address_of(candidate) else { continue };
            if !allow_private && is_private(address) {
                private = true;
                continue;
            }
            candidates += 1;
            if candidates > limits::PUSH_CANDIDATES_MAX {
                continue;
            }
        }
        kept.push_str(line);
        kept.push_str("\r\n");
    }
    match (candidates, private) {
        (0, true) => Err(PushError::Private),
        (0, false) => Err(PushError::BadAnswer("it names no UDP address (a=candidate, RFC 8839)".into())),
        _ => Ok(kept),
    }
}

/// The address of a candidate from `candidate:` on, if it is one of UDP; names are for those who resolve them. Words
/// end at a space and at nothing else (RFC 8839 section 5.1), as for who goes there.
fn address_of(candidate: &str) -> Option<IpAddr> {
    let mut words = candidate.split(' ').skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let (_priority, address, port) = (words.next()?, words.next()?, words.next()?);
    let is_udp = component == "1" && transport.eq_ignore_ascii_case("udp");
    let has_port = port.parse::<u16>().is_ok_and(|port| port != 0);
    address.parse().ok().filter(|_| is_udp && has_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(address: &str) -> String {
        format!("a=candidate:1 1 UDP 2130706431 {address} 4000 typ host\r\n")
    }

    #[test]
    fn nothing_is_sent_to_where_nothing_may_be_sent() {
        let answer = format!(
            "v=0\r\na=ice-ufrag:x\r\n{}{}{}a=candidate:2 1 tcp 1 8.8.8.8 9 typ host tcptype passive\r\n\
             a=candidate:3 2 udp 1 8.8.8.8 4000 typ host\r\na=candidate:4 1 udp 1 8.8.8.8 0 typ host\r\n\
             a=candidate:5 1 udp\r\n{}a=mid:0\r\n",
            candidate("10.0.0.1"),
            candidate("1.1.1.1"),
            candidate("0d6c3e.local"),
            candidate("::1"),
        );
        let kept = permitted(&answer, false).unwrap();
        assert_eq!(kept, format!("v=0\r\na=ice-ufrag:x\r\n{}a=mid:0\r\n", candidate("1.1.1.1")));
        let all = permitted(&answer, true).unwrap();
        assert_eq!(all.matches("a=candidate:").count(), 3, "{all}");
        assert_eq!(permitted(&candidate("10.0.0.1"), false), Err(PushError::Private));
        assert!(matches!(permitted("v=0\r\n", true), Err(PushError::BadAnswer(_))));
        // What looks like the address of one who ends words at a tab, is not that of one who does not.
        let two_faced = "a=candidate:1\t1\tudp\t1\t8.8.8.8\t4000 1 udp 1 10.0.0.1 4000 typ host\r\n";
        assert_eq!(permitted(two_faced, false), Err(PushError::Private));
    }

    #[test]
    fn no_answer_makes_this_node_ask_everybody() {
        let many: String = (1..=200).map(|n| candidate(&format!("1.1.1.{n}"))).collect();
        let kept = permitted(&many, false).unwrap();
        assert_eq!(kept.matches("a=candidate:").count(), limits::PUSH_CANDIDATES_MAX);
    }
}
