//! **The question:** where do sealed objects wait while the store is slow or down? In one local folder, in the order in
//! which they came, up to a bound; what waits there survives the node.
//!
//! One file for each object, `{number}@{path with @ for /}`, so that the folder itself says what waits and until when.
//! What reaches it is sealed already.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::record::{ROOT, folder};
use crate::core::retention::{Hour, RecordingName};
use crate::io::store::disk::{StoreError, make_folder, replace_file, sync_folder_of};
use crate::io::store::upload_counters::UploadCounters;

/// Where objects wait, and how many bytes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolPlace {
    /// A folder on a local disk, made (mode 0700) if need be.
    pub folder: PathBuf,
    /// Sealed bytes that wait at most.
    pub bytes_max: u64,
}

/// One object that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Rises; the lowest came first.
    pub(super) number: u64,
    /// Where it is to be stored.
    pub(super) path: String,
    len: u64,
}

/// The folder of what waits.
#[derive(Debug)]
pub(super) struct Spool {
    place: SpoolPlace,
    held: Mutex<Held>,
    came: Notify,
    counters: UploadCounters,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// With what is being written, which does not wait yet.
    bytes: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Spool {
    /// The spool in a folder; what waits there from before waits on.
    pub(super) fn open(place: &SpoolPlace, counters: UploadCounters) -> Result<Self, StoreError> {
        make_folder(&place.folder)?;
        let mut held = Held::default();
        for entry in std::fs::read_dir(&place.folder).map_err(StoreError::at(&place.folder))? {
            let entry = entry.map_err(StoreError::at(&place.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_suffix(".new").is_some_and(|stem| parse(stem).is_some()) {
                // A process was killed while it wrote this.
                std::fs::remove_file(entry.path()).map_err(StoreError::at(&entry.path()))?;
            } else if let Some((number, path)) = parse(&name) {
                let len = entry.metadata().map_err(StoreError::at(&entry.path()))?.len();
                held.next = held.next.max(number + 1);
                held.bytes += len;
                held.waiting.insert(number, Waiting { number, path, len });
            }
        }
        counters.spool_bytes.set(held.bytes);
        Ok(Self { place: place.clone(), held: Mutex::new(held), came: Notify::new(), counters })
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.held().waiting.is_empty()
    }

    /// Whether anything of a recording waits.
    pub(super) fn has(&self, recording: RecordingName) -> bool {
        let prefix = format!("{}/", folder(recording));
        self.held().waiting.values().any(|waiting| waiting.path.starts_with(&prefix))
    }

    /// All of which anything waits.
    pub(super) fn recordings(&self) -> BTreeSet<RecordingName> {
        self.held().waiting.values().filter_map(|waiting| name_of(&waiting.path)).collect()
    }

    /// Has an object wait. When this returns the disk itself holds it.
    pub(super) fn put(&self, path: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let len = sealed.len() as u64;
        let Some(number) = self.reserve(len) else {
            self.counters.spool_full.set(1);
            return Err(StoreError::Full { path: self.place.folder.clone() });
        };
        let written = self.write(&name(number, path), sealed);
        let mut held = self.held();
        match &written {
            Ok(()) => {
                let waiting = Waiting { number, path: path.to_owned(), len };
                held.waiting.insert(number, waiting);
            }
            Err(_) => held.bytes -= len,
        }
        self.counters.spool_bytes.set(held.bytes);
        drop(held);
        self.counters.spool_full.set(u64::from(written.is_err()));
        self.counters.spool_errors.add(u64::from(written.is_err()));
        self.came.notify_one();
        written
    }

    /// The oldest object of each of some recordings whose hour has not come by `now`: these may be stored side by side,
    /// whatever follows only after them.
    pub(super) fn oldest(&self, now: Wallclock) -> Vec<Waiting> {
        let held = self.held();
        let (mut recordings, mut oldest) = (HashSet::new(), Vec::new());
        let current = |waiting: &&Waiting| hour_of(&waiting.path).is_some_and(|hour| !hour.is_expired(now));
        for waiting in held.waiting.values().take(limits::SPOOL_LOOK_AHEAD).filter(current) {
            if recordings.insert(recording_of(&waiting.path)) {
                oldest.push(waiting.clone());
            }
            if oldest.len() == limits::SPOOL_STORED_AT_ONCE {
                break;
            }
        }
        oldest
    }

    /// The bytes of one that waits.
    pub(super) fn read(&self, waiting: &Waiting) -> io::Result<Bytes> {
        std::fs::read(self.file_of(waiting)).map(Bytes::from)
    }

    /// Whether it waits still.
    pub(super) fn holds(&self, waiting: &Waiting) -> bool {
        self.held().waiting.contains_key(&waiting.number)
    }

    /// It waits no more: it was stored, or nobody wants it.
    pub(super) fn remove(&self, waiting: &Waiting) -> Result<(), StoreError> {
        let path = self.file_of(waiting);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::at(&path)(error)),
            _ => {}
        }
        let mut held = self.held();
        // A sweep and the drain may meet at the same one.
        if held.waiting.remove(&waiting.number).is_some() {
            held.bytes -= waiting.len;
            self.counters.spool_bytes.set(held.bytes);
            self.counters.spool_full.set(0);
        }
        Ok(())
    }

    /// Deletes what is filed under an hour that has come by `now`: how many, and how many could not be.
    pub(super) fn expire(&self, now: Wallclock) -> (u64, u64) {
        self.remove_all(|waiting| hour_of(&waiting.path).is_some_and(|hour| hour.is_expired(now)))
    }

    /// Deletes what waits of one recording.
    pub(super) fn forget(&self, recording: RecordingName) -> Result<(), StoreError> {
        let prefix = format!("{}/", folder(recording));
        match self.remove_all(|waiting| waiting.path.starts_with(&prefix)) {
            (_, 0) => Ok(()),
            _ => Err(StoreError::at(&self.place.folder)(io::ErrorKind::Other.into())),
        }
    }

    /// Until something comes to wait, or a while has passed.
    pub(super) async fn came(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.came.notified()).await;
    }

