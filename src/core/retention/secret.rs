//! **The question:** what is a key, and how does another one come of it? Secret bytes that are overwritten when let go.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use zeroize::Zeroize;

use crate::core::retention::locked::{PLACE_BYTES, Place};

/// Bytes of every key here.
pub(super) const KEY_BYTES: usize = 32;
const _: () = assert!(2 * KEY_BYTES == PLACE_BYTES);

/// 32 secret bytes; overwritten when let go, never shown. They lie in the arena of secrets and stay where they are:
/// what is moved is the way to them.
pub struct Secret(Place);

impl Secret {
    /// From the operating system's randomness (through AWS-LC).
    #[must_use]
    pub fn random() -> Self {
        let mut secret = Self::zero();
        fill_random(secret.expose_mut());
        secret
    }

    /// From bytes that were secret already; overwriting those is the caller's part.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut secret = Self::zero();
        secret.expose_mut().copy_from_slice(bytes);
        secret
    }

    pub(super) fn zero() -> Self {
        Self(Place::blank())
    }

    /// The key that stands at the start of `place`; what follows it there is overwritten.
    pub(super) fn from_place(mut place: Place) -> Self {
        place.bytes_mut()[KEY_BYTES..].zeroize();
        Self(place)
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.bytes().first_chunk().expect("a place holds two keys")
    }

    pub(super) fn expose_mut(&mut self) -> &mut [u8; KEY_BYTES] {
        self.0.bytes_mut().first_chunk_mut().expect("a place holds two keys")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Fills `bytes` from the operating system's randomness.
pub(super) fn fill_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("a kernel that runs us gives randomness");
}

/// HKDF-Expand (RFC 5869) with SHA-512 of a uniformly random `key`; the parts of `info` are concatenated.
pub(super) fn expand(key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    expand_key(key, info, out);
    scrub_stack();
}

/// HKDF (RFC 5869) with SHA-512 and no salt, of two keys side by side.
pub(super) fn extract_and_expand(keys: (&Secret, &Secret), info: &[&[u8]]) -> Secret {
    let mut both = Place::blank();
    let (one, other) = both.bytes_mut().split_at_mut(KEY_BYTES);
    one.copy_from_slice(keys.0.expose());
    other.copy_from_slice(keys.1.expose());
    let mut key = Secret::zero();
    extract_key(both.bytes(), info, key.expose_mut());
    scrub_stack();
    key
}

#[inline(never)]
fn expand_key(key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    fill(&Prk::new_less_safe(HKDF_SHA512, key), info, out);
}

#[inline(never)]
fn extract_key(keys: &[u8], info: &[&[u8]], out: &mut [u8]) {
    fill(&Salt::none(HKDF_SHA512).extract(keys), info, out);
}

/// Overwrites the stack below the caller's: the calls before left copies of keys there, of values that were moved.
#[inline(never)]
pub(super) fn scrub_stack() {
    let mut below = [0_u8; 8192];
    below.zeroize();
    std::hint::black_box(&below);
}

fn fill(prk: &Prk, info: &[&[u8]], out: &mut [u8]) {
    let len = Length(out.len());
    prk.expand(info, len).and_then(|okm| okm.fill(out)).expect("keys are shorter than HKDF's limit");
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
