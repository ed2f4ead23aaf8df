//! **The question:** how does a keeper's state lie on disk? One file of fixed length whose bytes are overwritten where
//! they stand, and beside it the audit log, which only grows.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, IFlags, flock, ioctl_getflags, ioctl_setflags};
use zeroize::Zeroizing;

use crate::core::retention::{Clocks, HEADS_AT, Keeper, KeeperId, STATE_BYTES, StateError, StateFile};
use crate::io::store::disk::{FILE_MODE, StoreError, make_folder, sync_folder_of};

/// The file of the keys.
const KEYS: &str = "keys";
/// One that is being made; it holds no key yet.
const KEYS_BLANK: &str = "keys.new";
/// What version 1 left, and what it left half-written.
const VERSION_1: [&str; 2] = ["state", "state.new"];

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
    audit: AuditFile,
    /// Where the state lies, if it does, and not only the audit log.
    keys: Option<KeysFile>,
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
        let (mut keeper, keys) = match take_over(folder, clocks)? {
            Some(keeper) => (keeper, KeysFile::open_or_make(folder)?),
            None => {
                let mut keys = KeysFile::open_or_make(folder)?;
                let keeper = keys.load(folder, clocks)?.unwrap_or_else(|| Keeper::new(clocks));
                (keeper, keys)
            }
        };
        let audit = AuditFile::open(audit_path(folder, keeper.id()))?;
        let mut file = Self { audit, keys: Some(keys), _lock: lock };
        file.save_keys(&mut keeper)?;
        wipe_version_1(folder)?;
        // On a full disk keys have to be destroyed all the same, by a keeper that runs.
        if let Err(error) = file.save(&mut keeper) {
            tracing::error!(%error, "the audit log takes no lines: they wait in the keeper's file");
        }
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
        let mut file = Self { audit, keys: None, _lock: lock };
        file.save(&mut keeper)?;
        Ok((file, keeper))
    }

    /// Stores the keeper's state, where it stands, then its audit lines. What was there is overwritten on the disk, as
    /// far as the medium really does that; no space is needed for it.
    ///
    /// # Errors
    /// When the disk refuses the state, or has no room for the lines: these stand in the state meanwhile.
    pub fn save(&mut self, keeper: &mut Keeper) -> Result<(), StoreError> {
        self.save_keys(keeper)?;
        self.audit.append(keeper.audit().pending())?;
        keeper.audit_stored();
        // What waited is in the head just written too; it is left out of the next one.
        keeper.saved();
        Ok(())
    }

    fn save_keys(&mut self, keeper: &mut Keeper) -> Result<(), StoreError> {
        match &mut self.keys {
            Some(keys) => keeper.save(keys).map_err(StoreError::at(&keys.path)),
            None => Ok(()),
        }
    }
}

/// Reads the keeper in `folder` without touching anything: for looking at recordings while a node runs, or at a copy.
///
/// # Errors
/// When there is none, or it is damaged.
pub fn look_at_keeper(folder: &Path, clocks: Clocks) -> Result<Keeper, KeeperFileError> {
    let none = || KeeperFileError::None { folder: folder.to_owned() };
    match take_over(folder, clocks)? {
        Some(keeper) => Ok(keeper),
        None => KeysFile::open(folder, false)?.ok_or_else(none)?.load(folder, clocks)?.ok_or_else(none),
    }
}

/// Whether there is a keeper in `folder`, whole or not, that may be opened; nothing is touched.
///
/// # Errors
/// When the disk refuses.
pub fn is_keeper_in(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join(VERSION_1[0]);
    if path.try_exists().map_err(StoreError::at(&path))? {
        return Ok(true);
    }
    match KeysFile::open(folder, false)? {
        // The process may have ended before it was written for the first time.
        Some(keys) => keys.has_head().map_err(StoreError::at(&keys.path)),
        None => Ok(false),
    }
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

/// The keeper as version 1 left it. As long as its file is there and whole, it counts.
fn take_over(folder: &Path, clocks: Clocks) -> Result<Option<Keeper>, KeeperFileError> {
    let path = folder.join(VERSION_1[0]);
    let read = File::open(&path).and_then(|mut file| {
        // Read at once into what it needs: growing would leave copies of keys behind.
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = Zeroizing::new(vec![0; len]);
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::at(&path)(error).into()),
    };
    match Keeper::from_version_1(&bytes, clocks) {
        Ok(keeper) => Ok(Some(keeper)),
        // It was being overwritten, so everything of it stands in the other one.
        Err(StateError) if folder.join(KEYS).exists() => Ok(None),
        Err(StateError) => Err(KeeperFileError::Damaged { folder: folder.to_owned() }),
    }
}

fn wipe_version_1(folder: &Path) -> Result<(), StoreError> {
    for path in VERSION_1.map(|name| folder.join(name)) {
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(StoreError::at(&path)(error)),
        };
        let wiped = file
            .metadata()
            .and_then(|about| io::copy(&mut io::repeat(0).take(about.len()), &mut file))
            .and_then(|_| file.sync_all())
            .and_then(|()| std::fs::remove_file(&path));
        wiped.map_err(StoreError::at(&path))?;
        sync_folder_of(&path)?;
    }
    Ok(())
}

