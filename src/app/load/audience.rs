//! **The question:** how do hundreds watch at little cost? All who only watch on one thread, which reads what came for
//! them every so often and is woken by none of it: on one machine a sender would pay for each waking.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use reqwest::Url;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::codecs::Codecs;
use super::error::LoadError;
use super::http::Door;
use super::reception::Reception;
use super::spectator::{Batch, Spectator};
use crate::base::limits;
use crate::base::media::{RoomId, RungName};

/// Those who are to watch.
pub(super) struct Guests<'a> {
    /// Where they come in.
    pub door: &'a Door,
    /// What they watch.
    pub room: &'a RoomId,
    /// In what they take pictures.
    pub codecs: &'a Codecs,
    /// The rungs that they ask for, in turn; none: what their link carries.
    pub rungs: &'a [RungName],
    /// How many they are.
    pub count: usize,
}

/// Those who watch.
pub(super) struct Audience {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
    /// What is to be deleted when they leave.
    resources: Vec<Url>,
    /// Whose connection ended.
    lost: mpsc::Receiver<usize>,
    /// Those who ask again.
    seeking: JoinSet<Result<Url, LoadError>>,
}

/// What the thread is told.
enum Word {
    /// One more, of whom is to be told when the connection stands; or one who was there before, and came anew.
    Come(Box<Spectator>, oneshot::Sender<()>, Option<usize>),
    /// From now on it is measured.
    Begin,
    /// Until now it was.
    End(oneshot::Sender<Vec<Reception>>),
}

impl Audience {
    /// Nobody yet.
    ///
    /// # Errors
    /// When this machine lacks a thread or a descriptor.
    pub fn open() -> Result<Self, LoadError> {
        let system = |error: io::Error| LoadError::System(format!("the viewers: {error}"));
        let (words, heard) = bounded(limits::LOAD_JOINS_AT_ONCE);
        let (gone, lost) = mpsc::channel(limits::VIEWERS_MAX);
        let hall = Hall::open(heard, gone).map_err(system)?;
        let thread = thread::Builder::new().name("viewers".into()).spawn(|| hall.run()).map_err(system)?;
        Ok(Self { words, thread: Some(thread), resources: Vec::new(), lost, seeking: JoinSet::new() })
    }

    /// Whether nobody came.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Has them come, a few at a time, and tells `told` how many did or failed to; what became of the latter.
    pub async fn gather(&mut self, guests: &Guests<'_>, told: impl Fn(usize)) -> Vec<LoadError> {
        let here = match guests.door.near_address() {
            Ok(here) => here,
            Err(error) => return vec![error],
        };
        let permits = Arc::new(Semaphore::new(limits::LOAD_JOINS_AT_ONCE));
        let (mut joins, mut errors) = (JoinSet::new(), Vec::new());
        for number in 0..guests.count {
            let (door, room, codecs) = (guests.door.clone(), guests.room.clone(), guests.codecs.clone());
            let rung = (!guests.rungs.is_empty()).then(|| guests.rungs[number % guests.rungs.len()]);
            let (permits, words) = (Arc::clone(&permits), self.words.clone());
            joins.spawn(async move {
                let _permit = permits.acquire().await;
                come((&door, &room, rung), (here, &codecs), &words, None).await
            });
        }
        let mut done = 0;
        while let Some(joined) = joins.join_next().await {
            done += 1;
            told(done);
            match joined {
                Ok(Ok(resource)) => self.resources.push(resource),
                Ok(Err(error)) => errors.push(error),
                Err(panic) => errors.push(LoadError::System(panic.to_string())),
            }
        }
        errors
    }

    /// From now on it is measured.
    pub fn begin(&self) {
        // The thread is there as long as this is.
        let _ = self.words.send(Word::Begin);
    }

    /// The next one whose connection ended.
    pub async fn next_lost(&mut self) -> Option<usize> {
        self.lost.recv().await
    }

