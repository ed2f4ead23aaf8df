//! **The question:** how do datagrams get in and out in few system calls? One socket; receives in batches, sends in
//! segments.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::base::limits;

/// Why the media socket did not open.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has the port.
    #[error(
        "UDP port {} is taken ({address}): stop the other program or choose another port for media",
        address.port()
    )]
    Taken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound for another reason.
    #[error("cannot receive media on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing would arrive at an address that answers would name.
    #[error("{advertised} cannot be reached by media on {address}: listen on [::] for IPv4 and IPv6, or leave it out")]
    Family {
        /// The address bound.
        address: SocketAddr,
        /// What was to be advertised.
        advertised: IpAddr,
    },
}

impl BindError {
    fn of(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { address },
            _ => Self::Bind { address, source: error },
        }
    }
}

/// One of the node's media sockets.
#[derive(Debug)]
pub struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    candidates: Vec<SocketAddr>,
    /// Addresses of this machine, by which a reply may choose its source.
    local: Vec<IpAddr>,
}

impl MediaSocket {
    /// Binds `listen`; `[::]` receives IPv4 as well as IPv6. `advertise` are the addresses written into answers; empty
    /// means the interfaces' own.
    ///
    /// # Errors
    /// When the port is taken, the address is not this machine's, or one to advertise is of a family that does not
    /// arrive here.
    pub fn bind(listen: SocketAddr, advertise: &[IpAddr]) -> Result<Self, BindError> {
        if let Some(advertised) = advertise.iter().find(|advertised| !arrives(listen.ip(), **advertised)) {
            return Err(BindError::Family { address: listen, advertised: *advertised });
        }
        bind_alone(listen)
            .and_then(|socket| Self::around(socket, advertise))
            .map_err(|error| BindError::of(listen, error))
    }

    /// Binds `count` sockets to one port, between which the kernel spreads datagrams by their addresses; at least one.
    ///
    /// # Errors
    /// As [`MediaSocket::bind`].
    pub fn bind_several(listen: SocketAddr, advertise: &[IpAddr], count: usize) -> Result<Vec<Self>, BindError> {
        // The first is bound as if it were alone, so that a port of another program is taken, even one that would
        // share.
        let mut sockets = vec![Self::bind(listen, advertise)?];
        let address = sockets[0].address;
        for _ in 1..count {
            let bound = sockopt::set_socket_reuseport(&sockets[0].socket, true)
                .map_err(io::Error::from)
                .and_then(|()| bind_beside(address))
                .and_then(|socket| Self::around(socket, advertise));
            sockets.push(bound.map_err(|error| BindError::of(address, error))?);
        }
        Ok(sockets)
    }

