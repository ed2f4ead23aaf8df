//! **The question:** what is a key, and how does another one come of it? Secret bytes that are overwritten when let go.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk};
use zeroize::Zeroize;

/// Bytes of every key here.
pub(super) const KEY_BYTES: usize = 32;
/// 32 secret bytes; overwritten when let go, never shown. In a box of their own, for whatever is moved leaves a copy
/// where it was.
pub struct Secret(pub(super) Box<[u8; KEY_BYTES]>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Secret {
    /// From the operating system's randomness (through AWS-LC).
    #[must_use]
    pub fn random() -> Self {
        let mut secret = Self::zero();
        fill_random(&mut *secret.0);
        secret
    }

    /// From bytes that were secret already; overwriting those is the caller's part.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut secret = Self::zero();
        secret.0.copy_from_slice(bytes);
        secret
    }

    pub(super) fn zero() -> Self {
        Self(Box::new([0; KEY_BYTES]))
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
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

#[inline(never)]
fn expand_key(key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    expand_prk(&Prk::new_less_safe(HKDF_SHA512, key), info, out);
}

/// Overwrites the stack below the caller's: the calls before left copies of keys there, of values that were moved.
#[inline(never)]
pub(super) fn scrub_stack() {
    let mut below = [0_u8; 8192];
    below.zeroize();
    std::hint::black_box(&below);
}

pub(super) fn expand_prk(prk: &Prk, info: &[&[u8]], out: &mut [u8]) {
    let len = Length(out.len());
    prk.expand(info, len).and_then(|okm| okm.fill(out)).expect("keys are shorter than HKDF's limit");
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
