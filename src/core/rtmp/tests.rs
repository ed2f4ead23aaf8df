//! A server's words by hand, right ones and others.

use super::*;
use crate::base::hostile::{Mutator, rounds};
use crate::base::limits;
use crate::core::flv::{Amf, Tag, TagKind};
use crate::core::rtmp::chunks::{FIRST_CHUNK_BYTES, Reader, write};

const HANDSHAKE: usize = 1536;

fn place() -> Place {
    Place { app: "live".into(), key: "s3cret".into(), tc_url: "rtmp://live.example/live".into() }
}

/// One that was greeted, and what it said then.
fn greeted(fourccs: Vec<&'static str>) -> (Publisher, Vec<u8>) {
    let mut out = Vec::new();
    let mut publisher = Publisher::new(place(), fourccs, &[7; HANDSHAKE_RANDOM], &mut out);
    assert_eq!((out.len(), out[0]), (1 + HANDSHAKE, 3));
    let greeting = [vec![3], vec![9; HANDSHAKE]].concat();
    let mut said = Vec::new();
    // In pieces, as TCP may bring it.
    for piece in greeting.chunks(1000) {
        publisher.handle(piece, &mut said).unwrap();
    }
    assert_eq!(said, vec![9; HANDSHAKE], "it echoes");
    said.clear();
    publisher.handle(&out[1..], &mut said).unwrap();
    (publisher, said)
}

fn words(name: &str, transaction: f64, values: &[Amf]) -> Vec<u8> {
    let mut body = Vec::new();
    [Amf::text(name), Amf::Number(transaction)].iter().chain(values).for_each(|value| value.write(&mut body));
    let mut out = Vec::new();
    write((3, 0), (20, 0), &body, FIRST_CHUNK_BYTES, &mut out);
    out
}

fn status(level: &str, code: &str) -> Vec<u8> {
    let about =
        [("level", Amf::text(level)), ("code", Amf::text(code)), ("description", Amf::text("s3cret is no key"))];
    words("onStatus", 0.0, &[Amf::Null, Amf::object(about)])
}

/// What commands it says.
fn commands(said: &[u8]) -> Vec<Vec<Amf>> {
    let mut reader = Reader::new();
    reader.take(said);
    let mut all = Vec::new();
    while let Some(message) = reader.next().unwrap() {
        match message.kind {
            1 => reader.set_chunk_len(u32::from_be_bytes(message.body[..4].try_into().unwrap())).unwrap(),
            20 => all.push(Amf::read_all(&message.body).unwrap()),
            _ => {}
        }
    }
    all
}

fn names(said: &[u8]) -> Vec<String> {
    commands(said).iter().map(|values| values[0].as_text().unwrap().to_owned()).collect()
}

fn up() -> Publisher {
    let (mut publisher, _) = greeted(Vec::new());
    let mut said = Vec::new();
    publisher.handle(&words("_result", 1.0, &[Amf::Null, Amf::Null]), &mut said).unwrap();
    publisher.handle(&words("_result", 4.0, &[Amf::Null, Amf::Number(5.0)]), &mut said).unwrap();
    publisher.handle(&status("status", "NetStream.Publish.Start"), &mut said).unwrap();
    assert!(publisher.is_up());
    publisher
}

#[test]
fn a_stream_is_taken_step_by_step() {
    let (mut publisher, said) = greeted(vec!["av01"]);
    let connect = commands(&said).remove(0);
    assert_eq!((connect[0].as_text(), connect[1].as_number()), (Some("connect"), Some(1.0)));
    assert_eq!(connect[2].get("app").and_then(Amf::as_text), Some("live"));
    assert_eq!(connect[2].get("tcUrl").and_then(Amf::as_text), Some("rtmp://live.example/live"));
    assert_eq!(connect[2].get("fourCcList"), Some(&Amf::List(vec![Amf::text("av01")])));
    let mut said = Vec::new();
    publisher.handle(&words("_result", 1.0, &[Amf::Null, Amf::Null]), &mut said).unwrap();
    let mut chunked = Reader::new();
    chunked.set_chunk_len(4096).unwrap();
    assert!(!publisher.is_up() && !said.is_empty());
    // Some servers know no releaseStream, and say so.
    publisher.handle(&words("_error", 2.0, &[Amf::Null, Amf::Null]), &mut said).unwrap();
    publisher.handle(&words("_result", 4.0, &[Amf::Null, Amf::Number(1.0)]), &mut said).unwrap();
    publisher.handle(&status("status", "NetStream.Publish.Start"), &mut said).unwrap();
    assert!(publisher.is_up());
    assert_eq!(names(&said), ["releaseStream", "FCPublish", "createStream", "publish"]);
    let mut said = Vec::new();
    publisher.goodbye(&mut said);
    assert_eq!(names(&said), ["FCUnpublish", "deleteStream"]);
}

