//! **The question:** how are bytes sealed so that any range of them opens alone? C2SP chunked encryption
//! (<https://c2sp.org/chunked-encryption>) as Cobblestone-256: SHA-512 and AES-256-GCM.
//!
//! A sealed message is a salt of 24 bytes, a commitment to the key of 32, and chunks of 16 KiB with a tag of 16 bytes
//! each; the last chunk is always shorter than the others, which tells a whole message from a truncated one.

use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroize;

use crate::core::retention::locked::Place;
use crate::core::retention::secret::{KEY_BYTES, Secret, expand, fill_random};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes of every sealed chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Bytes before the first chunk: salt and commitment.
pub const PREFIX_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;

const SALT_BYTES: usize = 24;
const COMMITMENT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// From the specification, section "Message chunking".
const CHUNKS_IN_ONE_MESSAGE: u64 = 1 << 38;
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// The bytes are not what was sealed with this key for this purpose: altered, truncated, moved, or another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open")]
pub struct Tampered;

/// Bytes of a sealed message of `plain` bytes.
#[must_use]
pub fn sealed_len(plain: u64) -> u64 {
    PREFIX_BYTES as u64 + plain + (plain / CHUNK_BYTES as u64 + 1) * TAG_BYTES as u64
}

/// Bytes of the message in a sealed one of that length. Nobody vouches for it until the last chunk has been opened.
///
/// # Errors
/// When no sealed message has that length.
pub fn plain_len(sealed_len: u64) -> Result<u64, Tampered> {
    let chunks = sealed_len.checked_sub(PREFIX_BYTES as u64).ok_or(Tampered)?;
    let (full, last) = (chunks / SEALED_CHUNK_BYTES as u64, chunks % SEALED_CHUNK_BYTES as u64);
    // A last chunk that is empty still has its tag; without one the message is truncated.
    if last < TAG_BYTES as u64 || full >= CHUNKS_IN_ONE_MESSAGE {
        return Err(Tampered);
    }
    Ok(full * CHUNK_BYTES as u64 + last - TAG_BYTES as u64)
}

/// Seals a message. `context` says what it is; only who names the same opens it. The salt is random, so that a key may
/// seal any number of messages.
#[must_use]
pub fn seal(key: &Secret, context: &[u8], message: &[u8]) -> Vec<u8> {
    let mut salt = [0; SALT_BYTES];
    fill_random(&mut salt);
    seal_with(key, context, salt, message)
}

fn seal_with(key: &Secret, context: &[u8], salt: [u8; SALT_BYTES], message: &[u8]) -> Vec<u8> {
    let (keys, commitment) = Keys::derive(key, &salt, context);
    let len = usize::try_from(sealed_len(message.len() as u64)).expect("a message in memory has a length in memory");
    let mut sealed = Vec::with_capacity(len);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&commitment);
    let mut chunks = message.chunks_exact(CHUNK_BYTES);
    let mut number = 0;
    for chunk in &mut chunks {
        keys.seal_chunk(number, chunk, &mut sealed);
        number += 1;
    }
    keys.seal_chunk(number, chunks.remainder(), &mut sealed);
    debug_assert_eq!(sealed.len(), len);
    sealed
}

