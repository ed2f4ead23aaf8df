//! A listener's words by hand; a real one takes streams in `tests/push.rs`.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::packet::{ACK, HANDSHAKE, NAK, SHUTDOWN, control, distance, write_control};
use super::*;
use crate::base::hostile::{Mutator, rounds};
use crate::base::limits;

const OWN: u32 = 77;
const FIRST: u32 = 0x7fff_fffe;

fn caller(now: Instant, secrecy: Option<Secrecy>) -> Caller {
    let latency = Duration::from_millis(120);
    Caller::new(now, CallerSetup { stream_id: "stage".into(), latency, secrecy, random: (OWN, FIRST) })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A handshake of a listener's: its version, extension field and type, a cookie, and extensions.
fn said((version, extension, kind): (u32, u16, u32), extensions: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(version.to_be_bytes());
    body.extend([0, 0]);
    body.extend(extension.to_be_bytes());
    for word in [0, 1500, 8192, kind, 4242, 99, 0, 0, 0, 0] {
        body.extend(u32::to_be_bytes(word));
    }
    body.extend(extensions);
    write_control(HANDSHAKE, 0, (0, OWN), &body)
}

/// A response to the request: version, flags, delays of 120 and of 500 ms.
const RESPONSE: [u8; 16] = [0, 2, 0, 3, 0, 1, 5, 1, 0, 0, 0, 0xbf, 1, 0xf4, 0, 120];

fn up(now: Instant) -> Caller {
    let (mut caller, mut out) = (caller(now, None), Vec::new());
    caller.due(now, &mut out).unwrap();
    assert_eq!((out.len(), word(&out[0], 36)), (1, 1), "an induction");
    caller.handle(now, &said((5, 0x4a17, 1), &[]), &mut out).unwrap();
    let conclusion = &out[1];
    assert_eq!((word(conclusion, 16), word(conclusion, 36), word(conclusion, 44)), (5, u32::MAX, 99));
    // Its name, in words that are the wrong way round.
    assert!(conclusion.ends_with(b"\0\x05\0\x02gats\0\0\0e"));
    caller.handle(now, &said((5, 1, u32::MAX), &RESPONSE), &mut out).unwrap();
    assert!(caller.is_up());
    caller
}

fn numbers(out: &[Vec<u8>]) -> Vec<(u32, bool)> {
    let data = out.iter().filter(|datagram| datagram[0] >> 7 == 0);
    data.map(|datagram| (word(datagram, 0), word(datagram, 4) >> 26 & 1 == 1)).collect()
}

#[test]
fn a_handshake_is_said_again_until_it_is_answered_and_not_without_end() {
    let (begun, mut out) = (Instant::now(), Vec::new());
    let mut caller = caller(begun, None);
    let mut now = begun;
    let ended = loop {
        if let Err(why) = caller.due(now, &mut out) {
            break why;
        }
        now = caller.deadline().max(now + Duration::from_millis(1));
    };
    assert_eq!((ended, now - begun), (SrtError::Silent, limits::SRT_SILENCE_SPAN));
    assert_eq!(out.len(), 20);
}

#[test]
fn refusals_are_told_in_words() {
    let now = Instant::now();
    for (kind, why) in [(1010, "passphrase"), (1404, "1404"), (1003, "resources")] {
        let (mut caller, mut out) = (caller(now, None), Vec::new());
        caller.handle(now, &said((5, 0x4a17, 1), &[]), &mut out).unwrap();
        let refused = caller.handle(now, &said((5, 0, kind), &[]), &mut out).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let secrecy = Secrecy::new("s3cret-s3cret", KeyLength::Bytes16, &Zeroizing::new([7; 48]));
    let (mut caller, mut out) = (caller(now, secrecy), Vec::new());
    caller.handle(now, &said((5, 0x4a17, 1), &[]), &mut out).unwrap();
    assert!(!format!("{caller:?}").contains("s3cret"));
    // One that answers without the key would play what nobody can read.
    let answered = caller.handle(now, &said((5, 1, u32::MAX), &RESPONSE), &mut out);
    assert_eq!(answered, Err(SrtError::Passphrase));
    let mut old = Caller::new(
        now,
        CallerSetup { stream_id: String::new(), latency: Duration::ZERO, secrecy: None, random: (OWN, 1) },
    );
    assert!(matches!(old.handle(now, &said((4, 0, 1), &[]), &mut out), Err(SrtError::Malformed(_))));
}

#[test]
fn payloads_are_kept_until_they_are_acknowledged_and_repaired_on_request() {
    let now = Instant::now();
    let (mut caller, mut out) = (up(now), Vec::new());
    caller.send(now, &[7; 5 * SRT_PAYLOAD], &mut out).unwrap();
    let sent: Vec<u32> = [0x7fff_fffe, 0x7fff_ffff, 0, 1, 2].to_vec();
    assert_eq!(numbers(&out), sent.iter().map(|number| (*number, false)).collect::<Vec<_>>(), "numbers go round");
    // The second and third did not come.
    out.clear();
    let lost = [0xffff_ffff_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    caller.handle(now, &write_control(NAK, 0, (0, OWN), &lost), &mut out).unwrap();
    assert_eq!(numbers(&out), [(0x7fff_ffff, true), (0, true)]);
    // All but the last came.
    out.clear();
    let body = [2_u32.to_be_bytes().to_vec(), vec![0; 24]].concat();
    caller.handle(now, &write_control(ACK, 9, (0, OWN), &body), &mut out).unwrap();
    assert_eq!((out.len(), word(&out[0], 0), word(&out[0], 4)), (1, 0x8006_0000, 9));
    // What is kept no more is given up.
    out.clear();
    let both = [0_u32.to_be_bytes(), 2_u32.to_be_bytes()].concat();
    caller.handle(now, &write_control(NAK, 0, (0, OWN), &both), &mut out).unwrap();
    assert_eq!(numbers(&out), [(2, true)]);
    assert_eq!((word(&out[1], 0), word(&out[1], 16), word(&out[1], 20)), (0x8007_0000, 0, 0));
    // The last one is sent again unasked, and in the end it is too late.
    out.clear();
    caller.due(now + Duration::from_millis(301), &mut out).unwrap();
    assert_eq!(numbers(&out), [(2, true)]);
    out.clear();
    caller.due(now + Duration::from_millis(1200), &mut out).unwrap();
    assert_eq!((numbers(&out), caller.stats().dropped), (vec![], 1));
    assert_eq!(caller.stats().payloads, 5);
    assert_eq!(caller.handle(now, &write_control(SHUTDOWN, 0, (0, OWN), &[]), &mut out), Err(SrtError::Closed));
}

#[test]
fn what_a_key_hides_is_hidden_by_the_packets_number() {
    let secrecy = || Secrecy::new("s3cret-s3cret", KeyLength::Bytes32, &Zeroizing::new([7; 48])).unwrap();
    let hidden = |number| {
        let mut payload = vec![0; 32];
        secrecy().hide(number, &mut payload).unwrap();
        payload
    };
    assert_eq!(hidden(1), hidden(1));
    assert_ne!(hidden(1), hidden(2));
    let material = secrecy().key_material();
    assert_eq!((material.len(), material[15]), (16 + 16 + 8 + 32, 8));
}

#[test]
fn numbers_go_round() {
    assert_eq!((distance(5, 7), distance(7, 5), distance(0x7fff_ffff, 0), distance(0, 0x7fff_ffff)), (2, -2, 1, -1));
}

#[test]
fn hostile_datagrams_are_refused_or_ignored() {
    let now = Instant::now();
    let right = [
        said((5, 0x4a17, 1), &[]),
        said((5, 1, u32::MAX), &RESPONSE),
        write_control(ACK, 9, (0, OWN), &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        write_control(NAK, 0, (0, OWN), &[0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 9, 0, 0, 0, 1]),
    ];
    let mut mutator = Mutator::new(3);
    for _ in 0..rounds() / 8 {
        let (mut caller, mut out) = (if mutator.below(2) == 0 { up(now) } else { caller(now, None) }, Vec::new());
        let _ = caller.send(now, &[0; 4 * SRT_PAYLOAD], &mut out);
        for n in 0..6 {
            let datagram = mutator.bytes(&right);
            let _ = control(&datagram, OWN);
            let _ = caller.handle(now + Duration::from_millis(n * 100), &datagram, &mut out);
            let _ = caller.due(now + Duration::from_millis(n * 100), &mut out);
        }
        assert!(out.len() < 4 * limits::SRT_REPAIRS_MAX);
    }
}
