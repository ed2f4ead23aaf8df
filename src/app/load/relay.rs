//! **The question:** how does one person's traffic go through a bad link? A relay between their socket and the node's:
//! the answer's candidates give way to the relay's own, and each datagram comes out when `link` says, if it does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::error::LoadError;
use super::link::{Carrier, LinkPlan, WayCounts};
use crate::base::limits;

/// How bad links are, and since when that counts.
#[derive(Debug, Clone)]
pub(super) struct Links {
    /// What each does.
    pub plan: Arc<LinkPlan>,
    /// When measuring began, which is when the plan begins.
    pub begun: Arc<OnceLock<Instant>>,
    /// Of all that is random.
    pub seed: u64,
}

/// One person's link; it ends with this.
#[derive(Debug)]
pub(super) struct Relay {
    task: JoinHandle<()>,
    counts: Arc<Mutex<[WayCounts; 2]>>,
}

impl Relay {
    /// Puts a link of `links` between person `number`, at this attempt, and the node of this answer; returns the answer
    /// that leads through it.
    ///
    /// # Errors
    /// When the answer has no address, or this machine no socket.
    pub async fn open(
        links: &Links,
        (number, attempt): (usize, u32),
        answer: &str,
    ) -> Result<(Self, String), LoadError> {
        let none = || LoadError::NotConnected("the answer names no address over UDP".to_owned());
        let node = candidate(answer).ok_or_else(none)?;
        let system = |error: std::io::Error| LoadError::System(format!("a link's sockets: {error}"));
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(system)?;
        let any: SocketAddr = match node {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let far = UdpSocket::bind(any).await.map_err(system)?;
        far.connect(node).await.map_err(system)?;
        let answer = through(answer, near.local_addr().map_err(system)?);
        let counts = Arc::new(Mutex::new([WayCounts::default(); 2]));
        let whose = (u64::from(attempt) << 32) + number as u64 * 2;
        let seed = links.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(whose);
        let way = Ways {
            links: links.clone(),
            carriers: [Carrier::new(seed), Carrier::new(seed + 1)],
            under_way: BinaryHeap::new(),
            number: 0,
            counts: Arc::clone(&counts),
        };
        Ok((Self { task: tokio::spawn(way.run(near, far)), counts }, answer))
    }

    /// What came of datagrams to the node, and of those from it.
    pub fn counts(&self) -> [WayCounts; 2] {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A datagram under way: when it comes out, in which order they came in, whether it is for the node.
type UnderWay = (Instant, u64, bool, Bytes);

struct Ways {
    links: Links,
    /// To the node, and from it.
    carriers: [Carrier; 2],
    under_way: BinaryHeap<Reverse<UnderWay>>,
    number: u64,
    counts: Arc<Mutex<[WayCounts; 2]>>,
}

impl Ways {
    async fn run(mut self, near: UdpSocket, far: UdpSocket) {
        let (mut to_node, mut from_node) = (vec![0; limits::DATAGRAM_LEN_MAX], vec![0; limits::DATAGRAM_LEN_MAX]);
        let mut person = None;
        loop {
            let due = self.under_way.peek().map(|Reverse((at, ..))| *at);
            let wait = tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + limits::IDLE_ROUND).into());
            tokio::select! {
                // What fails here (an address that is gone) comes again or never; a link loses it.
                read = near.recv_from(&mut to_node) => if let Ok((len, from)) = read {
                    person = Some(from);
                    self.take(true, &to_node[..len]);
                },
                read = far.recv(&mut from_node) => if let Ok(len) = read {
                    self.take(false, &from_node[..len]);
                },
                () = wait => {}
            }
            let now = Instant::now();
            while let Some(Reverse((_, _, up, datagram))) = self.next(now) {
                let _ = match (up, person) {
                    (true, _) => far.send(&datagram).await,
                    (false, Some(person)) => near.send_to(&datagram, person).await,
                    (false, None) => Ok(0),
                };
            }
        }
    }

    fn take(&mut self, up: bool, datagram: &[u8]) {
        let now = Instant::now();
        let begun = self.links.begun.get();
        let measured = begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(*begun));
        let carrier = &mut self.carriers[usize::from(!up)];
        let out = carrier.carry(now, datagram.len(), (&self.links.plan, up), measured);
        // What happened before is of no interest.
        if begun.is_some() {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner)[usize::from(!up)] = carrier.counts;
        } else {
            carrier.counts = WayCounts::default();
        }
        if let Some(at) = out.filter(|_| self.under_way.len() < limits::LOAD_UNDER_WAY_MAX) {
            self.number += 1;
            self.under_way.push(Reverse((at, self.number, up, Bytes::copy_from_slice(datagram))));
        }
    }

    fn next(&mut self, now: Instant) -> Option<Reverse<UnderWay>> {
        let is_due = self.under_way.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        is_due.then(|| self.under_way.pop()).flatten()
    }
}

/// The first address over UDP that an answer names.
fn candidate(answer: &str) -> Option<SocketAddr> {
    let words = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    answer.lines().filter(|line| line.starts_with("a=candidate:")).map(words).find_map(|words| {
        let [_, _, transport, _, address, port, ..] = &words[..] else { return None };
        let is_udp = transport.eq_ignore_ascii_case("udp");
        Some(SocketAddr::new(address.parse().ok().filter(|_| is_udp)?, port.parse().ok()?))
    })
}

/// The answer with this address as its only one.
fn through(answer: &str, relay: SocketAddr) -> String {
    let (mut lines, mut named) = (Vec::new(), false);
    let only = format!("a=candidate:1 1 udp 2130706175 {} {} typ host", relay.ip(), relay.port());
    for line in answer.lines() {
        if !line.starts_with("a=candidate:") {
            lines.push(line);
        } else if !std::mem::replace(&mut named, true) {
            lines.push(&only);
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=candidate:1 1 tcp 9 192.0.2.1 9 typ host tcptype passive\r\n\
        a=candidate:2 1 udp 2 127.0.0.1 3478 typ host\r\na=mid:0\r\na=candidate:2 1 udp 2 ::1 3478 typ host\r\n";

    #[test]
    fn an_answers_addresses_give_way_to_the_relays() {
        assert_eq!(candidate(ANSWER), Some("127.0.0.1:3478".parse().unwrap()));
        let through = through(ANSWER, "127.0.0.1:9".parse().unwrap());
        assert_eq!(through.matches("candidate").count(), 1, "{through}");
        assert_eq!(candidate(&through), Some("127.0.0.1:9".parse().unwrap()));
        assert!(through.ends_with("a=mid:0\r\n") && candidate("v=0\r\n").is_none());
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_at_the_other_end_both_ways() {
        let (node, person) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let plan = LinkPlan::new(vec!["delay=1ms".parse().unwrap()]).unwrap();
        let links = Links { plan: Arc::new(plan), begun: Arc::default(), seed: 1 };
        links.begun.set(Instant::now()).unwrap();
        let answer = through(ANSWER, node.local_addr().unwrap());
        let (relay, answer) = Relay::open(&links, (0, 1), &answer).await.unwrap();
        person.send_to(b"up", candidate(&answer).unwrap()).await.unwrap();
        let mut read = [0; 9];
        let (len, from) = node.recv_from(&mut read).await.unwrap();
        assert_eq!(&read[..len], b"up");
        node.send_to(b"down", from).await.unwrap();
        let (len, from) = person.recv_from(&mut read).await.unwrap();
        assert_eq!((&read[..len], Some(from)), (&b"down"[..], candidate(&answer)));
        assert_eq!(relay.counts().map(|way| (way.sent, way.lost)), [(1, 0), (1, 0)]);
    }
}