/// Opens a whole sealed message.
///
/// # Errors
/// When it is not exactly what was sealed.
pub fn open(key: &Secret, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Tampered> {
    let (prefix, chunks) = sealed.split_first_chunk::<PREFIX_BYTES>().ok_or(Tampered)?;
    let opener = Opener::new(key, context, prefix, sealed.len() as u64)?;
    let mut chunks = chunks.to_vec();
    let plain = opener.open_in_place(0..opener.plain_len(), &mut chunks)?;
    debug_assert_eq!(plain.start, 0);
    chunks.truncate(plain.end);
    Ok(chunks)
}

/// As [`open`], of a message that is a key: it is opened where it stays, and never lies anywhere else.
pub(super) fn open_key(key: &Secret, context: &[u8], sealed: &[u8]) -> Result<Secret, Tampered> {
    let (prefix, chunk) = sealed.split_first_chunk::<PREFIX_BYTES>().ok_or(Tampered)?;
    if chunk.len() != KEY_BYTES + TAG_BYTES {
        return Err(Tampered);
    }
    let opener = Opener::new(key, context, prefix, sealed.len() as u64)?;
    let mut place = Place::blank();
    place.bytes_mut()[..chunk.len()].copy_from_slice(chunk);
    opener.keys.open_chunk(0, &mut place.bytes_mut()[..chunk.len()])?;
    Ok(Secret::from_place(place))
}

/// The derived keys of one message.
struct Keys {
    key: LessSafeKey,
    base_nonce: [u8; NONCE_LEN],
}

impl Keys {
    fn derive(key: &Secret, salt: &[u8; SALT_BYTES], context: &[u8]) -> (Self, [u8; COMMITMENT_BYTES]) {
        let mut derived = [0; KEY_BYTES + NONCE_LEN + COMMITMENT_BYTES];
        expand(key.expose(), &[INFO, salt, context], &mut derived);
        let (message_key, rest) = derived.split_at(KEY_BYTES);
        let (base_nonce, commitment) = rest.split_at(NONCE_LEN);
        let unbound = UnboundKey::new(&AES_256_GCM, message_key).expect("AES-256 has keys of 32 bytes");
        let keys = Self { key: LessSafeKey::new(unbound), base_nonce: base_nonce.try_into().expect("it was split so") };
        let commitment = commitment.try_into().expect("it was split so");
        derived.zeroize();
        (keys, commitment)
    }

    fn nonce(&self, number: u64) -> Nonce {
        assert!(number < CHUNKS_IN_ONE_MESSAGE, "a message has fewer than 2^38 chunks");
        let mut nonce = self.base_nonce;
        nonce[NONCE_LEN - 8..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, count)| *byte ^= count);
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal_chunk(&self, number: u64, plain: &[u8], sealed: &mut Vec<u8>) {
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        let tag = self.key.seal_in_place_separate_tag(self.nonce(number), Aad::empty(), &mut sealed[start..]);
        sealed.extend_from_slice(tag.expect("16 KiB lie within AES-GCM's limit").as_ref());
    }

    fn open_chunk(&self, number: u64, sealed: &mut [u8]) -> Result<(), Tampered> {
        self.key.open_in_place(self.nonce(number), Aad::empty(), sealed).map(|_| ()).map_err(|_| Tampered)
    }
}

/// Opens ranges of one sealed message.
pub struct Opener {
    keys: Keys,
    plain_len: u64,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("plain_len", &self.plain_len).finish_non_exhaustive()
    }
}

impl Opener {
    /// For the message that begins with `prefix` and is `sealed_len` bytes long, prefix included.
    ///
    /// # Errors
    /// When the key or the context is another's, or no message has that length.
    pub fn new(key: &Secret, context: &[u8], prefix: &[u8; PREFIX_BYTES], sealed_len: u64) -> Result<Self, Tampered> {
        let plain_len = plain_len(sealed_len)?;
        let (salt, commitment) = prefix.split_first_chunk::<SALT_BYTES>().expect("a prefix begins with the salt");
        let (keys, expected) = Keys::derive(key, salt, context);
        verify_slices_are_equal(&expected, commitment).map_err(|_| Tampered)?;
        Ok(Self { keys, plain_len })
    }

    /// Bytes of the message. Nobody vouches for the length until the last chunk has been opened.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Which sealed bytes, prefix included in the count, hold the plaintext `plain`: whole chunks. What lies beyond the
    /// message is left out; a range that reaches its end, or an empty one, takes in the last chunk, which vouches for
    /// the length.
    #[must_use]
    pub fn sealed_range(&self, plain: Range<u64>) -> Range<u64> {
        let (first, end) = self.chunks(&plain);
        let at = |chunk: u64| PREFIX_BYTES as u64 + chunk * SEALED_CHUNK_BYTES as u64;
        at(first)..at(end).min(sealed_len(self.plain_len))
    }