    /// Has one whose connection ended ask again, as often as need be.
    pub fn seek(&mut self, at: usize, (door, room, codecs, rung): (Door, RoomId, Codecs, Option<RungName>)) {
        let (words, here) = (self.words.clone(), door.near_address());
        self.seeking.spawn(async move {
            let here = here?;
            let mut tries = 0;
            loop {
                let came = come((&door, &room, rung), (here, &codecs), &words, Some(at)).await;
                tries += 1;
                if came.is_ok() || tries >= limits::LOAD_SEEKS_MAX {
                    return came;
                }
                tokio::time::sleep(limits::LOAD_PHASE_SPACING).await;
            }
        });
    }

    /// What they got until now.
    pub async fn end(&self) -> Vec<Reception> {
        let (tell, told) = oneshot::channel();
        let _ = self.words.send(Word::End(tell));
        told.await.unwrap_or_default()
    }

    /// They leave.
    pub async fn leave(mut self, door: &Door) -> Vec<LoadError> {
        let permits = Arc::new(Semaphore::new(limits::LOAD_JOINS_AT_ONCE));
        let mut leaving = JoinSet::new();
        while let Some(Ok(found)) = self.seeking.try_join_next() {
            self.resources.extend(found);
        }
        self.seeking.abort_all();
        for resource in std::mem::take(&mut self.resources) {
            let (door, permits) = (door.clone(), Arc::clone(&permits));
            leaving.spawn(async move {
                let _permit = permits.acquire().await;
                door.leave(&resource).await
            });
        }
        let mut errors = Vec::new();
        while let Some(left) = leaving.join_next().await {
            errors.extend(left.ok().and_then(Result::err));
        }
        errors
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        // Without anybody who speaks to it, the thread ends.
        drop(std::mem::replace(&mut self.words, bounded(0).0));
        // A panic was printed by the thread itself.
        self.thread.take().map(JoinHandle::join);
    }
}

/// One comes and waits until the connection stands; what is to be deleted in the end.
async fn come(
    (door, room, rung): (&Door, &RoomId, Option<RungName>),
    (here, codecs): (IpAddr, &Codecs),
    words: &Sender<Word>,
    again: Option<usize>,
) -> Result<Url, LoadError> {
    let (mut spectator, offer) = Spectator::new(here, codecs, Instant::now())?;
    let admission = door.watch(room, rung, offer).await?;
    let (tell, stands) = oneshot::channel();
    let settled = async {
        spectator.accept(&admission.answer, Instant::now())?;
        let gone = || LoadError::System("the viewers' thread ended".to_owned());
        words.send(Word::Come(Box::new(spectator), tell, again)).map_err(|_| gone())?;
        let late = |_| LoadError::no_connection(limits::CONNECT_SPAN);
        let stood = tokio::time::timeout(limits::CONNECT_SPAN, stands).await.map_err(late)?;
        stood.map_err(|_| LoadError::NotConnected("a viewer's connection failed".to_owned()))
    };
    if let Err(error) = settled.await {
        let _ = door.leave(&admission.resource).await;
        return Err(error);
    }
    Ok(admission.resource)
}

/// Where they sit: the thread's own.
struct Hall {
    words: Receiver<Word>,
    epoll: OwnedFd,
    seats: Vec<Seat>,
    batch: Batch,
    timers_at: Instant,
    gone: mpsc::Sender<usize>,
}

struct Seat {
    spectator: Box<Spectator>,
    standing: Standing,
}

/// How one's connection is.
enum Standing {
    /// It comes up; who waits for that.
    Coming(oneshot::Sender<()>),
    /// It came up.
    Seated,
    /// It came up, and ended.
    Lost,
    /// Nobody waited for it any more.
    Forgotten,
}

