//! **The question:** how is what is sent kept from everybody else? By a key at random that the passphrase wraps
//! (sections 3.2.2 and 6 of the draft): PBKDF2 with SHA-1 and 2,048 rounds, RFC 3394, AES in counter mode.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_128 as WRAP_128, AES_256 as WRAP_256, AesKek, KeyWrap};
use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA1, derive};
use zeroize::Zeroizing;

const ROUNDS: NonZeroU32 = NonZeroU32::new(2048).expect("it is above 0");
pub(super) const SALT: usize = 16;
/// The longest key.
const KEY_BYTES: usize = 32;
/// What RFC 3394 adds.
const INTEGRITY: usize = 8;

/// How long the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyLength {
    /// AES-128.
    #[default]
    Bytes16,
    /// AES-256.
    Bytes32,
}

impl KeyLength {
    const fn bytes(self) -> usize {
        match self {
            Self::Bytes16 => 16,
            Self::Bytes32 => 32,
        }
    }

    /// As the handshake says it: eighths.
    pub(super) const fn word(self) -> u16 {
        (self.bytes() / 8) as u16
    }
}

/// What hides one connection's payloads. Its text form hides it.
pub struct Secrecy {
    length: KeyLength,
    salt: [u8; SALT],
    key: EncryptingKey,
    /// The key, for whoever knows the passphrase.
    wrapped: Vec<u8>,
}

impl fmt::Debug for Secrecy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrecy(…)")
    }
}

impl Secrecy {
    /// By a key and a salt out of `random`; `None` where the library refuses.
    #[must_use]
    pub fn new(passphrase: &str, length: KeyLength, random: &Zeroizing<[u8; SALT + KEY_BYTES]>) -> Option<Self> {
        let salt: [u8; SALT] = *random.first_chunk()?;
        let key = &random[SALT..SALT + length.bytes()];
        let mut over = Zeroizing::new([0; KEY_BYTES]);
        let over = &mut over[..length.bytes()];
        derive(PBKDF2_HMAC_SHA1, ROUNDS, &salt[SALT - 8..], passphrase.as_bytes(), over);
        let mut wrapped = vec![0; length.bytes() + INTEGRITY];
        let (wrap, cipher) = match length {
            KeyLength::Bytes16 => (&WRAP_128, &AES_128),
            KeyLength::Bytes32 => (&WRAP_256, &AES_256),
        };
        let written = AesKek::new(wrap, over).ok()?.wrap(key, &mut wrapped).ok()?.len();
        wrapped.truncate(written);
        let key = EncryptingKey::ctr(UnboundCipherKey::new(cipher, key).ok()?).ok()?;
        Some(Self { length, salt, key, wrapped })
    }

    /// How long the key is.
    pub(super) const fn length(&self) -> KeyLength {
        self.length
    }

    /// The key material message (section 3.2.2).
    pub(super) fn key_material(&self) -> Vec<u8> {
        let quarters = (self.length.bytes() / 4) as u8;
        // Version 1, key material, `HAI`, an even key; no other key around it; AES-CTR, nothing that proves it, SRT.
        let mut message = vec![0x12, 0x20, 0x29, 0x01, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, (SALT / 4) as u8, quarters];
        message.extend_from_slice(&self.salt);
        message.extend_from_slice(&self.wrapped);
        message
    }

    /// Hides the payload of that packet; `None` where the library refuses.
    pub(super) fn hide(&self, sequence: u32, payload: &mut [u8]) -> Option<()> {
        // Section 6.1.2: the number of the packet on the salt's end, and two bytes that count blocks.
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt[..14]);
        for (byte, of) in counter[10..14].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= of;
        }
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        self.key.less_safe_encrypt(payload, context).ok().map(drop)
    }
}
