//! **The question:** what do hostile bytes do to anyone who reads a recording? Sealed objects, manifests, names and a
//! spool's folder that are cut, altered, lengthened or made up: each is refused or read as what it is, and nothing
//! panics.
//!
//! Seeded; `make fuzz` goes on for a minute with new seeds.

use std::time::{Duration, Instant};

use tessera::core::record::{Contents, Hdr, Object};
use tessera::core::retention::{Opener, PREFIX_BYTES, RecordingId, RecordingName, Secret, open, plain_len, seal};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Alters, cuts, lengthens, or moves a piece of it; now and then it stays as it was.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => bytes.splice(at..at, (0..self.below(40)).map(|n| n as u8).collect::<Vec<_>>()).for_each(drop),
                3 if !bytes.is_empty() => bytes[at] = [0, 0xff, b'"', b'}', b'9', b'-'][self.below(6)],
                4 => {
                    let end = (at + self.below(20_000)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece).for_each(drop);
                }
                _ => {}
            }
        }
    }
}

fn sealed_objects(draw: &mut Draw, key: &Secret) {
    let len = [0, 1, 16_383, 16_384, 16_385, 50_000][draw.below(6)];
    let plain: Vec<u8> = (0..len).map(|n| (n * 31) as u8).collect();
    let whole = seal(key, b"fuzz", &plain);
    let mut sealed = whole.clone();
    draw.spoil(&mut sealed);
    match open(key, b"fuzz", &sealed) {
        Ok(opened) => assert!(sealed == whole && opened == plain, "what opens is what was sealed"),
        Err(_) => assert_ne!(sealed, whole),
    }
    assert!(open(key, b"another purpose", &sealed).is_err());
    let _ = plain_len(draw.next());
    let Some(prefix) = sealed.first_chunk::<PREFIX_BYTES>() else { return };
    // The length is hostile too: a listing says it.
    let told = if draw.below(2) == 0 { sealed.len() as u64 } else { draw.next() >> draw.below(64) };
    let Ok(opener) = Opener::new(key, b"fuzz", prefix, told) else { return };
    let from = draw.next() >> draw.below(64);
    let to = from.saturating_add(draw.below(60_000) as u64);
    let wanted = opener.sealed_range(from..to);
    assert!(wanted.start <= wanted.end || wanted.end == told, "{wanted:?}");
    let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(sealed.len());
    let mut part = sealed[clip(wanted.start).min(clip(wanted.end))..clip(wanted.end)].to_vec();
    if let Ok(range) = opener.open_in_place(from..to, &mut part) {
        let opened = &part[range];
        let at = usize::try_from(from).unwrap_or(usize::MAX).min(plain.len());
        assert!(plain[at..].starts_with(opened), "a range that opens is of what was sealed");
    }
}

const MANIFEST: &str = r#"{"manifest":{"version":1,"room":"daily","state":"final","started":"2026-11-23T08:00:00Z",
"duration_ms":9000,"bytes":123456,"takes":[{"file":"video.mp4","from_ms":0,"duration_ms":9000,
"width":320,"height":180,"bytes":123456}],
"gaps":[{"from_ms":10,"to_ms":20,"track":"both","reason":"store_behind"}],
"gaps_unlisted":0,"gap_ms":10},"segments":[5]}"#;

fn manifests(draw: &mut Draw) {
    let mut bytes = MANIFEST.as_bytes().to_vec();
    draw.spoil(&mut bytes);
    if let Ok(contents) = serde_json::from_slice::<Contents>(&bytes) {
        let again = serde_json::to_vec(&contents).unwrap();
        assert_eq!(serde_json::from_slice::<Contents>(&again).unwrap(), contents);
    }
    let mut bytes = br#"{"version":1,"keepers":["k0123456789abcdef"]}"#.to_vec();
    draw.spoil(&mut bytes);
    let _ = serde_json::from_slice::<Hdr>(&bytes);
}

fn names(draw: &mut Draw, recording: RecordingName) {
    for name in
        ["hdr", "fin", "wrap/k0123456789abcdef-k0123456789abcdef", "av/0000/000001", "idx/000003", "av/0001/init"]
    {
        let mut bytes = name.as_bytes().to_vec();
        draw.spoil(&mut bytes);
        let spoiled = String::from_utf8_lossy(&bytes);
        if let Some(object) = Object::parse(&spoiled) {
            assert_eq!(object.name(), spoiled, "one object has one name");
        }
    }
    let mut bytes = recording.to_string().into_bytes();
    draw.spoil(&mut bytes);
    let spoiled = String::from_utf8_lossy(&bytes);
    if let Ok(parsed) = spoiled.parse::<RecordingName>() {
        assert_eq!(parsed.to_string(), spoiled, "one recording has one name");
    }
}

#[test]
fn random_recordings_break_nothing() {
    assert!(serde_json::from_str::<Contents>(MANIFEST).is_ok(), "the seed is a manifest");
    let begin = Instant::now();
    let span = std::env::var("TESSERA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let (key, mut seed) = (Secret::from_bytes(&[0x42; 32]), 0);
    let recording = RecordingName { hour: "00495727".parse().unwrap(), recording: RecordingId([0xa5; 16]) };
    while seed < 4_000 || span.is_some_and(|span| begin.elapsed() < span) {
        let mut draw = Draw(seed);
        sealed_objects(&mut draw, &key);
        manifests(&mut draw);
        names(&mut draw, recording);
        seed += 1;
    }
    println!("{seed} random recordings");
}
