//! **The question:** how does one thread rouse another that may sleep in `poll`, or a task of the runtime? An eventfd
//! that is written at most once a sleep; a task by its own waker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Rouses the thread or the task that owns it; clones rouse the same one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    Thread { eventfd: OwnedFd, raised: AtomicBool },
    Task { waker: AtomicWaker, raised: AtomicBool },
}

impl Waker {
    /// A waker nobody sleeps on yet.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Inner::Thread { eventfd, raised: AtomicBool::new(false) })))
    }

    /// One of a task, which waits for it by [`Self::woken`].
    #[must_use]
    pub fn of_task() -> Self {
        Self(Arc::new(Inner::Task { waker: AtomicWaker::new(), raised: AtomicBool::new(false) }))
    }

    /// Comes back with a wake, at once if one came since the last time; never for a waker of a thread.
    pub async fn woken(&self) {
        let Inner::Task { waker, raised } = &*self.0 else { return std::future::pending().await };
        std::future::poll_fn(|context| {
            // Registered first: a wake in between is then seen here, or rouses who is registered.
            waker.register(context.waker());
            if raised.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Rouses the owner; any number of calls between two sleeps cost one system call.
    pub fn wake(&self) {
        let (eventfd, raised) = match &*self.0 {
            Inner::Thread { eventfd, raised } => (eventfd, raised),
            Inner::Task { waker, raised } => {
                raised.store(true, Ordering::Release);
                return waker.wake();
            }
        };
        // With the sleeper's fence: either it sees what was queued before this call, or this call sees its flag fallen.
        fence(Ordering::SeqCst);
        if !raised.swap(true, Ordering::AcqRel) {
            // A full eventfd is already readable, so a failed write loses nothing.
            let _ = rustix::io::write(eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// Sleeps until a wake or `deadline` (for ever without one). Returns at once if a wake came since the last sleep,
    /// and always for a waker of a task.
    pub fn sleep_until(&self, deadline: Option<Instant>) {
        self.wait(None, deadline);
    }

    /// As `sleep_until`, also woken when `socket` is readable.
    pub fn sleep_until_readable(&self, socket: BorrowedFd<'_>, deadline: Option<Instant>) {
        self.wait(Some(socket), deadline);
    }

    fn wait(&self, socket: Option<BorrowedFd<'_>>, deadline: Option<Instant>) {
        let Inner::Thread { eventfd, raised } = &*self.0 else { return };
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(timespec);
        let own = PollFd::from_borrowed_fd(eventfd.as_fd(), PollFlags::IN);
        let polled = match socket {
            Some(fd) => poll(&mut [own, PollFd::from_borrowed_fd(fd, PollFlags::IN)], timeout.as_ref()),
            None => poll(&mut [own], timeout.as_ref()),
        };
        // EINTR reads as an early return; every caller looks at its queues and its deadline anyway.
        let _ = polled;
        // Emptied before the flag falls: a wake in between finds the flag up and its work is seen by the round that
        // follows. The other way round it would leave the flag up over an empty eventfd, and every later wake would be
        // swallowed.
        let _ = rustix::io::read(eventfd, &mut [0_u8; 8]);
        raised.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

fn timespec(left: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(left.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

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
    fn a_task_is_woken_by_what_came_before_it_waited() {
        let waker = Waker::of_task();
        assert_eq!(waker.woken().now_or_never(), None);
        waker.wake();
        waker.wake();
        assert_eq!(waker.woken().now_or_never(), Some(()));
        assert_eq!(waker.woken().now_or_never(), None, "any number of wakes are one");
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