    fn around(socket: UdpSocket, advertise: &[IpAddr]) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let address = socket.local_addr()?;
        // A kernel that grants less is no reason not to run; `docs/operating.md` names the sysctl.
        // The forced size ignores `net.core.rmem_max` and `wmem_max`, and needs CAP_NET_ADMIN.
        if sockopt::set_socket_recv_buffer_size_force(&socket, limits::UDP_RECEIVE_BUFFER).is_err() {
            let _ = state.set_recv_buffer_size((&socket).into(), limits::UDP_RECEIVE_BUFFER);
        }
        if sockopt::set_socket_send_buffer_size_force(&socket, limits::UDP_SEND_BUFFER).is_err() {
            let _ = state.set_send_buffer_size((&socket).into(), limits::UDP_SEND_BUFFER);
        }
        let local = local(address);
        Ok(Self { socket, state, address, candidates: addresses_of(address, advertise), local })
    }

    /// The address bound, its port never 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in answers as host candidates.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// The candidate that a datagram from `source` to `destination` came in by; behind a NAT the first of its family.
    pub(super) fn candidate_for(&self, source: SocketAddr, destination: Option<IpAddr>) -> SocketAddr {
        candidate_of(&self.candidates, source, destination).unwrap_or(self.address)
    }

    fn send(&self, run: &Run, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let src_ip = self.local.contains(&run.source.ip()).then(|| run.source.ip());
        // A socket of IPv6 knows an IPv4 address by its mapped form (RFC 4291 section 2.5.5.2).
        let destination = match run.destination {
            SocketAddr::V4(v4) if self.address.is_ipv6() => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            other => other,
        };
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        self.state.try_send((&self.socket).into(), &transmit)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The first socket on a port.
fn bind_alone(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// One more socket on a port whose sockets share it.
fn bind_beside(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Whatever the system's default is (sysctl net.ipv6.bindv6only).
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    Ok(socket)
}

/// Whether datagrams to `ip` arrive at a socket on `listen`.
fn arrives(listen: IpAddr, ip: IpAddr) -> bool {
    ip.is_ipv4() == listen.is_ipv4() || (listen.is_ipv6() && listen.is_unspecified())
}

/// Which of `candidates` is meant by what came from `source` to `destination`; behind a NAT, where that is none of
/// them, the first of its family.
pub(super) fn candidate_of(
    candidates: &[SocketAddr],
    source: SocketAddr,
    destination: Option<IpAddr>,
) -> Option<SocketAddr> {
    let known = candidates.iter().find(|candidate| Some(candidate.ip()) == destination);
    let alike = || candidates.iter().find(|candidate| candidate.is_ipv4() == source.is_ipv4());
    known.or_else(alike).copied()
}

/// Where clients reach what is bound to `address`: at those to `advertise`, or this machine's own.
pub(super) fn addresses_of(address: SocketAddr, advertise: &[IpAddr]) -> Vec<SocketAddr> {
    let ips = if advertise.is_empty() { local(address) } else { advertise.to_vec() };
    ips.into_iter().filter(|ip| arrives(address.ip(), *ip)).map(|ip| SocketAddr::new(ip, address.port())).collect()
}

fn local(address: SocketAddr) -> Vec<IpAddr> {
    if address.ip().is_unspecified() { interfaces(address.ip()) } else { vec![address.ip()] }
}

/// Every address of this machine that a peer of a socket on `listen` may reach, loopback included for peers on this
/// machine.
fn interfaces(listen: IpAddr) -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> =
        found.iter().map(if_addrs::Interface::ip).filter(|ip| arrives(listen, *ip)).collect();
    addresses.retain(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    addresses.sort_by_key(|ip| ip.is_loopback());
    addresses.dedup();
    addresses
}

/// Buffers for one batch of received datagrams.
pub(super) struct ReceiveBatch {
    buffers: Vec<Vec<u8>>,
    metas: Vec<RecvMeta>,
    drained: bool,
}

impl ReceiveBatch {
    pub(super) fn new(socket: &MediaSocket) -> Self {
        let length = limits::DATAGRAM_LEN_MAX * socket.state.gro_segments();
        Self { buffers: vec![vec![0; length]; BATCH_SIZE], metas: vec![RecvMeta::default(); BATCH_SIZE], drained: true }
    }

    /// Whether the last call took all that waited; what came meanwhile, the socket tells of.
    pub(super) const fn is_drained(&self) -> bool {
        self.drained
    }

    /// Receives what waits, at most one batch, and hands each datagram to `each(source, destination, bytes)`. Returns
    /// how many there were.
    pub(super) fn receive(
        &mut self,
        socket: &MediaSocket,
        mut each: impl FnMut(SocketAddr, Option<IpAddr>, &[u8]),
    ) -> usize {
        let mut slices: Vec<IoSliceMut<'_>> = self.buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
        // Errors on an unconnected UDP socket (ICMP unreachable of some peer) concern nobody else: the next call goes
        // on.
        let received = socket.state.recv((&socket.socket).into(), &mut slices, &mut self.metas).unwrap_or(0);
        self.drained = received < BATCH_SIZE;
        let mut count = 0;
        for (meta, buffer) in self.metas.iter().zip(&self.buffers).take(received) {
            let stride = meta.stride.max(1);
            let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let destination = meta.dst_ip.map(|ip| ip.to_canonical());
            for datagram in buffer[..meta.len].chunks(stride) {
                each(source, destination, datagram);
                count += 1;
            }
        }
        count
    }
}

/// Datagrams on their way out. Consecutive ones to the same peer and of the same length leave as one system call (UDP
/// GSO).
#[derive(Debug, Default)]
pub(super) struct SendBatch {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    source: SocketAddr,
    destination: SocketAddr,
    start: usize,
    length: usize,
    segment: usize,
    /// A shorter datagram ended the run.
    closed: bool,
}

impl SendBatch {
    /// Adds one datagram.
    pub(super) fn push(&mut self, socket: &MediaSocket, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        let segments_max = socket.state.max_gso_segments();
        let joins = self.runs.last_mut().filter(|run| {
            !run.closed
                && run.destination == destination
                && run.source == source
                && datagram.len() <= run.segment
                && run.length + datagram.len() <= limits::SEND_RUN_LEN_MAX
                && run.length / run.segment < segments_max
        });
        match joins {
            Some(run) => {
                run.length += datagram.len();
                run.closed = datagram.len() < run.segment;
            }
            None => self.runs.push(Run {
                source,
                destination,
                start: self.bytes.len(),
                length: datagram.len(),
                segment: datagram.len().max(1),
                closed: false,
            }),
        }
        self.bytes.extend_from_slice(datagram);
    }

    /// Whether enough waits that it should leave now.
    pub(super) fn is_large(&self) -> bool {
        self.bytes.len() > limits::SEND_BATCH_LEN
    }

    /// Sends everything; returns how many datagrams left, and how many the kernel refused. Those are lost, and repaired
    /// by NACK like any other.
    pub(super) fn flush(&mut self, socket: &MediaSocket) -> (u64, u64) {
        let (mut all, mut refused) = (0, 0);
        for run in self.runs.drain(..) {
            let contents = &self.bytes[run.start..run.start + run.length];
            let segmented = run.length > run.segment;
            let count = run.length.div_ceil(run.segment) as u64;
            all += count;
            match socket.send(&run, contents, segmented.then_some(run.segment)) {
                Ok(()) => {}
                // A device or path without segmentation offload: one by one.
                Err(error) if segmented && error.kind() != io::ErrorKind::WouldBlock => {
                    let singles = contents.chunks(run.segment);
                    refused += singles.filter(|single| socket.send(&run, single, None).is_err()).count() as u64;
                }
                Err(_) => refused += count,
            }
        }
        self.bytes.clear();
        (all - refused, refused)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_taken_port_is_told_with_its_number() {
        let first = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let error = MediaSocket::bind(first.address(), &[]).unwrap_err();
        assert!(matches!(error, BindError::Taken { .. }));
        assert!(error.to_string().contains(&first.address().port().to_string()));
    }

    #[test]
    fn several_share_a_port_and_nobody_else_does() {
        let sockets = MediaSocket::bind_several(SocketAddr::from(([127, 0, 0, 1], 0)), &[], 3).unwrap();
        assert!(sockets.iter().all(|socket| socket.address() == sockets[0].address()));
        let second = MediaSocket::bind_several(sockets[0].address(), &[], 3).unwrap_err();
        assert!(matches!(second, BindError::Taken { .. }), "another node must not take half of this one's datagrams");
    }

    #[test]
    fn runs_of_equal_datagrams_arrive_whole_and_in_order() {
        let sender = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let receiver = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let mut batch = SendBatch::default();
        let lengths = [1000, 1000, 1000, 400, 1000, 7, 1200];
        for (at, length) in lengths.iter().enumerate() {
            batch.push(&sender, sender.address(), receiver.address(), &vec![u8::try_from(at).unwrap(); *length]);
        }
        assert_eq!(batch.runs.len(), 3, "1000 1000 1000 400 | 1000 7 | 1200");
        assert_eq!(batch.flush(&sender), (7, 0));
        let mut seen = Vec::new();
        let mut receive = ReceiveBatch::new(&receiver);
        let end = Instant::now() + Duration::from_secs(5);
        while seen.len() < lengths.len() {
            assert!(Instant::now() < end, "only {seen:?} came");
            receive.receive(&receiver, |source, _, datagram| {
                assert_eq!(source, sender.address());
                seen.push((usize::from(datagram[0]), datagram.len()));
            });
        }
        let sent: Vec<_> = lengths.iter().copied().enumerate().collect();
        assert_eq!(seen, sent);
    }

    #[test]
    fn a_batch_that_is_not_full_took_all_that_waited() {
        let sender = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let receiver = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let mut batch = SendBatch::default();
        // Each is longer than the one before, and so none joins it.
        for at in 0..BATCH_SIZE + 3 {
            batch.push(&sender, sender.address(), receiver.address(), &vec![0; 100 + at]);
        }
        assert_eq!(batch.flush(&sender), (BATCH_SIZE as u64 + 3, 0));
        let mut receive = ReceiveBatch::new(&receiver);
        assert_eq!((receive.receive(&receiver, |_, _, _| {}), receive.is_drained()), (BATCH_SIZE, false));
        assert_eq!((receive.receive(&receiver, |_, _, _| {}), receive.is_drained()), (3, true));
    }

    #[test]
    fn a_wildcard_address_is_advertised_as_the_interfaces_own() {
        let socket = MediaSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0)), &[]).unwrap();
        assert!(socket.candidates().iter().any(|candidate| candidate.ip().is_loopback()));
        assert!(socket.candidates().iter().all(|candidate| candidate.port() == socket.address().port()));
        let advertised = MediaSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0)), &[[203, 0, 113, 7].into()]).unwrap();
        let source = SocketAddr::from(([10, 0, 0, 2], 9));
        assert_eq!(advertised.candidate_for(source, Some([10, 0, 0, 1].into())).ip(), IpAddr::from([203, 0, 113, 7]));
    }

    #[test]
    fn case_44_dual_stack_one_socket_serves_both_families() {
        let (v4, v6) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        let any6: SocketAddr = "[::]:0".parse().unwrap();
        let node = MediaSocket::bind(any6, &[v4, v6]).unwrap();
        let port = node.address().port();
        assert!(MediaSocket::bind(any6, &[]).unwrap().candidates().iter().any(SocketAddr::is_ipv4));
        for ip in [v4, v6] {
            let peer = MediaSocket::bind(SocketAddr::new(ip, 0), &[]).unwrap();
            let (mut out, mut batch) = (SendBatch::default(), ReceiveBatch::new(&node));
            out.push(&peer, peer.address(), SocketAddr::new(ip, port), b"hello");
            out.flush(&peer);
            let came = one(&mut batch, &node);
            assert_eq!(came, (peer.address(), Some(ip)), "as IPv4 where it is IPv4");
            assert_eq!(node.candidate_for(came.0, came.1), SocketAddr::new(ip, port));
            out.push(&node, SocketAddr::new(ip, port), peer.address(), b"hello");
            out.flush(&node);
            assert_eq!(one(&mut ReceiveBatch::new(&peer), &peer).0, SocketAddr::new(ip, port));
        }
        let refused = MediaSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0)), &[v4, v6]).unwrap_err();
        assert!(refused.to_string().contains("[::]"), "{refused}");
    }

    /// The next datagram's source and destination.
    fn one(batch: &mut ReceiveBatch, socket: &MediaSocket) -> (SocketAddr, Option<IpAddr>) {
        let end = Instant::now() + Duration::from_secs(5);
        let mut came = None;
        while came.is_none() {
            assert!(Instant::now() < end, "nothing came");
            batch.receive(socket, |source, destination, _| came = Some((source, destination)));
        }
        came.expect("it came")
    }
}
