//! **The question:** how does a keeper's state lie on disk? One small file that is replaced whole, its former content
//! overwritten, and beside it the audit log, which only grows.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::core::retention::{Clocks, Keeper, KeeperId};
use crate::io::store::disk::{FILE_MODE, StoreError, make_folder, replace_file, sync_folder_of};

/// Why a keeper cannot be had from a folder.
#[derive(Debug, thiserror::Error)]
pub enum KeeperFileError {
    /// Another process has it.
    #[error("another node or keeper uses {}", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// The state is damaged. To restart, which loses every recording made so far, move the folder away.
    #[error("the keeper's state in {} is damaged; recordings made so far need a good copy of it", folder.display())]
    Damaged {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no state, and it was only to be read.
    #[error("there is no keeper in {}", folder.display())]
    None {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] StoreError),
}

/// A keeper's folder, locked for this process.
#[derive(Debug)]
pub struct KeeperFile {
    folder: PathBuf,
    audit: AuditFile,
    /// Whether the state lies here too, and not only the audit log.
    stored: bool,
    /// Held for its lock.
    _lock: File,
}

impl KeeperFile {
    /// The keeper in `folder`; a new one where there is none.
    ///
    /// # Errors
    /// When another process has it, the state is damaged, or the disk refuses.
    pub fn open(folder: &Path, clocks: Clocks) -> Result<(Self, Keeper), KeeperFileError> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let keeper = read(folder, clocks)?.unwrap_or_else(|| Keeper::new(clocks));
        let audit = AuditFile::open(audit_path(folder, keeper.id()))?;
        let mut file = Self { folder: folder.to_owned(), audit, stored: true, _lock: lock };
        let mut keeper = keeper;
        file.save(&mut keeper)?;
        Ok((file, keeper))
    }

    /// A new keeper whose keys never touch a disk; `folder` holds its audit log only.
    ///
    /// # Errors
    /// When another process uses the folder, or the disk refuses.
    pub fn in_memory(folder: &Path, clocks: Clocks) -> Result<(Self, Keeper), KeeperFileError> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let mut keeper = Keeper::new(clocks);
        let audit = AuditFile::open(audit_path(folder, keeper.id()))?;
        let mut file = Self { folder: folder.to_owned(), audit, stored: false, _lock: lock };
        file.save(&mut keeper)?;
        Ok((file, keeper))
    }

    /// Stores the keeper's state, then its audit lines. The former state is overwritten on the disk, as far as the
    /// medium really does that.
    ///
    /// # Errors
    /// When the disk is full or refuses; the former state stands then.
    pub fn save(&mut self, keeper: &mut Keeper) -> Result<(), StoreError> {
        if self.stored {
            replace(&self.folder.join("state"), &keeper.state())?;
            keeper.saved();
        }
        self.audit.append(keeper.audit().pending())?;
        keeper.audit_stored();
        // What waits is in the file just written too; it is left out of the next one.
        keeper.saved();
        Ok(())
    }
}

/// Reads the keeper in `folder` without touching anything: for looking at recordings while a node runs, or at a copy.
///
/// # Errors
/// When there is none, or it is damaged.
pub fn look_at_keeper(folder: &Path, clocks: Clocks) -> Result<Keeper, KeeperFileError> {
    read(folder, clocks)?.ok_or_else(|| KeeperFileError::None { folder: folder.to_owned() })
}

/// Where a keeper's audit log lies.
#[must_use]
pub fn audit_path(folder: &Path, keeper: KeeperId) -> PathBuf {
    folder.join(format!("audit-{keeper}.log"))
}

fn lock(folder: &Path) -> Result<File, KeeperFileError> {
    let path = folder.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
    let file = opened.map_err(StoreError::at(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| KeeperFileError::Taken { folder: folder.to_owned() })?;
    Ok(file)
}

fn read(folder: &Path, clocks: Clocks) -> Result<Option<Keeper>, KeeperFileError> {
    let path = folder.join("state");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::at(&path)(error).into()),
    };
    let damaged = |_| KeeperFileError::Damaged { folder: folder.to_owned() };
    Keeper::restore(&bytes, clocks).map(Some).map_err(damaged)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let aside = path.with_extension("new");
    let former = OpenOptions::new().write(true).open(path).ok();
    replace_file(path, &aside, &[bytes]).map_err(StoreError::at(path))?;
    sync_folder_of(path)?;
    // The former file has no name any more; its blocks still hold keys.
    if let Some(mut former) = former {
        let overwritten = former
            .metadata()
            .and_then(|about| io::copy(&mut io::repeat(0).take(about.len()), &mut former))
            .and_then(|_| former.sync_all());
        overwritten.map_err(StoreError::at(path))?;
    }
    Ok(())
}

#[derive(Debug)]
struct AuditFile {
    path: PathBuf,
    file: File,
    /// Whole lines in it.
    lines: u64,
    /// Their length.
    len: u64,
}

