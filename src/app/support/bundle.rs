//! **The question:** how do several texts become one file that everybody can open? POSIX' ustar ("ustar Interchange
//! Format" of pax, IEEE 1003.1), packed by gzip.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes of a block, of which everything in it is a multiple.
pub const BLOCK_BYTES: usize = 512;
/// Where a header has its checksum, which counts as blanks in its own sum.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A `.tar.gz` in the making.
pub struct Bundle {
    packed: GzEncoder<Vec<u8>>,
    seconds: u64,
}

impl Bundle {
    /// An empty one, whose files are of that time, seconds since 1970.
    #[must_use]
    pub fn new(seconds: u64) -> Self {
        Self { packed: GzEncoder::new(Vec::new(), Compression::default()), seconds }
    }

    /// Takes a file in. Names are this program's own: at most 99 bytes.
    ///
    /// # Errors
    /// Never, into memory.
    pub fn add(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.packed.write_all(&header(name, text.len() as u64, self.seconds))?;
        self.packed.write_all(text.as_bytes())?;
        let rest = text.len().next_multiple_of(BLOCK_BYTES) - text.len();
        self.packed.write_all(&[0; BLOCK_BYTES][..rest])
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Never, into memory.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        // Two empty blocks say that nothing follows.
        self.packed.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.packed.finish()
    }
}

/// What stands before a file of `len` bytes, of that time in seconds since 1970. Names are this program's own: at most
/// 99 bytes.
#[must_use]
pub fn header(name: &str, len: u64, seconds: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{len:011o}\0"));
    put(136, &format!("{seconds:011o}\0"));
    put(CHECKSUM.start, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn each_file_has_a_header_whose_sum_is_right_and_whole_blocks() {
        let mut bundle = Bundle::new(1_790_000_000);
        bundle.add("a.txt", "hello").unwrap();
        bundle.add("b.txt", &"x".repeat(BLOCK_BYTES)).unwrap();
        let (packed, mut tar) = (bundle.finish().unwrap(), Vec::new());
        GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
        assert_eq!(tar.len(), BLOCK_BYTES * (1 + 1 + 1 + 1 + 2));
        assert!(tar.starts_with(b"a.txt\0") && tar[BLOCK_BYTES..].starts_with(b"hello\0"));
        let mut first: [u8; BLOCK_BYTES] = tar[..BLOCK_BYTES].try_into().unwrap();
        let told = u32::from_str_radix(str::from_utf8(&first[148..154]).unwrap(), 8).unwrap();
        first[CHECKSUM].fill(b' ');
        assert_eq!(first.iter().copied().map(u32::from).sum::<u32>(), told);
    }
}