/// A file of `STATE_BYTES` bytes, all of which have their place on the disk.
#[derive(Debug)]
struct KeysFile {
    path: PathBuf,
    file: File,
}

impl KeysFile {
    fn open(folder: &Path, to_write: bool) -> Result<Option<Self>, StoreError> {
        let path = folder.join(KEYS);
        match OpenOptions::new().read(true).write(to_write).open(&path) {
            Ok(file) => Ok(Some(Self { path, file })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::at(&path)(error)),
        }
    }

    fn open_or_make(folder: &Path) -> Result<Self, StoreError> {
        Self::open(folder, true)?.map_or_else(|| Self::make(folder), Ok)
    }

    // It gets its name only when every byte of it has its place: from then on no write needs any.
    fn make(folder: &Path) -> Result<Self, StoreError> {
        let (blank, path) = (folder.join(KEYS_BLANK), folder.join(KEYS));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(FILE_MODE);
        let made = options.open(&blank).and_then(|mut file| {
            // Where a file system copies what is written (btrfs), not this file; others know no such flag.
            let _ = ioctl_getflags(&file).and_then(|flags| ioctl_setflags(&file, flags | IFlags::NOCOW));
            io::copy(&mut io::repeat(0).take(STATE_BYTES), &mut file)?;
            file.sync_all()?;
            std::fs::rename(&blank, &path)?;
            Ok(file)
        });
        let file = made.map_err(|error| {
            let _ = std::fs::remove_file(&blank);
            StoreError::at(&path)(error)
        })?;
        sync_folder_of(&path)?;
        Ok(Self { path, file })
    }