impl AuditFile {
    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
        let mut file = opened.map_err(StoreError::at(&path))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(StoreError::at(&path))?;
        // A line cut short by a crash is written again: the keeper still has it.
        let len = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = text[..len].iter().filter(|byte| **byte == b'\n').count();
        Ok(Self { path, file, lines: lines as u64, len: len as u64 })
    }

    fn append(&mut self, pending: &[String]) -> Result<(), StoreError> {
        let number = |line: &str| line.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        let new: Vec<_> = pending.iter().filter(|line| number(line).is_none_or(|n| n >= self.lines)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let text: String = new.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let written = (|| {
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        })();
        written.map_err(StoreError::at(&self.path))?;
        self.lines += new.len() as u64;
        self.len += text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::media::{NANOS_PER_SECOND, Wallclock};
    use crate::core::retention::{AuditEvent, BootId, RecordingId, Retention, verify_audit};

    fn clocks(hours: u64) -> Clocks {
        let wall = Wallclock((1_784_021_200 + hours * 3600) * NANOS_PER_SECOND);
        Clocks { wall, boot: BootId([1; 16]), since_boot: Duration::from_secs(hours * 3600), synchronised: false }
    }

    fn audit_of(folder: &Path, keeper: &Keeper) -> Vec<AuditEvent> {
        let log = std::fs::read_to_string(audit_path(folder, keeper.id())).unwrap();
        verify_audit(&log, &keeper.audit().public_key()).unwrap()
    }

    #[test]
    fn a_keeper_survives_restarts_and_its_log_has_no_gap() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("keeper");
        let (mut file, mut keeper) = KeeperFile::open(&folder, clocks(0)).unwrap();
        assert!(matches!(KeeperFile::open(&folder, clocks(0)), Err(KeeperFileError::Taken { .. })));
        let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
        file.save(&mut keeper).unwrap();
        assert!(!keeper.unsaved());
        let id = keeper.id();
        drop((file, keeper));
        // A crash in the middle of a line.
        let log = folder.join(format!("audit-{id}.log"));
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, &text[..text.len() - 20]).unwrap();
        let (mut file, mut keeper) = KeeperFile::open(&folder, clocks(1)).unwrap();
        assert_eq!(keeper.id(), id);
        let recording = RecordingId::random();
        assert!(keeper.release(clocks(1), recording, hour).is_ok());
        assert!(look_at_keeper(&folder, clocks(1)).unwrap().release(clocks(1), recording, hour).is_ok());
        keeper.advance(clocks(7 * 24), None);
        file.save(&mut keeper).unwrap();
        drop(file);
        let mut keeper = look_at_keeper(&folder, clocks(0)).unwrap();
        assert!(keeper.release(clocks(0), recording, hour).is_err(), "a destroyed key is not in the file");
    }

    #[test]
    fn a_keeper_in_memory_leaves_its_log_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("keeper");
        let (mut file, mut keeper) = KeeperFile::in_memory(&folder, clocks(0)).unwrap();
        let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
        file.save(&mut keeper).unwrap();
        assert!(!keeper.unsaved());
        assert_eq!(audit_of(&folder, &keeper), [AuditEvent::Began, AuditEvent::Made(hour)]);
        assert!(matches!(look_at_keeper(&folder, clocks(0)), Err(KeeperFileError::None { .. })));
        let id = keeper.id();
        drop((file, keeper));
        let (_, keeper) = KeeperFile::in_memory(&folder, clocks(1)).unwrap();
        assert_ne!(keeper.id(), id, "one that lost its keys is another");
    }

    #[test]
    fn the_audit_log_on_disk_verifies() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("keeper");
        let mut hours = Vec::new();
        for day in 0..3 {
            let (mut file, mut keeper) = KeeperFile::open(&folder, clocks(day * 100)).unwrap();
            hours.push(keeper.reserve(clocks(day * 100), Retention::default()).unwrap());
            file.save(&mut keeper).unwrap();
        }
        let keeper = look_at_keeper(&folder, clocks(200)).unwrap();
        let expected = [
            AuditEvent::Began,
            AuditEvent::Made(hours[0]),
            AuditEvent::Made(hours[1]),
            AuditEvent::Destroyed(hours[0]),
            AuditEvent::Made(hours[2]),
        ];
        assert_eq!(audit_of(&folder, &keeper), expected);
    }

    #[test]
    fn a_damaged_state_is_refused_and_nothing_is_made_in_its_place() {
        let home = tempfile::tempdir().unwrap();
        let (file, keeper) = KeeperFile::open(home.path(), clocks(0)).unwrap();
        drop((file, keeper));
        let state = home.path().join("state");
        let mut bytes = std::fs::read(&state).unwrap();
        bytes[30] ^= 1;
        std::fs::write(&state, &bytes).unwrap();
        assert!(matches!(KeeperFile::open(home.path(), clocks(0)), Err(KeeperFileError::Damaged { .. })));
        assert_eq!(std::fs::read(&state).unwrap(), bytes);
        let nowhere = home.path().join("nowhere");
        assert!(matches!(look_at_keeper(&nowhere, clocks(0)), Err(KeeperFileError::None { .. })));
    }
}