    /// Opens the chunks that `sealed_range(plain)` names, in place. Where in `sealed` the plaintext asked for now
    /// stands.
    ///
    /// # Errors
    /// When a chunk was altered, moved or cut; `sealed` holds nothing of use then.
    pub fn open_in_place(&self, plain: Range<u64>, sealed: &mut [u8]) -> Result<Range<usize>, Tampered> {
        let range = self.sealed_range(plain.clone());
        if sealed.len() as u64 != range.end - range.start {
            return Err(Tampered);
        }
        let (first, _) = self.chunks(&plain);
        let (mut opened, mut number) = (0, first);
        for at in (0..sealed.len()).step_by(SEALED_CHUNK_BYTES) {
            let end = sealed.len().min(at + SEALED_CHUNK_BYTES);
            if let Err(tampered) = self.keys.open_chunk(number, &mut sealed[at..end]) {
                sealed.zeroize();
                return Err(tampered);
            }
            sealed.copy_within(at..end - TAG_BYTES, opened);
            opened += end - TAG_BYTES - at;
            number += 1;
        }
        let within = |at: u64| {
            let at = at.min(self.plain_len).saturating_sub(first * CHUNK_BYTES as u64);
            usize::try_from(at).expect("what is in memory has a length in memory").min(opened)
        };
        Ok(within(plain.start)..within(plain.end.max(plain.start)))
    }