    fn remove_all(&self, which: impl Fn(&Waiting) -> bool) -> (u64, u64) {
        let chosen: Vec<_> = self.held().waiting.values().filter(|waiting| which(waiting)).cloned().collect();
        let failed = chosen.iter().filter(|waiting| self.remove(waiting).is_err()).count() as u64;
        (chosen.len() as u64 - failed, failed)
    }

    fn reserve(&self, len: u64) -> Option<u64> {
        let mut held = self.held();
        let room = held.bytes + len <= self.place.bytes_max && held.waiting.len() < limits::SPOOL_OBJECTS_MAX;
        if !room {
            return None;
        }
        held.bytes += len;
        held.next += 1;
        Some(held.next - 1)
    }

    fn write(&self, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let path = self.place.folder.join(name);
        let aside = path.with_added_extension("new");
        let written = replace_file(&path, &aside, &[sealed]);
        if let Err(error) = written {
            // What went wrong first is what counts; what stays is deleted at the next start.
            let _ = std::fs::remove_file(&aside);
            return Err(StoreError::at(&path)(error));
        }
        sync_folder_of(&path)
    }

    fn file_of(&self, waiting: &Waiting) -> PathBuf {
        self.place.folder.join(name(waiting.number, &waiting.path))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(number: u64, path: &str) -> String {
    format!("{number:016x}@{}", path.replace('/', "@"))
}

/// The files of a spool's folder that hold objects, and where each is to be stored; of a copy too.
pub(super) fn waiting_in(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let named = |file: PathBuf| {
        let (_, path) = parse(file.file_name()?.to_str()?)?;
        Some((file, path))
    };
    Ok(entries.into_iter().filter_map(named).collect())
}

fn parse(name: &str) -> Option<(u64, String)> {
    let (number, path) = name.split_once('@')?;
    let path = path.replace('@', "/");
    hour_of(&path)?;
    (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok().map(|number| (number, path)))?
}

fn hour_of(path: &str) -> Option<Hour> {
    path.strip_prefix(ROOT)?.strip_prefix('/')?.split('/').next()?.parse().ok()
}

// `rec/{hour}/{recording}` of a path.
fn recording_of(path: &str) -> &str {
    path.match_indices('/').nth(2).map_or(path, |(at, _)| &path[..at])
}

fn name_of(path: &str) -> Option<RecordingName> {
    let recording = path.split('/').nth(2)?.parse().ok()?;
    Some(RecordingName { hour: hour_of(path)?, recording })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::NANOS_PER_SECOND;

    fn place(folder: &Path) -> SpoolPlace {
        SpoolPlace { folder: folder.join("spool"), bytes_max: 100 }
    }

    #[test]
    fn what_waits_keeps_its_order_through_a_restart_and_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let counters = UploadCounters::default();
        let spool = Spool::open(&place(home.path()), counters.clone()).unwrap();
        for (path, len) in [("rec/00000002/a/wrap/x", 30), ("rec/00000003/b/hdr", 20), ("rec/00000002/a/fin", 50)] {
            spool.put(path, &vec![7; len]).unwrap();
        }
        assert!(spool.put("rec/00000002/a/more", b"x").unwrap_err().is_full());
        assert_eq!((counters.spool_full.get(), counters.spool_bytes.get()), (1, 100));
        drop(spool);
        std::fs::write(home.path().join("spool/0000000000000009@rec@00000001@z.new"), b"half").unwrap();
        std::fs::write(home.path().join("spool/somebody's note"), b"left alone").unwrap();

        let spool = Spool::open(&place(home.path()), counters.clone()).unwrap();
        let paths = |oldest: &[Waiting]| oldest.iter().map(|waiting| waiting.path.clone()).collect::<Vec<_>>();
        let oldest = spool.oldest(Wallclock(0));
        assert_eq!(paths(&oldest), ["rec/00000002/a/wrap/x", "rec/00000003/b/hdr"], "the first of each recording");
        assert_eq!(&spool.read(&oldest[0]).unwrap()[..], [7; 30]);
        spool.remove(&oldest[0]).unwrap();
        assert_eq!((counters.spool_full.get(), counters.spool_bytes.get()), (0, 70));
        assert_eq!(paths(&spool.oldest(Wallclock(0))), ["rec/00000003/b/hdr", "rec/00000002/a/fin"]);
        spool.put("rec/00000002/a/more", b"x").unwrap();

        // At the start of hour 2 exactly that hour has come.
        assert_eq!(spool.expire(Wallclock(2 * 3600 * NANOS_PER_SECOND)), (2, 0));
        assert_eq!(paths(&spool.oldest(Wallclock(0))), ["rec/00000003/b/hdr"]);
        let files: Vec<_> = std::fs::read_dir(home.path().join("spool")).unwrap().collect();
        assert_eq!(files.len(), 2, "the object and the note");
    }

    #[test]
    fn a_spool_that_cannot_be_written_to_says_so() {
        let home = tempfile::tempdir().unwrap();
        let counters = UploadCounters::default();
        let spool = Spool::open(&place(home.path()), counters.clone()).unwrap();
        std::fs::remove_dir(home.path().join("spool")).unwrap();
        std::fs::write(home.path().join("spool"), b"").unwrap();
        assert!(spool.put("rec/00000002/a/hdr", b"x").is_err());
        assert_eq!((counters.spool_full.get(), counters.spool_errors.get(), counters.spool_bytes.get()), (1, 1, 0));
        assert!(spool.is_empty());
    }
}
