//! **The question:** how do two sides agree on keys? DTLS 1.2 (RFC 6347) for SRTP (RFC 5764), by OpenSSL: it takes
//! certificates of RSA as of ECDSA, and every browser must be able to make both (W3C WebRTC, `generateCertificate`).
//! All else (SRTP, hashes) is str0m's own provider's, as is our certificate.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial, ProtocolVersion,
    SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

use crate::base::limits;

/// How SRTP is protected, the preferred first (RFC 7714, RFC 5764): its name, and what str0m calls it.
const PROFILES: [(&str, SrtpProfile); 3] = [
    ("SRTP_AEAD_AES_128_GCM", SrtpProfile::AEAD_AES_128_GCM),
    ("SRTP_AEAD_AES_256_GCM", SrtpProfile::AEAD_AES_256_GCM),
    ("SRTP_AES128_CM_SHA1_80", SrtpProfile::AES128_CM_SHA1_80),
];
/// Suites with forward secrecy and authenticated encryption: OpenSSL ends a connection by records too short for a MAC.
const SUITES: &str = "ECDHE+AESGCM";
/// Before a record's content (RFC 6347 section 4.1).
const RECORD_HEAD_BYTES: usize = 13;
/// Nonce and tag of AES-GCM (RFC 5288 section 3), around nothing.
const RECORD_BYTES: usize = 8 + 16;
/// What keys for SRTP are exported by (RFC 5764 section 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// An established connection has nothing to do by itself.
const REST: Duration = Duration::from_secs(3600);

/// What str0m is to use.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(CryptoProvider { dtls_provider: &OpenSsl, ..from_feature_flags() }));
    PROVIDER.clone()
}

thread_local! {
    /// str0m's errors have no place for words of a provider's.
    static CAUSE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// str0m shows nobody the certificate.
    static SHOWN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The certificate (DER) of the client whose handshake was just done on this thread, once.
pub(super) fn take_shown() -> Option<Vec<u8>> {
    SHOWN.take()
}

/// Why the handshake that was driven last on this thread failed, once.
pub(super) fn take_cause() -> Option<String> {
    CAUSE.take()
}

#[derive(Debug)]
struct OpenSsl;

impl DtlsProvider for OpenSsl {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let mtu = mtu.and_then(|mtu| u32::try_from(mtu).ok()).unwrap_or(limits::DTLS_DATAGRAM_LEN);
        let stream = context(certificate).and_then(|context| {
            let mut ssl = Ssl::new(&context)?;
            ssl.set_mtu(mtu)?;
            SslStream::new(ssl, Datagrams::default())
        });
        let stream = stream.map_err(|error| CryptoError::Other(error.to_string()))?;
        let outputs = VecDeque::new();
        let flight = Flight::default();
        Ok(Box::new(Instance { stream, phase: Phase::Idle, active: false, now, outputs, closing: false, flight }))
    }
}

/// The settings of every connection that shows `certificate`; the last one's are kept, since a node has one.
fn context(certificate: &DtlsCert) -> Result<SslContext, ErrorStack> {
    static LAST: Mutex<Option<(Vec<u8>, SslContext)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, context)) = last.as_ref().filter(|(shown, _)| *shown == certificate.certificate) {
        return Ok(context.clone());
    }
    let mut builder = SslContextBuilder::new(SslMethod::dtls())?;
    builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    builder.set_cipher_list(SUITES)?;
    builder.set_tlsext_use_srtp(&PROFILES.map(|(name, _)| name).join(":"))?;
    // Its fingerprint in the offer says whether a certificate is the right one (RFC 8122): str0m compares, or
    // `fingerprint::Expected`.
    builder.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
    builder.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_RENEGOTIATION | SslOptions::NO_TICKET);
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    let shown = X509::from_der(&certificate.certificate)?;
    let key = PKey::private_key_from_der(&certificate.private_key)?;
    builder.set_certificate(&shown)?;
    builder.set_private_key(&key)?;
    let context = builder.build();
    *last = Some((certificate.certificate.clone(), context.clone()));
    Ok(context)
}

