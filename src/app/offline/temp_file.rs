//! **The question:** under which name does an unfinished file lie? Under one of its own beside the place it will take,
//! so that what stood there before is never half overwritten.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::base::limits;

/// What lies in the file out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

/// A file in the making; gone if nobody finishes it.
pub(super) struct Part {
    file: BufWriter<File>,
    path: PathBuf,
    place: PathBuf,
    finished: bool,
}

impl Part {
    /// Begins the file that will lie at `place`.
    pub(super) fn create(place: &Path) -> io::Result<Self> {
        if place.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        let name = place.file_name().ok_or_else(|| io::Error::other("it names no file"))?.to_string_lossy();
        let path = place.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = BufWriter::with_capacity(limits::RECOMPOSE_WRITE_LEN, File::create(&path)?);
        Ok(Self { file, path, place: place.to_owned(), finished: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Writes `bytes` over what lies at `at`.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Gives the file its name; says how many bytes it has.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let bytes = self.file.stream_position()?;
        self.file.flush()?;
        fs::rename(&self.path, &self.place)?;
        self.finished = true;
        Ok(bytes)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            // It holds nothing of worth; if it stays, its name tells.
            let _ = fs::remove_file(&self.path);
        }
    }
}
