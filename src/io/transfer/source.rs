//! **The question:** what are the next bytes of a file that is handed over, and what is the checksum of all of them?

use std::fmt;

use aws_lc_rs::digest;
use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::base::limits;
use crate::io::store::{ReadError, Reading};
use crate::io::transfer::error::TransferError;
use crate::io::transfer::progress::{Progress, Told};

/// SHA-256 (FIPS 180-4). Text form: hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A file, from its beginning to its end, once.
pub(super) struct FileBody<'a> {
    name: String,
    from: Origin,
    len: u64,
    at: u64,
    tally: digest::Context,
    told: Told<'a>,
}

enum Origin {
    Take(Box<Reading>),
    Bytes(Bytes),
}

impl<'a> FileBody<'a> {
    pub(super) fn of_file(name: String, reading: Reading, told: Told<'a>) -> Self {
        let len = reading.len();
        Self::new(name, Origin::Take(Box::new(reading)), len, told)
    }

    pub(super) fn of_bytes(name: String, bytes: Bytes, told: Told<'a>) -> Self {
        let len = bytes.len() as u64;
        Self::new(name, Origin::Bytes(bytes), len, told)
    }

    fn new(name: String, from: Origin, len: u64, told: Told<'a>) -> Self {
        Self { name, from, len, at: 0, tally: digest::Context::new(&digest::SHA256), told }
    }

    /// What it is called at its host: letters, digits, `-`, `_`, `.` and `~` only.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What kind of file it is, for anyone who serves it later.
    pub(super) fn media_type(&self) -> &'static str {
        if self.name.ends_with(".mp4") { "video/mp4" } else { "text/vtt" }
    }

    /// Its length, bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The next bytes, at most `limits::READ_PIECE_LEN`; empty at the end.
    ///
    /// # Errors
    /// When the hour has come, or what is stored does not open.
    pub(super) async fn next(&mut self) -> Result<Bytes, ReadError> {
        let bytes = self.take(limits::READ_PIECE_LEN).await?;
        self.sent();
        Ok(bytes)
    }

    /// The next `len` bytes; fewer only at the end, none after it.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) async fn piece(&mut self, len: usize) -> Result<Bytes, ReadError> {
        let rest = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let mut piece = Vec::with_capacity(len.min(rest));
        while piece.len() < len {
            let bytes = self.take(len - piece.len()).await?;
            if bytes.is_empty() {
                break;
            }
            piece.extend_from_slice(&bytes);
        }
        Ok(piece.into())
    }

    async fn take(&mut self, len_max: usize) -> Result<Bytes, ReadError> {
        let bytes = match &mut self.from {
            Origin::Take(reading) => reading.next(&(self.at..self.len.min(self.at + len_max as u64))).await?,
            Origin::Bytes(bytes) => bytes.split_to(bytes.len().min(len_max)),
        };
        self.tally.update(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    /// How long pieces have to be so that they are not too many.
    pub(super) fn piece_len(&self) -> usize {
        let least = usize::try_from(self.len.div_ceil(limits::HAND_OVER_PIECES_MAX)).unwrap_or(usize::MAX);
        least.max(limits::HAND_OVER_PIECE_LEN).next_multiple_of(1024 * 1024)
    }

    /// Tells that so many bytes have arrived.
    pub(super) fn sent(&self) {
        (self.told)(Progress::Sending { bytes: self.at, of: self.len });
    }

    /// The checksum of all that was given out.
    ///
    /// # Errors
    /// When that was not everything: then nothing can be said of the file.
    pub(super) fn checksum(&self) -> Result<Checksum, TransferError> {
        if self.at != self.len {
            return Err(TransferError::Failed("it took less than the whole".into()));
        }
        Ok(checksum(self.tally.clone()))
    }

    /// Begins to look at what its host gives back.
    pub(super) fn verify(&self) -> Verifying<'a> {
        let tally = digest::Context::new(&digest::SHA256);
        Verifying { tally, bytes: 0, of: self.len, told: self.told }
    }
}

/// What a host gives back, added up.
pub(super) struct Verifying<'a> {
    tally: digest::Context,
    bytes: u64,
    of: u64,
    told: Told<'a>,
}

impl Verifying<'_> {
    /// Adds the next bytes.
    ///
    /// # Errors
    /// When they are more than were sent.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.of {
            return Err(TransferError::Differs);
        }
        self.tally.update(bytes);
        (self.told)(Progress::Verifying { bytes: self.bytes, of: self.of });
        Ok(())
    }

    /// Whether all of it is what was sent.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn finish(self, source: &FileBody<'_>) -> Result<(), TransferError> {
        let same = self.bytes == self.of && checksum(self.tally) == source.checksum()?;
        if same { Ok(()) } else { Err(TransferError::Differs) }
    }
}

fn checksum(tally: digest::Context) -> Checksum {
    let digest = tally.finish();
    Checksum(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_are_whole_and_what_comes_back_has_to_be_the_same() {
        let bytes = Bytes::from((0..200_000_u32).map(|n| n as u8).collect::<Vec<_>>());
        let told = |_: Progress| {};
        let mut source = FileBody::of_bytes("a.mp4".into(), bytes.clone(), &told);
        assert!(matches!(source.checksum(), Err(TransferError::Failed(_))), "nothing was given out yet");
        let (first, rest) = (source.piece(150_000).await.unwrap(), source.piece(150_000).await.unwrap());
        assert_eq!((first.len(), rest.len()), (150_000, 50_000));
        assert!(source.piece(1).await.unwrap().is_empty() && source.next().await.unwrap().is_empty());
        let judge = |back: &[&[u8]]| {
            let mut verifying = source.verify();
            back.iter().try_for_each(|bytes| verifying.add(bytes))?;
            verifying.finish(&source)
        };
        judge(&[&first, &rest]).unwrap();
        let mut other = rest.to_vec();
        other[49_999] ^= 1;
        for back in [&[&first[..], &other[..]][..], &[&first[..]], &[&bytes[..], &[0]], &[&rest[..], &first[..]]] {
            assert!(matches!(judge(back), Err(TransferError::Differs)));
        }
    }

    #[test]
    fn pieces_of_long_files_are_longer_and_never_too_many() {
        let told = |_: Progress| {};
        let mut source = FileBody::of_bytes("a.mp4".into(), Bytes::new(), &told);
        assert_eq!(source.piece_len(), limits::HAND_OVER_PIECE_LEN);
        // A day at 50 Mb/s.
        source.len = 540_000_000_000;
        assert!(source.len.div_ceil(source.piece_len() as u64) <= limits::HAND_OVER_PIECES_MAX);
        assert_eq!(source.piece_len(), 52 * 1024 * 1024);
    }

    #[test]
    fn a_checksum_is_told_in_hexadecimal() {
        // FIPS 180-4's example: "abc".
        let mut tally = digest::Context::new(&digest::SHA256);
        tally.update(b"abc");
        let told = checksum(tally).to_string();
        assert_eq!(told, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