#[test]
fn a_refusal_is_told_by_its_code_and_by_nothing_that_may_hold_the_key() {
    let (mut publisher, _) = greeted(Vec::new());
    let mut said = Vec::new();
    publisher.handle(&words("_result", 1.0, &[Amf::Null, Amf::Null]), &mut said).unwrap();
    publisher.handle(&words("_result", 4.0, &[Amf::Null, Amf::Number(1.0)]), &mut said).unwrap();
    let refused = publisher.handle(&status("error", "NetStream.Publish.BadName"), &mut said).unwrap_err();
    assert_eq!(refused, RtmpError::Refused("NetStream.Publish.BadName".into()));
    let (mut publisher, _) = greeted(Vec::new());
    let about = Amf::object([("code", Amf::text("s3cret: no such key"))]);
    let refused = publisher.handle(&words("_error", 1.0, &[Amf::Null, about]), &mut said).unwrap_err();
    assert_eq!(refused, RtmpError::Refused("without a code".into()));
    assert!(!format!("{publisher:?}").contains("s3cret"));
}

#[test]
fn long_tags_are_cut_and_late_ones_have_their_whole_time() {
    let publisher = up();
    for (time_ms, length) in [(40, 10_000), (0x0100_0000, 9_000), (u32::MAX, 1)] {
        let tag = Tag { kind: TagKind::Picture, time_ms, body: vec![7; length].into() };
        let mut said = Vec::new();
        publisher.tag(&tag, &mut said);
        let mut reader = Reader::new();
        reader.set_chunk_len(u32::try_from(limits::RTMP_CHUNK_LEN).unwrap()).unwrap();
        reader.take(&said);
        let message = reader.next().unwrap().unwrap();
        assert_eq!((message.kind, &message.body[..]), (9, &tag.body[..]), "{time_ms}");
        assert_eq!(reader.next().unwrap(), None);
        let extended = time_ms >= 0x00ff_ffff;
        assert_eq!(said[1..4] == [0xff; 3], extended);
        assert!(!extended || said[12..16] == time_ms.to_be_bytes());
    }
}

#[test]
fn pings_windows_and_bandwidths_are_answered() {
    let mut publisher = up();
    let (mut said, mut sent) = (Vec::new(), Vec::new());
    write((2, 0), (4, 0), &[0, 6, 1, 2, 3, 4], FIRST_CHUNK_BYTES, &mut sent);
    write((2, 0), (6, 0), &[0, 0, 1, 0, 2], FIRST_CHUNK_BYTES, &mut sent);
    write((2, 0), (5, 0), &[0, 0, 0, 1], FIRST_CHUNK_BYTES, &mut sent);
    publisher.handle(&sent, &mut said).unwrap();
    let (mut reader, mut kinds) = (Reader::new(), Vec::new());
    reader.take(&said);
    while let Some(message) = reader.next().unwrap() {
        kinds.push((message.kind, message.body.len()));
    }
    assert_eq!(kinds, [(4, 6), (5, 4), (3, 4)], "pong, window, acknowledgement");
}

#[test]
fn no_server_makes_a_publisher_keep_more_than_a_message() {
    let mut said = Vec::new();
    let mut long = Vec::new();
    write((3, 0), (20, 0), &vec![0; limits::RTMP_MESSAGE_LEN_MAX + 1], FIRST_CHUNK_BYTES, &mut long);
    assert!(up().handle(&long, &mut said).is_err());
    let many: Vec<u8> =
        (3..40).flat_map(|stream| [stream, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0].into_iter().chain([0; 128])).collect();
    assert!(up().handle(&many, &mut said).is_err());
    assert!(greeted(Vec::new()).0.handle(&words("close", 0.0, &[]), &mut said).is_err());
    let mut publisher = Publisher::new(place(), Vec::new(), &[0; HANDSHAKE_RANDOM], &mut said);
    assert!(publisher.handle(b"HTTP/1.1 400", &mut said).is_err());
}

#[test]
fn hostile_words_are_refused_or_ignored() {
    let right = [
        words("_result", 1.0, &[Amf::Null, Amf::object([("fourCcList", Amf::List(vec![Amf::text("av01")]))])]),
        words("_result", 4.0, &[Amf::Null, Amf::Number(1.0)]),
        status("status", "NetStream.Publish.Start"),
        vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 16, 0],
    ];
    let mut mutator = Mutator::new(5);
    for _ in 0..rounds() / 8 {
        let (mut publisher, mut said) = (greeted(Vec::new()).0, Vec::new());
        for _ in 0..4 {
            if publisher.handle(&mutator.bytes(&right), &mut said).is_err() {
                break;
            }
        }
        publisher.goodbye(&mut said);
    }
}
