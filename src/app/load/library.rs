//! **The question:** where does a camera get the clip that is asked of it? From memory, else from the cache, else it is
//! encoded, by threads that give way to everything else on the machine.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::clip::{self, ClipSetup, SourceVideo};
use super::error::LoadError;
use super::reel::Footage;

/// How far the makers of clips give way (nice).
const MODESTY: i32 = 10;

/// Whose clip, and which.
type Title = (usize, ClipSetup);

/// Every clip that was asked for so far.
pub(super) struct Library {
    desk: Arc<Desk>,
    makers: Vec<JoinHandle<()>>,
}

struct Desk {
    shelves: Mutex<Shelves>,
    /// Something is wanted, or the library closes.
    rung: Condvar,
    source: SourceVideo,
    cache: PathBuf,
    /// What the first person's clips bear.
    first: usize,
}

#[derive(Default)]
struct Shelves {
    ready: HashMap<Title, Arc<Footage>>,
    /// The newest wish of each track that is not fulfilled yet: an older one is nobody's any more.
    wanted: BTreeMap<usize, Title>,
    making: HashSet<Title>,
    /// Why nothing can be made.
    failure: Option<LoadError>,
    is_closed: bool,
}

impl Library {
    /// An empty one over the folder `cache`, of people whose clips bear numbers from `first` on.
    ///
    /// # Errors
    /// When memory or threads are out.
    pub fn open(cache: PathBuf, first: usize) -> Result<Self, LoadError> {
        let system = |error: io::Error| LoadError::System(error.to_string());
        let source = SourceVideo::decode().map_err(system)?;
        let desk = Arc::new(Desk { shelves: Mutex::default(), rung: Condvar::new(), source, cache, first });
        let mut library = Self { desk, makers: Vec::new() };
        for maker in 0..clip::WORKERS {
            let desk = Arc::clone(&library.desk);
            let body = move || desk.make_what_is_wanted();
            let thread = thread::Builder::new().name(format!("clip-{maker}")).spawn(body).map_err(system)?;
            library.makers.push(thread);
        }
        Ok(library)
    }

    /// The clip `setup` of person `number`, wanted by `track`; `None` while it is being made.
    pub fn want(&self, track: usize, number: usize, setup: ClipSetup) -> Option<Arc<Footage>> {
        let mut shelves = self.desk.lock();
        let title = (number, setup);
        if let Some(footage) = shelves.ready.get(&title).map(Arc::clone) {
            shelves.wanted.remove(&track);
            return Some(footage);
        }
        if shelves.wanted.insert(track, title) != Some(title) {
            self.desk.rung.notify_one();
        }
        None
    }

    /// How many wishes are not fulfilled yet.
    ///
    /// # Errors
    /// When clips cannot be made.
    pub fn waiting(&self) -> Result<usize, LoadError> {
        let shelves = self.desk.lock();
        shelves.failure.clone().map_or(Ok(shelves.wanted.len()), Err)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.desk.lock().is_closed = true;
        self.desk.rung.notify_all();
        for maker in self.makers.drain(..) {
            // A maker that panicked has said so; there is nothing left to do about it.
            let _ = maker.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Shelves> {
        // Each change of the shelves is one statement: whatever panicked left them whole.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_what_is_wanted(&self) {
        // On Linux this concerns the calling thread alone; where it is refused, clips are made all the same.
        let _ = rustix::process::nice(MODESTY);
        while let Some((number, setup)) = self.next() {
            let made = clip::load_or_make(self.first + number, &setup, &self.cache, &self.source);
            let footage = made.map_err(|e| LoadError::Clip(e.to_string())).and_then(|clip| Footage::cut(&clip));
            let mut shelves = self.lock();
            shelves.making.remove(&(number, setup));
            match footage {
                Ok(footage) => _ = shelves.ready.insert((number, setup), Arc::new(footage)),
                Err(error) => shelves.failure = Some(error),
            }
            shelves.wanted.retain(|_, title| *title != (number, setup));
        }
    }

    /// Waits for a wish that nobody works on; `None` at the end.
    fn next(&self) -> Option<Title> {
        let mut shelves = self.lock();
        loop {
            if shelves.is_closed || shelves.failure.is_some() {
                return None;
            }
            let free = shelves.wanted.values().find(|title| !shelves.making.contains(title)).copied();
            if let Some(title) = free {
                shelves.making.insert(title);
                return Some(title);
            }
            shelves = self.rung.wait(shelves).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::base::media::{Codec, Size};

    fn wait_for(library: &Library, track: usize, number: usize, setup: ClipSetup) -> Arc<Footage> {
        let begin = Instant::now();
        loop {
            if let Some(footage) = library.want(track, number, setup) {
                return footage;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it is never made");
            thread::yield_now();
        }
    }

    #[test]
    fn a_clip_is_made_once_for_all_who_want_it_and_a_wish_that_was_changed_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(folder.path().to_owned(), 0).unwrap();
        let setup = ClipSetup { fps: 5, size: Size::new(160, 90), ..ClipSetup::default() };
        let other = ClipSetup { fps: 10, ..setup };
        assert!(library.want(0, 3, setup).is_none());
        assert!(library.want(0, 3, other).is_none());
        assert!(library.want(1, 3, other).is_none());
        let (camera, screen) = (wait_for(&library, 0, 3, other), wait_for(&library, 1, 3, other));
        assert!(Arc::ptr_eq(&camera, &screen));
        assert_eq!(library.waiting(), Ok(0));
        assert_eq!(camera.codec, Codec::Av1);
    }

    #[test]
    fn what_no_encoder_takes_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(folder.path().to_owned(), 0).unwrap();
        let setup = ClipSetup { codec: Codec::Vp9, ..ClipSetup::default() };
        let begin = Instant::now();
        while library.waiting().is_ok() {
            assert!(library.want(0, 0, setup).is_none());
            assert!(begin.elapsed() < Duration::from_secs(60), "nothing is told");
            thread::yield_now();
        }
        assert!(matches!(library.waiting(), Err(LoadError::Clip(_))));
    }
}