    /// The keeper, unless the process ended before it was written for the first time.
    fn load(&mut self, folder: &Path, clocks: Clocks) -> Result<Option<Keeper>, KeeperFileError> {
        match Keeper::load(self, clocks) {
            Ok(keeper) => Ok(Some(keeper)),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                if self.is_blank().map_err(StoreError::at(&self.path))? {
                    return Ok(None);
                }
                Err(KeeperFileError::Damaged { folder: folder.to_owned() })
            }
            Err(error) => Err(StoreError::at(&self.path)(error).into()),
        }
    }

    /// Whether a head was ever written; no key is read for that.
    fn has_head(&self) -> io::Result<bool> {
        for at in HEADS_AT {
            let mut begin = [0; 16];
            match self.file.read_exact_at(&mut begin, at) {
                Ok(()) if begin != [0; 16] => return Ok(true),
                Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
                _ => {}
            }
        }
        Ok(false)
    }

    fn is_blank(&self) -> io::Result<bool> {
        let mut piece = Zeroizing::new(vec![0; 1 << 16]);
        for at in (0..STATE_BYTES).step_by(piece.len()) {
            let len = piece.len().min(usize::try_from(STATE_BYTES - at).unwrap_or(usize::MAX));
            match self.file.read_exact_at(&mut piece[..len], at) {
                Ok(()) if piece[..len].iter().all(|byte| *byte == 0) => {}
                Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl From<StateError> for io::Error {
    fn from(error: StateError) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

impl StateFile for KeysFile {
    type Error = io::Error;

    fn read(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        // A folder that was moved away or put back from a copy: nothing is stored where the next start looks for it.
        let (ours, there) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
            return Ok(());
        }
        Err(io::Error::other("another file stands in its place: start the keeper again"))
    }
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
        let keys = home.path().join("keys");
        let mut bytes = std::fs::read(&keys).unwrap();
        assert_eq!(bytes.len() as u64, STATE_BYTES);
        let heads = bytes.windows(16).enumerate().filter(|(_, window)| window == b"tessera keeper 2");
        let heads: Vec<_> = heads.map(|(at, _)| at).collect();
        heads.iter().for_each(|head| bytes[head + 30] ^= 1);
        for damaged in [&bytes[..], &bytes[..heads[0]], b""] {
            std::fs::write(&keys, damaged).unwrap();
            assert!(matches!(KeeperFile::open(home.path(), clocks(0)), Err(KeeperFileError::Damaged { .. })));
            assert_eq!(std::fs::read(&keys).unwrap(), damaged);
        }
        let nowhere = home.path().join("nowhere");
        assert!(matches!(look_at_keeper(&nowhere, clocks(0)), Err(KeeperFileError::None { .. })));
    }

    #[test]
    fn the_file_of_the_keys_keeps_its_bytes_where_they_are_and_nothing_lies_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, mut keeper) = KeeperFile::open(home.path(), clocks(0)).unwrap();
        let about = || std::fs::metadata(home.path().join("keys")).unwrap();
        let first = about();
        assert!(first.len() == STATE_BYTES && first.blocks() * 512 >= STATE_BYTES, "every byte has its place");
        for hours in 0..400 {
            let _ = keeper.reserve(clocks(hours), Retention::default());
            keeper.advance(clocks(hours), None);
            file.save(&mut keeper).unwrap();
        }
        assert_eq!((about().ino(), about().len(), about().blocks()), (first.ino(), first.len(), first.blocks()));
        let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [format!("audit-{}.log", keeper.id()), "keys".into(), "lock".into()]);
    }

    #[test]
    fn a_file_that_was_taken_away_is_told_and_its_keys_are_destroyed_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, mut keeper) = KeeperFile::open(home.path(), clocks(0)).unwrap();
        keeper.reserve(clocks(0), Retention::default()).unwrap();
        file.save(&mut keeper).unwrap();
        let (keys, away) = (home.path().join("keys"), home.path().join("away"));
        let blank = |path: &Path| std::fs::read(path).unwrap()[..24_576].iter().all(|byte| *byte == 0);
        assert!(!blank(&keys));
        std::fs::rename(&keys, &away).unwrap();
        keeper.advance(clocks(7 * 24), None);
        assert!(file.save(&mut keeper).is_err() && keeper.unsaved());
        assert!(blank(&away));
        std::fs::copy(&away, &keys).unwrap();
        assert!(file.save(&mut keeper).unwrap_err().to_string().contains("another file"));
        std::fs::rename(&away, &keys).unwrap();
        file.save(&mut keeper).unwrap();
    }

    #[test]
    fn a_keeper_whose_process_ended_before_its_first_state_begins_anew() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("keys"), vec![0; STATE_BYTES as usize]).unwrap();
        assert!(matches!(look_at_keeper(home.path(), clocks(0)), Err(KeeperFileError::None { .. })));
        assert!(!is_keeper_in(home.path()).unwrap() && !is_keeper_in(&home.path().join("nowhere")).unwrap());
        let (_, keeper) = KeeperFile::open(home.path(), clocks(0)).unwrap();
        assert_eq!(keeper.stats().keys, 0);
        assert!(is_keeper_in(home.path()).unwrap());
    }

    /// A state of version 1 that holds one key.
    fn version_1(hour: u32, key: [u8; 32]) -> Vec<u8> {
        let floor = clocks(0).wall.0.to_be_bytes();
        let mut state = [&b"tessera keeper 1"[..], &[9; 8], &floor, &[1; 16], &[0; 16], &[0]].concat();
        state.extend([&1_u32.to_be_bytes()[..], &hour.to_be_bytes(), &key, &[0; 4], &[5; 32]].concat());
        state.extend([&0_u64.to_be_bytes()[..], &[0; 32], &[0; 4]].concat());
        let check = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &state);
        state.extend_from_slice(check.as_ref());
        state
    }

    #[test]
    fn what_version_1_left_is_taken_over_and_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let (hour, key) = (clocks(30).wall.0 / (3600 * NANOS_PER_SECOND), [0x3c; 32]);
        let state = version_1(u32::try_from(hour).unwrap(), key);
        for name in VERSION_1 {
            std::fs::write(at(name), &state).unwrap();
            std::fs::hard_link(at(name), at(&format!("{name}.seen"))).unwrap();
        }
        assert_eq!(look_at_keeper(home.path(), clocks(0)).unwrap().stats().keys, 1);
        assert!(at("state").exists() && is_keeper_in(home.path()).unwrap(), "looked at only");
        let (file, keeper) = KeeperFile::open(home.path(), clocks(0)).unwrap();
        assert_eq!((keeper.stats().keys, keeper.id()), (1, KeeperId([9; 8])));
        drop((file, keeper));
        assert!(!at("state").exists() && !at("state.new").exists());
        for seen in VERSION_1.map(|name| at(&format!("{name}.seen"))) {
            assert_eq!(std::fs::read(seen).unwrap(), vec![0; state.len()], "every byte of it");
        }
        let holds = || std::fs::read(at("keys")).unwrap().windows(32).any(|window| window == key);
        assert!(holds());
        // Ended in the middle of overwriting: what was taken over counts.
        std::fs::write(at("state"), &state[..50]).unwrap();
        let (mut file, mut keeper) = KeeperFile::open(home.path(), clocks(1)).unwrap();
        assert_eq!(keeper.stats().keys, 1);
        keeper.advance(clocks(30), None);
        file.save(&mut keeper).unwrap();
        assert!(!holds() && !at("state").exists());
    }
}