/// Datagrams on their way in and out; one read takes one, one write makes one.
#[derive(Debug, Default)]
struct Datagrams {
    incoming: Option<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Datagrams {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(into.len());
        into[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Datagrams {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        // Whoever drives a handshake sends what it makes before it goes on.
        if self.outgoing.len() < limits::DTLS_DATAGRAMS_MAX {
            self.outgoing.push_back(from.to_vec());
        }
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What this side said last and waits for an answer to. OpenSSL says it again after a second, then after two, four and
/// eight, and takes a hello that is said again for nothing: where a tenth of all is lost, calls stand for seconds
/// before they begin. So the same datagrams go once more soon, as a network may double them: who has them knows the
/// records by their numbers (RFC 6347 section 4.1.2.6), and who has not goes on. An answer that is lost is for the
/// other's timer.
#[derive(Debug, Default)]
struct Flight {
    datagrams: Vec<Vec<u8>>,
    /// Something came since: what is sent next is another flight.
    answered: bool,
    /// When they go once more, and how often they did.
    again: Option<Instant>,
    times: u32,
    /// Those that are to go once more now.
    leaving: VecDeque<Vec<u8>>,
}

impl Flight {
    /// `datagram` leaves now, for the first time or by OpenSSL's timer.
    fn sent(&mut self, datagram: &[u8], now: Instant) {
        if self.answered || self.times > 0 {
            *self = Self::default();
        }
        if self.datagrams.len() < limits::DTLS_DATAGRAMS_MAX {
            self.datagrams.push(datagram.to_vec());
        }
        self.again = Some(now + limits::DTLS_REPEAT_SPAN);
    }

    fn look(&mut self, now: Instant) {
        if self.again.is_some_and(|again| now >= again) {
            self.times += 1;
            let wait = limits::DTLS_REPEAT_SPAN * (1 << self.times);
            self.again = (self.times < limits::DTLS_REPEATS_MAX).then(|| now + wait);
            self.leaving = self.datagrams.iter().cloned().collect();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody said yet who begins.
    Idle,
    Handshake,
    Connected,
    Failed,
}

enum Happened {
    Certificate(Vec<u8>),
    Keys(Vec<u8>, SrtpProfile),
    Connected,
    Data(Vec<u8>),
    Closed,
}

struct Instance {
    stream: SslStream<Datagrams>,
    phase: Phase,
    active: bool,
    now: Instant,
    outputs: VecDeque<Happened>,
    closing: bool,
    flight: Flight,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Instance {
    /// Goes as far as what came allows.
    fn advance(&mut self) -> Result<(), DtlsImplError> {
        if self.phase == Phase::Handshake {
            match if self.active { self.stream.connect() } else { self.stream.accept() } {
                Ok(()) => self.establish()?,
                Err(error) if waits(&error) => return Ok(()),
                Err(error) => return self.fail(&error),
            }
        }
        while self.phase == Phase::Connected {
            let mut data = [0; limits::DTLS_RECORD_LEN_MAX];
            match self.stream.ssl_read(&mut data) {
                Ok(length) => self.outputs.push_back(Happened::Data(data[..length].to_vec())),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.outputs.push_back(Happened::Closed);
                    break;
                }
                // A record that nothing can be made of is dropped (RFC 6347 section 4.1.2.7).
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// The handshake is done: tells who is there, and by what keys.
    fn establish(&mut self) -> Result<(), DtlsImplError> {
        let ssl = self.stream.ssl();
        let Some(certificate) = ssl.peer_certificate().and_then(|shown| shown.to_der().ok()) else {
            return self.fail(&"the client showed no certificate");
        };
        let chosen = ssl.selected_srtp_profile().map(|profile| profile.name().to_owned());
        let Some(profile) =
            PROFILES.iter().find(|(name, _)| chosen.as_deref() == Some(name)).map(|(_, profile)| *profile)
        else {
            return self.fail(&"the client offers no protection of SRTP that this node has (RFC 5764)");
        };
        let mut keys = vec![0; profile.keying_material_len()];
        if let Err(error) = ssl.export_keying_material(&mut keys, LABEL, None) {
            return self.fail(&error);
        }
        self.phase = Phase::Connected;
        self.flight = Flight::default();
        SHOWN.set(Some(certificate.clone()));
        self.outputs.extend([Happened::Certificate(certificate), Happened::Keys(keys, profile), Happened::Connected]);
        Ok(())
    }

    fn fail(&mut self, why: &dyn fmt::Display) -> Result<(), DtlsImplError> {
        self.phase = Phase::Failed;
        CAUSE.set(Some(why.to_string()));
        Err(DtlsImplError::ConnectionClosed)
    }
}

/// Whether every protected record of a datagram is long enough to be one. OpenSSL ends a connection by an alert where
/// one is shorter, which anybody could send in the client's name; invalid records are to be dropped (RFC 6347 section
/// 4.1.2.7).
fn may_be_opened(mut packet: &[u8]) -> bool {
    while let Some((head, rest)) = packet.split_first_chunk::<RECORD_HEAD_BYTES>() {
        let (is_protected, length) = (head[3..5] != [0, 0], usize::from(u16::from_be_bytes([head[11], head[12]])));
        if is_protected && length < RECORD_BYTES {
            return false;
        }
        packet = rest.get(length..).unwrap_or_default();
    }
    true
}

fn waits(error: &openssl::ssl::Error) -> bool {
    matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE)
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        if self.phase != Phase::Idle {
            return;
        }
        (self.active, self.phase) = (active, Phase::Handshake);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        // By nothing str0m asks for the first hello, which is there already; OpenSSL takes it for the end of all.
        if packet.is_empty() || !may_be_opened(packet) {
            return Ok(());
        }
        self.stream.get_mut().incoming = Some(packet.to_vec());
        self.flight.answered = true;
        self.advance()
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> DtlsOutput<'a> {
        let mut put = |bytes: &[u8]| {
            let length = bytes.len().min(into.len());
            into[..length].copy_from_slice(&bytes[..length]);
            length
        };
        if let Some(datagram) = self.stream.get_mut().outgoing.pop_front() {
            if self.phase == Phase::Handshake {
                self.flight.sent(&datagram, self.now);
            }
            let length = put(&datagram);
            return DtlsOutput::Packet(&into[..length]);
        }
        if let Some(datagram) = self.flight.leaving.pop_front() {
            let length = put(&datagram);
            return DtlsOutput::Packet(&into[..length]);
        }
        match self.outputs.pop_front() {
            Some(Happened::Certificate(der)) => {
                let length = put(&der);
                DtlsOutput::PeerCert(&into[..length])
            }
            Some(Happened::Data(data)) => {
                let length = put(&data);
                DtlsOutput::ApplicationData(&into[..length])
            }
            Some(Happened::Keys(keys, profile)) => DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys), profile),
            Some(Happened::Connected) => DtlsOutput::Connected,
            Some(Happened::Closed) => DtlsOutput::CloseNotify,
            None => {
                let rest = self.now + if self.phase == Phase::Handshake { limits::DTLS_RETRY_SPACING } else { REST };
                DtlsOutput::Timeout(self.flight.again.map_or(rest, |again| again.min(rest)))
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        if self.phase != Phase::Handshake {
            return Ok(());
        }
        self.flight.look(now);
        // OpenSSL looks at its own timers whenever it is asked to go on.
        self.advance()
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        if self.phase != Phase::Connected || data.is_empty() {
            return Ok(0);
        }
        match self.stream.ssl_write(data) {
            Ok(length) => Ok(length),
            Err(error) if waits(&error) => Ok(0),
            Err(_) => Err(DtlsImplError::ConnectionClosed),
        }
    }

    fn is_active(&self) -> bool {
        self.active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        (self.phase == Phase::Connected).then_some(ProtocolVersion::DTLS1_2)
    }

    fn is_closing(&self) -> bool {
        self.closing
    }

    fn is_closed(&self) -> bool {
        self.closing && self.stream.get_ref().outgoing.is_empty()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        if !std::mem::replace(&mut self.closing, true) && self.phase == Phase::Connected {
            // It only writes close_notify; whether the other side answers is its business.
            let _ = self.stream.shutdown();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;

    use super::*;

    fn self_signed(key: PKey<Private>) -> DtlsCert {
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let private_key = key.private_key_to_pkcs8().unwrap();
        DtlsCert { certificate: builder.build().to_der().unwrap(), private_key }
    }

    fn rsa() -> DtlsCert {
        self_signed(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }

    fn ecdsa() -> DtlsCert {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        self_signed(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
    }

    /// What a side told while everything on its way reached the other: `lost` datagrams do not.
    #[derive(Default)]
    struct Told {
        certificate: Vec<u8>,
        keys: Vec<u8>,
        connected: bool,
        data: Vec<u8>,
        closed: bool,
    }

    fn drain(
        from: &mut dyn DtlsInstance,
        to: &mut dyn DtlsInstance,
        told: &mut Told,
    ) -> (usize, Result<(), DtlsImplError>) {
        let (mut datagrams, mut handled) = (0, Ok(()));
        let mut buffer = [0; 2000];
        loop {
            match from.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => {
                    datagrams += 1;
                    assert!(packet.len() <= 1200, "one datagram each: {}", packet.len());
                    handled = handled.and(to.handle_packet(packet));
                }
                DtlsOutput::PeerCert(der) => told.certificate = der.to_vec(),
                DtlsOutput::KeyingMaterial(keys, _) => told.keys = keys.to_vec(),
                DtlsOutput::Connected => told.connected = true,
                DtlsOutput::ApplicationData(data) => told.data = data.to_vec(),
                DtlsOutput::CloseNotify => told.closed = true,
                _ => return (datagrams, handled),
            }
        }
    }

    fn instance(certificate: &DtlsCert, active: bool) -> Box<dyn DtlsInstance> {
        let mut made = OpenSsl.new_dtls(certificate, Instant::now(), DtlsVersion::Dtls12, Some(1200)).unwrap();
        made.set_active(active);
        made
    }

    #[test]
    fn case_60_dtls_rsa_certificates_connect_and_so_do_all_others() {
        let node = OpenSsl.generate_certificate().unwrap();
        for client in [rsa(), ecdsa()] {
            for active in [true, false] {
                let (mut here, mut there) = (instance(&node, !active), instance(&client, active));
                let (mut ours, mut theirs) = (Told::default(), Told::default());
                for side in [&mut here, &mut there] {
                    side.handle_timeout(Instant::now()).unwrap();
                }
                for _ in 0..8 {
                    drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
                    drain(&mut *here, &mut *there, &mut ours).1.unwrap();
                }
                assert!(ours.connected && theirs.connected);
                assert_eq!((&ours.certificate, &theirs.certificate), (&client.certificate, &node.certificate));
                assert!(ours.keys == theirs.keys && !ours.keys.is_empty());
                assert_eq!(there.send_application_data(b"hello").unwrap(), 5);
                drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
                there.close().unwrap();
                drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
                drain(&mut *here, &mut *there, &mut ours).1.unwrap();
                assert!(ours.data == b"hello" && ours.closed && there.is_closed());
            }
        }
    }

    /// As FFmpeg's WHIP muxer does it: it offers to wait for the handshake, and reads the first hello over.
    #[test]
    fn a_hello_that_nobody_answers_is_said_again() {
        let (mut here, mut there) = (instance(&ecdsa(), true), instance(&rsa(), false));
        here.handle_timeout(Instant::now()).unwrap();
        // So str0m sets a handshake going.
        here.handle_packet(&[]).unwrap();
        assert_eq!(drain(&mut *here, &mut *instance(&rsa(), false), &mut Told::default()).0, 1, "a hello");
        let (mut ours, mut theirs) = (Told::default(), Told::default());
        let end = Instant::now() + Duration::from_secs(20);
        while !(ours.connected && theirs.connected) {
            assert!(Instant::now() < end, "never again");
            std::thread::sleep(Duration::from_millis(20));
            for side in [&mut here, &mut there] {
                side.handle_timeout(Instant::now()).unwrap();
            }
            drain(&mut *here, &mut *there, &mut ours).1.unwrap();
            drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
        }
    }

    /// Everything that this side has to send at a time of its clock.
    fn leaving(from: &mut dyn DtlsInstance, now: Instant) -> Vec<Vec<u8>> {
        from.handle_timeout(now).unwrap();
        let mut buffer = [0; 2000];
        let next = || match from.poll_output(&mut buffer) {
            DtlsOutput::Packet(packet) => Some(packet.to_vec()),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_flight_that_is_lost_goes_again_soon_and_once_it_is_answered_no_more() {
        let (mut here, mut there) = (instance(&ecdsa(), false), instance(&rsa(), true));
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let hello = leaving(&mut *there, begun);
        assert_eq!(hello.len(), 1);
        here.handle_timeout(begun).unwrap();
        here.handle_packet(&hello[0]).unwrap();
        let lost = leaving(&mut *here, begun);
        assert!(!lost.is_empty(), "hello, certificate and the rest");
        let counts = [50, 99, 120, 200, 400, 900, 950].map(|ms| leaving(&mut *here, at(ms)).len());
        // After a second by any clock OpenSSL says it again; a machine that stood still for so long shows nothing.
        if begun.elapsed() < Duration::from_millis(900) {
            let whole = lost.len();
            assert_eq!(counts, [0, 0, whole, 0, whole, whole, 0]);
        }
        // What came at last, doubled on the way, is answered as ever.
        for datagram in lost.iter().chain(&lost) {
            there.handle_packet(datagram).unwrap();
        }
        let (mut ours, mut theirs) = (Told::default(), Told::default());
        for _ in 0..4 {
            drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
            drain(&mut *here, &mut *there, &mut ours).1.unwrap();
        }
        assert!(ours.connected && theirs.connected);
        for side in [&mut here, &mut there] {
            assert!(leaving(&mut **side, at(2000)).is_empty(), "an established connection rests");
        }
    }

    #[test]
    fn a_handshake_that_fails_says_why() {
        let (mut here, mut there) = (instance(&ecdsa(), false), instance(&rsa(), true));
        there.handle_timeout(Instant::now()).unwrap();
        let (mut ours, mut theirs) = (Told::default(), Told::default());
        let mut buffer = [0; 2000];
        let DtlsOutput::Packet(hello) = there.poll_output(&mut buffer) else { panic!("a hello") };
        // Another version of the protocol in the hello: DTLS 1.0.
        let mut old = hello.to_vec();
        old[25..27].copy_from_slice(&[0xfe, 0xff]);
        assert!(here.handle_packet(&old).is_err());
        let cause = take_cause().unwrap();
        assert!(cause.contains("version") || cause.contains("protocol"), "{cause}");
        assert_eq!(take_cause(), None);
        let (alerts, _) = drain(&mut *here, &mut *there, &mut ours);
        assert_eq!(alerts, 1, "the other side is told");
        let _ = drain(&mut *there, &mut *here, &mut theirs);
        assert!(!ours.connected && !theirs.connected);
    }

    #[test]
    fn a_forged_record_that_is_too_short_ends_nothing() {
        let node = ecdsa();
        let (mut here, mut there) = (instance(&node, false), instance(&rsa(), true));
        let (mut ours, mut theirs) = (Told::default(), Told::default());
        there.handle_timeout(Instant::now()).unwrap();
        for _ in 0..8 {
            drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
            drain(&mut *here, &mut *there, &mut ours).1.unwrap();
        }
        assert!(ours.connected);
        for length in 0..40_u8 {
            let head = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, length, 0, length];
            here.handle_packet(&[&head[..], &vec![7; usize::from(length)]].concat()).unwrap();
        }
        assert_eq!(drain(&mut *here, &mut *there, &mut ours).0, 0, "nothing is answered");
        there.send_application_data(b"hello").unwrap();
        drain(&mut *there, &mut *here, &mut theirs).1.unwrap();
        drain(&mut *here, &mut *there, &mut ours).1.unwrap();
        assert_eq!(ours.data, b"hello");
    }

    #[test]
    fn noise_is_no_panic() {
        let node = ecdsa();
        let mut seed = 1_u64;
        for length in 0..400 {
            let mut here = instance(&node, false);
            let noise: Vec<u8> = (0..length)
                .map(|at| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if at == 0 { 22 } else { (seed >> 33) as u8 }
                })
                .collect();
            let _ = here.handle_packet(&noise);
            let _ = take_cause();
        }
    }
}
