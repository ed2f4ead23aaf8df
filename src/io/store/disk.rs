//! **The question:** how does a recording lie on a local disk?

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::limits;

/// Only the node's own account reads recordings.
const FOLDER_MODE: u32 = 0o700;
pub(super) const FILE_MODE: u32 = 0o600;

/// Why bytes could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space, no quota, or the file may not grow further.
    #[error("no space left for {}", path.display())]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The disk refused for another reason.
    #[error("cannot write {}: {source}", path.display())]
    Failed {
        /// Which file or folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether space is what lacks.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::Full { path: path.to_owned() }
            }
            _ => Self::Failed { path: path.to_owned(), source },
        }
    }
}

/// A folder of recordings.
#[derive(Debug, Clone)]
pub struct DiskStore {
    folder: PathBuf,
}

impl DiskStore {
    /// The folder at `path`, made (mode 0700) if need be.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        make_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Begins the file `name` in this folder; what stood there is overwritten.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn replace(&self, name: &str) -> Result<DiskFile, StoreError> {
        DiskFile::create(self.folder.join(name), OpenOptions::new().create(true).truncate(true))
    }
}

/// Makes a folder that only the node's own account reads, unless it is there.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(StoreError::at(folder))
}

/// A file that grows by whole pieces under its final name, so that it can be played while it grows.
#[derive(Debug)]
pub struct DiskFile {
    path: PathBuf,
    file: File,
    /// Length of all whole pieces.
    len: u64,
    /// A piece was written in part and could not be cut off.
    ragged: bool,
}

impl DiskFile {
    fn create(path: PathBuf, options: &mut OpenOptions) -> Result<Self, StoreError> {
        let file = options.write(true).mode(FILE_MODE).open(&path).map_err(StoreError::at(&path))?;
        Ok(Self { path, file, len: 0, ragged: false })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of all whole pieces, bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a length in bytes, not a collection")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends a piece, whole or not at all: after an error the file stands as before, and the next piece may be tried.
    ///
    /// # Errors
    /// When the disk is full or refuses.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        if self.ragged {
            self.cut_back()?;
        }
        match self.file.write_all_at(piece, self.len) {
            Ok(()) => {
                self.len += piece.len() as u64;
                Ok(())
            }
            Err(source) => {
                // What went wrong first is what counts; `ragged` remembers if this fails too.
                let _ = self.cut_back();
                Err(StoreError::at(&self.path)(source))
            }
        }
    }

    /// Overwrites bytes within what is written already.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        assert!(offset + bytes.len() as u64 <= self.len, "a patch lies within the file");
        self.file.write_all_at(bytes, offset).map_err(StoreError::at(&self.path))
    }

    /// Waits until the disk itself holds what was written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(StoreError::at(&self.path))
    }

    /// Closes the file so that a power cut takes nothing of it: the file, then the folder that names it.
    ///
    /// # Errors
    /// When the disk refuses; what was written may still be there.
    pub fn finish(mut self) -> Result<u64, StoreError> {
        if self.ragged {
            self.cut_back()?;
        }
        self.sync()?;
        sync_folder_of(&self.path)?;
        Ok(self.len)
    }

    fn cut_back(&mut self) -> Result<(), StoreError> {
        let cut = self.file.set_len(self.len);
        self.ragged = cut.is_err();
        cut.map_err(StoreError::at(&self.path))
    }
}

/// A small text beside a recording that must be rewritten even when the disk is full: its place is kept from the start.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
}

impl Ledger {
    /// Makes the file and keeps `limits::MANIFEST_RESERVE` bytes for it.
    ///
    /// # Errors
    /// When the disk is full or refuses.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(FILE_MODE);
        let file = options.open(path).map_err(StoreError::at(path))?;
        let ledger = Self { path: path.to_owned(), file };
        ledger.write("{}")?;
        Ok(ledger)
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rewrites the text, in place: blanks fill what was kept for it, which JSON allows. A text longer than the place
    /// kept needs space like any other.
    ///
    /// # Errors
    /// When the disk is full or refuses.
    pub fn write(&self, text: &str) -> Result<(), StoreError> {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(padded.len().max(limits::MANIFEST_RESERVE - 1), b' ');
        padded.push(b'\n');
        self.file.write_all_at(&padded, 0).map_err(StoreError::at(&self.path))
    }

    /// Writes the last text and closes the file: a whole new file without blanks takes its place if there is space,
    /// else it is rewritten in place.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self, text: &str) -> Result<(), StoreError> {
        let aside = self.path.with_extension("json.part");
        if replace_file(&self.path, &aside, &[text.as_bytes(), b"\n"]).is_err() {
            let _ = std::fs::remove_file(&aside);
            self.write(text)?;
            self.file.sync_all().map_err(StoreError::at(&self.path))?;
        }
        sync_folder_of(&self.path)
    }
}

/// A whole new file takes the place of another: written aside, on the disk, then renamed. The folder is not synced.
pub(super) fn replace_file(path: &Path, aside: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(aside)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()?;
    std::fs::rename(aside, path)
}

pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(StoreError::at(parent))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/recordings");
        let store = DiskStore::open(&folder).unwrap();
        let mut first = store.replace("room.mp4").unwrap();
        first.append(b"whole").unwrap();
        assert_eq!((mode(&folder), mode(first.path())), (0o700, 0o600));
        first.patch(1, b"O").unwrap();
        let path = first.path().to_owned();
        assert_eq!(first.finish().unwrap(), 5);
        assert_eq!(std::fs::read(path).unwrap(), b"wOole");
        assert!(DiskStore::open(Path::new("/proc/nowhere")).is_err_and(|error| !error.is_full()));
    }

    #[test]
    fn a_full_disk_takes_whole_pieces_or_none() {
        let mut file = DiskFile::create("/dev/full".into(), &mut OpenOptions::new()).unwrap();
        assert!(file.append(b"piece").unwrap_err().is_full());
        assert_eq!(file.len(), 0);
    }

    #[test]
    fn a_ledger_is_valid_json_at_every_moment() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("room.json");
        let read = || std::fs::read_to_string(&path).unwrap();
        let parse = || serde_json::from_str::<serde_json::Value>(&read()).unwrap();
        let ledger = Ledger::create(&path).unwrap();
        assert_eq!(read().len(), limits::MANIFEST_RESERVE);
        ledger.write(r#"{"long":"text, rather long"}"#).unwrap();
        ledger.write(r#"{"n":1}"#).unwrap();
        assert_eq!(parse()["n"], 1);
        ledger.finish(r#"{"n":2}"#).unwrap();
        assert_eq!(read(), "{\"n\":2}\n");
        assert_eq!(mode(&path), 0o600);
    }
}
