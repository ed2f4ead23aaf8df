//! **The question:** how does one thread rouse another that may sleep in `poll`? An eventfd that is written at most
//! once a sleep.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Rouses the thread that owns it; clones rouse the same thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    eventfd: OwnedFd,
    raised: AtomicBool,
}

impl Waker {
    /// A waker nobody sleeps on yet.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Inner { eventfd, raised: AtomicBool::new(false) })))
    }

    /// Rouses the owner; any number of calls between two sleeps cost one system call.
    pub fn wake(&self) {
        // With the sleeper's fence: either it sees what was queued before this call, or this call sees its flag fallen.
        fence(Ordering::SeqCst);
        if !self.0.raised.swap(true, Ordering::AcqRel) {
            // A full eventfd is already readable, so a failed write loses nothing.
            let _ = rustix::io::write(&self.0.eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// Sleeps until a wake or `deadline` (for ever without one). Returns at once if a wake came since the last sleep.
    pub fn sleep_until(&self, deadline: Option<Instant>) {
        self.wait(None, deadline);
    }

    /// As `sleep_until`, also woken when `socket` is readable.
    pub fn sleep_until_readable(&self, socket: BorrowedFd<'_>, deadline: Option<Instant>) {
        self.wait(Some(socket), deadline);
    }

    fn wait(&self, socket: Option<BorrowedFd<'_>>, deadline: Option<Instant>) {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(timespec);
        let own = PollFd::from_borrowed_fd(self.0.eventfd.as_fd(), PollFlags::IN);
        let polled = match socket {
            Some(fd) => poll(&mut [own, PollFd::from_borrowed_fd(fd, PollFlags::IN)], timeout.as_ref()),
            None => poll(&mut [own], timeout.as_ref()),
        };
        // EINTR reads as an early return; every caller looks at its queues and its deadline anyway.
        let _ = polled;
        // Emptied before the flag falls: a wake in between finds the flag up and its work is seen by the round that
        // follows. The other way round it would leave the flag up over an empty eventfd, and every later wake would be
        // swallowed.
        let _ = rustix::io::read(&self.0.eventfd, &mut [0_u8; 8]);
        self.0.raised.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

fn timespec(left: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(left.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_sleep_is_not_lost() {
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.wake();
        waker.sleep_until(None);
        let start = Instant::now();
        waker.sleep_until(Some(start + Duration::from_millis(5)));
        assert!(start.elapsed() >= Duration::from_millis(5), "the second wake was merged into the first");
    }

    #[test]
    fn a_thousand_wakes_across_threads_all_arrive() {
        let waker = Waker::new().unwrap();
        let count = crate::engine::flow::Counter::default();
        let (far_waker, far_count) = (waker.clone(), count.clone());
        let producer = std::thread::spawn(move || {
            for _ in 0..1000 {
                far_count.add(1);
                far_waker.wake();
            }
        });
        while count.get() < 1000 {
            waker.sleep_until(None);
        }
        producer.join().unwrap();
    }
}