impl Hall {
    fn open(words: Receiver<Word>, gone: mpsc::Sender<usize>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { words, epoll, seats: Vec::new(), batch: Batch::new(), timers_at: Instant::now(), gone })
    }

    fn run(mut self) {
        let mut ready: Vec<Event> = Vec::with_capacity(limits::VIEWERS_MAX);
        let mut next = Instant::now();
        loop {
            match self.words.recv_deadline(next) {
                Ok(word) => self.obey(word),
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + limits::LOAD_VIEWERS_SPACING;
                    self.round(&mut ready);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let now = Instant::now();
                    return self.seats.iter_mut().for_each(|seat| seat.spectator.close(now));
                }
            }
        }
    }

    fn obey(&mut self, word: Word) {
        let now = Instant::now();
        match word {
            Word::Come(mut spectator, standing, Some(at)) => {
                let Some(seat) = self.seats.get_mut(at) else { return };
                spectator.reception = seat.spectator.reception.anew();
                let data = EventData::new_u64(at as u64);
                if epoll::add(&self.epoll, &*spectator, data, EventFlags::IN).is_ok() {
                    // The former socket leaves the list as it is closed.
                    *seat = Seat { spectator, standing: Standing::Coming(standing) };
                }
            }
            Word::Come(spectator, standing, None) => {
                let at = EventData::new_u64(self.seats.len() as u64);
                // Who cannot be waited for is told so by its fallen end.
                if epoll::add(&self.epoll, &*spectator, at, EventFlags::IN).is_ok() {
                    self.seats.push(Seat { spectator, standing: Standing::Coming(standing) });
                }
            }
            Word::Begin => self.seats.iter_mut().for_each(|seat| seat.spectator.reception.begin(now)),
            Word::End(tell) => {
                let seated =
                    self.seats.iter().filter(|seat| matches!(seat.standing, Standing::Seated | Standing::Lost));
                let ends = seated.map(|seat| seat.spectator.reception.end(now, seat.spectator.stands()));
                // Who asked may have been interrupted.
                let _ = tell.send(ends.collect());
            }
        }
    }

    /// Reads what came, and serves timers now and then.
    fn round(&mut self, ready: &mut Vec<Event>) {
        ready.clear();
        // An interrupted call is made again in the next round.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let now = Instant::now();
        for event in ready.iter() {
            let seat = usize::try_from(event.data.u64()).ok().and_then(|at| self.seats.get_mut(at));
            if let Some(seat) = seat {
                seat.spectator.receive(now, &mut self.batch);
            }
        }
        if now < self.timers_at {
            return;
        }
        self.timers_at = now + limits::LOAD_VIEWERS_TIMERS;
        for (at, seat) in self.seats.iter_mut().enumerate() {
            seat.spectator.look(now);
            seat.settle();
            if matches!(seat.standing, Standing::Seated) && !seat.spectator.stands() && self.gone.try_send(at).is_ok() {
                seat.spectator.reception.ended(now);
                seat.standing = Standing::Lost;
            }
        }
    }
}

impl Seat {
    /// Tells once that the connection stands.
    fn settle(&mut self) {
        if self.spectator.stands()
            && let Standing::Coming(_) = &self.standing
            && let Standing::Coming(tell) = std::mem::replace(&mut self.standing, Standing::Seated)
            && tell.send(()).is_err()
        {
            self.standing = Standing::Forgotten;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn whose_connection_never_stood_is_not_counted_and_the_thread_ends_with_its_owner() {
        let audience = Audience::open().unwrap();
        let (one, _) =
            Spectator::new(Ipv4Addr::LOCALHOST.into(), &Codecs::default(), Instant::now()).expect("there are sockets");
        let (tell, stands) = oneshot::channel();
        audience.words.send(Word::Come(Box::new(one), tell, None)).unwrap();
        audience.begin();
        assert!(audience.end().await.is_empty() && audience.is_empty());
        drop(audience);
        assert!(stands.await.is_err(), "the seat is gone");
    }
}