    // The chunks that hold a range: from the first to one past the last. A range that reaches the message's end takes
    // in the last chunk even where that is empty.
    fn chunks(&self, plain: &Range<u64>) -> (u64, u64) {
        let last = self.plain_len / CHUNK_BYTES as u64;
        if plain.start >= plain.end || plain.start >= self.plain_len {
            return (last, last + 1);
        }
        let end = if plain.end >= self.plain_len { last + 1 } else { plain.end.div_ceil(CHUNK_BYTES as u64) };
        (plain.start / CHUNK_BYTES as u64, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: &[u8] = b"tessera test";

    fn key() -> Secret {
        Secret::from_bytes(&std::array::from_fn(|n| n as u8))
    }

    fn message(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n * 7 + n / 256) as u8).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    fn sha256(bytes: &[u8]) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // Made with another implementation, pyca/cryptography 50.0.0, class Cobblestone256Encryptor, key 00 … 1f: length,
    // salt, SHA-256 of the sealed message. The specification has no vectors.
    const VECTORS: [(usize, &str, &str); 7] = [
        (
            0,
            "86b215deed591a668f6fd8d86cd5e08b222bc9cd2c596983",
            "c0340b6176f30c05b3964af28e71370807188e487619e0039916bf0ddf836bb8",
        ),
        (
            1,
            "db8ff7efe7a0afd5a20edef8aca226859b6d59c797a61182",
            "cdb9eec146267050d61af148002e45b9dbdf4e652127ed6b12905ed6cfde098e",
        ),
        (
            1_000,
            "7335ad74668e006855a635229b568299de331d8ff002b137",
            "d6277586ffa97a4139ec4f163c44f3386adfcd1f03dfe0a50dcb12589eb2ccf8",
        ),
        (
            16_383,
            "413313bb127da061594688c557a24f6cd7718aebf35c5850",
            "b8156d34fb092c8d4688480acbf4f46a4cbc8cc388402de7b7cb4fdc4a7673af",
        ),
        (
            16_384,
            "486ef7838f4aa774636bffc6b2ed1b2aa399c296f69b4083",
            "6d56e8b8b57354f629749b0b5256ba2c2c903e1efd973d3a664f08c81f0fd28c",
        ),
        (
            16_385,
            "3b87f226c1b20a448a77f2cc45a5eb3b9f49317eaf684cc2",
            "a88979d5348b9469620ddc3bf7c2174b2a033bc2f2b16b995b3907ad9f1f4f8b",
        ),
        (
            50_000,
            "7f9de696ee05b523961b84dcc9b6a47fb8d5655f8358a5b8",
            "e5351d35c15548904fc563575754e79cd375734d2dcd565d4908c8c7ba4d1b45",
        ),
    ];

    #[test]
    fn another_implementation_seals_the_same_bytes() {
        for (len, salt, digest) in VECTORS {
            let salt = bytes(salt).try_into().unwrap();
            let sealed = seal_with(&key(), CONTEXT, salt, &message(len));
            assert_eq!(sha256(&sealed), digest, "{len} bytes");
            assert_eq!(open(&key(), CONTEXT, &sealed).unwrap(), message(len));
        }
    }

    #[test]
    fn only_the_key_and_the_context_it_was_sealed_with_open_it() {
        let sealed = seal(&key(), CONTEXT, &message(20_000));
        assert_eq!(open(&Secret::random(), CONTEXT, &sealed), Err(Tampered));
        assert_eq!(open(&key(), b"tessera tesT", &sealed), Err(Tampered));
        assert_eq!(open(&key(), b"", &sealed), Err(Tampered));
        assert_ne!(sealed, seal(&key(), CONTEXT, &message(20_000)), "each message has a salt of its own");
    }

    #[test]
    fn a_key_opens_where_it_stays_and_nothing_but_a_key_does() {
        let inner = Secret::random();
        let sealed = seal(&key(), CONTEXT, inner.expose());
        assert_eq!(open_key(&key(), CONTEXT, &sealed).unwrap().expose(), inner.expose());
        assert!(open_key(&Secret::random(), CONTEXT, &sealed).is_err());
        for len in [0, 31, 33, 48] {
            assert!(open_key(&key(), CONTEXT, &seal(&key(), CONTEXT, &message(len))).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn every_truncation_is_told() {
        let sealed = seal(&key(), CONTEXT, &message(2 * CHUNK_BYTES + 5));
        let chunk = |n: usize| PREFIX_BYTES + n * SEALED_CHUNK_BYTES;
        let near =
            [0, 55, 56, 57, 71, 72, chunk(1) - 1, chunk(1), chunk(1) + 15, chunk(1) + 16, chunk(2), chunk(2) + 16];
        for len in near.into_iter().chain((0..sealed.len()).step_by(991)) {
            assert_eq!(open(&key(), CONTEXT, &sealed[..len]), Err(Tampered), "{len} bytes of {}", sealed.len());
        }
        let longer = [&sealed[..], &[0; 16]].concat();
        assert_eq!(open(&key(), CONTEXT, &longer), Err(Tampered));
    }

    #[test]
    fn chunks_that_change_places_are_told() {
        let sealed = seal(&key(), CONTEXT, &message(3 * CHUNK_BYTES));
        let (prefix, chunks) = sealed.split_at(PREFIX_BYTES);
        let pieces: Vec<_> = chunks.chunks(SEALED_CHUNK_BYTES).collect();
        let swapped = [prefix, pieces[1], pieces[0], pieces[2], pieces[3]].concat();
        let doubled = [prefix, pieces[0], pieces[0], pieces[1], pieces[2], pieces[3]].concat();
        let missing = [prefix, pieces[0], pieces[2], pieces[3]].concat();
        for moved in [swapped, doubled, missing] {
            assert_eq!(open(&key(), CONTEXT, &moved), Err(Tampered));
        }
    }

    proptest! {
        #[test]
        fn any_range_opens_alone(len in 0_usize..70_000, from in 0_u64..80_000, span in 0_u64..40_000) {
            let plain = message(len);
            let sealed = seal(&key(), CONTEXT, &plain);
            prop_assert_eq!(sealed.len() as u64, sealed_len(len as u64));
            let prefix = sealed.first_chunk().unwrap();
            let opener = Opener::new(&key(), CONTEXT, prefix, sealed.len() as u64).unwrap();
            prop_assert_eq!(opener.plain_len(), len as u64);
            let range = opener.sealed_range(from..from + span);
            let mut part = sealed[range.start as usize..range.end as usize].to_vec();
            let stands = opener.open_in_place(from..from + span, &mut part).unwrap();
            let (from, to) = ((from as usize).min(len), ((from + span) as usize).min(len));
            prop_assert_eq!(&part[stands], &plain[from..to]);
        }

        #[test]
        fn any_altered_bit_is_told(len in 0_usize..40_000, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut sealed = seal(&key(), CONTEXT, &message(len));
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(open(&key(), CONTEXT, &sealed), Err(Tampered));
        }

        #[test]
        fn arbitrary_bytes_never_open_and_never_panic(noise in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(open(&key(), CONTEXT, &noise), Err(Tampered));
        }
    }
}
